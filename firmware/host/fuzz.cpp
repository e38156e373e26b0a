// Gives the parsers of the kit bytes that nobody meant for them. The first byte of
// an input chooses the parser. With clang and -fsanitize=fuzzer -DLIBFUZZER this is
// a target of libFuzzer; else main changes what it finds in the files of vectors:
//   fuzz COUNT SEED FILE...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "../kit/src/core/bytes.h"
#include "../kit/src/core/console.h"
#include "../kit/src/core/crc32.h"
#include "../kit/src/core/frame.h"
#include "../kit/src/core/improv.h"
#include "../kit/src/core/mqtt.h"
#include "../kit/src/core/settings.h"
#include "mdns.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint8_t kKinds = 8;  // of inputs

void (*confession)();  // prints the input, where there is no libFuzzer to do it

void must(bool ok, int line, const char *what) {
  if (ok) return;
  std::fprintf(stderr, "fuzz.cpp:%d: %s\n", line, what);
  if (confession != nullptr) confession();
  std::abort();
}

#define MUST(what) must((what), __LINE__, #what)

// In hands out an input piece by piece.
struct In {
  const uint8_t *at;
  size_t left;
  uint8_t u8() {
    if (left == 0) return 0;
    left--;
    return *at++;
  }
  // some is a copy of exactly its size, so that the sanitizer sees who reads on.
  Bytes some(size_t n) {
    n = std::min(n, left);
    Bytes out(at, at + n);
    at += n;
    left -= n;
    return out;
  }
  Bytes rest() { return some(left); }
};

Bytes encoded(const Settings &s) {
  Bytes to(Settings::kMost + 1);
  size_t n = encodeSettings(s, Extent::all, to.data(), to.size());
  MUST(n <= Settings::kMost);
  to.resize(n);
  to.shrink_to_fit();
  return to;
}

// stable wants that what is encoded is read as the same.
void stable(const Settings &s) {
  Settings again;
  Bytes kept = encoded(s);
  MUST(parseSettings(kept.data(), kept.size(), &again));
  MUST(encoded(again) == kept && sameNetwork(s, again) && s.complete() == again.complete());
  MUST(crc32(0, kept.data(), kept.size()) == settingsCrc(s, Extent::all));
}

struct Silent : Board {
  size_t published = 0;
  void publish(const char *topic, const char *payload, bool) override { published += std::strlen(topic) + std::strlen(payload); }
  void light(const char *slot, bool) override { published += std::strlen(slot); }
  void print(const char *line) override { published += std::strlen(line); }
};

// perform makes a kit of settings and has it receive a payload everywhere.
void perform(const Settings &s, const Bytes &payload, uint32_t now) {
  Silent board;
  Kit kit(board, s.role, s.name);
  kit.setHold(s.hold);
  for (size_t i = 0; i < s.part_count; i++) kit.add(s.parts[i].port());
  kit.connected(now);
  for (size_t i = 0; kit.subscription(i) != nullptr; i++) {
    std::string topic = kit.subscription(i);
    kit.received(topic.c_str(), payload.data(), payload.size(), now += 100);
  }
  for (size_t i = 0; i < s.part_count; i++) {
    kit.contact(s.parts[i].slot, true, now += 31);
    kit.measure(s.parts[i].slot, static_cast<int32_t>(now));
    kit.tick(now += 31);
  }
  kit.stopping();
}

void fuzzSettings(In in) {
  uint8_t n = in.u8();
  Bytes payload = in.some(n), tlvs = in.rest();
  Settings s, empty;
  empty.clear();
  if (parseSettings(tlvs.data(), tlvs.size(), &s)) {
    stable(s);
    perform(s, payload, static_cast<uint32_t>(n) << 24);
  } else {
    MUST(encoded(s).empty() && s.hold == empty.hold);
  }
}

void fuzzChange(In in) {
  size_t n = in.u8();
  Bytes old = in.some(n | static_cast<size_t>(in.u8()) << 8), change = in.rest();
  Settings from, to;
  if (!parseSettings(old.data(), old.size(), &from)) return;
  Bytes before = encoded(from);
  if (changeSettings(from, change.data(), change.size(), &to)) {
    stable(to);
    // Once more it changes nothing, but where it adds parts.
    Settings again;
    bool adds = false;
    for (size_t at = 0; at + 2 < change.size(); at += 2u + change[at + 1])
      adds = adds || (change[at] == kTagPart && change[at + 1] > 0 && (change[at + 2] & PartSettings::kAdded) != 0);
    bool holds = changeSettings(to, change.data(), change.size(), &again);
    MUST(adds ? !holds || again.part_count > to.part_count : holds && encoded(again) == encoded(to));
  }
  MUST(encoded(from) == before);
}

struct Memory : Flash {
  uint8_t bytes[2 * SettingsStore::kSector];
  uint8_t *at(uint32_t address, size_t length) {
    MUST(address >= SettingsStore::kSlots[0] && address - SettingsStore::kSlots[0] + length <= sizeof bytes);
    return bytes + (address - SettingsStore::kSlots[0]);
  }
  bool read(uint32_t address, uint8_t *to, size_t length) override { return std::memcpy(to, at(address, length), length) != nullptr; }
  bool erase(uint32_t address) override { return std::memset(at(address, SettingsStore::kSector), 0xff, SettingsStore::kSector) != nullptr; }
  bool write(uint32_t address, const uint8_t *from, size_t length) override {
    MUST(address % 4 == 0 && length % 4 == 0);
    uint8_t *to = at(address, length);
    for (size_t i = 0; i < length; i++) to[i] &= from[i];
    return true;
  }
};

void fuzzSlots(In in) {
  size_t n = in.u8();
  Bytes a = in.some(n | static_cast<size_t>(in.u8() & 7) << 8), b = in.rest();
  Settings s, best;
  uint32_t newest = 0;
  auto flash = std::make_unique<Memory>();
  std::memset(flash->bytes, 0xff, sizeof flash->bytes);
  for (int i = 0; i < 2; i++) {
    const Bytes &slot = i == 0 ? a : b;
    std::copy_n(slot.begin(), std::min(slot.size(), SettingsStore::kSector), flash->bytes + i * SettingsStore::kSector);
    uint32_t sequence = decodeSlot(slot.data(), slot.size(), &s);
    if (sequence == 0) continue;
    stable(s);
    Bytes again(kSlotMost);
    size_t length = encodeSlot(s, sequence, again.data(), again.size());
    MUST(length > 0 && length % 4 == 0 && decodeSlot(again.data(), length, &best) == sequence && encoded(best) == encoded(s));
    newest = std::max(newest, sequence);
  }
  SettingsStore store(*flash);
  // In flash a slot that was cut off goes on with FF, so it may be valid there.
  bool some = store.load(&best);
  MUST(store.sequence() >= newest && some == (store.sequence() != 0));
  uint32_t before = store.sequence();
  Bytes was = encoded(best);
  if (before == 0xffffffff) return;
  MUST(store.save(best) && store.sequence() == before + 1);
  SettingsStore fresh(*flash);
  MUST(fresh.load(&s) && fresh.sequence() == before + 1 && encoded(s) == was && !fresh.proven());
  MUST(fresh.prove() && (!some || (fresh.revert(&s) && encoded(s) == was)));
}

// Found keeps what a Splitter finds.
struct Found : SplitterOwner {
  Bytes all;
  const Bytes *in = nullptr;
  void note(char kind, const void *data, size_t length) {
    all.push_back(static_cast<uint8_t>(kind));
    all.push_back(static_cast<uint8_t>(length));
    const uint8_t *at = static_cast<const uint8_t *>(data);
    all.insert(all.end(), at, at + length);
  }
  // came wants that the input has these bytes in one piece.
  void came(const uint8_t *data, size_t length) const { MUST(std::search(in->begin(), in->end(), data, data + length) != in->end()); }
  void line(const char *text, size_t length) override {
    MUST(length > 0 && length <= kLine && text[length] == 0 && std::strlen(text) == length);
    for (size_t i = 0; i < length; i++) MUST(text[i] == '\t' || (static_cast<uint8_t>(text[i]) >= ' ' && text[i] != 0x7f));
    note('l', text, length);
    Bytes copy(text, text + length);
    parseConsole(reinterpret_cast<const char *>(copy.data()), length);
  }
  void frame(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) override {
    uint8_t to[kFrameMost];
    came(to, encodeFrame(to, sizeof to, type, seq, data, length));
    note('f', data, length);
  }
  void improv(uint8_t type, const uint8_t *data, size_t length) override {
    uint8_t to[kImprovMost];
    came(to, encodeImprov(to, sizeof to, type, data, length) - 1);  // the end of line may be missing
    note('i', data, length);
    Bytes copy(data, data + length);
    ImprovRequest r;
    parseImprov(copy.data(), copy.size(), &r);
  }
  void improvDamaged() override { note('d', "", 0); }
};

void fuzzStream(In in) {
  size_t piece = 1 + in.u8() % 64;
  Bytes data = in.rest();
  Found found[2];
  for (Found &f : found) {
    f.in = &data;
    auto splitter = std::make_unique<Splitter>(f);
    for (size_t at = 0; at < data.size(); at += piece) {
      Bytes some(data.begin() + static_cast<long>(at), data.begin() + static_cast<long>(std::min(data.size(), at + piece)));
      splitter->push(some.data(), some.size());
    }
    splitter->quiet();
    MUST(!splitter->pending());
    // What was never ended does no harm to what comes after it.
    uint8_t hello[16];
    size_t n = encodeFrame(hello, sizeof hello, kHello, 7, "", 0), before = f.all.size();
    data.insert(data.end(), hello, hello + n);
    splitter->push(hello, n);
    MUST(f.all.size() == before + 2 && f.all[before] == 'f');
    data.resize(data.size() - n);
    piece = piece == 1 ? 5 : 1;
  }
  MUST(found[0].all == found[1].all);
}

void fuzzImprov(In in) {
  Bytes data = in.rest();
  ImprovRequest r;
  if (parseImprov(data.data(), data.size(), &r) == ImprovError::none) MUST(std::strlen(r.ssid) <= 32 && std::strlen(r.key) <= 64);
}

void fuzzConsole(In in) {
  Bytes data = in.rest();
  ConsoleCommand c = parseConsole(reinterpret_cast<const char *>(data.data()), data.size());
  if (c.kind == ConsoleCommand::Kind::join) MUST(c.ssid[0] != 0 && (c.key[0] == 0 || validKey(c.key, std::strlen(c.key))));
  if (c.kind == ConsoleCommand::Kind::wrong) MUST(c.usage != nullptr);
}

// Wire is a broker that says anything, and wants to hear MQTT.
struct Wire : Transport {
  Bytes in, out;
  size_t takes = 0;
  bool ended = false;
  size_t write(const uint8_t *data, size_t length) override {
    size_t n = std::min(length, takes);
    out.insert(out.end(), data, data + n);
    return n;
  }
  size_t read(uint8_t *to, size_t size) override {
    size_t n = std::min(size, in.size());
    std::copy_n(in.begin(), n, to);
    in.erase(in.begin(), in.begin() + static_cast<long>(n));
    return n;
  }
  bool alive() override { return !ended; }

  // check wants whole packets that a client may send, the last may be cut off.
  void check(unsigned acks) const {
    size_t at = 0, acked = 0;
    bool first = true, over = false;
    while (at + 2 <= out.size()) {
      size_t length = out[at + 1] & 0x7f, head = 2;
      if (out[at + 1] & 0x80) {
        if (at + 3 > out.size()) return;
        length |= static_cast<size_t>(out[at + 2]) << 7;
        head = 3;
        MUST((out[at + 2] & 0x80) == 0);
      }
      uint8_t type = out[at];
      MUST(!over && (type == 0x10) == first);
      MUST(first || (type & 0xf4) == 0x30 || type == 0x40 || type == 0x82 || type == 0xc0 || type == 0xe0);
      MUST((type != 0x40 || length == 2) && ((type != 0xc0 && type != 0xe0) || length == 0));
      acked += type == 0x40;
      first = false;
      over = type == 0xe0;
      at += head + length;
    }
    MUST(acked <= acks);
  }
};

struct Owner : MqttOwner {
  Mqtt *client = nullptr;
  uint8_t mood = 0;
  unsigned heard = 0;
  size_t seen = 0;
  void act(const char *topic, const uint8_t *payload, size_t length) {
    seen += std::strlen(topic);
    for (size_t i = 0; i < length; i++) seen += payload[i];
    if (mood & 1) client->publish(topic, payload, length, true, (mood & 2) != 0);
    if (mood & 4) client->subscribe(topic);
    if ((mood & 0x18) == 0x18) client->end();
    if ((mood & 0x60) == 0x60) client->leave(0);
  }
  void joined() override { act("joined", nullptr, 0); }
  void subscribed(const char *filter, bool) override { act(filter, nullptr, 0); }
  void message(const char *topic, const uint8_t *payload, size_t length, bool) override {
    heard++;
    act(topic, payload, length);
  }
  void tooLarge(const char *topic, size_t length) override {
    heard++;
    MUST(length > Mqtt::kPayload - Mqtt::kTopic - 8 || std::strlen(topic) > Mqtt::kTopic);
    act(topic, nullptr, 0);
  }
};

void fuzzMqtt(In in) {
  Owner owner;
  auto client = std::make_unique<Mqtt>(owner);
  owner.client = client.get();
  Wire wire;
  MqttOptions options;
  options.client = options.user = "kit";
  options.will_topic = "kit/$state";
  options.will = "lost";
  uint32_t now = 0xffffff00;
  owner.mood = in.u8();
  auto begin = [&] {
    wire = Wire();
    wire.takes = 1000;
    owner.heard = 0;
    client->begin(wire, options, now);
  };
  begin();
  while (in.left > 0) {
    uint8_t op = in.u8(), n = in.u8();
    char topic[] = {static_cast<char>('a' + n % 26), 0};
    Bytes some;
    switch (op % 10) {
      case 0: wire.in.insert(wire.in.end(), {0x20, 2, 0, 0}); break;
      case 1:
      case 2:
      case 3:
        some = in.some(n);
        wire.in.insert(wire.in.end(), some.begin(), some.end());
        if (op & 64) wire.in.resize(wire.in.size() + n * 16u, 'x');  // the rest of a large one
        break;
      case 4: wire.takes = n; break;
      case 5:
        some = in.some(n);
        client->publish(topic, some.data(), some.size(), (op & 16) != 0, (op & 32) != 0);
        break;
      case 6: client->subscribe(topic); break;
      case 7: now += static_cast<uint32_t>(n) * 50; break;
      case 8:  // the broker acknowledges something
        wire.in.insert(wire.in.end(), {static_cast<uint8_t>(op & 16 ? 0x40 : 0x90), static_cast<uint8_t>(op & 16 ? 2 : 3), 0, n});
        if (!(op & 16)) wire.in.push_back(op & 32 ? 0x80 : 1);
        break;
      default:
        if (n < 16) wire.ended = true;
        if (n > 240) client->leave(now);
        if (n == 200) client->end();
        if (n == 201) client->forget();
        break;
    }
    client->tick(now);
    if (wire.takes > 0) wire.check(owner.heard);
    if (!client->open()) {
      MUST(client->why() != MqttEnd::none);
      begin();
    }
  }
  // It always comes to an end.
  client->leave(now);
  for (int i = 0; i < 4 && client->open(); i++) client->tick(now += Mqtt::kLeave);
  MUST(!client->open());
}

// fuzzMdns gives an answer to a question that has its id, as who guesses it would.
void fuzzMdns(In in) {
  Bytes name = in.some(in.u8()), packet = in.rest();
  uint16_t id = packet.size() < 2 ? static_cast<uint16_t>(0) : static_cast<uint16_t>(packet[0] << 8 | packet[1]);
  std::string text(name.begin(), name.end()), question = mdnsQuestion(id, text);
  if (question.empty()) return;
  size_t first = std::min(text.find('.'), text.size());
  MUST(question.size() == 12 + text.size() + 2 + 4 && question.compare(13, first, text, 0, first) == 0);
  uint8_t address[4] = {};
  if (!mdnsAnswer(packet.data(), packet.size(), question, address)) return;
  // It has the question and a record of that address.
  MUST(packet.size() >= question.size() + 15 && std::memcmp(packet.data() + 12, question.data() + 12, question.size() - 12) == 0);
  MUST(address[0] != 0 && address[0] < 224 && std::search(packet.begin(), packet.end(), address, address + 4) != packet.end());
  // The same of another name, or with another id, is none.
  MUST(!mdnsAnswer(packet.data(), packet.size(), mdnsQuestion(static_cast<uint16_t>(id + 1), text), address));
  question[13] = static_cast<char>(question[13] ^ 1);
  MUST(!mdnsAnswer(packet.data(), packet.size(), question, address));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  In in = {data + 1, size - 1};
  switch (data[0] % kKinds) {
    case 0: fuzzSettings(in); break;
    case 1: fuzzChange(in); break;
    case 2: fuzzSlots(in); break;
    case 3: fuzzStream(in); break;
    case 4: fuzzImprov(in); break;
    case 5: fuzzConsole(in); break;
    case 7: fuzzMdns(in); break;
    default: fuzzMqtt(in); break;
  }
  return 0;
}

#ifndef LIBFUZZER

extern "C" void __sanitizer_set_death_callback(void (*)());

namespace {

Bytes now_running;
unsigned long long now_number, now_seed;

// confess prints the input that went wrong, for main to take it alone.
void confess() {
  std::fprintf(stderr, "input %llu of seed %llu: ", now_number, now_seed);
  for (uint8_t b : now_running) std::fprintf(stderr, "%02x", b);
  std::fprintf(stderr, "\n");
}

struct Random {
  uint64_t state;
  // below is splitmix64.
  uint64_t below(uint64_t n) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % n;
  }
};

// seeds takes every hex word of a file of vectors.
void seeds(const char *file, std::vector<Bytes> *to) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    if (word.size() % 2 != 0 || word.find_first_not_of("0123456789abcdef") != std::string::npos) continue;
    Bytes b;
    for (size_t i = 0; i < word.size(); i += 2) b.push_back(static_cast<uint8_t>(std::strtoul(word.substr(i, 2).c_str(), nullptr, 16)));
    to->push_back(b);
  }
}

// mqttSeeds are what a broker says.
void mqttSeeds(std::vector<Bytes> *to) {
  const char text[] = "a/set";
  Bytes publish = {0x30, 9, 0, 5};
  publish.insert(publish.end(), text, text + 5);
  publish.insert(publish.end(), {'o', 'n'});
  Bytes acked = {0x32, 0xff, 0x01, 0, 1, 'a', 1, 2};
  acked.resize(2 + 1 + 0xff, 'x');
  Bytes huge = {0x33, 0x80, 0x10, 0, 1, 'a', 0, 9};
  for (const Bytes &b : {publish, acked, huge, Bytes{0x90, 3, 0, 1, 1}, Bytes{0x40, 2, 0, 1}, Bytes{0xd0, 0}, Bytes{0x20, 2, 0, 5}}) to->push_back(b);
}

// mdnsSeeds are answers to a question for pc.local: the record's name whole, and as
// pointers to the question and to each other.
void mdnsSeeds(std::vector<Bytes> *to) {
  std::string question = mdnsQuestion(0x1234, "pc.local");
  question[2] = static_cast<char>(0x84);
  const std::string address("\0\1\0\1\0\0\0\x0a\0\4\xc0\xa8\1\7", 14), text("\0\x10\0\1\0\0\0\x0a\0\2\1x", 12);
  const std::string whole = std::string("\2PC\5LOCAL", 9) + std::string(1, '\0'), pointer("\xc0\x0c", 2), half("\2pc\xc0\x0f", 5);
  const struct {
    char count;
    std::string records;
  } all[] = {{1, whole + address}, {1, pointer + address}, {1, half + address}, {2, pointer + text + pointer + address}, {2, whole + text + std::string("\xc0\x1a", 2) + address}};
  for (auto &a : all) {
    std::string packet = question + a.records;
    packet[7] = a.count;
    uint8_t found[4];
    MUST(mdnsAnswer(reinterpret_cast<const uint8_t *>(packet.data()), packet.size(), mdnsQuestion(0x1234, "pc.local"), found) && found[3] == 7);
    to->emplace_back(packet.begin(), packet.end());
  }
}

// mend makes checksums right, or nothing would get beyond them.
void mend(Bytes *b, Random *r) {
  if (b->size() < 16) return;
  size_t at = r->below(2) ? 0 : r->below(b->size());
  for (; at + 10 <= b->size(); at++) {
    uint8_t *p = b->data() + at;
    size_t left = b->size() - at, frame = left >= 6 ? get16(p + 4) : 0;
    if (p[0] == 0x1e && p[1] == 0x48 && kFrameHead + frame + kFrameEnd <= left) put32(p + 6 + frame, crc32(0, p + 2, 4 + frame));
    if (std::memcmp(p, "HRS1", 4) == 0 && left >= 12) {
      size_t n = get16(p + 6);
      if (kSlotHead + n + 4 <= left) put32(p + kSlotHead + n, crc32(0, p, kSlotHead + n));
    }
    if (std::memcmp(p, "IMPROV\1", 7) == 0 && kImprovHead + p[8] + 1u <= left) {
      uint8_t sum = 0;
      for (size_t i = 0; i < kImprovHead + p[8]; i++) sum = static_cast<uint8_t>(sum + p[i]);
      p[kImprovHead + p[8]] = sum;
    }
  }
}

void change(Bytes *b, const std::vector<Bytes> &from, Random *r) {
  for (uint64_t times = r->below(5); times > 0; times--) {
    size_t at = b->empty() ? 0 : r->below(b->size());
    const Bytes &other = from[r->below(from.size())];
    static const uint8_t odd[] = {0, 1, 0x0a, 0x10, 0x1e, 0x22, 0x23, 0x24, 0x48, 0x49, 0x5c, 0x7f, 0x80, 0xff};
    switch (r->below(7)) {
      case 0:
        if (!b->empty()) (*b)[at] = static_cast<uint8_t>((*b)[at] ^ 1 << r->below(8));
        break;
      case 1:
        if (!b->empty()) (*b)[at] = static_cast<uint8_t>(r->below(256));
        break;
      case 2:
        if (!b->empty()) (*b)[at] = odd[r->below(sizeof odd)];
        break;
      case 3: b->insert(b->begin() + static_cast<long>(at), odd[r->below(sizeof odd)]); break;
      case 4: b->erase(b->begin() + static_cast<long>(at), b->begin() + static_cast<long>(at + r->below(b->size() - at + 1))); break;
      case 5: b->resize(at); break;
      default: b->insert(b->begin() + static_cast<long>(at), other.begin(), other.end()); break;
    }
    if (b->size() > 6000) b->resize(6000);
  }
}

// input makes the next one.
Bytes input(const std::vector<Bytes> &from, const std::vector<Bytes> &broker, const std::vector<Bytes> &names, Random *r) {
  Bytes b, out;
  uint8_t kind = static_cast<uint8_t>(r->below(kKinds));
  auto pick = [&] { return from[r->below(from.size())]; };
  out.push_back(kind);
  if (kind == 6) {  // what a client is told, between what the broker says
    out.push_back(static_cast<uint8_t>(r->below(4) ? r->below(8) : r->below(256)));
    out.insert(out.end(), {0, 0});
    for (uint64_t n = r->below(40); n > 0; n--) {
      out.push_back(static_cast<uint8_t>(r->below(256)));
      Bytes some = r->below(3) ? broker[r->below(broker.size())] : pick();
      some.resize(std::min<size_t>(some.size(), r->below(8) ? 255 : r->below(255)));
      out.push_back(static_cast<uint8_t>(some.size()));
      uint8_t op = out[out.size() - 2] % 10;
      if ((op >= 1 && op <= 3) || op == 5) out.insert(out.end(), some.begin(), some.end());
    }
  } else if (kind == 7) {
    b = names[r->below(names.size())];
    if (r->below(4)) change(&b, names, r);
    const std::string name = r->below(8) ? "pc.local" : std::string(b.begin(), b.begin() + static_cast<long>(r->below(b.size() + 1)));
    out.push_back(static_cast<uint8_t>(name.size()));
    out.insert(out.end(), name.begin(), name.end());
    out.insert(out.end(), b.begin(), b.end());
  } else {
    b = pick();
    if (kind <= 3 && r->below(2)) {
      Bytes more = pick();
      b.insert(b.end(), more.begin(), more.end());
    }
    size_t first = b.size();
    change(&b, from, r);
    if (r->below(4)) mend(&b, r);
    if (kind == 0 || kind == 3) out.push_back(static_cast<uint8_t>(r->below(2) ? 0 : r->below(256)));
    if (kind == 1 || kind == 2) {  // where the first ends
      Bytes more = pick();
      first = std::min(first, b.size());
      out.push_back(static_cast<uint8_t>(first));
      out.push_back(static_cast<uint8_t>(first >> 8));
      if (r->below(2)) {
        b.resize(first);
        b.insert(b.end(), more.begin(), more.end());
      }
    }
    out.insert(out.end(), b.begin(), b.end());
  }
  if (r->below(16) == 0 && out.size() > 1) {
    Bytes rest(out.begin() + 1, out.end());
    change(&rest, from, r);
    out.resize(1);
    out.insert(out.end(), rest.begin(), rest.end());
  }
  return out;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "fuzz COUNT SEED FILE...\n");
    return 2;
  }
  unsigned long long count = std::strtoull(argv[1], nullptr, 10);
  now_seed = std::strtoull(argv[2], nullptr, 10);
  __sanitizer_set_death_callback(confess);
  confession = confess;
  std::vector<Bytes> from, broker, names;
  for (int i = 3; i < argc; i++) seeds(argv[i], &from);
  for (const char *line : {"join \"Lab\" \"12345678\"", "locate 10", "help", "networks", "join \"a\\\"b\" \"c\\\\\"\n"}) from.emplace_back(line, line + std::strlen(line));
  mqttSeeds(&broker);
  mdnsSeeds(&names);
  // Each as it is for each parser, then changed.
  for (const Bytes &b : from) {
    for (uint8_t kind = 0; kind < kKinds; kind++) {
      now_running = {kind, 0};
      if (kind == 1 || kind == 2) now_running.push_back(0);
      now_running.insert(now_running.end(), b.begin(), b.end());
      LLVMFuzzerTestOneInput(now_running.data(), now_running.size());
    }
  }
  Random random = {now_seed};
  for (now_number = 1; now_number <= count; now_number++) {
    now_running = input(from, broker, names, &random);
    now_running.shrink_to_fit();
    LLVMFuzzerTestOneInput(now_running.data(), now_running.size());
  }
  std::printf("%llu inputs of seed %llu\n", count, now_seed);
  return 0;
}
#endif
