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
#ifdef __XTENSA__
#define IRAM_ATTR_AT(file, line) __attribute__((section("\".iram.text." file "." line "\"")))
#define IRAM_ATTR_LINE(line) IRAM_ATTR_AT(__FILE__, #line)
#define IRAM_ATTR_OF(line) IRAM_ATTR_LINE(line)
#define IRAM_ATTR IRAM_ATTR_OF(__LINE__)
#else
#define IRAM_ATTR __attribute__((noinline))
#endif
static const uint8_t D0 = 16, D1 = 5, D2 = 4, D3 = 0, D4 = 2, D5 = 14, D6 = 12, D7 = 13, D8 = 15, D9 = 3, D10 = 1;
static const uint8_t A0 = 17, SDA = 4, SCL = 5, SS = 15, MOSI = 13, MISO = 12, SCK = 14;

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
#define bitRead(value, bit) (((value) >> (bit)) & 0x01)
#define bitSet(value, bit) ((value) |= (1UL << (bit)))
#define bitClear(value, bit) ((value) &= ~(1UL << (bit)))
#define _BV(b) (1UL << (b))
#define BIT(nr) (1UL << (nr))
#define word(...) makeWord(__VA_ARGS__)
#define xt_rsil(level) (level)
#define interrupts() xt_rsil(0)
#define noInterrupts() xt_rsil(15)
#define cli() ets_intr_lock()
#define sei() ets_intr_unlock()
#define LED_BUILTIN 2
#define LOCAL static
#define DEC 10
#define HEX 16
#define OCT 8
#define BIN 2
#define B0 0
#define B1 1
#define B00 0
#define B11 3
class __FlashStringHelper;
#define F(string_literal) (reinterpret_cast<const __FlashStringHelper *>(string_literal))

// Names of the core and the SDK that are everywhere.
typedef bool boolean;
typedef uint8_t byte;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long u32_t;  // of lwIP: not the type that uint32_t is
typedef enum { OK = 0, FAIL, PENDING, BUSY, CANCEL } STATUS;
enum tcp_state { CLOSED = 0, LISTEN, SYN_SENT, SYN_RCVD, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT };
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
  IPAddress(uint32_t address) { memcpy(bytes_, &address, 4); }
  IPAddress(u32_t address) : IPAddress(static_cast<uint32_t>(address)) {}
  IPAddress(int address) : IPAddress(static_cast<uint32_t>(address)) {}
  IPAddress(const uint8_t *address) { memcpy(bytes_, address, 4); }
  operator uint32_t() const { return v4(); }
  operator uint32_t() { return v4(); }
  operator u32_t() const { return v4(); }
  operator u32_t() { return v4(); }
  bool isSet() const { return v4() != 0; }
  operator bool() const { return isSet(); }
  operator bool() { return isSet(); }
  uint32_t v4() const {
    uint32_t address;
    memcpy(&address, bytes_, 4);
    return address;
  }
  bool operator==(const IPAddress &other) const { return v4() == other.v4(); }
  bool operator!=(const IPAddress &other) const { return v4() != other.v4(); }
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
