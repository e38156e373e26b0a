// Gets an image over HTTP and hands it to the board for its next start.
#pragma once
#include "hal.h"

class Fetch {
 public:
  static constexpr uint32_t kSilence = 15000;  // ms without a byte

  enum class State : uint8_t { idle, running, done, failed };

  // An order is texts that are copied. page is host:port, path begins with /, md5
  // is 32 hex digits.
  struct Order {
    const char *page = "", *path = "", *md5 = "";
    uint32_t size = 0;
  };

  explicit Fetch(Hal &hal) : hal_(hal) {}

  void start(const Order &order, uint32_t now);
  void tick(uint32_t now);
  State state() const { return state_; }
  // why it failed: "connect", "http 404", "size", "md5", "space", "write".
  const char *why() const { return why_; }
  uint32_t percent() const { return size_ < 100 ? 0 : got_ / (size_ / 100); }
  // rest makes it idle again.
  void rest() { state_ = State::idle; }

 private:
  enum class Part : uint8_t { name, connect, head, body };

  void fail(const char *why);
  bool head(const uint8_t *bytes, size_t length, size_t *used);
  bool headLine();
  void body(const uint8_t *bytes, size_t length);

  Hal &hal_;
  State state_ = State::idle;
  Part part_ = Part::name;
  uint32_t size_ = 0, got_ = 0, heard_at_ = 0;
  bool status_seen_ = false;
  size_t count_ = 0;          // of text_: of the request that is still to go, or of a line of the head
  size_t sent_ = 0;
  uint16_t port_ = 0;
  char host_[64] = "", md5_[33] = "", why_[12] = "", text_[300];
  uint8_t block_[512];
};
