#include "mdns.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr size_t kHead = 12;        // bytes before the question
constexpr size_t kRecord = 10;      // bytes between the name of a record and its data
constexpr size_t kName = 255;       // bytes of a name, with its lengths
constexpr uint16_t kA = 1, kInternet = 1;
constexpr uint16_t kFlush = 0x8000;  // of the class of a record

int64_t clockNow() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
}

uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c - 'A' + 'a') : c; }

// Packet is read from its beginning. Once something is not there, ok is no.
struct Packet {
  const uint8_t *bytes;
  size_t size, at = 0;
  bool ok = true;

  void skip(size_t n) {
    ok = ok && n <= size - at;
    if (ok) at += n;
  }
  uint16_t u16() {
    skip(2);
    return ok ? static_cast<uint16_t>(bytes[at - 2] << 8 | bytes[at - 1]) : static_cast<uint16_t>(0);
  }
  // name reads one, in small letters: lengths and parts, as in the packet. Each
  // pointer goes back, so that it comes to an end.
  std::string name() {
    std::string out;
    size_t from = at, before = at;
    bool jumped = false;
    while (ok) {
      if (from >= size || out.size() > kName) break;
      uint8_t n = bytes[from];
      if (n < 64) {
        if (n >= size - from) break;
        for (size_t i = 0; i <= n; i++) out += static_cast<char>(i == 0 ? n : lower(bytes[from + i]));
        from += n + 1u;
        if (n > 0) continue;
        if (!jumped) at = from;
        return out;
      }
      if (n < 192 || from + 1 >= size) break;
      size_t to = static_cast<size_t>(n & 63) << 8 | bytes[from + 1];
      if (to >= before) break;
      if (!jumped) at = from + 2;
      jumped = true;
      from = before = to;
    }
    ok = false;
    return "";
  }
};

}  // namespace

std::string mdnsQuestion(uint16_t id, const std::string &name) {
  const uint8_t head[kHead] = {static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id), 0, 0, 0, 1};
  std::string out(reinterpret_cast<const char *>(head), sizeof head);
  if (name.size() > kName - 2) return "";
  for (size_t at = 0; at <= name.size();) {
    size_t dot = name.find('.', at);
    size_t n = (dot == std::string::npos ? name.size() : dot) - at;
    if (n == 0 || n > 63) return "";
    out += static_cast<char>(n);
    out.append(name, at, n);
    at += n + 1;
  }
  return out + std::string("\0\0\1\0\1", 5);
}

bool mdnsAnswer(const uint8_t *packet, size_t size, const std::string &question, uint8_t address[4]) {
  const uint8_t *asked = reinterpret_cast<const uint8_t *>(question.data());
  Packet q = {asked, question.size()}, p = {packet, size};
  uint16_t id = p.u16(), flags = p.u16(), questions = p.u16(), answers = p.u16();
  // An answer to a plain question, without an error.
  if (!p.ok || id != q.u16() || (flags & 0xf80f) != 0x8000 || questions != 1) return false;
  p.at = q.at = kHead;
  std::string name = q.name();
  if (size < question.size() || memcmp(packet + kHead, asked + kHead, question.size() - kHead) != 0) return false;
  p.at = question.size();
  for (; answers > 0; answers--) {
    bool same = p.name() == name;
    uint16_t type = p.u16(), kind = p.u16();
    p.skip(kRecord - 6);  // how long it may be kept
    uint16_t length = p.u16();
    size_t data = p.at;
    p.skip(length);
    if (!p.ok) return false;
    if (!same || type != kA || (kind & ~kFlush) != kInternet || length != 4) continue;
    memcpy(address, packet + data, 4);
    // Nobody is at 0.0.0.0, nor at an address of many.
    if (address[0] != 0 && address[0] < 224) return true;
  }
  return false;
}

bool mdnsPlace(const std::string &text, sockaddr_in *to) {
  size_t colon = text.rfind(':');
  char *end = nullptr;
  long port = colon == std::string::npos ? 0 : strtol(text.c_str() + colon + 1, &end, 10);
  *to = sockaddr_in();
  to->sin_family = AF_INET;
  to->sin_port = htons(static_cast<uint16_t>(port));
  return port > 0 && port <= UINT16_MAX && *end == 0 && inet_pton(AF_INET, text.substr(0, colon).c_str(), &to->sin_addr) == 1;
}

sockaddr_in mdnsGroup() {
  sockaddr_in to;
  mdnsPlace("224.0.0.251:5353", &to);
  return to;
}

bool mdnsAsk(const sockaddr_in &to, const std::string &name, uint16_t id, int ms, uint8_t address[4]) {
  std::string question = mdnsQuestion(id, name);
  if (question.empty()) return false;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  int hops = 255;
  setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops);
  bool found = false;
  int64_t begun = clockNow();
  for (int sent = 0; !found;) {
    int64_t gone = clockNow() - begun, until = sent < 2 ? static_cast<int64_t>(ms) * sent / 2 : ms;
    if (gone >= until && sent == 2) break;
    if (gone >= until) {
      sendto(fd, question.data(), question.size(), 0, reinterpret_cast<const sockaddr *>(&to), sizeof to);
      sent++;
      continue;
    }
    pollfd p = {fd, POLLIN, 0};
    if (poll(&p, 1, static_cast<int>(until - gone)) <= 0) continue;
    uint8_t packet[1500];
    sockaddr_in from = {};
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(fd, packet, sizeof packet, 0, reinterpret_cast<sockaddr *>(&from), &size);
    // Who answers does it from the port that was asked.
    found = n > 0 && from.sin_port == to.sin_port && mdnsAnswer(packet, static_cast<size_t>(n), question, address);
  }
  close(fd);
  return found;
}
