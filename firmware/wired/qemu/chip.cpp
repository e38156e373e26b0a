// What stands in for the chip in QEMU: the registers that wired.cpp uses, and the flash
// behind the boot ROM's functions. The serial port is this program's standard input and
// output. The file "pins" in the folder it runs in, if there is one, is three
// lines: the levels of GPIO 0 to 16 as 0 and 1, what the converter gives (0 to 2047),
// and the kind of flash ("ok", "broken": it refuses to write). Each change of an output goes to standard error: "5 1".
#include "chip.h"

#include "../chip.h"

#include <stdio.h>
#include <string.h>

#include "host.h"

namespace {

// RAM that QEMU has beside the program; a restart leaves it alone.
uint8_t *const kFlash = reinterpret_cast<uint8_t *>(0x62000000);
constexpr uint32_t kFlashSize = 4u << 20;
uint8_t *const kAnalog = reinterpret_cast<uint8_t *>(0x63010000);  // [block * 256 + register]
uint32_t *const kPowered = reinterpret_cast<uint32_t *>(0x63000000);

constexpr size_t kFifo = 128;
uint8_t fifo[kFifo];
size_t fifo_count = 0, fifo_from = 0;
uint32_t outputs, driven, inputs = 0x1ffff, raised, sample = 438;
bool broken = false;

uint32_t &memory(uint32_t address) { return *reinterpret_cast<uint32_t *>(address); }

void timer() {
  uint32_t at = cycles() + 20000;  // 0.5 ms
  __asm__ volatile("wsr.ccompare0 %0; esync" ::"a"(at) : "memory");
}

uint32_t levels() { return (outputs & driven) | (inputs & ~driven); }

void setLevels(uint32_t was) {
  for (uint32_t gpio = 0; gpio < 16; gpio++)
    if (((was ^ levels()) >> gpio & 1) != 0 && (memory(kPinConf + gpio * 4) >> 7 & 7) == 3) raised |= 1u << gpio;
}

// pins reads the file, now and then.
void pins() {
  static uint32_t calls = 0;
  if (calls++ % 16 != 0) return;
  int file = host::open("pins");
  if (file < 0) return;
  char text[64] = "";
  int n = host::read(file, text, sizeof text - 1);
  host::close(file);
  if (n < 18 || text[n - 1] != '\n') return;
  text[n] = 0;
  uint32_t was = levels(), next = 0;
  for (uint32_t i = 0; i < 17; i++) next |= (text[i] == '1' ? 1u : 0) << i;
  inputs = next;
  setLevels(was);
  uint32_t v = 0;
  const char *p = text + 18;
  for (; *p >= '0' && *p <= '9'; p++) v = v * 10 + static_cast<uint32_t>(*p - '0');
  sample = v;
  broken = strncmp(p, "\nbroken", 7) == 0;
}

void tell(uint32_t gpio, bool high) {
  char line[12];
  snprintf(line, sizeof line, "%u %d\n", static_cast<unsigned>(gpio), high ? 1 : 0);
  host::write(2, line, strlen(line));
}

void drive(uint32_t to) {
  uint32_t was = levels(), changed = (outputs ^ to) & driven;
  outputs = to;
  for (uint32_t gpio = 0; gpio < 17; gpio++)
    if ((changed >> gpio & 1) != 0) tell(gpio, (to >> gpio & 1) != 0);
  setLevels(was);
}

void wait(uint32_t microseconds) {
  for (uint32_t from = cycles(); cycles() - from < microseconds * kMegahertz;) {
  }
}

// powerOn erases the flash, once.
void powerOn() {
  if (*kPowered == 0x600d1dea) return;
  memset(kFlash, 0xff, kFlashSize);
  *kPowered = 0x600d1dea;
}

bool fits(uint32_t at, uint32_t size) { return at % 4 == 0 && size % 4 == 0 && at <= kFlashSize && size <= kFlashSize - at; }

}  // namespace

void convert(uint32_t value) { sample = value; }

uint32_t in(uint32_t address) {
  if (address >= kAnalogBus && address < kAnalogBus + 0x20) {
    uint32_t v = memory(address);
    return (v & 0xffff) | static_cast<uint32_t>(kAnalog[(v & 0xff) << 8 | (v >> 8 & 0xff)]) << 16;
  }
  switch (address) {
    case kUartRaised:
      timer();
      pins();
      if (fifo_count == 0 && host::ready(0)) {
        int n = host::read(0, fifo, sizeof fifo);
        if (n == 0) host::exit(0);  // who held the cable is gone
        fifo_count = n < 0 ? 0 : static_cast<size_t>(n);
        fifo_from = 0;
      }
      return (memory(kUartEnable) & kUartPause) != 0 && fifo_count > 0 ? kUartPause : 0;
    case kUartStatus:
      return static_cast<uint32_t>(fifo_count);
    case kUartFifo:
      if (fifo_count == 0) return 0;
      fifo_count--;
      return fifo[fifo_from++];
    case kPinIn:
      return levels() & 0xffff;
    case kPin16In:
      return levels() >> 16 & 1;
    case kPinRaised:
      return raised;
    case kFuses:
      return 0x03000000;
    case kFuses + 4:
      return 0x00020102;
    case kFuses + 12:
      return 0x5ccf7f;
    case kNoise:
      return cycles() * 2654435761u;
    case kClockGates:
      return 0;
    default:
      break;
  }
  if (address >= kSarData && address < kSarData + 32) return ~sample;
  if (address == kSar) return memory(address) & ~(7u << 24);
  return memory(address);
}

void out(uint32_t address, uint32_t value) {
  if (address >= kAnalogBus && address < kAnalogBus + 0x20 && (value & kAnalogWrite) != 0)
    kAnalog[(value & 0xff) << 8 | (value >> 8 & 0xff)] = static_cast<uint8_t>(value >> 16);
  switch (address) {
    case kClockGates:
      return;
    case kUartFifo: {
      char c = static_cast<char>(value);
      host::write(1, &c, 1);
      return;
    }
    case kUartEnable:
      timer();
      break;
    case kSpiCommand:
      if (value == kSpiReadId) memory(kSpiData) = 0x1640ef;
      return;
    case kPinSet:
      return drive(outputs | value);
    case kPinClear:
      return drive(outputs & ~value);
    case kPin16Out:
      memory(address) = value;
      return drive((outputs & ~(1u << 16)) | (value & 1) << 16);
    case kPinEnable:
      driven |= value;
      return;
    case kPinDisable:
      driven &= ~value;
      return;
    case kPin16Enable:
      driven = (driven & ~(1u << 16)) | (value & 1) << 16;
      break;
    case kPinHandled:
      raised &= ~value;
      return;
    case kRtc:
      if ((value & kRtcReset) != 0) {
        __asm__ volatile("rsil a2, 15; movi a2, 0x50000000; jx a2" ::: "a2", "memory");
      }
      return;
    default:
      break;
  }
  memory(address) = value;
}

extern "C" {

int SPIRead(uint32_t at, uint32_t *to, uint32_t size) {
  powerOn();
  if (!fits(at, size) || memory(kRomFlashSize) < at + size) return 1;
  memcpy(to, kFlash + at, size);
  return 0;
}

// Flash only goes from 1 to 0.
int SPIWrite(uint32_t at, const uint32_t *from, uint32_t size) {
  powerOn();
  if (!fits(at, size) || broken || at / 256 != (at + size - 1) / 256) return 1;  // the kit writes page by page
  const uint8_t *b = reinterpret_cast<const uint8_t *>(from);
  for (uint32_t i = 0; i < size; i++) kFlash[at + i] &= b[i];
  wait(700 + size);
  return 0;
}

int SPIEraseSector(uint32_t sector) {
  powerOn();
  if (sector >= kFlashSize / 4096 || broken) return 1;
  memset(kFlash + sector * 4096, 0xff, 4096);
  wait(60000);
  return 0;
}

int SPIUnlock(void) { return 0; }
}
