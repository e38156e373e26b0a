// When to try again.
#pragma once
#include <stdint.h>

// Backoff waits longer and longer, from 1 to 60 s, and each time anything between
// nothing and that, so that a class full of kits does not come at once.
class Backoff {
 public:
  static constexpr uint32_t kFirst = 1000, kMost = 60000;  // ms

  // wait begins to wait. random is any number.
  void wait(uint32_t now, uint32_t random) {
    from_ = now;
    delay_ = random % (most_ + 1);
    most_ = most_ >= kMost / 2 ? kMost : most_ * 2;
    waiting_ = true;
  }
  // due reports whether it is time. The clock may go round while it waits, but it
  // has to be asked once in 49 days.
  bool due(uint32_t now) {
    if (waiting_ && now - from_ >= delay_) waiting_ = false;
    return !waiting_;
  }
  // reset is for when it worked.
  void reset() { *this = Backoff(); }
  uint32_t delay() const { return delay_; }

 private:
  uint32_t most_ = kFirst, from_ = 0, delay_ = 0;
  bool waiting_ = false;
};
