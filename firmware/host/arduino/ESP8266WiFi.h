#pragma once
#include <Arduino.h>

#define WIFI_SCAN_RUNNING (-1)
#define WIFI_SCAN_FAILED (-2)

typedef enum WiFiMode { WIFI_OFF = 0, WIFI_STA = 1, WIFI_AP = 2, WIFI_AP_STA = 3 } WiFiMode_t;
typedef enum WiFiSleepType { WIFI_NONE_SLEEP = 0, WIFI_LIGHT_SLEEP = 1, WIFI_MODEM_SLEEP = 2 } WiFiSleepType_t;
typedef enum {
  WL_NO_SHIELD = 255,
  WL_IDLE_STATUS = 0,
  WL_NO_SSID_AVAIL = 1,
  WL_SCAN_COMPLETED = 2,
  WL_CONNECTED = 3,
  WL_CONNECT_FAILED = 4,
  WL_CONNECTION_LOST = 5,
  WL_WRONG_PASSWORD = 6,
  WL_DISCONNECTED = 7
} wl_status_t;
enum wl_enc_type { ENC_TYPE_WEP = 5, ENC_TYPE_TKIP = 2, ENC_TYPE_CCMP = 4, ENC_TYPE_NONE = 7, ENC_TYPE_AUTO = 8 };
enum WiFiDisconnectReason {
  WIFI_DISCONNECT_REASON_UNSPECIFIED = 1,
  WIFI_DISCONNECT_REASON_AUTH_EXPIRE = 2,
  WIFI_DISCONNECT_REASON_ASSOC_LEAVE = 8,
  WIFI_DISCONNECT_REASON_MIC_FAILURE = 14,
  WIFI_DISCONNECT_REASON_4WAY_HANDSHAKE_TIMEOUT = 15,
  WIFI_DISCONNECT_REASON_BEACON_TIMEOUT = 200,
  WIFI_DISCONNECT_REASON_NO_AP_FOUND = 201,
  WIFI_DISCONNECT_REASON_AUTH_FAIL = 202,
  WIFI_DISCONNECT_REASON_HANDSHAKE_TIMEOUT = 204,
};

struct WiFiEventStationModeConnected {
  String ssid;
  uint8_t bssid[6];
  uint8_t channel;
};
struct WiFiEventStationModeDisconnected {
  String ssid;
  uint8_t bssid[6];
  WiFiDisconnectReason reason;
};
struct WiFiEventHandlerOpaque;
typedef std::shared_ptr<WiFiEventHandlerOpaque> WiFiEventHandler;

class WiFiClient : public Stream {
 public:
  virtual int connect(IPAddress ip, uint16_t port);
  virtual int connect(const char *host, uint16_t port);
  virtual int connect(const String &host, uint16_t port);
  size_t write(uint8_t) override;
  size_t write(const uint8_t *buf, size_t size) override;
  int available() override;
  int read() override;
  int read(uint8_t *buf, size_t size) override;
  virtual void stop();
  bool stop(unsigned int maxWaitMs);
  virtual uint8_t connected();
  int availableForWrite() override;
  void setNoDelay(bool nodelay);

 protected:
  bool established();  // the other side may still send

 private:
  int link_ = -1;  // of its connection, -1 without one
};

class ESP8266WiFiClass {
 public:
  void persistent(bool persistent);
  bool mode(WiFiMode_t mode);
  bool setSleepMode(WiFiSleepType_t type, uint8_t listenInterval = 0);
  bool setAutoReconnect(bool autoReconnect);
  WiFiEventHandler onStationModeConnected(std::function<void(const WiFiEventStationModeConnected &)>);
  WiFiEventHandler onStationModeDisconnected(std::function<void(const WiFiEventStationModeDisconnected &)>);
  bool hostname(const char *aHostname);
  bool hostname(const String &aHostname) { return hostname(aHostname.c_str()); }
  String hostname();
  wl_status_t begin(const char *ssid, const char *passphrase = nullptr, int32_t channel = 0, const uint8_t *bssid = nullptr, bool connect = true);
  wl_status_t begin(char *ssid, char *passphrase = nullptr, int32_t channel = 0, const uint8_t *bssid = nullptr, bool connect = true);
  wl_status_t begin(const String &ssid, const String &passphrase = String(), int32_t channel = 0, const uint8_t *bssid = nullptr, bool connect = true);
  wl_status_t begin();
  bool reconnect();
  bool disconnect(bool wifioff = false);
  bool disconnect(bool wifioff, bool eraseCredentials);
  wl_status_t status();
  IPAddress localIP();
  uint8_t *macAddress(uint8_t *mac);
  String macAddress();
  int8_t RSSI();
  int hostByName(const char *aHostname, IPAddress &aResult);
  int hostByName(const char *aHostname, IPAddress &aResult, uint32_t timeout_ms);
  int8_t scanNetworks(bool async = false, bool show_hidden = false, uint8_t channel = 0, uint8_t *ssid = nullptr);
  int8_t scanComplete();
  void scanDelete();
  String SSID(uint8_t networkItem);
  String SSID() const;
  uint8_t encryptionType(uint8_t networkItem);
  int32_t RSSI(uint8_t networkItem);
  int32_t channel(uint8_t networkItem);
  int32_t channel();
};
extern ESP8266WiFiClass WiFi;

#include "WiFiClientSecure.h"  // as the core does
