// The wired kit's board: a bare ESP8266 without Espressif's SDK and without Wi-Fi.
// Not tried on hardware.
#pragma once
#include "../kit/src/core/hal.h"
#include "chip.h"

class Wired final : public Hal {
 public:
  // setup sets clock, serial port, interrupts and watchdog. There is one Wired, for
  // as long as the board is on.
  void setup();
  // feed keeps the watchdog quiet; it bites after 6.5 s.
  void feed();
  // interrupt is called by start.S.
  void interrupt();
  // fault writes down what cannot go on, and restarts. faulted tells of it after
  // the restart, once: the exception (EXCCAUSE, or as in start.S), its address, and
  // how many there were since power-on.
  [[noreturn]] void fault(uint32_t cause, uint32_t where);
  bool faulted(uint32_t *cause, uint32_t *where, uint32_t *count);

  uint32_t now() override;
  uint32_t random() override;
  size_t serialRead(uint8_t *to, size_t size) override;
  size_t serialWrite(const uint8_t *bytes, size_t length) override;
  bool pinMode(uint8_t gpio, Pin mode) override;
  void pinWrite(uint8_t gpio, bool high) override;
  bool pinRead(uint8_t gpio) override;
  uint16_t analog() override;
  bool watch(uint8_t gpio) override;
  bool edge(Edge *to) override;
  uint32_t flashSize() override { return flash_size_; }
  bool flashRead(uint32_t at, uint8_t *to, size_t length) override;
  bool flashErase(uint32_t sector) override;
  bool flashWrite(uint32_t at, const uint8_t *bytes, size_t length) override;
  const char *variant() override { return "wired"; }
  void mac(uint8_t to[6]) override;
  uint32_t chip() override;
  uint32_t freeHeap() override;
  void restart() override;

 private:
  void clock80();
  void serial();
  void dog();
  void flash();
  void converter();
  bool converted();
  bool inFlash(uint32_t at, size_t length) const { return at <= flash_size_ && length <= flash_size_ - at; }

  uint32_t milliseconds_ = 0, counted_ = 0;  // counted_: CCOUNT at milliseconds_
  uint32_t flash_size_ = 0;
  uint32_t noise_ = 0;
  // interrupt writes at the heads of ring and edges, the rest of the program at the tails.
  volatile uint32_t ring_head_ = 0, ring_tail_ = 0, edges_head_ = 0, edges_tail_ = 0;
  uint32_t watched_ = 0;
  bool analog_ready_ = false, unlocked_ = false;
  uint32_t dark_ = 0, bright_ = 0;  // of analog, in eighths
  uint16_t level_ = 0;
};

extern "C" {
void kitMain();
void kitInterrupt();
[[noreturn]] void kitFault(uint32_t cause, uint32_t where);
}
