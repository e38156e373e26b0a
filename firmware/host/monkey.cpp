// Plays with the application at random: a line that says anything, a broker and a web
// server that answer anything, a flash that fails, edges, and a clock that jumps. The
// sanitizers watch; what the board may expect of the application is checked here.
//
//   monkey SEED ROUNDS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "../kit/src/core/app.h"
#include "../kit/src/core/bytes.h"
#include "../kit/src/core/crc32.h"

namespace {

struct Dice {
  uint64_t state;
  uint32_t next() {  // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return static_cast<uint32_t>(z >> 32);
  }
  uint32_t below(uint32_t n) { return next() % n; }
  bool one(uint32_t in) { return below(in) == 0; }
};

void check(bool good, const char *what) {
  if (good) return;
  fprintf(stderr, "monkey: %s\n", what);
  exit(1);
}

void text(std::string *to, const std::string &s) {
  *to += static_cast<char>(s.size());
  *to += s;
}

std::string tlv(int tag, const std::string &value) {
  std::string s(1, static_cast<char>(tag));
  text(&s, value);
  return s;
}

std::string part(int flags, const std::string &slot) {
  std::string v(1, static_cast<char>(flags));
  v += std::string(4, '\0') + std::string("\x64\0\0\0", 4);
  text(&v, slot);
  text(&v, "room/kit/" + slot);
  text(&v, "true");
  text(&v, "false");
  return tlv(kTagPart, v);
}

class Cage final : public Hal, private SplitterOwner {
 public:
  explicit Cage(uint64_t seed) : dice{seed}, flash(4 << 20, 0xff), splitter(*this) {}
  Dice dice;
  std::vector<uint8_t> flash;
  uint32_t clock = 0xfffff000;  // it wraps soon
  bool restarted = false;
  std::string in, wire[2];  // what is still to be read
  Link link[2] = {Link::off, Link::off}, net = Link::off;

  // boot is power-on: what the line was in the middle of is gone.
  void boot() {
    restarted = false;
    splitter.quiet();
    for (Link &l : link) l = Link::off;
    net = Link::off;
  }

  void step() {
    clock += dice.one(500) ? dice.below(20000) : dice.below(40);
    if (dice.one(200)) net = static_cast<Link>(dice.below(4));
    if (net == Link::opening && dice.one(10)) net = Link::open;
    for (Link &l : link)
      l = l == Link::opening && dice.one(5) ? (dice.one(5) ? Link::failed : Link::open) : dice.one(3000) ? Link::failed : l;
    if (dice.one(20)) in += said();
  }

  uint32_t now() override { return clock += dice.below(2); }
  uint32_t random() override { return dice.next(); }
  size_t serialRead(uint8_t *to, size_t size) override { return take(&in, to, size); }
  size_t serialWrite(const uint8_t *bytes, size_t length) override {
    size_t n = dice.below(static_cast<uint32_t>(length) + 1);
    splitter.push(bytes, n);
    return n;
  }
  bool pinMode(uint8_t gpio, Pin) override { return gpio != 1 && gpio != 3 && (gpio < 6 || gpio > 11) && gpio <= 16; }
  void pinWrite(uint8_t gpio, bool) override { check(pinMode(gpio, Pin::output), "a pin that is not there"); }
  bool pinRead(uint8_t gpio) override { return gpio == 14 ? dice.one(50) : dice.one(2); }
  uint16_t analog() override { return static_cast<uint16_t>(dice.below(1100)); }
  bool watch(uint8_t gpio) override { return gpio < 16; }
  bool edge(Edge *e) override {
    if (dice.one(2)) return false;
    e->gpio = static_cast<uint8_t>(dice.below(17));
    e->high = dice.one(2);
    e->at = clock - dice.below(3000);
    return true;
  }
  uint32_t flashSize() override { return 4 << 20; }
  bool flashRead(uint32_t at, uint8_t *to, size_t length) override {
    check(at <= flash.size() && length <= flash.size() - at, "a read beyond the flash");
    memcpy(to, &flash[at], length);
    return !dice.one(500);
  }
  bool flashErase(uint32_t sector) override {
    check(sector == 0x3fa || sector == 0x3fb, "the wrong sector");
    if (dice.one(20)) return false;
    memset(&flash[sector * 4096], 0xff, 4096);
    return true;
  }
  bool flashWrite(uint32_t at, const uint8_t *bytes, size_t length) override {
    check(at % 4 == 0 && length % 4 == 0 && at >= 0x3fa000 && at + length <= 0x3fc000, "a write to the wrong place");
    for (size_t i = 0; i < length; i++) {
      check((flash[at + i] & bytes[i]) == bytes[i], "a write to what is not erased");
      flash[at + i] &= bytes[i];
    }
    return !dice.one(20);
  }
  uint8_t abilities() override { return kWifi | kTls | kUpdate; }
  const char *variant() override { return "host"; }
  void mac(uint8_t to[6]) override { memset(to, 7, 6); }
  uint32_t chip() override { return 7; }
  uint32_t freeHeap() override { return 7; }
  void restart() override { restarted = true; }
  void netJoin(const char *ssid, const char *) override {
    check(strlen(ssid) <= 32, "an SSID that is too long");
    net = Link::opening;
  }
  void netLeave() override { net = Link::off; }
  Link netState(KitReason *why) override {
    *why = static_cast<KitReason>(dice.below(10));
    return net;
  }
  bool scanStart() override { return !dice.one(4); }
  Link scanState() override { return static_cast<Link>(dice.below(4)); }
  bool scanNext(Network *n) override {
    memset(n->ssid, 0, sizeof n->ssid);
    for (uint32_t i = dice.below(33); i > 0; i--) n->ssid[i - 1] = static_cast<char>(1 + dice.below(255));
    n->signal = static_cast<int8_t>(-static_cast<int>(dice.below(100)));
    n->security = static_cast<uint8_t>(dice.below(7));
    return !dice.one(30);
  }
  bool tcpOpen(Line line, const char *, uint16_t, const uint8_t *, size_t) override {
    wire[line].clear();
    if (line == page) wire[line] = web();
    link[line] = dice.one(4) ? Link::failed : Link::opening;
    return link[line] != Link::failed;
  }
  Link tcpState(Line line, KitReason *why) override {
    *why = KitReason::noBroker;
    return link[line];
  }
  size_t tcpRead(Line line, uint8_t *to, size_t size) override {
    if (link[line] != Link::open) return 0;
    if (line == broker && dice.one(60)) wire[line] += published();
    size_t n = take(&wire[line], to, size);
    if (line == page && n == 0 && dice.one(3)) link[line] = Link::failed;
    return n;
  }
  size_t tcpWrite(Line line, const uint8_t *bytes, size_t length) override {
    if (link[line] != Link::open) return 0;
    size_t n = dice.below(static_cast<uint32_t>(length) + 1);
    if (line == broker) answer(bytes, n);
    return n;
  }
  void tcpClose(Line line) override { link[line] = Link::off; }
  bool imageBegin(uint32_t size, const char *) override {
    left = size;
    return updating = !dice.one(5);
  }
  bool imageWrite(const uint8_t *, size_t length) override {
    check(updating && length <= left, "an image that is too long");
    left -= static_cast<uint32_t>(length);
    return !dice.one(50);
  }
  bool imageEnd() override {
    check(updating && left == 0, "half an image");
    updating = false;
    return !dice.one(3);
  }
  void imageDrop() override { updating = false; }

 private:
  uint32_t left = 0;
  bool updating = false;
  std::string sent;  // by the kit to the broker, as far as it is no whole packet
  uint8_t carried = 0;
  Splitter splitter;

  // What the kit says on its cable is answered as the program would, mostly.
  void line(const char *, size_t) override {}
  void improv(uint8_t, const uint8_t *, size_t) override {}
  void improvDamaged() override { check(false, "a packet with a wrong checksum"); }
  void frame(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) override {
    check(length <= kFrameData, "a frame that is too long");
    if (type < kOpen || type > kClose || dice.one(10)) return;
    if (type == kOpen) {
      carried = 0;
      sent.clear();
      wire[broker].clear();
    }
    in += framed(static_cast<uint8_t>(type | kAnswer), seq, std::string(1, dice.one(15) ? '\3' : '\0'));
    if (type != kData) return;
    answer(data, length);
    if (dice.one(20)) wire[broker] += published();
    while (!wire[broker].empty()) {
      in += framed(kData, carried++, wire[broker].substr(0, 128));
      wire[broker].erase(0, 128);
    }
  }

  static std::string framed(uint8_t type, uint8_t seq, const std::string &data) {
    uint8_t bytes[kFrameMost];
    return std::string(reinterpret_cast<char *>(bytes), encodeFrame(bytes, sizeof bytes, type, seq, data.data(), data.size()));
  }

  size_t take(std::string *from, uint8_t *to, size_t size) {
    size_t n = from->size() < size ? from->size() : size;
    if (n > 0) n = dice.below(static_cast<uint32_t>(n)) + 1;
    memcpy(to, from->data(), n);
    from->erase(0, n);
    return n;
  }

  std::string noise(uint32_t most) {
    std::string s;
    for (uint32_t n = dice.below(most); n > 0; n--) s += static_cast<char>(dice.next());
    return s;
  }

  std::string damaged(std::string s) {
    if (!s.empty() && dice.one(8)) s[dice.below(static_cast<uint32_t>(s.size()))] = static_cast<char>(dice.next());
    return s;
  }

  std::string change() {
    const std::string all[] = {tlv(kTagSsid, "net"), tlv(kTagKey, "12345678"), tlv(kTagHost, "broker"), tlv(kTagPort, "\x5b\x07"), tlv(kTagAccount, "kit"),
                               tlv(kTagSecret, "secret"), tlv(kTagPage, "page:80"), tlv(kTagTransport, std::string(1, static_cast<char>(dice.below(2)))),
                               tlv(kTagHome, "pc.local"),
                               tlv(kTagName, "room/kit"), tlv(kTagRole, std::string(1, static_cast<char>(dice.below(5)))), part(12, "light") + part(11, "button") + part(9, "brightness"),
                               part(9, "presence"), part(1, "button-2"), tlv(kTagPin, std::string("\x02\0light", 7)), tlv(kTagPin, std::string("\x10\x03" "button", 8)), tlv(kTagLabel, "Kit")};
    std::string s;
    bool most = dice.one(2);
    for (const std::string &t : all)
      if (most ? !dice.one(20) : dice.one(5)) s += dice.one(30) ? tlv(t[0], "") : t;
    return damaged(s);
  }

  // said is what comes over the serial port.
  std::string said() {
    const char *lines[] = {"help\n", "info\r\n", "networks\n", "join \"net\" \"12345678\"\n", "locate 3\n", "fly\n"};
    uint8_t packet[kImprovMost];
    std::string data;
    switch (dice.below(6)) {
      case 0: return noise(60);
      case 1: return lines[dice.below(6)];
      case 2: {
        data = dice.one(2) ? std::string("\x01\x0d\x03net\x08" "12345678", 15) : std::string(1, static_cast<char>(dice.below(6))) + noise(3);
        size_t n = encodeImprov(packet, sizeof packet, kImprovCommand, reinterpret_cast<const uint8_t *>(data.data()), data.size());
        return damaged(std::string(reinterpret_cast<char *>(packet), n));
      }
      default: {
        // What ends a run at once is rare.
        uint8_t type = static_cast<uint8_t>(dice.one(4) ? 0x80 + dice.below(0x20) : dice.below(0x14));
        if ((type == kForget || type == kRestart) && !dice.one(20)) type = kHello;
        data = type == kWriteSettings ? change() : type >= kAnswer || dice.one(2) ? std::string(1, '\0') : noise(140);
        if (type == kLamp && dice.one(2)) data = "\1light";
        if (type == kTest || type == kLocate) data = "\5";
        return damaged(framed(type, static_cast<uint8_t>(dice.below(4)), data));
      }
    }
  }

  std::string web() {
    std::string body = noise(3000);
    if (dice.one(4)) return noise(400);
    return damaged((dice.one(6) ? "HTTP/1.1 404 Not Found\r\n" : "HTTP/1.0 200 OK\r\nX: y\r\n") +
                   (dice.one(2) ? "Content-Length: " + std::to_string(dice.one(2) ? 1000 : body.size()) + "\r\n" : std::string()) + "\r\n" + std::string(1000, 'i') +
                   (dice.one(3) ? body : ""));
  }

  static std::string packet(int type, const std::string &body) {
    std::string s(1, static_cast<char>(type));
    size_t n = body.size();
    do s += static_cast<char>((n & 127) | (n > 127 ? 128 : 0));
    while ((n >>= 7) > 0);
    return s + body;
  }

  // published is a message of the broker.
  std::string published() {
    if (dice.one(20)) return noise(50);
    const char *topics[] = {"room/kit/$do", "room/kit/$do", "room/kit/light/set", "other"};
    const std::string orders[] = {"locate 3", "info", "settings " + change(), "update /image 1000 0123456789abcdef0123456789abcdef 2.0", "on", noise(100), std::string(2000, 'x'),
                                  dice.one(10) ? "restart" : dice.one(20) ? "forget" : "off", "update / 0 x y", "locate 99999999999"};
    std::string topic = topics[dice.below(4)], body(1, '\0');
    text(&body, topic);
    return damaged(packet(0x32, body + std::string("\0\1", 2) + orders[dice.below(10)]));
  }

  // answer is what a broker says to the packets of the kit.
  void answer(const uint8_t *bytes, size_t length) {
    sent.append(reinterpret_cast<const char *>(bytes), length);
    for (;;) {
      size_t n = 0, at = 1;
      for (unsigned shift = 0; at < sent.size() && shift < 28; shift += 7) {
        n |= static_cast<size_t>(sent[at] & 127) << shift;
        if ((sent[at++] & 128) == 0) break;
        if (at == sent.size()) return;
      }
      if (at >= sent.size() + (n == 0) || sent.size() < at + n || sent.size() < 2) return;
      std::string body = sent.substr(at, n);
      int type = static_cast<uint8_t>(sent[0]);
      sent.erase(0, at + n);
      if (type == 0x10) wire[broker] += packet(0x20, std::string(1, '\0') + static_cast<char>(dice.one(10) ? dice.below(7) : 0));
      if (type == 0x82 && body.size() > 2) wire[broker] += packet(0x90, body.substr(0, 2) + (dice.one(20) ? "\x80" : "\x01"));
      size_t topic = body.size() < 2 ? 0 : static_cast<size_t>(static_cast<uint8_t>(body[1]));
      if ((type & 0xf6) == 0x32 && body.size() >= topic + 4) wire[broker] += packet(0x40, body.substr(2 + topic, 2));
      if (type == 0xc0) wire[broker] += packet(0xd0, "");
    }
  }
};

}  // namespace

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  Cage board(strtoull(argv[1], nullptr, 10));
  long joined = 0;
  for (long rounds = strtol(argv[2], nullptr, 10); rounds > 0;) {
    auto app = std::make_unique<App>(board);
    board.boot();
    app->begin();
    for (; rounds > 0 && !board.restarted && !board.dice.one(20000); rounds--) {
      board.step();
      app->tick();
      joined += board.link[Hal::broker] == Hal::Link::open;
    }
  }
  printf("%ld rounds on the broker\n", joined);
}
