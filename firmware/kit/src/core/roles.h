// What a kit does, whatever its role. No Arduino in here, no heap, no clock: this
// file also builds on a PC. core/sim/behaviour.go is the same in Go, and the
// transcripts in firmware/testdata keep the two the same.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Board is what a kit needs from the hardware and the network. Strings are only
// good until the call returns.
struct Board {
  // publish sends a fact, with QoS 1. It must not wait.
  virtual void publish(const char *topic, const char *payload, bool retain) = 0;
  // light switches the lamp of a port.
  virtual void light(const char *slot, bool on) = 0;
  // print writes a line to the serial console.
  virtual void print(const char *line) = 0;

 protected:
  ~Board() = default;
};

enum class Role : uint8_t { light, sensor, button, choice, all };

// Port joins a part of the kit to a topic.
struct Port {
  const char *slot = "";      // "light", "led", "button", "brightness", "presence"
  const char *topic = "";
  bool publish = false;       // the kit is the source; else it obeys or reads
  bool toggle = false;        // each press of the button changes the value
  bool writable = false;      // the topic takes commands at /set
  bool retain = false;
  const char *yes = "true";   // the words for true and false
  const char *no = "false";
  int32_t min = 0, max = 100; // of brightness
};

class Kit {
 public:
  static constexpr size_t kPorts = 8;       // at most
  static constexpr size_t kTopic = 128;     // bytes of a topic name, with its end
  static constexpr size_t kSlot = 17;       // of a slot
  static constexpr size_t kWord = 25;       // of a word for true or false
  static constexpr uint32_t kDebounce = 30;      // ms that a contact must rest
  static constexpr uint32_t kSensorRest = 200;   // ms between two readings
  static constexpr int32_t kHysteresis = 2;      // percent of the range
  static constexpr uint32_t kOffFor = 600000;    // ms, see decide
  static constexpr int64_t kDarkBelow = 60;      // percent of brightness

  Kit(Board &board, Role role, const char *name);

  // add takes a part, before the kit connects. It says no to what does not fit.
  bool add(const Port &port);
  // setHold is how long after it was turned off a choice lights a lamp again.
  void setHold(uint32_t ms) { hold_ = ms; }

  // What to subscribe to, from 0; nullptr after the last.
  const char *subscription(size_t i) const;
  // The topic of $state, which the will publishes "lost" to.
  const char *stateTopic() const { return state_topic_; }

  void connected(uint32_t now);  // after it has subscribed
  void disconnected() { online_ = false; }
  void refused();   // the broker refused a subscription
  void stopping();  // before it disconnects on purpose
  // payload is not zero-terminated.
  void received(const char *topic, const uint8_t *payload, size_t length, uint32_t now);

  // What the hardware sees. contact may bounce. tick follows them, at the latest
  // after a few milliseconds.
  void contact(const char *slot, bool down, uint32_t now);
  void measure(const char *slot, int32_t value);
  void presence(bool seen);
  void tick(uint32_t now);

 private:
  enum class Job : uint8_t { lamp, button, sensor, switched, input, answer };

  struct Part {
    Job job;
    bool number;  // else true or false
    bool toggle, retain;
    bool known, on;
    bool told, told_on;
    bool down, raw;
    int32_t min, max, value, told_value;
    int64_t milli;  // of an input: thousandths
    uint32_t told_at, raw_at;
    char slot[kSlot], publish[kTopic], subscribe[kTopic], yes[kWord], no[kWord];
  };

  Part *find(const char *slot, Job job);
  void tellState(const char *word);
  void tell(Part &p, uint32_t now);
  void heard(const Part &p, bool changed, uint32_t now);
  bool decide(uint32_t now, bool *on);
  static bool accept(Part &p, const uint8_t *payload, size_t length);
  static void settle(Part &p, uint32_t now);
  static bool changed(const Part &p);

  Board &board_;
  Role role_;
  char name_[kTopic], state_topic_[kTopic];
  const char *state_ = "";
  Part parts_[kPorts];
  size_t count_ = 0;
  bool online_ = false;

  // What a choice knows.
  uint32_t hold_ = kOffFor;
  uint32_t since_ = 0;  // the button is what it is, while long_ is not set
  int64_t brightness_ = 0;  // in thousandths
  bool any_ = false, seen_ = false, presence_ = false, pressed_ = false, button_ = false, long_ = false;
};
