// As much of the ESP8266's Arduino core and of PubSubClient as the sketches use,
// so that a PC's compiler can check them.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

typedef uint8_t byte;
const int LOW = 0, HIGH = 1, OUTPUT = 1, INPUT_PULLUP = 2, LED_BUILTIN = 2, A0 = 17;
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t value);
int digitalRead(uint8_t pin);
int analogRead(uint8_t pin);
void delay(unsigned long ms);
unsigned long millis();

struct String {
  explicit String(int n) : s(std::to_string(n)) {}
  const char* c_str() const { return s.c_str(); }
  std::string s;
};

struct HardwareSerial {
  void begin(unsigned long baud);
  size_t write(const uint8_t* buffer, size_t size);
  size_t print(const char* s);
  size_t println(int n);
  size_t println();
};
extern HardwareSerial Serial;

enum wl_status_t { WL_CONNECTED = 3 };
enum WiFiMode_t { WIFI_STA = 1 };
struct ESP8266WiFiClass {
  bool mode(WiFiMode_t m);
  wl_status_t begin(const char* ssid, const char* password);
  wl_status_t status();
};
extern ESP8266WiFiClass WiFi;
struct WiFiClient {};

struct PubSubClient {
  explicit PubSubClient(WiFiClient& client);
  PubSubClient& setServer(const char* domain, uint16_t port);
  PubSubClient& setCallback(void (*callback)(char*, uint8_t*, unsigned int));
  bool setBufferSize(uint16_t size);
  bool connect(const char* id, const char* user, const char* pass);
  bool connected();
  bool loop();
  int state();
  bool publish(const char* topic, const char* payload);
  bool publish(const char* topic, const char* payload, bool retained);
  bool publish(const char* topic, const uint8_t* payload, unsigned int plength, bool retained);
  bool subscribe(const char* topic, uint8_t qos);
};
