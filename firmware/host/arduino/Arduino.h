// Declarations in the shape of esp8266/Arduino 3.1, of what hal_esp8266.cpp uses, so
// that it can be checked where the core is not: nothing here runs.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <memory>

#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x00
#define INPUT_PULLUP 0x02
#define OUTPUT 0x01
#define CHANGE 0x03
#define IRAM_ATTR __attribute__((noinline))
static const uint8_t A0 = 17;

// Macros of the core that a name must not be.
#define PI 3.1415926535897932384626433832795
#define SERIAL 0x0
#define DISPLAY 0x1
#define DEFAULT 1
#define EXTERNAL 0
#define abs(x) ((x) > 0 ? (x) : -(x))
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x)-0.5))
#define radians(deg) ((deg)*0.017453292519943295)
#define degrees(rad) ((rad)*57.295779513082321)
#define sq(x) ((x) * (x))
#define bit(b) (1UL << (b))
#define word(...) makeWord(__VA_ARGS__)
#define interrupts() xt_rsil(0)
#define F(string_literal) (string_literal)

extern "C" {
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t val);
int digitalRead(uint8_t pin);
int analogRead(uint8_t pin);
unsigned long millis(void);
void delay(unsigned long);
void detachInterrupt(uint8_t pin);
void attachInterruptArg(uint8_t pin, void (*)(void *), void *arg, int mode);
}

class String {
 public:
  const char *c_str() const;
};

class IPAddress {
 public:
  uint8_t operator[](int index) const;
};

class Print {
 public:
  virtual ~Print() {}
  virtual size_t write(uint8_t) = 0;
  virtual size_t write(const uint8_t *buffer, size_t size) = 0;
};

class Stream : public Print {
 public:
  void setTimeout(unsigned long timeout);
  virtual int available() = 0;
  virtual int read() = 0;
};

class HardwareSerial : public Stream {
 public:
  void begin(unsigned long baud);
  size_t setRxBufferSize(size_t size);
  int available() override;
  int read() override;
  int availableForWrite();
  size_t write(uint8_t c) override;
  size_t write(const uint8_t *buffer, size_t size) override;
};
extern HardwareSerial Serial;

class EspClass {
 public:
  static uint32_t random();
  static void restart();
  static uint32_t getChipId();
  static uint32_t getFreeHeap();
  static uint32_t getFlashChipRealSize();
  static bool flashEraseSector(uint32_t sector);
  static bool flashWrite(uint32_t address, const uint32_t *data, size_t size);
  static bool flashWrite(uint32_t address, const uint8_t *data, size_t size);
  static bool flashRead(uint32_t address, uint32_t *data, size_t size);
  static bool flashRead(uint32_t address, uint8_t *data, size_t size);
};
extern EspClass ESP;
