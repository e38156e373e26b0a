#pragma once
#include <ESP8266WiFi.h>

namespace BearSSL {

class PublicKey {
 public:
  bool parse(const char *pemKey);
  bool parse(const uint8_t *derKey, size_t derLen);
  bool isEC() const;
};

class WiFiClientSecure : public WiFiClient {
 public:
  void setKnownKey(const PublicKey *pk, unsigned usages = 0);
  void setBufferSizes(int recv, int xmit);
  int getLastSSLError(char *dest = nullptr, size_t len = 0);
};

}  // namespace BearSSL
