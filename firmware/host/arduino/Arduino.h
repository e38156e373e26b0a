// Declarations in the shape of esp8266/Arduino 3.1, of what hal_esp8266.cpp uses, so
// that it can be checked where the core is not. core.cpp does what the core does with
// them, as far as board.cpp looks at it.
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

// Macros of the core, or of one before it, that a name must not be.
#define PI 3.1415926535897932384626433832795
#define SERIAL 0x0
#define DISPLAY 0x1
#define DEFAULT 1
#define EXTERNAL 0
#define RISING 0x01
#define FALLING 0x02
#define SPECIAL 0xF8
#define abs(x) ((x) > 0 ? (x) : -(x))
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x)-0.5))
#define constrain(amt, low, high) ((amt) < (low) ? (low) : ((amt) > (high) ? (high) : (amt)))
#define radians(deg) ((deg)*0.017453292519943295)
#define degrees(rad) ((rad)*57.295779513082321)
#define sq(x) ((x) * (x))
#define lowByte(w) ((uint8_t)((w)&0xff))
#define highByte(w) ((uint8_t)((w) >> 8))
#define bit(b) (1UL << (b))
#define word(...) makeWord(__VA_ARGS__)
#define interrupts() xt_rsil(0)
#define F(string_literal) (string_literal)

// Names of the core and the SDK that are everywhere.
typedef bool boolean;
typedef uint8_t byte;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef enum { OK = 0, FAIL, PENDING, BUSY, CANCEL } STATUS;
uint32_t crc32(const void *data, size_t length, uint32_t crc = 0xffffffff);
long random(long);
long map(long, long, long, long, long);

extern "C" {
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t val);
int digitalRead(uint8_t pin);
int analogRead(uint8_t pin);
unsigned long millis(void);
void delay(unsigned long);
void yield(void);
void detachInterrupt(uint8_t pin);
void attachInterruptArg(uint8_t pin, void (*)(void *), void *arg, int mode);
}

class String {
 public:
  String(const char *text = "") : text_(text) {}
  const char *c_str() const { return text_; }

 private:
  const char *text_;
};

class IPAddress {
 public:
  IPAddress() {}
  IPAddress(uint8_t a, uint8_t b, uint8_t c, uint8_t d) : bytes_{a, b, c, d} {}
  uint8_t operator[](int index) const { return bytes_[index]; }
  uint8_t &operator[](int index) { return bytes_[index]; }

 private:
  uint8_t bytes_[4] = {};
};

class Print {
 public:
  virtual ~Print() {}
  virtual size_t write(uint8_t) = 0;
  virtual size_t write(const uint8_t *buffer, size_t size) = 0;
  virtual int availableForWrite() { return 0; }
  virtual void flush() {}
};

class Stream : public Print {
 public:
  void setTimeout(unsigned long timeout) { _timeout = timeout; }
  virtual int available() = 0;
  virtual int read() = 0;
  virtual int read(uint8_t *buffer, size_t len);

 protected:
  unsigned long _timeout = 1000;
};

class HardwareSerial : public Stream {
 public:
  void begin(unsigned long baud);
  size_t setRxBufferSize(size_t size);
  int available() override;
  int read() override;
  int read(uint8_t *buffer, size_t size) override;
  int availableForWrite() override;
  void flush() override;
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

#include "Updater.h"
