// What shares the serial port: console lines, Improv packets and frames:
// firmware/PROTOCOL.md, "The serial port". core/kits/wire does the same in Go, and
// firmware/testdata/frames.vectors keeps the two the same.
#pragma once
#include <stddef.h>
#include <stdint.h>

constexpr size_t kFrameData = 1024;               // at most
constexpr size_t kFrameHead = 6, kFrameEnd = 4;   // bytes around the data
constexpr size_t kFrameMost = kFrameHead + kFrameData + kFrameEnd;
constexpr size_t kLine = 256;                     // bytes of a console line; what is beyond is dropped
constexpr uint32_t kQuiet = 200;                  // ms, see Splitter::quiet

// Requests; an answer is the request and kAnswer.
enum FrameType : uint8_t {
  kHello = 0x01, kReadSettings, kWriteSettings, kForget, kLocate, kTest, kLamp, kScan, kRestart, kAskStatus,
  kOpen = 0x10, kData, kClose,
  kInput = 0x41, kStatus,
  kAnswer = 0x80,
};

// FrameStatus is the first byte of an answer.
enum class FrameStatus : uint8_t { done, unknown, wrong, busy, flash };

// Tags of hello.
enum FactTag : uint8_t {
  kFactFirmware = 0x01, kFactVariant, kFactVersion, kFactChip, kFactMac, kFactFlash, kFactHeap, kFactUptime, kFactProtocol,
  kFactSequence, kFactDesign, kFactState, kFactAddress, kFactSignal, kFactAbilities,
};

// KitState and KitReason are in the event status.
enum class KitState : uint8_t { empty, network, broker, joined, waiting };
enum class KitReason : uint8_t { none, noNetwork, wrongKey, noAddress, noBroker, denied, refused, lost, tls, noProgram };

// encodeFrame returns how many bytes, or 0 where they do not fit. data may be at to + kFrameHead.
size_t encodeFrame(uint8_t *to, size_t size, uint8_t type, uint8_t seq, const void *data, size_t length);

// SplitterOwner takes what a Splitter finds. Texts and data are only good until the call returns.
struct SplitterOwner {
  // line has no end of line, no control characters other than tab, a 0 after it, and
  // is not empty.
  virtual void line(const char *text, size_t length) = 0;
  virtual void frame(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) = 0;
  // improv is a packet with a right checksum.
  virtual void improv(uint8_t type, const uint8_t *data, size_t length) = 0;
  // improvDamaged is one with a wrong checksum.
  virtual void improvDamaged() = 0;

 protected:
  ~SplitterOwner() = default;
};

// Splitter sorts the bytes of a serial port.
class Splitter {
 public:
  explicit Splitter(SplitterOwner &to) : to_(to) {}
  void push(const uint8_t *data, size_t length);
  // quiet says that nothing came for kQuiet ms: what has begun and not ended was not
  // a frame or a packet. A line stays.
  void quiet();
  // pending reports whether quiet would do something.
  bool pending() const;

 private:
  void sort();
  size_t mark() const;
  bool takeFrame();
  bool takeImprov();
  void text(uint8_t c);
  void drop(size_t length);

  SplitterOwner &to_;
  size_t held_count_ = 0, line_count_ = 0;
  bool after_packet_ = false;  // the end of line after a packet is part of it
  bool cr_ = false;            // a \r that may be before a \n
  uint8_t held_[kFrameMost];
  char line_[kLine + 1];
};
