// Checks hal_esp8266.cpp on the core of arduino/core.cpp.
#include <stdio.h>

#include "../kit/src/hal_esp8266.h"
#include "arduino/core.h"
#include "digest.h"

namespace {

int checks = 0, failed = 0;

#define CHECK(what)                                            \
  do {                                                         \
    checks++;                                                  \
    if (what) break;                                           \
    failed++;                                                  \
    printf("board.cpp:%d: %s\n", __LINE__, #what);             \
  } while (false)

const uint8_t *bytes(const std::string &s) { return reinterpret_cast<const uint8_t *>(s.data()); }

Esp8266Hal board;

// Each pin that can be watched tells which it is, also GPIO 0.
void pins() {
  for (uint8_t gpio : std::vector<uint8_t>{0, 2, 4, 5, 12, 13, 14, 15}) {
    CHECK(board.pinMode(gpio, Hal::Pin::pull_up) && world.mode[gpio] == INPUT_PULLUP);
    CHECK(board.watch(gpio));
    world.pin(gpio, !world.level[gpio]);
    Edge e;
    CHECK(board.edge(&e) && e.gpio == gpio && e.high == (world.level[gpio] != 0) && e.at == world.clock);
    CHECK(!board.edge(&e));
    world.clock += 3;
    CHECK(board.pinMode(gpio, Hal::Pin::output));
    world.pin(gpio, !world.level[gpio]);
    CHECK(!board.edge(&e));  // nobody watches it anymore
  }
  for (uint8_t gpio : std::vector<uint8_t>{1, 3, 6, 7, 8, 9, 10, 11, 17, 255}) CHECK(!board.pinMode(gpio, Hal::Pin::input));
  CHECK(board.pinMode(16, Hal::Pin::pull_up) && world.mode[16] == INPUT && !board.watch(16));
  // What bounces more than there is room for is dropped, and nothing else.
  CHECK(board.pinMode(4, Hal::Pin::pull_up) && board.watch(4));
  for (int i = 0; i < 1000; i++) world.pin(4, i % 2 == 0);
  Edge e;
  int n = 0;
  for (; board.edge(&e); n++) CHECK(e.gpio == 4 && e.high == (n % 2 == 0));
  CHECK(n == 64);
}

void joins() {
  KitReason why;
  using L = Hal::Link;
  CHECK(board.netState(&why) == L::off && world.host == "homeroom-5ccf7f010203");
  // What the chip had stored itself does not count.
  world.status = WL_CONNECTED;
  board.netJoin("School", "");
  CHECK(board.netState(&why) == L::opening && why == KitReason::noNetwork);
  CHECK(world.ssid == "School" && world.key == "(open)");
  board.netJoin("School", "secret88");
  CHECK(world.key == "secret88" && board.netState(&why) == L::opening && why == KitReason::noNetwork);
  world.associated();
  CHECK(board.netState(&why) == L::opening && why == KitReason::noAddress);
  char address[16];
  board.netAddress(address, sizeof address);
  CHECK(address[0] == 0 && board.netSignal() == 0);
  world.status = WL_CONNECTED;
  CHECK(board.netState(&why) == L::open && why == KitReason::none && board.netSignal() == -61);
  board.netAddress(address, sizeof address);
  CHECK(strcmp(address, "192.168.1.31") == 0);
  // From one network to another.
  board.netJoin("Other", "secret88");
  CHECK(world.ssid == "Other" && board.netState(&why) == L::opening && why == KitReason::noNetwork);
  world.associated();
  world.status = WL_CONNECTED;
  CHECK(board.netState(&why) == L::open);
  world.left(WIFI_DISCONNECT_REASON_BEACON_TIMEOUT);
  world.status = WL_CONNECTED;  // the chip learns it late
  CHECK(board.netState(&why) == L::failed && why == KitReason::lost);
  CHECK(board.netState(&why) == L::failed && why == KitReason::lost);
  const struct {
    WiFiDisconnectReason reason;
    KitReason why;
    int again;
  } ends[] = {
      {WIFI_DISCONNECT_REASON_NO_AP_FOUND, KitReason::noNetwork, 0},
      {WIFI_DISCONNECT_REASON_4WAY_HANDSHAKE_TIMEOUT, KitReason::wrongKey, 0},
      {WIFI_DISCONNECT_REASON_HANDSHAKE_TIMEOUT, KitReason::wrongKey, 0},
      {WIFI_DISCONNECT_REASON_AUTH_FAIL, KitReason::wrongKey, 0},
      {WIFI_DISCONNECT_REASON_AUTH_EXPIRE, KitReason::lost, 2},  // a busy access point gets two more tries
  };
  for (auto &end : ends) {
    board.netJoin("School", "secret88");
    world.again = 0;
    for (int i = 0; i < end.again; i++) {
      world.left(end.reason);
      CHECK(board.netState(&why) == L::opening && world.again == i + 1);
      CHECK(board.netState(&why) == L::opening && world.again == i + 1);  // its own leaving is no failure
    }
    world.left(end.reason);
    CHECK(board.netState(&why) == L::failed && why == end.why && world.again == end.again);
  }
  int leaves = world.leaves;
  board.netLeave();
  CHECK(board.netState(&why) == L::off && world.leaves == leaves + 1);
}

void scans() {
  CHECK(board.scanStart() && board.scanState() == Hal::Link::opening);
  world.scanning = false;
  world.nets = {{"Open", ENC_TYPE_NONE}, {"Old", ENC_TYPE_WEP}, {"Wpa", ENC_TYPE_TKIP}, {"New", ENC_TYPE_CCMP}, {"Both", ENC_TYPE_AUTO}, {"12345678901234567890123456789012", 0xff}};
  const uint8_t want[] = {0, 1, 2, 3, 4, 3};
  CHECK(board.scanState() == Hal::Link::open);
  Network n;
  for (int i = 0; i < 6; i++) CHECK(board.scanNext(&n) && n.security == want[i] && n.signal == -40 - i && n.channel == i + 1);
  CHECK(strlen(n.ssid) == 32);
  int forgotten = world.forgotten;
  CHECK(!board.scanNext(&n) && world.forgotten == forgotten + 1);
}

void connections() {
  using L = Hal::Link;
  KitReason why;
  const std::string key = "EC key";
  for (size_t tls : {size_t{0}, key.size()}) {
    world.peer = world.name = true;
    CHECK(board.tcpOpen(Hal::broker, "lab", 1883, bytes(key), tls) && board.tcpState(Hal::broker, &why) == L::open);
    CHECK(tls == 0 || world.spki == key);
    // All goes out, in whatever pieces, and the last bytes can be read after the end.
    const std::string text(700, 'x');
    world.heard.clear();
    for (size_t at = 0, n = 1; at < text.size() && n > 0; at += n) CHECK((n = board.tcpWrite(Hal::broker, bytes(text) + at, text.size() - at)) > 0);
    CHECK(board.tcpWrite(Hal::broker, bytes(text), 0) == 0);
    world.said = "hello";
    world.peer = false;
    uint8_t got[4];
    CHECK(board.tcpState(Hal::broker, &why) == L::open && board.tcpRead(Hal::broker, got, 4) == 4 && board.tcpRead(Hal::broker, got, 4) == 1 && got[0] == 'o');
    CHECK(board.tcpRead(Hal::broker, got, 4) == 0 && board.tcpState(Hal::broker, &why) == L::failed && why == KitReason::lost);
    CHECK(board.tcpWrite(Hal::broker, bytes(text), 1) == 0);
    board.tcpClose(Hal::broker);
    CHECK(world.heard == text && board.tcpState(Hal::broker, &why) == L::off);
    // Who is not there costs three seconds at most.
    for (bool name : {true, false}) {
      world.name = name;
      unsigned long from = world.clock;
      CHECK(!board.tcpOpen(Hal::broker, "lab", 1883, bytes(key), tls));
      CHECK(board.tcpState(Hal::broker, &why) == L::failed && why == KitReason::noBroker);
      CHECK(world.clock - from <= 3000);
    }
  }
  world.peer = world.name = true;
  world.tls = 52;  // a signature that does not match
  CHECK(!board.tcpOpen(Hal::broker, "lab", 8883, bytes(key), key.size()) && board.tcpState(Hal::broker, &why) == L::failed && why == KitReason::tls);
  world.tls = 0;
  CHECK(!board.tcpOpen(Hal::broker, "lab", 8883, bytes("RSA key"), 7) && board.tcpState(Hal::broker, &why) == L::failed && why == KitReason::tls);
  CHECK(!board.tcpOpen(Hal::page, "lab", 8883, bytes(key), key.size()));  // there is memory for one
  CHECK(board.tcpOpen(Hal::broker, "lab", 8883, bytes(key), key.size()) && board.tcpState(Hal::broker, &why) == L::open && why == KitReason::none);
  CHECK(board.tcpOpen(Hal::broker, "lab", 1883, nullptr, 0));
  board.tcpClose(Hal::broker);
}

void updates() {
  const std::string image = "\xe9 an image", sum = hex(md5(bytes(image), image.size())), other(32, '0');
  uint32_t size = static_cast<uint32_t>(image.size());
  // None of these is started, and none is in the way of the next.
  CHECK(!board.imageBegin(2000000, sum.c_str()));
  CHECK(!board.imageBegin(0, sum.c_str()));
  CHECK(!board.imageBegin(size, "short"));
  CHECK(board.imageBegin(size, other.c_str()) && board.imageWrite(bytes(image), size) && !board.imageEnd());
  CHECK(board.imageBegin(size, sum.c_str()) && board.imageWrite(bytes(image), size - 1) && !board.imageEnd());
  CHECK(board.imageBegin(size, sum.c_str()) && !board.imageWrite(bytes("no image"), 8) && !board.imageEnd());
  CHECK(board.imageBegin(size, sum.c_str()) && board.imageWrite(bytes(image), 3));
  board.imageDrop();
  CHECK(!board.imageWrite(bytes(image), 1) && !board.imageEnd() && world.image.empty());
  CHECK(board.imageBegin(size, sum.c_str()) && board.imageWrite(bytes(image), 3) && board.imageWrite(bytes(image) + 3, size - 3) && board.imageEnd());
  CHECK(world.image == image);
}

// A restart does not cut off the last words.
void restarts() {
  CHECK(strcmp(board.version(), HOMEROOM_VERSION) == 0);
  world.typed = "info\n";
  uint8_t got[8];
  CHECK(board.serialRead(got, 3) == 3 && board.serialRead(got, 8) == 2 && got[1] == '\n' && board.serialRead(got, 8) == 0);
  const std::string text(200, 'y');
  CHECK(board.serialWrite(bytes(text), 200) == 128 && board.serialWrite(bytes(text), 72) == 0);
  world.heard.clear();
  CHECK(board.tcpOpen(Hal::broker, "lab", 1883, nullptr, 0) && board.tcpWrite(Hal::broker, bytes("\xe0"), 1) == 1);
  board.restart();
  CHECK(world.restarted && world.sent == text.substr(0, 128) && world.heard == "\xe0");
}

}  // namespace

int main() {
  board.begin();
  pins();
  joins();
  scans();
  connections();
  updates();
  restarts();
  printf("%d checks, %d failed\n", checks, failed);
  return failed > 0;
}
