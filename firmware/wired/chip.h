// The chip's registers and what is called in its boot ROM. There is no data sheet of
// the registers: addresses and meanings are those of ESP8266_RTOS_SDK, esp-open-rtos
// (core/include/esp), esp8266/Arduino (esp8266_peri.h) and nosdk8266, which agree.
// Not tried on hardware.
#pragma once
#include <stdint.h>

#ifdef KIT_QEMU
// qemu.cpp stands in for the chip.
uint32_t in(uint32_t address);
void out(uint32_t address, uint32_t value);
constexpr uint32_t kMegahertz = 40;  // of QEMU's lx106
constexpr uint32_t kSerialInterrupt = 1u << 6, kPinInterrupt = 1u << 6;  // its timer's
#else
inline uint32_t in(uint32_t address) { return *reinterpret_cast<volatile uint32_t *>(address); }
inline void out(uint32_t address, uint32_t value) { *reinterpret_cast<volatile uint32_t *>(address) = value; }
constexpr uint32_t kMegahertz = 80;
constexpr uint32_t kSerialInterrupt = 1u << 5, kPinInterrupt = 1u << 4;
#endif

inline void change(uint32_t address, uint32_t clear, uint32_t set) { out(address, (in(address) & ~clear) | set); }

// UART 0.
constexpr uint32_t kUart = 0x60000000;
constexpr uint32_t kUartFifo = kUart, kUartRaised = kUart + 0x08, kUartEnable = kUart + 0x0c, kUartClear = kUart + 0x10;
constexpr uint32_t kUartDivider = kUart + 0x14, kUartStatus = kUart + 0x1c, kUartConf0 = kUart + 0x20, kUartConf1 = kUart + 0x24;
constexpr uint32_t kUartFull = 1u << 0, kUartOverflow = 1u << 4, kUartPause = 1u << 8;  // interrupts

// SPI 0, which has the flash.
constexpr uint32_t kSpiCommand = 0x60000200, kSpiUser = 0x6000021c, kSpiData = 0x60000240;
constexpr uint32_t kSpiReadId = 1u << 28, kSpiChipSelectEarly = 1u << 5;
// The boot ROM's idea of the flash: its second word is the size, beyond which SPIRead refuses.
constexpr uint32_t kRomFlashSize = 0x3fffc714 + 4;

// GPIO 0 to 15.
constexpr uint32_t kPinSet = 0x60000304, kPinClear = 0x60000308, kPinEnable = 0x60000310, kPinDisable = 0x60000314;
constexpr uint32_t kPinIn = 0x60000318, kPinRaised = 0x6000031c, kPinHandled = 0x60000324, kPinConf = 0x60000328;
constexpr uint32_t kMux = 0x60000800;

// GPIO 16 belongs to the clock that runs in sleep.
constexpr uint32_t kRtc = 0x60000700, kRtcClocks = 0x60000710, kPin16Out = 0x60000768, kPin16Enable = 0x60000774;
constexpr uint32_t kPin16In = 0x6000078c, kPin16Conf = 0x60000790, kPin16Mux = 0x600007a0;
constexpr uint32_t kRtcReset = 1u << 31;
// RAM that a restart leaves alone; the first 256 bytes are the SDK's.
constexpr uint32_t kKept = 0x60001100;

// The watchdog. It resets the chip after 0.8 ms << kDogTime.
constexpr uint32_t kDog = 0x60000900, kDogFirst = 0x60000904, kDogSecond = 0x60000908, kDogFeed = 0x60000914;
constexpr uint32_t kDogFood = 0x73, kDogTime = 13;

// The converter behind A0.
constexpr uint32_t kSar = 0x60000d50, kSarTime1 = 0x60000d54, kSarTime2 = 0x60000d58, kSarMode = 0x60000d5c, kSarData = 0x60000d80;
constexpr uint32_t kSarStart = 1u << 1, kSarExternal = 1u << 21;
// The bus to the analogue parts: a word for each host.
constexpr uint32_t kAnalogBus = 0x60000d00, kAnalogWrite = 1u << 24, kAnalogBusy = 1u << 25;
constexpr uint32_t kFrontEnd = 0x600005e8;

constexpr uint32_t kClockGates = 0x3ff00018, kFuses = 0x3ff00050, kNoise = 0x3ff20e44;

extern "C" {
// Of the boot ROM; 0 is success. Addresses, sizes and buffers are multiples of four.
int SPIRead(uint32_t at, uint32_t *to, uint32_t size);
int SPIWrite(uint32_t at, const uint32_t *from, uint32_t size);
int SPIEraseSector(uint32_t sector);
int SPIUnlock(void);
}

inline uint32_t cycles() {
  uint32_t v;
  __asm__ volatile("rsr.ccount %0" : "=a"(v));
  return v;
}

// Quiet keeps interrupts out while it lives.
class Quiet {
 public:
  Quiet() { __asm__ volatile("rsil %0, 15" : "=a"(level_)::"memory"); }
  ~Quiet() { __asm__ volatile("wsr.ps %0; rsync" ::"a"(level_) : "memory"); }
  Quiet(const Quiet &) = delete;
  Quiet &operator=(const Quiet &) = delete;

 private:
  uint32_t level_;
};
