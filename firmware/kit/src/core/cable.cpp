#include "cable.h"

#include <string.h>

void Cable::open(uint32_t now) {
  state_ = State::opening;
  in_count_ = out_count_ = 0;
  next_ = 0;
  any_heard_ = false;
  type_ = kOpen;
  seq_ = opened_++;  // an answer to an older one does not count
  tries_ = 0;
  sendNow(now);
}

void Cable::close() {
  // What was written last may be a goodbye.
  if (state_ == State::open && type_ == kData && fresh_) to_.send(type_, seq_, out_, out_count_);
  if (state_ == State::open || state_ == State::opening) to_.send(kClose, opened_, nullptr, 0);
  state_ = State::closed;
  type_ = 0;
}

void Cable::sendNow(uint32_t now) {
  fresh_ = false;
  sent_at_ = now;
  tries_++;
  to_.send(type_, seq_, out_, out_count_);
}

void Cable::tick(uint32_t now) {
  if (type_ == 0) return;
  if (fresh_) {
    sendNow(now);
  } else if (now - sent_at_ >= kAnswerIn) {
    if (tries_ < kTries) return sendNow(now);
    state_ = state_ == State::opening ? State::refused : State::lost;
    type_ = 0;
  }
}

void Cable::reply(uint8_t type, uint8_t seq, FrameStatus status) {
  uint8_t data = static_cast<uint8_t>(status);
  to_.send(static_cast<uint8_t>(type | kAnswer), seq, &data, 1);
}

void Cable::request(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) {
  if (type == kClose) {
    if (state_ == State::open) state_ = State::lost;
    if (state_ == State::opening) state_ = State::refused;
    type_ = 0;
    return reply(type, seq, FrameStatus::done);
  }
  if (state_ != State::open) return reply(type, seq, FrameStatus::busy);
  if (length > kBlock) return reply(type, seq, FrameStatus::wrong);
  if (!any_heard_ || seq != heard_) {
    if (length > sizeof in_ - in_count_) return;  // no room; it comes again
    memcpy(in_ + in_count_, data, length);
    in_count_ += length;
    any_heard_ = true;
    heard_ = seq;
  }
  reply(type, seq, FrameStatus::done);
}

void Cable::answer(uint8_t type, uint8_t seq, uint8_t status) {
  if (type_ == 0 || type != type_ || seq != seq_) return;
  bool done = status == static_cast<uint8_t>(FrameStatus::done);
  type_ = 0;
  out_count_ = 0;
  if (state_ == State::opening) {
    state_ = done ? State::open : State::refused;
  } else if (!done) {
    state_ = State::lost;
  }
}

size_t Cable::write(const uint8_t *data, size_t length) {
  if (state_ != State::open || type_ != 0 || length == 0) return 0;
  out_count_ = length < kBlock ? length : kBlock;
  memcpy(out_, data, out_count_);
  type_ = kData;
  seq_ = next_++;
  tries_ = 0;
  fresh_ = true;  // tick knows the time
  return out_count_;
}

size_t Cable::read(uint8_t *to, size_t size) {
  size_t n = in_count_ < size ? in_count_ : size;
  memcpy(to, in_, n);
  in_count_ -= n;
  memmove(in_, in_ + n, in_count_);
  return n;
}
