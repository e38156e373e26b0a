#include "wired.h"

#include <string.h>

// Of the linker script.
extern "C" uint32_t bss_end[], stack_top[];

namespace {

// What a fault leaves in kept RAM. kWritten tells it from what is there at power-on;
// the cause is one more, 0 where it has been told.
constexpr uint32_t kWritten = 0x4b495421, kKeptCount = kKept + 4, kKeptCause = kKept + 8, kKeptWhere = kKept + 12;

// Here and not in Wired, which would then be copied from the image with all their zeros.
// A frame with its head and tail is 1,034 bytes; while a sector is erased, which
// waits up to 0.4 s, the program sends at most one of them and its repetition.
constexpr size_t kRing = 4096, kEdges = 32;
uint8_t ring[kRing];
Edge edges[kEdges];

// analogRead and analogWrite reach the registers of the analogue parts: a word with
// block, register and value; bit 24 writes, bit 25 is set while it is on its way.
// The boot ROM has functions for it, but some go through a table that only the SDK fills.
void settleBus(uint32_t at) {
  for (int i = 0; i < 10000 && (in(at) & kAnalogBusy) != 0; i++) {
  }
}

uint32_t analogRead(uint32_t block, uint32_t host, uint32_t reg) {
  uint32_t at = kAnalogBus + host * 4;
  out(at, block | reg << 8);
  settleBus(at);
  return in(at) >> 16 & 0xff;
}

void analogWrite(uint32_t block, uint32_t host, uint32_t reg, uint32_t value) {
  uint32_t at = kAnalogBus + host * 4;
  out(at, block | reg << 8 | value << 16 | kAnalogWrite);
  settleBus(at);
}

// Where a GPIO's multiplexer is: the registers follow the pads of the chip. 0: the
// pin is the serial port's or the flash's.
uint32_t muxOf(uint8_t gpio) {
  static const uint8_t at[16] = {0x34, 0, 0x38, 0, 0x3c, 0x40, 0, 0, 0, 0, 0, 0, 0x04, 0x08, 0x0c, 0x10};
  return gpio < 16 && at[gpio] != 0 ? kMux + at[gpio] : 0;
}

void pause(uint32_t microseconds) {
  uint32_t from = cycles();
  while (cycles() - from < microseconds * kMegahertz) {
  }
}

// drain waits until the serial port has sent everything, but not for longer than 0.1 s.
void drain() {
  for (int i = 0; i < 100000 && (in(kUartStatus) >> 16 & 0xff) != 0; i++) pause(1);
  pause(200);  // the last of it has left the FIFO, but not yet the pin
}

}  // namespace

void Wired::setup() {
  drain();  // what the boot ROM still says, at its speed
  clock80();
  counted_ = cycles();
  serial();
  flash();
  dog();
  uint32_t on = kSerialInterrupt | kPinInterrupt;
  __asm__ volatile("wsr.intenable %0; rsync" ::"a"(on));
  on = 0x20;  // PS: level 0, user
  __asm__ volatile("wsr.ps %0; rsync" ::"a"(on) : "memory");
}

// clock80 takes the chip from its crystal (26 MHz doubled: 52 MHz) to 80 MHz. The boot
// ROM was made for a crystal of 40 MHz, whose double is 80: it divides by 694 for
// 115,200 baud and so speaks 74,880. These two registers make the PLL
// multiply the 26 MHz to what the divider was made for; nosdk8266 and the SDK write the same.
void Wired::clock80() {
  analogWrite(103, 4, 1, 0x88);
  analogWrite(103, 4, 2, 0x91);
  pause(100);
}

// serial sets 115,200 baud, 8N1: 80 MHz / 694 is 115,274, 0.06 % too fast.
void Wired::serial() {
  out(kMux + 0x18, 0);      // GPIO 1 is TXD
  out(kMux + 0x14, 0x80);   // GPIO 3 is RXD, pulled up
  out(kUartDivider, 80000000 / 115200);
  const uint32_t eight_n_one = 3u << 2 | 1u << 4;
  out(kUartConf0, eight_n_one | 1u << 17 | 1u << 18);  // both FIFOs emptied
  out(kUartConf0, eight_n_one);
  // The FIFO holds 128 bytes, 11.1 ms of the line. It asks to be read at 32, when
  // there are 8.3 ms left, and when the line was still for two bytes.
  out(kUartConf1, 32 | 2u << 24 | 1u << 31);
  out(kUartClear, 0x1ff);
  out(kUartEnable, kUartFull | kUartPause | kUartOverflow);
}

void Wired::dog() {
  change(kDog, 1, 0);
  out(kDogFirst, kDogTime);
  out(kDogSecond, 1);
  // A reset that takes the longest time, after an interrupt that nobody waits for.
  change(kDog, 0x3e, 7u << 3);
  change(kDog, 0, 1);
  feed();
}

void Wired::feed() { out(kDogFeed, kDogFood); }

void Wired::flash() {
  change(kSpiUser, 0, kSpiChipSelectEarly);
  out(kSpiData, 0);
  out(kSpiCommand, kSpiReadId);
  for (int i = 0; i < 10000 && in(kSpiCommand) != 0; i++) {
  }
  uint32_t capacity = in(kSpiData) >> 16 & 0xff;  // JEDEC's third byte is log2 of the size
  flash_size_ = capacity >= 16 && capacity <= 24 ? 1u << capacity : 0;
  if (flash_size_ != 0) out(kRomFlashSize, flash_size_);
}

uint32_t Wired::now() {
  Quiet quiet;  // an interrupt asks too
  // CCOUNT goes round after 53 s at 80 MHz; the difference is right as long as
  // somebody asks in between, which the watchdog sees to.
  uint32_t passed = (cycles() - counted_) / (kMegahertz * 1000);
  counted_ += passed * (kMegahertz * 1000);
  return milliseconds_ += passed;
}

// random mixes what the radio's noise register gives, which is poor while the radio is off,
// with the clock and the address of the chip (xorshift32).
uint32_t Wired::random() {
  noise_ ^= in(kNoise) ^ cycles() ^ in(kFuses);
  if (noise_ == 0) noise_ = 1;
  noise_ ^= noise_ << 13;
  noise_ ^= noise_ >> 17;
  return noise_ ^= noise_ << 5;
}

void Wired::interrupt() {
  if ((in(kUartRaised) & (kUartFull | kUartPause | kUartOverflow)) != 0) {
    for (uint32_t n = in(kUartStatus) & 0xff; n > 0; n--) {
      uint8_t byte = static_cast<uint8_t>(in(kUartFifo));
      uint32_t head = ring_head_;
      if (head - ring_tail_ == kRing) continue;  // a frame with a gap fails its checksum
      ring[head % kRing] = byte;
      ring_head_ = head + 1;
    }
    out(kUartClear, kUartFull | kUartPause | kUartOverflow);
  }
  uint32_t raised = in(kPinRaised);
  if (raised == 0) return;
  out(kPinHandled, raised);
  uint32_t levels = in(kPinIn), at = now();
  for (uint8_t gpio = 0; gpio < 16; gpio++) {
    if ((raised & watched_ & 1u << gpio) == 0) continue;
    uint32_t head = edges_head_;
    if (head - edges_tail_ == kEdges) break;  // the contact bounces; the next tick reads the pin
    Edge &e = edges[head % kEdges];
    e.gpio = gpio;
    e.high = (levels >> gpio & 1) != 0;
    e.at = at;
    edges_head_ = head + 1;
  }
}

size_t Wired::serialRead(uint8_t *to, size_t size) {
  size_t n = 0;
  for (; n < size && ring_tail_ != ring_head_; n++) {
    to[n] = ring[ring_tail_ % kRing];
    ring_tail_ = ring_tail_ + 1;
  }
  return n;
}

size_t Wired::serialWrite(const uint8_t *bytes, size_t length) {
  uint32_t waiting = in(kUartStatus) >> 16 & 0xff, room = waiting < 126 ? 126 - waiting : 0;
  size_t n = 0;
  for (; n < length && n < room; n++) out(kUartFifo, bytes[n]);
  return n;
}

// GPIO 16 has no pull-up.
bool Wired::pinMode(uint8_t gpio, Pin mode) {
  if (gpio == 16) {
    if (mode == Pin::pull_up) return false;
    change(kPin16Mux, 0x43, 1);
    change(kPin16Conf, 1, 0);
    change(kPin16Enable, 1, mode == Pin::output ? 1 : 0);
    return true;
  }
  uint32_t mux = muxOf(gpio);
  if (mux == 0) return false;
  // The pads of GPIO 12 to 15 come up as JTAG, for which GPIO is function 3.
  uint32_t function = gpio >= 12 ? 3u << 4 : 0;
  out(mux, function | (mode == Pin::pull_up ? 1u << 7 : 0));
  out(kPinConf + gpio * 4u, 0);
  out(mode == Pin::output ? kPinEnable : kPinDisable, 1u << gpio);
  {
    Quiet quiet;
    watched_ &= ~(1u << gpio);
  }
  return true;
}

void Wired::pinWrite(uint8_t gpio, bool high) {
  if (gpio == 16) {
    change(kPin16Out, 1, high ? 1 : 0);
  } else if (muxOf(gpio) != 0) {
    out(high ? kPinSet : kPinClear, 1u << gpio);
  }
}

bool Wired::pinRead(uint8_t gpio) {
  if (gpio == 16) return (in(kPin16In) & 1) != 0;
  return muxOf(gpio) != 0 && (in(kPinIn) >> gpio & 1) != 0;
}

bool Wired::watch(uint8_t gpio) {
  if (muxOf(gpio) == 0) return false;
  Quiet quiet;
  watched_ |= 1u << gpio;
  out(kPinHandled, 1u << gpio);
  out(kPinConf + gpio * 4u, 3u << 7);  // an interrupt at either edge
  return true;
}

bool Wired::edge(Edge *to) {
  if (edges_tail_ == edges_head_) return false;
  *to = edges[edges_tail_ % kEdges];
  edges_tail_ = edges_tail_ + 1;
  return true;
}

// converter wakes the successive approximation converter without the SDK, in the order
// that pvvx's esp8266web and Embox give for it: its clock, its power, the analogue
// front end, then how long it samples, eight times in a row, from the pin.
void Wired::converter() {
  constexpr uint32_t kDivide = 8;
  change(kRtcClocks, 0, 0x06000000);
  const uint8_t steps[][6] = {{108, 2, 0, 0x10, 0x10}, {108, 2, 1, 0x03, 0x02}, {98, 1, 3, 0xf0, 0xf0}};
  for (auto &s : steps) analogWrite(s[0], s[1], s[2], (analogRead(s[0], s[1], s[2]) & ~static_cast<uint32_t>(s[3])) | s[4]);
  change(kClockGates, 0, 0x038f0000);
  change(kFrontEnd, 0, 0x01800000);
  change(kSar, 0xff1c, 7u << 2 | kDivide << 8);
  change(kSarTime1, 0xffffff, kDivide * 5 - 1 + (kDivide - 1) * 0x10100);
  change(kSarTime2, 0xffffff, kDivide * 11 - 1 + (kDivide * 3 - 1) * 0x100 + (kDivide * 11 - 1) * 0x10000);
  analogWrite(108, 2, 0, analogRead(108, 2, 0) | 0x20);
  change(kSarMode, 0, kSarExternal);
  pause(100);
}

bool Wired::converted() {
  for (int i = 0; i < 10000; i++)
    if ((in(kSar) >> 24 & 7) == 0) return true;
  return false;
}

// analog is relative. Without the SDK's calibration the converter uses a part of its
// range that differs from chip to chip (OsitoK measured 402 at 0 V and 472 at 3.3 V
// of 2,047 on a D1). So it starts with that range and widens it, an eighth of the way
// at a time, to what it sees: the darkest that was becomes 0, the brightest 1023.
uint16_t Wired::analog() {
  if (!analog_ready_) {
    analog_ready_ = true;
    converter();
    dark_ = 398 * 8;
    bright_ = 474 * 8;
  }
  change(kSar, kSarStart, 0);
  change(kSar, 0, kSarStart);
  pause(2);
  if (!converted()) return level_;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < 8; i++) sum += ~in(kSarData + i * 4) & 0x7ff;
  if (sum < dark_) dark_ -= (dark_ - sum + 7) / 8;
  if (sum > bright_) bright_ += (sum - bright_ + 7) / 8;
  uint32_t v = sum < dark_ ? 0 : (sum - dark_) * 1023 / (bright_ - dark_);
  return level_ = static_cast<uint16_t>(v > 1023 ? 1023 : v);
}

bool Wired::flashRead(uint32_t at, uint8_t *to, size_t length) {
  if (!inFlash(at, length)) return false;
  uint32_t words[64];
  while (length > 0) {
    uint32_t from = at & ~3u, skip = at - from;
    size_t n = sizeof words - skip < length ? sizeof words - skip : length;
    uint32_t whole = (static_cast<uint32_t>(n) + skip + 3) & ~3u;
    if (SPIRead(from, words, whole) != 0) return false;
    memcpy(to, reinterpret_cast<uint8_t *>(words) + skip, n);
    at += static_cast<uint32_t>(n);
    to += n;
    length -= n;
  }
  return true;
}

bool Wired::flashErase(uint32_t sector) {
  if (sector >= flash_size_ / 4096) return false;
  if (!unlocked_) unlocked_ = SPIUnlock() == 0;
  feed();
  return SPIEraseSector(sector) == 0;
}

bool Wired::flashWrite(uint32_t at, const uint8_t *bytes, size_t length) {
  if (!inFlash(at, length) || at % 4 != 0 || length % 4 != 0) return false;
  if (!unlocked_) unlocked_ = SPIUnlock() == 0;
  uint32_t words[64];  // a page of the flash; the bytes may lie anywhere
  while (length > 0) {
    size_t room = sizeof words - at % sizeof words, n = room < length ? room : length;
    memcpy(words, bytes, n);
    if (SPIWrite(at, words, static_cast<uint32_t>(n)) != 0) return false;
    at += static_cast<uint32_t>(n);
    bytes += n;
    length -= n;
  }
  return true;
}

// mac is in the fuses, as esptool reads it: the vendor where it is burnt, else one of the
// two that early chips have.
void Wired::mac(uint8_t to[6]) {
  uint32_t low = in(kFuses), middle = in(kFuses + 4), vendor = in(kFuses + 12);
  if (vendor == 0) vendor = (middle >> 16 & 0xff) == 0 ? 0x18fe34 : 0xacd074;
  uint32_t own = (middle & 0xffff) << 8 | low >> 24;
  for (uint32_t i = 0; i < 3; i++) {
    to[i] = static_cast<uint8_t>(vendor >> (16 - 8 * i));
    to[3 + i] = static_cast<uint8_t>(own >> (16 - 8 * i));
  }
}

uint32_t Wired::chip() { return (in(kFuses + 4) & 0xffff) << 8 | in(kFuses) >> 24; }

// freeHeap is what the stack never touched. There is no heap.
uint32_t Wired::freeHeap() {
  const uint32_t *p = bss_end;
  while (p < stack_top && *p == 0x5a5a5a5a) p++;
  return static_cast<uint32_t>(p - bss_end) * 4;
}

void Wired::fault(uint32_t cause, uint32_t where) {
  out(kKeptCount, in(kKept) == kWritten ? in(kKeptCount) + 1 : 1);
  out(kKept, kWritten);
  out(kKeptCause, cause + 1);
  out(kKeptWhere, where);
  // Who faults at once shall not fill the cable with it.
  for (uint32_t from = now(); now() - from < 500;) feed();
  restart();
  for (;;) {
  }
}

bool Wired::faulted(uint32_t *cause, uint32_t *where, uint32_t *count) {
  if (in(kKept) != kWritten || in(kKeptCause) == 0) return false;
  *cause = in(kKeptCause) - 1;
  *where = in(kKeptWhere);
  *count = in(kKeptCount);
  out(kKeptCause, 0);
  return true;
}

void Wired::restart() {
  drain();
  feed();
  change(kRtc, 0, kRtcReset);
  // Where that did nothing the watchdog, which nobody feeds now, does.
  for (;;) {
  }
}
