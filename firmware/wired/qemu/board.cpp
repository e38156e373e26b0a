// Checks the wired kit's board and the division against what stands in for the chip.
// Its last line is how many checks failed; the one before is for lx106_test.go.
#include "../wired.h"

#include <string.h>

#include "../../kit/src/core/crc32.h"
#include "../../kit/src/core/text.h"
#include "chip.h"
#include "host.h"

extern "C" {
extern void (*init_start[])();
extern void (*init_end[])();
}

namespace {

// ms that a PC may pause; a clock that goes wrong is off by more.
constexpr uint32_t kPatience = 20000;

Wired board;
uint32_t checks, failures;

void print(const char *a, uint32_t n, const char *b) {
  char line[160];
  Text t(line, sizeof line);
  t.add(a).number(n).add(b).add("\n");
  host::write(1, line, t.length());
}

void check(bool ok, uint32_t line, const char *what) {
  checks++;
  if (ok) return;
  failures++;
  print("board.cpp:", line, what);
}

#define CHECK(what) check((what), __LINE__, ": " #what)

// divisions is the CRC of quotients and rests of many numbers, for Go to have the same.
uint32_t divisions() {
  uint32_t state = 1, crc = 0;
  auto next = [&state] {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
  };
  for (int i = 0; i < 20000; i++) {
    uint64_t a = static_cast<uint64_t>(next()) << 32, b = static_cast<uint64_t>(next()) << 32;
    a |= next();
    b |= next();
    a >>= next() % 64;
    b >>= next() % 64;
    if (i % 100 == 0) a = static_cast<uint64_t>(1) << 63;
    uint64_t signed_b = b & ~(static_cast<uint64_t>(1) << 63);
    if (static_cast<uint32_t>(b) == 0) b |= 1;
    if ((signed_b & 0x7fffffff) == 0) signed_b |= 3;
    volatile uint64_t x = a, y = b;
    volatile uint32_t u = static_cast<uint32_t>(a), v = static_cast<uint32_t>(b);
    volatile int64_t s = static_cast<int64_t>(a), t = static_cast<int64_t>(signed_b);
    volatile int32_t p = static_cast<int32_t>(a), q = static_cast<int32_t>(signed_b & 0x7fffffff);
    uint64_t got[] = {x / y, x % y, x * y, u / v, u % v, static_cast<uint64_t>(u) * v, static_cast<uint64_t>(s / t), static_cast<uint64_t>(s % t),
                      static_cast<uint64_t>(p / q), static_cast<uint64_t>(p % q), static_cast<uint64_t>(-s / t)};
    crc = crc32(crc, got, sizeof got);
  }
  return crc;
}

void clocks() {
  // CCOUNT goes round, and the milliseconds go on.
  uint32_t before = board.now();
  uint32_t late = UINT32_MAX - 3 * 40000;
  __asm__ volatile("wsr.ccount %0; esync" ::"a"(late) : "memory");
  board.now();
  uint32_t from = board.now();
  while (board.now() - from < 10) {
  }
  CHECK(cycles() < late);
  CHECK(board.now() - from < kPatience && from - before < UINT32_MAX / (kMegahertz * 1000) + 10);
}

void pins() {
  for (uint8_t gpio = 0; gpio < 255; gpio++) {
    bool have = gpio <= 16 && gpio != 1 && gpio != 3 && (gpio < 6 || gpio > 11);
    CHECK(board.pinMode(gpio, Hal::Pin::input) == have);
    CHECK(board.pinMode(gpio, Hal::Pin::pull_up) == (have && gpio != 16));
    CHECK(board.watch(gpio) == (have && gpio != 16));
    if (!have) {
      board.pinWrite(gpio, true);
      CHECK(!board.pinRead(gpio));
    }
  }
  // The pads, as Espressif's pin list has them: GPIO 14 is MTMS, function 3.
  CHECK(board.pinMode(14, Hal::Pin::pull_up) && in(0x6000080c) == (3u << 4 | 1u << 7));
  CHECK(board.pinMode(5, Hal::Pin::output) && in(0x60000840) == 0);
  CHECK(board.pinMode(4, Hal::Pin::input) && in(0x6000083c) == 0);
  // A watched pin that changes tells of it.
  CHECK(board.pinMode(13, Hal::Pin::output));
  board.pinWrite(13, false);
  Edge e;
  while (board.edge(&e)) {
  }
  CHECK(board.watch(13));
  for (int i = 0; i < 4; i++) {
    uint32_t from = board.now();
    board.pinWrite(13, i % 2 == 0);
    CHECK(board.pinRead(13) == (i % 2 == 0));
    e = Edge{};
    while (!board.edge(&e) && board.now() - from < kPatience) {
    }
    CHECK(e.gpio == 13 && e.high == (i % 2 == 0) && e.at - from <= board.now() - from);
  }
  CHECK(board.pinMode(13, Hal::Pin::output) && board.pinMode(16, Hal::Pin::output));
  board.pinWrite(13, true);
  board.pinWrite(16, true);
  CHECK(board.pinRead(16));
  uint32_t from = board.now();
  while (board.now() - from < 5) {
  }
  CHECK(!board.edge(&e));  // nobody watches it now
}

void facts() {
  uint8_t mac[6];
  board.mac(mac);
  CHECK(memcmp(mac, "\x5c\xcf\x7f\x01\x02\x03", 6) == 0 && board.chip() == 0x010203);
  CHECK(board.flashSize() == 4u << 20);
  CHECK(in(kUartDivider) == 694 && in(kDog) == (7u << 3 | 1) && in(kDogFirst) == 13);
  CHECK(board.random() != board.random());
  CHECK(board.freeHeap() > 0x4000 && board.freeHeap() % 4 == 0);
  CHECK(strcmp(board.variant(), "wired") == 0 && board.abilities() == 0);
}

void flash() {
  uint8_t all[600], back[600];
  for (size_t i = 0; i < sizeof all; i++) all[i] = static_cast<uint8_t>(i * 7);
  CHECK(board.flashErase(0x3fa));
  CHECK(board.flashWrite(0x3fa0f0, all, 600));
  // From anywhere, however long.
  for (size_t skip = 0; skip < 6; skip++)
    for (size_t n = 0; n + skip <= 600; n += 37) {
      memset(back, 0xee, sizeof back);
      CHECK(board.flashRead(0x3fa0f0 + skip, back, n));
      CHECK(memcmp(back, all + skip, n) == 0 && (n == 600 || back[n] == 0xee));
    }
  CHECK(board.flashRead(0x3fa0ef, back, 1) && back[0] == 0xff);
  // Bytes that lie anywhere in memory.
  CHECK(board.flashWrite(0x3fa800, all + 1, 8) && board.flashRead(0x3fa800, back, 8) && memcmp(back, all + 1, 8) == 0);
  CHECK(!board.flashWrite(0x3fa801, all, 4) && !board.flashWrite(0x3fa800, all, 3) && !board.flashWrite(0x3ffffc, all, 8));
  CHECK(!board.flashRead(0x3fffff, back, 2) && board.flashRead(0x3fffff, back, 1) && !board.flashRead(0xffffffff, back, 2));
  CHECK(!board.flashErase(1024) && !board.flashErase(0xffffffff));
}

// The converter gives a part of its range; what it was at its darkest and brightest
// becomes 0 and 1023.
void light() {
  uint16_t v = board.analog();
  CHECK(v > 400 && v < 620);  // 438 of 398 to 474
  convert(402);
  CHECK(board.analog() < 80);
  convert(472);
  CHECK(board.analog() > 950);
  // A chip with another range.
  for (int i = 0; i < 100; i++) convert(150), board.analog();
  CHECK(board.analog() == 0);
  for (int i = 0; i < 100; i++) convert(900), board.analog();
  CHECK(board.analog() == 1023);
  convert(525);
  v = board.analog();
  CHECK(v > 490 && v < 534);
  // A single lie moves it little.
  convert(2047);
  board.analog();
  convert(900);
  v = board.analog();
  CHECK(v > 780 && v < 1023);
}

}  // namespace

void kitInterrupt() { board.interrupt(); }
void kitFault(uint32_t cause, uint32_t where) { board.fault(cause, where); }

void kitMain() {
  for (void (**f)() = init_start; f < init_end; f++) (*f)();
  board.setup();
  // Twice it reads where nothing is, and starts again; memory is as at power-on then.
  static uint32_t starts = 7;
  CHECK(starts == 7);
  starts++;
  uint32_t cause = 0, where = 0, count = 0;
  bool after = board.faulted(&cause, &where, &count);
  if (count < 2) (void)*reinterpret_cast<volatile uint32_t *>(0x20000000);
  CHECK(after && count == 2 && cause >= 12 && cause <= 15 && where >= 0x40100000 && where < 0x40180000);
  CHECK(!board.faulted(&cause, &where, &count));
  facts();
  pins();
  flash();
  light();
  clocks();
  print("divisions ", divisions(), "");
  print("", checks, " checks");
  print("", failures, " failed");
  host::exit(failures == 0 ? 0 : 1);
}
