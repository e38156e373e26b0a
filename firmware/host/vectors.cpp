// Checks the files in testdata that Go reads as well: settings.vectors,
// frames.vectors and improv.vectors. Each tells its own format.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "../kit/src/core/frame.h"
#include "../kit/src/core/improv.h"
#include "../kit/src/core/settings.h"

namespace {

using Bytes = std::vector<uint8_t>;
using Words = std::vector<std::string>;

// bytes reads hex into a vector of exactly that size, so that the sanitizer sees
// who reads on.
Bytes bytes(const std::string &hex) {
  Bytes out;
  for (size_t i = 0; hex != "-" && i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<uint8_t>(std::strtoul(hex.substr(i, 2).c_str(), nullptr, 16)));
  out.shrink_to_fit();
  return out;
}

std::string hex(const void *data, size_t length) {
  std::string out;
  char text[3];
  for (size_t i = 0; i < length; i++) {
    std::snprintf(text, sizeof text, "%02x", static_cast<const uint8_t *>(data)[i]);
    out += text;
  }
  return out.empty() ? "-" : out;
}

std::string hex(const Bytes &b) { return hex(b.data(), b.size()); }

std::string format(const char *how, unsigned v) {
  char text[16];
  std::snprintf(text, sizeof text, how, v);
  return text;
}

Words split(const std::string &line) {
  std::istringstream in(line);
  Words out;
  for (std::string w; in >> w;) out.push_back(w);
  return out;
}

std::string encoded(const Settings &s, Extent extent) {
  Bytes to(Settings::kMost + 1);
  size_t n = encodeSettings(s, extent, to.data(), to.size());
  return n == SIZE_MAX ? "too long" : hex(to.data(), n);
}

// settings says what comes out of a case of settings.vectors.
std::string settings(const Words &w) {
  Settings s, other;
  if (w[0] == "tlvs") {
    Bytes in = bytes(w[2]);
    if (!parseSettings(in.data(), in.size(), &s)) return encoded(s, Extent::all) == "-" ? "invalid" : "invalid, and not empty";
    Bytes kept = bytes(encoded(s, Extent::all));
    if (!parseSettings(kept.data(), kept.size(), &other) || encoded(other, Extent::all) != hex(kept)) return "what is kept is read as something else";
    if (!sameNetwork(s, other)) return "its network is another";
    return hex(kept) + " " + encoded(s, Extent::open) + " " + format("%08x", settingsCrc(s, Extent::all)) + " " +
           format("%08x", settingsCrc(s, Extent::design));
  }
  if (w[0] == "change") {
    Bytes old = bytes(w[2]), change = bytes(w[3]);
    if (!parseSettings(old.data(), old.size(), &s)) return "what was there cannot be read";
    std::string before = encoded(s, Extent::all);
    bool ok = changeSettings(s, change.data(), change.size(), &other);
    if (encoded(s, Extent::all) != before) return "it changes what was there";
    return ok ? encoded(other, Extent::all) : "invalid";
  }
  if (w[0] == "slot") {
    Bytes slot = bytes(w[2]);
    uint32_t sequence = decodeSlot(slot.data(), slot.size(), &s);
    if (sequence == 0) return "invalid";
    Bytes to(slot.size());
    size_t n = encodeSlot(s, sequence, to.data(), to.size());
    bool exact = n == slot.size() && to == slot;
    return format("%u", sequence) + " " + encoded(s, Extent::all) + (exact ? " exact" : "");
  }
  if (w[0] == "newest") {
    // As a store finds them in flash.
    struct TwoSlots : Flash {
      Bytes slots[2];
      bool read(uint32_t address, uint8_t *to, size_t length) override {
        const Bytes &slot = slots[address >= SettingsStore::kSlots[1]];
        size_t at = address % SettingsStore::kSector;
        for (size_t i = 0; i < length; i++) to[i] = at + i < slot.size() ? slot[at + i] : 0xff;
        return true;
      }
      bool erase(uint32_t) override { return false; }
      bool write(uint32_t, const uint8_t *, size_t) override { return false; }
    } flash;
    flash.slots[0] = bytes(w[2]);
    flash.slots[1] = bytes(w[3]);
    SettingsStore store(flash);
    if (!store.load(&s)) return store.sequence() == 0 && encoded(s, Extent::all) == "-" ? "none" : "none, and not empty";
    Settings want;
    for (int i = 0; i < 2; i++) {
      uint32_t sequence = decodeSlot(flash.slots[i].data(), flash.slots[i].size(), &want);
      if (sequence == store.sequence() && encoded(want, Extent::all) == encoded(s, Extent::all)) return i == 0 ? "a" : "b";
    }
    return "something else";
  }
  return "what is that?";
}

// improv says what comes out of a case of improv.vectors.
std::string improv(const Words &w) {
  if (w[0] == "packet") {
    Bytes data = bytes(w[2]), to(kImprovHead + data.size() + 2);
    uint8_t type = bytes(w[1])[0];
    size_t n = encodeImprov(to.data(), to.size(), type, data.data(), data.size());
    std::string out = hex(to.data(), n);
    Bytes same(kImprovMost);
    if (type == kImprovState) n = encodeImprovState(same.data(), same.size(), static_cast<ImprovState>(data[0]));
    if (type == kImprovError) n = encodeImprovError(same.data(), same.size(), static_cast<ImprovError>(data[0]));
    return type <= kImprovError && hex(same.data(), n) != out ? "two answers" : out;
  }
  if (w[0] == "rpc") {
    Bytes data = bytes(w[2]);
    ImprovRequest r;
    ImprovError e = parseImprov(data.data(), data.size(), &r);
    if (e != ImprovError::none) return e == ImprovError::invalid ? "invalid" : "unknown";
    const char *names[] = {"", "wifi", "state", "info", "scan"};
    std::string out = names[static_cast<size_t>(r.id)];
    return r.id == ImprovId::wifi ? out + " " + hex(r.ssid, std::strlen(r.ssid)) + " " + hex(r.key, std::strlen(r.key)) : out;
  }
  if (w[0] == "result") {
    Words texts;
    std::vector<const char *> at;
    for (size_t i = 2; i < w.size(); i++) {
      Bytes b = bytes(w[i]);
      texts.emplace_back(b.begin(), b.end());
    }
    for (const std::string &t : texts) at.push_back(t.c_str());
    Bytes to(kImprovMost);
    size_t n = encodeImprovResult(to.data(), to.size(), static_cast<ImprovId>(bytes(w[1])[0]), at.data(), at.size());
    return hex(to.data(), n);
  }
  return "what is that?";
}

// Paper writes down what a Splitter finds.
struct Paper : SplitterOwner {
  Words found;
  void line(const char *text, size_t length) override {
    found.push_back(text[length] == 0 ? "> line " + hex(text, length) : "> line without an end");
  }
  void frame(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) override {
    found.push_back("> frame " + hex(&type, 1) + " " + hex(&seq, 1) + " " + hex(data, length));
  }
  void improv(uint8_t type, const uint8_t *data, size_t length) override { found.push_back("> improv " + hex(&type, 1) + " " + hex(data, length)); }
  void improvDamaged() override { found.push_back("> damaged"); }
};

// Case is what comes on a serial port and what is found in it.
struct Case {
  std::string name;
  int line = 0;
  std::vector<Words> in;
  Words want;

  // differs says what is found instead, in pieces of size.
  std::string differs(size_t size) const {
    Paper paper;
    auto splitter = std::make_unique<Splitter>(paper);
    for (const Words &w : in) {
      if (w[0] == "quiet") {
        splitter->quiet();
        if (splitter->pending()) return "it is not quiet";
        continue;
      }
      Bytes all = bytes(w[1]);
      for (size_t at = 0; at < all.size(); at += size) {
        Bytes piece(all.begin() + static_cast<long>(at), all.begin() + static_cast<long>(std::min(all.size(), at + size)));
        splitter->push(piece.data(), piece.size());
      }
    }
    if (paper.found == want) return "";
    std::string out = "in pieces of " + std::to_string(size) + ":";
    for (const std::string &f : paper.found) out += "\n  " + f;
    return out;
  }
};

struct Result {
  int cases = 0, failed = 0;
  void fail(const char *file, int line, const std::string &why) {
    failed++;
    std::fprintf(stderr, "%s:%d: it is %.300s\n", file, line, why.c_str());
  }
};

void end(const char *file, const Case &c, Result *r) {
  if (c.line == 0) return;
  r->cases++;
  for (size_t size : {1, 2, 3, 7, 64, 4096}) {
    std::string why = c.differs(size);
    if (why.empty()) continue;
    r->fail(file, c.line, why);
    return;
  }
}

void check(const char *file, std::istream &in, Result *r) {
  Case c;
  int n = 0;
  for (std::string line; std::getline(in, line);) {
    n++;
    Words w = split(line);
    if (w.empty() || w[0][0] == '#') continue;
    if (w[0] == "case") {
      end(file, c, r);
      c = Case();
      c.name = w[1];
      c.line = n;
    } else if (w[0] == "in" || w[0] == "quiet") {
      c.in.push_back(w);
    } else if (w[0] == ">") {
      c.want.push_back(line);
    } else {
      size_t at = line.find(" = ");
      std::string want = at == std::string::npos ? "" : line.substr(at + 3), got;
      w = split(line.substr(0, at));
      if (w[0] == "encode") {
        Bytes data = bytes(w[3]), to(kFrameHead + data.size() + kFrameEnd);
        size_t length = encodeFrame(to.data(), to.size(), bytes(w[1])[0], bytes(w[2])[0], data.data(), data.size());
        got = hex(to.data(), length);
      } else {
        got = w[0] == "packet" || w[0] == "rpc" || w[0] == "result" ? improv(w) : settings(w);
      }
      r->cases++;
      if (got != want) r->fail(file, n, got);
    }
  }
  end(file, c, r);
}

}  // namespace

int main(int argc, char **argv) {
  Result r;
  for (int i = 1; i < argc; i++) {
    std::ifstream in(argv[i]);
    if (!in) r.fail(argv[i], 0, "not readable");
    check(argv[i], in, &r);
  }
  std::printf("%d vectors, %d failed\n", r.cases, r.failed);
  return r.failed == 0 && r.cases > 0 ? 0 : 1;
}
