#include "pc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ESP8266WiFi.h>

#include "../../kit/src/hal_esp8266.h"
#include "../tls.h"

HardwareSerial Serial;
EspClass ESP;
UpdaterClass Update;
ESP8266WiFiClass WiFi;
struct WiFiEventHandlerOpaque {};

namespace {

constexpr int kSendBuffer = 2144;          // bytes that lwIP keeps until they are acknowledged
constexpr unsigned long kStopFor = 300;    // ms that stop waits for that
constexpr size_t kFifo = 128;              // bytes of the serial port's FIFO

HostHal *pc;
std::function<void()> around = [] {};
struct Handler {
  void (*fn)(void *) = nullptr;
  void *arg = nullptr;
} handlers[16];
std::function<void(const WiFiEventStationModeConnected &)> on_connected;
std::function<void(const WiFiEventStationModeDisconnected &)> on_disconnected;
std::string typed, fifo, ssid, key, named;
Hal::Link link_was;
std::vector<Network> nets;
uint32_t update_size;

void left(WiFiDisconnectReason why) {
  WiFiEventStationModeDisconnected e{};
  e.reason = why;
  if (on_disconnected) on_disconnected(e);
}

void drain() {
  while (!fifo.empty()) {
    size_t n = pc->serialWrite(reinterpret_cast<const uint8_t *>(fifo.data()), fifo.size());
    if (n == 0) return;
    fifo.erase(0, n);
  }
}

}  // namespace

Hal &esp8266On(HostHal *board) {
  pc = board;
  pc->interrupt = [](uint8_t gpio) {
    if (gpio < 16 && handlers[gpio].fn != nullptr) handlers[gpio].fn(handlers[gpio].arg);
  };
  for (Handler &h : handlers) h = Handler();
  link_was = Hal::Link::off;
  static Esp8266Hal kit;
  kit = Esp8266Hal();
  kit.begin();
  return kit;
}

void whileItWaits(std::function<void()> live) { around = live; }

void pinMode(uint8_t pin, uint8_t mode) { pc->pinMode(pin, mode == OUTPUT ? Hal::Pin::output : mode == INPUT_PULLUP ? Hal::Pin::pull_up : Hal::Pin::input); }
void digitalWrite(uint8_t pin, uint8_t val) { pc->pinWrite(pin, val != LOW); }
int digitalRead(uint8_t pin) { return pc->pinRead(pin) ? HIGH : LOW; }
int analogRead(uint8_t) { return pc->analog(); }
unsigned long millis() { return pc->now(); }
void delay(unsigned long) {}
void yield() { around(); }
void detachInterrupt(uint8_t pin) { handlers[pin] = Handler(); }
void attachInterruptArg(uint8_t pin, void (*fn)(void *), void *arg, int) {
  handlers[pin] = {fn, arg};
  pc->watch(pin);
}

int Stream::read(uint8_t *, size_t) { return 0; }

void HardwareSerial::begin(unsigned long) {}
size_t HardwareSerial::setRxBufferSize(size_t size) { return size; }
int HardwareSerial::available() {
  uint8_t bytes[512];
  if (typed.empty()) typed.assign(reinterpret_cast<char *>(bytes), pc->serialRead(bytes, sizeof bytes));
  drain();
  return static_cast<int>(typed.size());
}
int HardwareSerial::read() {
  if (available() == 0) return -1;
  uint8_t c = static_cast<uint8_t>(typed[0]);
  typed.erase(0, 1);
  return c;
}
int HardwareSerial::read(uint8_t *, size_t) { return 0; }
int HardwareSerial::availableForWrite() {
  drain();
  return static_cast<int>(kFifo - fifo.size());
}
void HardwareSerial::flush() {
  for (drain(); !fifo.empty(); drain()) around();
}
size_t HardwareSerial::write(uint8_t c) { return write(&c, 1); }
size_t HardwareSerial::write(const uint8_t *buffer, size_t size) {
  fifo.append(reinterpret_cast<const char *>(buffer), size);
  drain();
  return size;
}

uint32_t EspClass::random() { return pc->random(); }
void EspClass::restart() { pc->restart(); }
uint32_t EspClass::getChipId() { return pc->chip(); }
uint32_t EspClass::getFreeHeap() { return pc->freeHeap(); }
uint32_t EspClass::getFlashChipRealSize() { return pc->flashSize(); }
bool EspClass::flashEraseSector(uint32_t sector) { return pc->flashErase(sector); }
bool EspClass::flashWrite(uint32_t address, const uint8_t *data, size_t size) { return pc->flashWrite(address, data, size); }
bool EspClass::flashRead(uint32_t address, uint8_t *data, size_t size) { return pc->flashRead(address, data, size); }

void ESP8266WiFiClass::persistent(bool) {}
bool ESP8266WiFiClass::mode(WiFiMode_t) { return true; }
bool ESP8266WiFiClass::setSleepMode(WiFiSleepType_t, uint8_t) { return true; }
bool ESP8266WiFiClass::setAutoReconnect(bool) { return true; }
bool ESP8266WiFiClass::hostname(const char *name) { return (named = name).size() <= 24; }
WiFiEventHandler ESP8266WiFiClass::onStationModeConnected(std::function<void(const WiFiEventStationModeConnected &)> f) {
  on_connected = f;
  return std::make_shared<WiFiEventHandlerOpaque>();
}
WiFiEventHandler ESP8266WiFiClass::onStationModeDisconnected(std::function<void(const WiFiEventStationModeDisconnected &)> f) {
  on_disconnected = f;
  return std::make_shared<WiFiEventHandlerOpaque>();
}
wl_status_t ESP8266WiFiClass::begin(const char *name, const char *phrase, int32_t, const uint8_t *, bool) {
  ssid = name;
  key = phrase != nullptr ? phrase : "";
  reconnect();
  return WL_DISCONNECTED;
}
bool ESP8266WiFiClass::reconnect() {
  pc->netJoin(ssid.c_str(), key.c_str());
  link_was = Hal::Link::opening;
  return true;
}
bool ESP8266WiFiClass::disconnect(bool) {
  pc->netLeave();
  link_was = Hal::Link::off;
  left(WIFI_DISCONNECT_REASON_ASSOC_LEAVE);
  return true;
}
wl_status_t ESP8266WiFiClass::status() {
  KitReason why;
  return pc->netState(&why) == Hal::Link::open ? WL_CONNECTED : WL_DISCONNECTED;
}
void radio() {
  KitReason why;
  Hal::Link link = pc->netState(&why);
  Hal::Link was = link_was;
  link_was = link;
  if (link != was && link == Hal::Link::open && on_connected) on_connected(WiFiEventStationModeConnected());
  if (link != was && link == Hal::Link::failed)
    left(why == KitReason::noNetwork  ? WIFI_DISCONNECT_REASON_NO_AP_FOUND
         : why == KitReason::wrongKey ? WIFI_DISCONNECT_REASON_4WAY_HANDSHAKE_TIMEOUT
                                      : WIFI_DISCONNECT_REASON_BEACON_TIMEOUT);
}
IPAddress ESP8266WiFiClass::localIP() { return {127, 0, 0, 1}; }
uint8_t *ESP8266WiFiClass::macAddress(uint8_t *mac) {
  pc->mac(mac);
  return mac;
}
int8_t ESP8266WiFiClass::RSSI() { return pc->netSignal(); }
int ESP8266WiFiClass::hostByName(const char *name, IPAddress &to, uint32_t timeout) {
  std::string wanted = name;
  uint8_t a[4];
  if (wanted.size() > 6 && wanted.compare(wanted.size() - 6, 6, ".local") == 0) {
    if (!mdnsAsk(pc->mdns(), wanted, static_cast<uint16_t>(pc->random()), static_cast<int>(timeout), a)) return 0;
    to = IPAddress(a);
    return 1;
  }
  addrinfo hints = {}, *found = nullptr;
  hints.ai_family = AF_INET;
  if (getaddrinfo(name, nullptr, &hints, &found) != 0) return 0;
  to = IPAddress(reinterpret_cast<sockaddr_in *>(found->ai_addr)->sin_addr.s_addr);
  freeaddrinfo(found);
  return 1;
}
int8_t ESP8266WiFiClass::scanNetworks(bool, bool, uint8_t, uint8_t *) { return pc->scanStart() ? WIFI_SCAN_RUNNING : WIFI_SCAN_FAILED; }
int8_t ESP8266WiFiClass::scanComplete() {
  Hal::Link link = pc->scanState();
  if (link == Hal::Link::opening) return WIFI_SCAN_RUNNING;
  nets.clear();
  for (Network n; link == Hal::Link::open && pc->scanNext(&n);) nets.push_back(n);
  return static_cast<int8_t>(nets.size());
}
void ESP8266WiFiClass::scanDelete() { nets.clear(); }
String ESP8266WiFiClass::SSID(uint8_t i) { return nets[i].ssid; }
uint8_t ESP8266WiFiClass::encryptionType(uint8_t i) {
  const uint8_t types[] = {ENC_TYPE_NONE, ENC_TYPE_WEP, ENC_TYPE_TKIP, ENC_TYPE_CCMP, ENC_TYPE_AUTO};
  return nets[i].security < 5 ? types[nets[i].security] : static_cast<uint8_t>(0xff);
}
int32_t ESP8266WiFiClass::RSSI(uint8_t i) { return nets[i].signal; }
int32_t ESP8266WiFiClass::channel(uint8_t i) { return nets[i].channel; }

int WiFiClient::connect(IPAddress ip, uint16_t port) {
  stop();
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = ip.v4();
  link_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (link_ < 0) return 0;
  int error = ::connect(link_, reinterpret_cast<sockaddr *>(&to), sizeof to) == 0 ? 0 : errno;
  for (unsigned long from = millis(); error == EINPROGRESS && millis() - from < _timeout; yield()) {
    pollfd p = {link_, POLLOUT, 0};
    socklen_t size = sizeof error;
    if (poll(&p, 1, 0) > 0) getsockopt(link_, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == 0) return 1;
  close(link_);
  link_ = -1;
  return 0;
}
int WiFiClient::connect(const char *, uint16_t) { return 0; }
int WiFiClient::connect(const String &, uint16_t) { return 0; }
size_t WiFiClient::write(uint8_t c) { return write(&c, 1); }
// write waits until all is on its way, as long as its time limit says.
size_t WiFiClient::write(const uint8_t *buf, size_t size) {
  size_t done = 0;
  for (unsigned long from = millis(); established() && done < size && millis() - from < _timeout;) {
    ssize_t n = ::send(link_, buf + done, size - done, MSG_NOSIGNAL);
    if (n > 0) {
      done += static_cast<size_t>(n);
      continue;
    }
    if (errno != EAGAIN) break;
    yield();
  }
  return done;
}
int WiFiClient::available() {
  int n = 0;
  return link_ >= 0 && ioctl(link_, FIONREAD, &n) == 0 ? n : 0;
}
int WiFiClient::read() {
  uint8_t c = 0;
  return read(&c, 1) == 1 ? c : -1;
}
int WiFiClient::read(uint8_t *buf, size_t size) { return link_ < 0 ? -1 : static_cast<int>(recv(link_, buf, size, 0)); }
void WiFiClient::stop() {
  int waits = 0;
  for (unsigned long from = millis(); established() && ioctl(link_, SIOCOUTQ, &waits) == 0 && waits > 0 && millis() - from < kStopFor;) yield();
  if (link_ >= 0) close(link_);
  link_ = -1;
}
bool WiFiClient::stop(unsigned) { return stop(), true; }
bool WiFiClient::established() {
  char c;
  if (link_ < 0) return false;
  ssize_t n = recv(link_, &c, 1, MSG_PEEK | MSG_DONTWAIT);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}
uint8_t WiFiClient::connected() { return established() || available() > 0; }
int WiFiClient::availableForWrite() {
  int waits = 0;
  if (link_ < 0 || ioctl(link_, SIOCOUTQ, &waits) != 0 || waits > kSendBuffer) return 0;
  return kSendBuffer - waits;
}
void WiFiClient::setNoDelay(bool nodelay) {
  int on = nodelay;
  setsockopt(link_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

namespace BearSSL {

bool PublicKey::parse(const uint8_t *der, size_t length) {
  TlsKey k;
  length_ = 0;
  if (!k.read(der, length) || length > sizeof der_) return false;
  memcpy(der_, der, length);
  length_ = length;
  return true;
}
bool PublicKey::isEC() const { return length_ > 0; }

int WiFiClientSecureCtx::connect(IPAddress ip, uint16_t port) {
  if (!WiFiClient::connect(ip, port)) return 0;
  free();
  TlsKey k;
  if (known_ == nullptr || !k.read(known_->der_, known_->length_)) return 0;
  engine_ = new TlsEngine(k, static_cast<size_t>(receive_), static_cast<size_t>(send_));
  while (!greeted_ && established())
    if (run(BR_SSL_SENDAPP, true) < 0) break;
    else greeted_ = engine_->is(BR_SSL_SENDAPP);
  if (greeted_) _timeout = 5000;
  return greeted_;
}

// free ends TLS, and begins with the time limit of a handshake.
void WiFiClientSecureCtx::free() {
  delete engine_;
  engine_ = nullptr;
  greeted_ = false;
  _timeout = 15000;
}

// run lets TLS work until it can do target, as long as the time limit says where it is
// to wait, and with what is there where not. It says -1 where it cannot.
int WiFiClientSecureCtx::run(unsigned target, bool blocking) {
  if (engine_ == nullptr) return -1;
  br_ssl_engine_context *e = engine_->engine();
  unsigned long from = millis();
  for (int idle = 0; blocking || idle < 2;) {
    if (blocking && idle > 0) yield();
    if (millis() - from > _timeout || engine_->is(BR_SSL_CLOSED)) return -1;
    if (!established() && WiFiClient::available() == 0) return engine_->is(target) ? 0 : -1;
    size_t n = 0;
    if (const uint8_t *out = br_ssl_engine_sendrec_buf(e, &n)) {
      size_t room = static_cast<size_t>(availableForWrite());
      if (!blocking && n > room) n = room;
      n = WiFiClient::write(out, n);
      if (n == 0) return -1;
      br_ssl_engine_sendrec_ack(e, n);
      idle = 0;
      continue;
    }
    if (engine_->is(target)) return 0;
    if (engine_->is(BR_SSL_RECVAPP)) return -1;  // who wants to write has to read first
    uint8_t *in = br_ssl_engine_recvrec_buf(e, &n);
    if (in != nullptr && WiFiClient::available() > 0) {
      int got = WiFiClient::read(in, n);
      if (got < 0) return -1;
      if (got > 0) br_ssl_engine_recvrec_ack(e, static_cast<size_t>(got));
      idle = 0;
      continue;
    }
    br_ssl_engine_flush(e, 0);
    idle++;
  }
  return -1;
}

// write waits until all is on its way.
size_t WiFiClientSecureCtx::write(const uint8_t *buf, size_t size) {
  if (!connected() || !greeted_) return 0;
  size_t done = 0;
  while (done < size && run(BR_SSL_SENDAPP, true) == 0) {
    size_t n = engine_->put(buf + done, size - done);
    if (n == 0) break;
    done += n;
    run(BR_SSL_SENDAPP, true);
  }
  return done;
}
int WiFiClientSecureCtx::available() {
  size_t n = 0;
  if (run(BR_SSL_RECVAPP, false) < 0 || br_ssl_engine_recvapp_buf(engine_->engine(), &n) == nullptr) return 0;
  return static_cast<int>(n);
}
int WiFiClientSecureCtx::read() {
  uint8_t c = 0;
  return read(&c, 1) == 1 ? c : -1;
}
int WiFiClientSecureCtx::read(uint8_t *buf, size_t size) {
  if (engine_ == nullptr || !greeted_) return -1;
  if (available() == 0) return connected() ? 0 : -1;
  return static_cast<int>(engine_->take(buf, size));
}
uint8_t WiFiClientSecureCtx::connected() {
  return available() > 0 || (established() && greeted_ && !engine_->is(BR_SSL_CLOSED));
}
void WiFiClientSecureCtx::stop() {
  WiFiClient::stop();
  free();
}
void WiFiClientSecureCtx::setKnownKey(const PublicKey *k, unsigned) { known_ = k; }
void WiFiClientSecureCtx::setBufferSizes(int receive, int send) { receive_ = receive, send_ = send; }
int WiFiClientSecureCtx::getLastSSLError(char *, size_t) { return engine_ != nullptr ? engine_->error() : 0; }

}  // namespace BearSSL

bool UpdaterClass::begin(size_t size, int, int, uint8_t) {
  update_size = static_cast<uint32_t>(size);
  return true;
}
bool UpdaterClass::setMD5(const char *md5) { return pc->imageBegin(update_size, md5); }
size_t UpdaterClass::write(uint8_t *data, size_t length) { return pc->imageWrite(data, length) ? length : 0; }
bool UpdaterClass::end(bool) { return pc->imageEnd(); }
