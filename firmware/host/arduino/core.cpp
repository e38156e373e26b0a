// The Arduino core, as far as board.cpp looks at it. Where it matters it does what
// esp8266/Arduino 3.1.2 does, also where that surprises.
#include "core.h"

#include "../digest.h"

World world;
HardwareSerial Serial;
EspClass ESP;
UpdaterClass Update;
ESP8266WiFiClass WiFi;
struct WiFiEventHandlerOpaque {};

namespace {

struct Handler {
  void (*fn)(void *) = nullptr;
  void *arg = nullptr;
} handlers[16];
std::function<void(const WiFiEventStationModeConnected &)> on_connected;
std::function<void(const WiFiEventStationModeDisconnected &)> on_disconnected;
bool update_failed;
size_t update_size;
std::string update_md5, update_bytes;

}  // namespace

void World::pin(uint8_t gpio, int high) {
  if (level[gpio] == high) return;
  level[gpio] = high;
  if (gpio > 15 || handlers[gpio].fn == nullptr) return;
  // Without an argument the core calls it as one that has none: it gets what is there.
  void *rubbish = reinterpret_cast<void *>(static_cast<uintptr_t>(0x3ffe1234));
  handlers[gpio].fn(handlers[gpio].arg != nullptr ? handlers[gpio].arg : rubbish);
}

void World::associated() { on_connected(WiFiEventStationModeConnected()); }

void World::left(WiFiDisconnectReason why) {
  status = WL_DISCONNECTED;
  WiFiEventStationModeDisconnected e{};
  e.reason = why;
  on_disconnected(e);
}

void pinMode(uint8_t pin, uint8_t mode) { world.mode[pin] = mode; }
void digitalWrite(uint8_t pin, uint8_t val) { world.level[pin] = val; }
int digitalRead(uint8_t pin) { return world.level[pin]; }
int analogRead(uint8_t pin) { return pin == A0 ? 512 : 0; }
unsigned long millis() { return world.clock; }
void delay(unsigned long ms) { world.clock += ms; }
void yield() {}
void detachInterrupt(uint8_t pin) { handlers[pin] = Handler(); }
void attachInterruptArg(uint8_t pin, void (*fn)(void *), void *arg, int) { handlers[pin] = {fn, arg}; }

int Stream::read(uint8_t *, size_t) { return 0; }

void HardwareSerial::begin(unsigned long) {}
size_t HardwareSerial::setRxBufferSize(size_t size) { return size; }
int HardwareSerial::available() { return static_cast<int>(world.typed.size()); }
int HardwareSerial::read() {
  uint8_t c = static_cast<uint8_t>(world.typed[0]);
  world.typed.erase(0, 1);
  return c;
}
int HardwareSerial::read(uint8_t *, size_t) { return 0; }
int HardwareSerial::availableForWrite() { return static_cast<int>(128 - world.fifo.size()); }
void HardwareSerial::flush() {
  world.sent += world.fifo;
  world.fifo.clear();
}
size_t HardwareSerial::write(uint8_t c) { return write(&c, 1); }
size_t HardwareSerial::write(const uint8_t *buffer, size_t size) {
  world.fifo.append(reinterpret_cast<const char *>(buffer), size);
  return size;
}

uint32_t EspClass::random() { return 4; }
// restart is at once: what is still on its way is gone.
void EspClass::restart() { world.restarted = true, world.fifo.clear(), world.waiting.clear(); }
uint32_t EspClass::getChipId() { return 0x010203; }
uint32_t EspClass::getFreeHeap() { return 20000; }
uint32_t EspClass::getFlashChipRealSize() { return 4 << 20; }
bool EspClass::flashEraseSector(uint32_t sector) { return memset(world.flash + sector * 4096, 0xff, 4096) != nullptr; }
bool EspClass::flashWrite(uint32_t address, const uint8_t *data, size_t size) { return memcpy(world.flash + address, data, size) != nullptr; }
bool EspClass::flashRead(uint32_t address, uint8_t *data, size_t size) { return memcpy(data, world.flash + address, size) != nullptr; }

void ESP8266WiFiClass::persistent(bool) {}
bool ESP8266WiFiClass::mode(WiFiMode_t) { return true; }
bool ESP8266WiFiClass::setSleepMode(WiFiSleepType_t, uint8_t) { return true; }
bool ESP8266WiFiClass::setAutoReconnect(bool) { return true; }
WiFiEventHandler ESP8266WiFiClass::onStationModeConnected(std::function<void(const WiFiEventStationModeConnected &)> f) {
  on_connected = f;
  return std::make_shared<WiFiEventHandlerOpaque>();
}
WiFiEventHandler ESP8266WiFiClass::onStationModeDisconnected(std::function<void(const WiFiEventStationModeDisconnected &)> f) {
  on_disconnected = f;
  return std::make_shared<WiFiEventHandlerOpaque>();
}
wl_status_t ESP8266WiFiClass::begin(const char *ssid, const char *key, int32_t, const uint8_t *, bool) {
  world.ssid = ssid;
  world.key = key != nullptr ? key : "(open)";
  world.joins++;
  // A chip that is on a network stays there until it is told to leave.
  return world.status == WL_CONNECTED ? world.status : world.status = WL_DISCONNECTED;
}
bool ESP8266WiFiClass::hostname(const char *name) { return (world.host = name).size() <= 24; }
bool ESP8266WiFiClass::reconnect() {
  world.left(WIFI_DISCONNECT_REASON_ASSOC_LEAVE);
  return ++world.again > 0;
}
bool ESP8266WiFiClass::disconnect(bool) {
  world.left(WIFI_DISCONNECT_REASON_ASSOC_LEAVE);
  return ++world.leaves > 0;
}
wl_status_t ESP8266WiFiClass::status() { return world.status; }
IPAddress ESP8266WiFiClass::localIP() { return {192, 168, 1, 31}; }
uint8_t *ESP8266WiFiClass::macAddress(uint8_t *mac) { return static_cast<uint8_t *>(memcpy(mac, "\x5c\xcf\x7f\x01\x02\x03", 6)); }
int8_t ESP8266WiFiClass::RSSI() { return -61; }
int ESP8266WiFiClass::hostByName(const char *, IPAddress &to, uint32_t timeout) {
  if (world.name) to = {10, 0, 0, 1};
  else world.clock += timeout;
  return world.name;
}
int8_t ESP8266WiFiClass::scanNetworks(bool, bool, uint8_t, uint8_t *) {
  world.scanning = true;
  return WIFI_SCAN_RUNNING;
}
int8_t ESP8266WiFiClass::scanComplete() { return world.scanning ? WIFI_SCAN_RUNNING : static_cast<int8_t>(world.nets.size()); }
void ESP8266WiFiClass::scanDelete() { world.nets.clear(), world.forgotten++; }
String ESP8266WiFiClass::SSID(uint8_t i) { return world.nets[i].ssid; }
uint8_t ESP8266WiFiClass::encryptionType(uint8_t i) { return world.nets[i].type; }
int32_t ESP8266WiFiClass::RSSI(uint8_t i) { return -40 - i; }
int32_t ESP8266WiFiClass::channel(uint8_t i) { return i + 1; }

// connect waits for who is not there as long as its own time limit says.
int WiFiClient::connect(IPAddress, uint16_t) {
  link_ = world.peer ? 0 : -1;
  if (!established()) world.clock += _timeout;
  return established();
}
bool WiFiClient::established() { return link_ >= 0; }
int WiFiClient::connect(const char *, uint16_t port) { return connect(IPAddress(), port); }
int WiFiClient::connect(const String &, uint16_t port) { return connect(IPAddress(), port); }
size_t WiFiClient::write(uint8_t c) { return write(&c, 1); }
size_t WiFiClient::write(const uint8_t *buf, size_t size) {
  if (!established()) return 0;
  world.waiting.append(reinterpret_cast<const char *>(buf), size);
  return size;
}
int WiFiClient::available() { return static_cast<int>(world.said.size()); }
int WiFiClient::read() {
  uint8_t c = 0;
  return read(&c, 1) == 1 ? c : -1;
}
int WiFiClient::read(uint8_t *buf, size_t size) {
  size_t n = world.said.copy(reinterpret_cast<char *>(buf), size);
  world.said.erase(0, n);
  return static_cast<int>(n);
}
// stop waits for acknowledgements.
void WiFiClient::stop() {
  if (established()) world.heard += world.waiting;
  world.waiting.clear();
  link_ = -1;
}
bool WiFiClient::stop(unsigned) { return stop(), true; }
uint8_t WiFiClient::connected() { return established() && (world.peer || available() > 0); }
int WiFiClient::availableForWrite() { return established() ? 2 : 0; }
void WiFiClient::setNoDelay(bool) {}

namespace BearSSL {

bool PublicKey::parse(const uint8_t *key, size_t length) {
  world.spki.assign(reinterpret_cast<const char *>(key), length);
  return length > 2;
}
bool PublicKey::isEC() const { return world.spki[0] == 'E'; }

int WiFiClientSecureCtx::connect(IPAddress to, uint16_t port) {
  error_ = 0;
  if (!WiFiClient::connect(to, port)) return 0;
  _timeout = 15000;
  error_ = world.largest > receive_ ? 6 : world.tls;
  if (known_ == nullptr) error_ = 62;
  if (error_ != 0) return 0;
  _timeout = 5000;
  return 1;
}
size_t WiFiClientSecureCtx::write(const uint8_t *buf, size_t size) { return WiFiClient::write(buf, size); }
int WiFiClientSecureCtx::available() { return WiFiClient::available(); }
int WiFiClientSecureCtx::read() { return WiFiClient::read(); }
int WiFiClientSecureCtx::read(uint8_t *buf, size_t size) { return WiFiClient::read(buf, size); }
uint8_t WiFiClientSecureCtx::connected() { return WiFiClient::connected(); }
void WiFiClientSecureCtx::stop() {
  WiFiClient::stop();
  error_ = 0;
}
void WiFiClientSecureCtx::setKnownKey(const PublicKey *key, unsigned) { known_ = key; }
void WiFiClientSecureCtx::setBufferSizes(int receive, int) { receive_ = receive; }
int WiFiClientSecureCtx::getLastSSLError(char *, size_t) { return error_; }

}  // namespace BearSSL

// Only one update is under way; whoever wants another one ends it before.
bool UpdaterClass::begin(size_t size, int, int, uint8_t) {
  if (_size > 0 || size == 0 || size > 1000000) return false;
  update_failed = false;
  update_md5.clear(), update_bytes.clear();
  _size = update_size = size;
  return true;
}
bool UpdaterClass::setMD5(const char *md5) {
  if (strlen(md5) != 32) return false;
  update_md5 = md5;
  return true;
}
size_t UpdaterClass::write(uint8_t *data, size_t length) {
  if (update_failed || _size == 0) return 0;
  update_bytes.append(reinterpret_cast<char *>(data), length);
  update_failed = update_bytes.size() > _size || update_bytes[0] != '\xe9';
  return update_failed ? 0 : length;
}
bool UpdaterClass::end(bool) {
  bool right = _size > 0 && !update_failed && update_bytes.size() == _size &&
               (update_md5.empty() || update_md5 == hex(md5(reinterpret_cast<const uint8_t *>(update_bytes.data()), update_bytes.size())));
  if (right) world.image = update_bytes;
  _size = 0;
  return right;
}
