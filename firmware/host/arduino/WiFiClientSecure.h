#pragma once
#include <ESP8266WiFi.h>

namespace BearSSL {

class PublicKey {
 public:
  bool parse(const char *pemKey);
  bool parse(const uint8_t *derKey, size_t derLen);
  bool isRSA() const;
  bool isEC() const;

 private:
  friend class WiFiClientSecureCtx;
  uint8_t der_[120];
  size_t length_ = 0;
};

// What does the work. Its time limit is 15 s from the start and in every handshake.
class WiFiClientSecureCtx : public WiFiClient {
 public:
  WiFiClientSecureCtx() { _timeout = 15000; }
  WiFiClientSecureCtx(const WiFiClientSecureCtx &) = delete;
  WiFiClientSecureCtx &operator=(const WiFiClientSecureCtx &) = delete;
  int connect(IPAddress ip, uint16_t port) override;
  using WiFiClient::connect;
  using WiFiClient::stop;
  size_t write(const uint8_t *buf, size_t size) override;
  int available() override;
  int read() override;
  int read(uint8_t *buf, size_t size) override;
  uint8_t connected() override;
  void stop() override;
  void setKnownKey(const PublicKey *pk, unsigned usages = 0);
  void setBufferSizes(int recv, int xmit);
  int getLastSSLError(char *dest = nullptr, size_t len = 0);

 private:
  int run(unsigned target, bool blocking);
  void free();

  const PublicKey *known_ = nullptr;
  int receive_ = 16384, send_ = 512, error_ = 0;
  struct TlsEngine *engine_ = nullptr;
  bool greeted_ = false;  // the handshake is done
};

// Hands everything on but setTimeout, which is its own.
class WiFiClientSecure : public WiFiClient {
 public:
  WiFiClientSecure() : _ctx(new WiFiClientSecureCtx()) {}
  int connect(IPAddress ip, uint16_t port) override { return _ctx->connect(ip, port); }
  using WiFiClient::connect;
  using WiFiClient::stop;
  size_t write(const uint8_t *buf, size_t size) override { return _ctx->write(buf, size); }
  int available() override { return _ctx->available(); }
  int read(uint8_t *buf, size_t size) override { return _ctx->read(buf, size); }
  uint8_t connected() override { return _ctx->connected(); }
  void stop() override { _ctx->stop(); }
  void setKnownKey(const PublicKey *pk, unsigned usages = 0) { _ctx->setKnownKey(pk, usages); }
  void setBufferSizes(int recv, int xmit) { _ctx->setBufferSizes(recv, xmit); }
  int getLastSSLError(char *dest = nullptr, size_t len = 0) { return _ctx->getLastSSLError(dest, len); }

 private:
  std::shared_ptr<WiFiClientSecureCtx> _ctx;
};

}  // namespace BearSSL
using namespace BearSSL;
