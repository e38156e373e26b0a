// Only calls that esp8266/Arduino 3.1 documents or declares in its headers:
// arduino-esp8266.readthedocs.io.
#include "hal_esp8266.h"

#include <Arduino.h>
#include <Updater.h>
#include <WiFiClientSecure.h>

#include "core/text.h"
#include "mark.h"

namespace {

constexpr uint32_t kConnectFor = 1500;   // ms, and as much for a name
constexpr size_t kEdges = 64;            // a power of two
constexpr uint8_t kTriesToJoin = 3;
constexpr size_t kTlsBlock = 256;        // bytes of one write

// What interrupts leave behind. head is written by them, tail by edge.
struct Change {
  uint32_t at;
  uint8_t gpio, high;
};
volatile Change changes[kEdges];
volatile uint32_t head = 0, tail = 0;

// onChange is given its pin plus one: where the argument is 0 the core calls without one.
void IRAM_ATTR onChange(void *pin) {
  uint32_t at = head;
  if (at - tail == kEdges) return;  // it bounces; tick reads how it ends
  uint8_t gpio = static_cast<uint8_t>(reinterpret_cast<uintptr_t>(pin) - 1);
  volatile Change &c = changes[at % kEdges];
  c.at = static_cast<uint32_t>(millis());
  c.gpio = gpio;
  c.high = digitalRead(gpio) == HIGH;
  head = at + 1;
}

// What the events of the radio leave behind.
volatile bool associated = false;
volatile int left_because = 0;  // a WiFiDisconnectReason; 0: it has not
WiFiEventHandler on_connected, on_disconnected;

WiFiClient plain[2];
// secure takes the 6 KiB of stack that TLS needs at its first use, and for good. It is
// not WiFiClientSecure, which keeps its time limit to itself (esp8266/Arduino issue 8889).
BearSSL::WiFiClientSecureCtx &secure() {
  static BearSSL::WiFiClientSecureCtx client;
  return client;
}
BearSSL::PublicKey pinned;

uint8_t securityOf(uint8_t type) {
  switch (type) {
    case ENC_TYPE_NONE: return 0;
    case ENC_TYPE_WEP: return 1;
    case ENC_TYPE_TKIP: return 2;
    case ENC_TYPE_AUTO: return 4;
    default: return 3;  // CCMP: WPA2. The core does not tell 802.1X.
  }
}

}  // namespace

void Esp8266Hal::begin() {
  Serial.setRxBufferSize(1024);
  Serial.begin(115200);
  // The version is what is before the last @ of the mark.
  const char *end = strrchr(kFirmwareMark, '@'), *from = end;
  while (from > kFirmwareMark && from[-1] != '@') from--;
  Text(version_, sizeof version_).add(from, static_cast<size_t>(end - from));
  WiFi.persistent(false);
  WiFi.mode(WIFI_STA);
  WiFi.setAutoReconnect(false);
  // As the broker knows it, for who looks at a list of what is on the network.
  uint8_t own[6];
  char name[24];
  mac(own);
  Text(name, sizeof name).add("homeroom-").mac(own, "");
  WiFi.hostname(name);
  WiFi.setSleepMode(WIFI_NONE_SLEEP);  // else a command waits for the next beacons
  on_connected = WiFi.onStationModeConnected([](const WiFiEventStationModeConnected &) { associated = true; });
  on_disconnected = WiFi.onStationModeDisconnected([](const WiFiEventStationModeDisconnected &e) {
    associated = false;
    if (e.reason != WIFI_DISCONNECT_REASON_ASSOC_LEAVE) left_because = e.reason;  // else it was told to
  });
}

uint32_t Esp8266Hal::now() { return static_cast<uint32_t>(millis()); }

uint32_t Esp8266Hal::random() { return ESP.random(); }

size_t Esp8266Hal::serialRead(uint8_t *to, size_t size) {
  size_t n = 0;
  while (n < size && Serial.available() > 0) to[n++] = static_cast<uint8_t>(Serial.read());
  return n;
}

size_t Esp8266Hal::serialWrite(const uint8_t *bytes, size_t length) {
  size_t room = static_cast<size_t>(Serial.availableForWrite());
  return room == 0 ? 0 : Serial.write(bytes, length < room ? length : room);
}

bool Esp8266Hal::pinMode(uint8_t gpio, Pin mode) {
  if (gpio > 16 || gpio == 1 || gpio == 3 || (gpio >= 6 && gpio <= 11)) return false;
  if (gpio < 16) detachInterrupt(gpio);
  // GPIO 16 has no resistor that pulls it up.
  ::pinMode(gpio, mode == Pin::output ? OUTPUT : mode == Pin::pull_up && gpio != 16 ? INPUT_PULLUP : INPUT);
  return true;
}

void Esp8266Hal::pinWrite(uint8_t gpio, bool high) { digitalWrite(gpio, high ? HIGH : LOW); }

bool Esp8266Hal::pinRead(uint8_t gpio) { return digitalRead(gpio) == HIGH; }

uint16_t Esp8266Hal::analog() { return static_cast<uint16_t>(analogRead(A0)); }

bool Esp8266Hal::watch(uint8_t gpio) {
  if (gpio > 15) return false;  // GPIO 16 has no interrupt
  attachInterruptArg(gpio, onChange, reinterpret_cast<void *>(static_cast<uintptr_t>(gpio) + 1), CHANGE);
  return true;
}

bool Esp8266Hal::edge(Edge *e) {
  uint32_t at = tail;
  if (at == head) return false;
  volatile Change &c = changes[at % kEdges];
  e->at = c.at;
  e->gpio = c.gpio;
  e->high = c.high != 0;
  tail = at + 1;
  return true;
}

uint32_t Esp8266Hal::flashSize() { return ESP.getFlashChipRealSize(); }

bool Esp8266Hal::flashRead(uint32_t at, uint8_t *to, size_t length) { return ESP.flashRead(at, to, length); }

bool Esp8266Hal::flashErase(uint32_t sector) { return ESP.flashEraseSector(sector); }

bool Esp8266Hal::flashWrite(uint32_t at, const uint8_t *bytes, size_t length) { return ESP.flashWrite(at, bytes, length); }

void Esp8266Hal::mac(uint8_t to[6]) { WiFi.macAddress(to); }

uint32_t Esp8266Hal::chip() { return ESP.getChipId(); }

uint32_t Esp8266Hal::freeHeap() { return ESP.getFreeHeap(); }

// restart waits for what is still on its way: the last frame in the serial port's FIFO
// and, for 0.3 s at most, the goodbye that the broker has not acknowledged.
void Esp8266Hal::restart() {
  Serial.flush();
  tcpClose(broker);
  ESP.restart();
}

// netJoin leaves first what the chip is on: begin does not, and its status would be that
// of the network before.
void Esp8266Hal::netJoin(const char *ssid, const char *key) {
  WiFi.disconnect();
  tries_ = 0;
  left_because = 0;
  associated = false;
  net_ = Link::opening;
  net_why_ = KitReason::none;
  WiFi.begin(ssid, key[0] != 0 ? key : nullptr);
}

void Esp8266Hal::netLeave() {
  net_ = Link::off;
  WiFi.disconnect();
}

Hal::Link Esp8266Hal::netState(KitReason *why) {
  *why = net_why_;
  if (net_ != Link::opening && net_ != Link::open) return net_;
  bool on = associated && WiFi.status() == WL_CONNECTED;
  int because = left_because;
  if (on && net_ == Link::opening) {
    net_ = Link::open;
    net_why_ = KitReason::none;
  } else if (!on && net_ == Link::open) {
    net_ = Link::failed;
    net_why_ = KitReason::lost;
  } else if (net_ == Link::opening && because != 0) {
    left_because = 0;
    bool key = because == WIFI_DISCONNECT_REASON_4WAY_HANDSHAKE_TIMEOUT || because == WIFI_DISCONNECT_REASON_HANDSHAKE_TIMEOUT ||
               because == WIFI_DISCONNECT_REASON_AUTH_FAIL || because == WIFI_DISCONNECT_REASON_MIC_FAILURE;
    bool none = because == WIFI_DISCONNECT_REASON_NO_AP_FOUND;
    // Other reasons pass: an access point that is busy.
    if (!key && !none && ++tries_ < kTriesToJoin) {
      WiFi.reconnect();
      return net_;
    }
    net_ = Link::failed;
    net_why_ = key ? KitReason::wrongKey : none ? KitReason::noNetwork : KitReason::lost;
  }
  *why = net_ != Link::opening ? net_why_ : associated ? KitReason::noAddress : KitReason::noNetwork;
  return net_;
}

int8_t Esp8266Hal::netSignal() { return net_ == Link::open ? static_cast<int8_t>(WiFi.RSSI()) : static_cast<int8_t>(0); }

void Esp8266Hal::netAddress(char *to, size_t size) {
  Text text(to, size);
  if (net_ != Link::open) return;
  IPAddress a = WiFi.localIP();
  for (int i = 0; i < 4; i++) text.add(i > 0 ? "." : "").number(a[i]);
}

bool Esp8266Hal::scanStart() {
  next_ = found_ = 0;
  return WiFi.scanNetworks(true) != WIFI_SCAN_FAILED;
}

Hal::Link Esp8266Hal::scanState() {
  int n = WiFi.scanComplete();
  if (n == WIFI_SCAN_RUNNING) return Link::opening;
  if (n < 0) return Link::failed;
  found_ = n;
  return Link::open;
}

bool Esp8266Hal::scanNext(Network *n) {
  if (next_ >= found_) {
    WiFi.scanDelete();
    return false;
  }
  uint8_t i = static_cast<uint8_t>(next_++);
  Text(n->ssid, sizeof n->ssid).add(WiFi.SSID(i).c_str());
  n->signal = static_cast<int8_t>(WiFi.RSSI(i));
  n->channel = static_cast<uint8_t>(WiFi.channel(i));
  n->security = securityOf(WiFi.encryptionType(i));
  return true;
}

WiFiClient &Esp8266Hal::client(Line line) {
  if (line == broker && tls_) return secure();
  return plain[line];
}

bool Esp8266Hal::tcpOpen(Line line, const char *host, uint16_t port, const uint8_t *key, size_t length) {
  tcpClose(line);
  links_[line] = Link::failed;
  whys_[line] = KitReason::noBroker;
  IPAddress to;
  if (WiFi.hostByName(host, to, kConnectFor) != 1) return false;
  if (length > 0) {
    if (line != broker || !openTls(to, port, key, length)) return false;
  } else {
    plain[line].setTimeout(kConnectFor);
    if (plain[line].connect(to, port) != 1) return false;
    plain[line].setNoDelay(true);
  }
  links_[line] = Link::open;
  whys_[line] = KitReason::none;
  return true;
}

// openTls speaks TLS only to who has the pinned key. Homeroom writes at most 512 bytes at
// once to such a client, which this buffer holds; another broker may write twice that. Who takes the
// connection and then is silent has 15 s, which the core does not let anybody change.
bool Esp8266Hal::openTls(const IPAddress &to, uint16_t port, const uint8_t *key, size_t length) {
  whys_[broker] = KitReason::tls;
  if (!pinned.parse(key, length) || !pinned.isEC()) return false;
  tls_ = true;
  BearSSL::WiFiClientSecureCtx &client = secure();
  client.setKnownKey(&pinned);
  client.setBufferSizes(1024, 512);
  client.setTimeout(kConnectFor);
  if (client.connect(to, port) == 1) return true;
  if (client.getLastSSLError() == 0) whys_[broker] = KitReason::noBroker;
  client.stop();
  tls_ = false;
  return false;
}

Hal::Link Esp8266Hal::tcpState(Line line, KitReason *why) {
  if (links_[line] == Link::open && !client(line).connected()) {
    links_[line] = Link::failed;
    whys_[line] = KitReason::lost;
  }
  *why = whys_[line];
  return links_[line];
}

size_t Esp8266Hal::tcpRead(Line line, uint8_t *to, size_t size) {
  if (links_[line] != Link::open) return 0;
  WiFiClient &c = client(line);
  int n = c.available();
  if (n <= 0) return 0;
  n = c.read(to, static_cast<size_t>(n) < size ? static_cast<size_t>(n) : size);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

size_t Esp8266Hal::tcpWrite(Line line, const uint8_t *bytes, size_t length) {
  if (links_[line] != Link::open || length == 0) return 0;
  if (line == broker && tls_) return secure().write(bytes, length < kTlsBlock ? length : kTlsBlock);
  size_t room = static_cast<size_t>(plain[line].availableForWrite());
  return room == 0 ? 0 : plain[line].write(bytes, length < room ? length : room);
}

void Esp8266Hal::tcpClose(Line line) {
  if (links_[line] == Link::open || links_[line] == Link::failed) client(line).stop();
  if (line == broker) tls_ = false;
  links_[line] = Link::off;
  whys_[line] = KitReason::none;
}

bool Esp8266Hal::imageBegin(uint32_t size, const char *md5) {
  imageDrop();
  updating_ = Update.begin(size);
  if (updating_ && !Update.setMD5(md5)) imageDrop();
  return updating_;
}

bool Esp8266Hal::imageWrite(const uint8_t *bytes, size_t length) {
  // Update does not change what it is given.
  return updating_ && Update.write(const_cast<uint8_t *>(bytes), length) == length;
}

bool Esp8266Hal::imageEnd() {
  bool right = updating_ && Update.end();
  updating_ = false;
  return right;
}

// imageDrop ends an update before its end, which drops it.
void Esp8266Hal::imageDrop() {
  if (updating_) Update.end();
  updating_ = false;
}
