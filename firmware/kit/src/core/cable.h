// The way to the broker through the program at the other end of the USB cable:
// firmware/PROTOCOL.md, "Cable".
#pragma once
#include "frame.h"
#include "mqtt.h"

// FrameSender sends frames. It says no where there is no room for one now.
struct FrameSender {
  virtual bool send(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) = 0;

 protected:
  ~FrameSender() = default;
};

class Cable final : public Transport {
 public:
  static constexpr size_t kBlock = 128;        // bytes of a frame
  static constexpr uint32_t kAnswerIn = 300;   // ms
  static constexpr int kTries = 6;             // the first, and five more
  static constexpr size_t kKeep = 512;         // bytes that have come and nobody has read

  enum class State : uint8_t { closed, opening, open, refused, lost };

  explicit Cable(FrameSender &to) : to_(to) {}

  void open(uint32_t now);
  void close();
  void tick(uint32_t now);
  State state() const { return state_; }

  // request is a frame data or close from the program; the answer has been sent.
  void request(uint8_t type, uint8_t seq, const uint8_t *data, size_t length);
  // answer is one to open, data or close.
  void answer(uint8_t type, uint8_t seq, uint8_t status);

  size_t write(const uint8_t *data, size_t length) override;
  size_t read(uint8_t *to, size_t size) override;
  bool alive() override { return state_ == State::open; }

 private:
  void sendNow(uint32_t now);
  void reply(uint8_t type, uint8_t seq, FrameStatus status);

  FrameSender &to_;
  State state_ = State::closed;
  uint8_t type_ = 0;  // of the frame under way; 0: none
  uint8_t seq_ = 0, opened_ = 0, next_ = 0, heard_ = 0;
  bool any_heard_ = false, fresh_ = false;
  int tries_ = 0;
  uint32_t sent_at_ = 0;
  size_t out_count_ = 0, in_count_ = 0;
  uint8_t out_[kBlock], in_[kKeep];
};
