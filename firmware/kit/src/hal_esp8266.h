// The board of a Wi-Fi kit: an ESP8266 with the Arduino core 3.1.
#pragma once
#include <ESP8266WiFi.h>

#include "core/hal.h"

class Esp8266Hal final : public Hal {
 public:
  // begin is called in setup, once.
  void begin();

  uint32_t now() override;
  uint32_t random() override;
  size_t serialRead(uint8_t *to, size_t size) override;
  size_t serialWrite(const uint8_t *bytes, size_t length) override;
  bool pinMode(uint8_t gpio, Pin mode) override;
  void pinWrite(uint8_t gpio, bool high) override;
  bool pinRead(uint8_t gpio) override;
  uint16_t analog() override;
  bool watch(uint8_t gpio) override;
  bool edge(Edge *e) override;
  uint32_t flashSize() override;
  bool flashRead(uint32_t at, uint8_t *to, size_t length) override;
  bool flashErase(uint32_t sector) override;
  bool flashWrite(uint32_t at, const uint8_t *bytes, size_t length) override;
  uint8_t abilities() override { return kWifi | kTls | kUpdate; }
  const char *variant() override { return "wifi"; }
  const char *version() override { return version_; }
  void mac(uint8_t to[6]) override;
  uint32_t chip() override;
  uint32_t freeHeap() override;
  void restart() override;
  void netJoin(const char *ssid, const char *key) override;
  void netLeave() override;
  Link netState(KitReason *why) override;
  int8_t netSignal() override;
  void netAddress(char *to, size_t size) override;
  bool scanStart() override;
  Link scanState() override;
  bool scanNext(Network *n) override;
  bool tcpOpen(Line line, const char *host, uint16_t port, const uint8_t *key, size_t length) override;
  Link tcpState(Line line, KitReason *why) override;
  size_t tcpRead(Line line, uint8_t *to, size_t size) override;
  size_t tcpWrite(Line line, const uint8_t *bytes, size_t length) override;
  void tcpClose(Line line) override;
  bool imageBegin(uint32_t size, const char *md5) override;
  bool imageWrite(const uint8_t *bytes, size_t length) override;
  bool imageEnd() override;
  void imageDrop() override;

 private:
  WiFiClient &client(Line line);
  bool openTls(const IPAddress &to, uint16_t port, const uint8_t *key, size_t length);

  char version_[16] = "";
  Link net_ = Link::off, links_[2] = {Link::off, Link::off};
  KitReason net_why_ = KitReason::none, whys_[2] = {KitReason::none, KitReason::none};
  uint8_t tries_ = 0;
  int found_ = 0, next_ = 0;  // networks of a look round
  bool tls_ = false;          // on the line to the broker
  bool updating_ = false;
};
