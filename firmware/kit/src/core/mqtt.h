// A client of MQTT 3.1.1 (docs.oasis-open.org/mqtt/mqtt/v3.1.1) as small as a kit
// needs it: clean sessions, QoS 0 and 1. It never waits.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Transport is an open connection to the broker. Its calls do not wait.
struct Transport {
  // write takes what fits now and returns how much.
  virtual size_t write(const uint8_t *data, size_t length) = 0;
  // read returns how much was there, 0 where nothing is.
  virtual size_t read(uint8_t *to, size_t size) = 0;
  // alive is false once the connection has ended. What came before may still be read.
  virtual bool alive() = 0;

 protected:
  ~Transport() = default;
};

// MqttOptions are texts that the client's owner keeps.
struct MqttOptions {
  const char *client = "";   // client identifier
  const char *user = "", *password = "";
  const char *will_topic = "", *will = "";  // QoS 1 and retained; "" is no will
  uint16_t keepalive = 15;   // seconds, 5 at least
};

// MqttEnd is why a connection is over.
enum class MqttEnd : uint8_t {
  none,
  silent,   // the broker did not answer CONNECT
  denied,   // it refuses user or password
  refused,  // it refuses something else
  lost,     // the transport ended
  dead,     // it is there, but the broker says nothing anymore
  wrong,    // what came is not MQTT 3.1.1
  left,     // after leave
};

// MqttOwner is told what happens. Texts and payloads are only good until the call
// returns. It may publish, subscribe and leave, not begin.
struct MqttOwner {
  // joined: the broker has accepted. The owner subscribes now, and publishes after it.
  virtual void joined() = 0;
  virtual void subscribed(const char *filter, bool granted) = 0;
  // message may come twice. payload is not zero-terminated.
  virtual void message(const char *topic, const uint8_t *payload, size_t length, bool retained) = 0;
  // tooLarge is instead of a message that does not fit.
  virtual void tooLarge(const char *topic, size_t length) = 0;

 protected:
  ~MqttOwner() = default;
};

class Mqtt {
 public:
  static constexpr size_t kPayload = 2048;  // bytes that come in and fit with every topic: settings of any design do
  static constexpr size_t kTopic = 128;     // bytes of a topic name, with its end
  static constexpr size_t kQueue = 3072;    // bytes of what waits to go out or to be acknowledged
  static constexpr size_t kOut = 768;       // bytes of the largest packet that goes out
  static constexpr size_t kWindow = 8;      // packets that the broker has not acknowledged
  static constexpr uint32_t kAnswer = 10000;  // ms that the broker has for an answer
  static constexpr uint32_t kLeave = 2000;    // ms that leave has

  explicit Mqtt(MqttOwner &owner) : owner_(owner) {}

  // begin starts on a new connection. What was published before and was not
  // acknowledged goes out again; subscriptions do not.
  void begin(Transport &transport, const MqttOptions &options, uint32_t now);
  // tick reads and writes what it can, and is to be called often.
  void tick(uint32_t now);
  // end drops the connection at once, without a word to the broker, which then
  // publishes the will. The owner closes the transport.
  void end() { over(MqttEnd::left); }
  // leave says goodbye after all that was published, at the latest after kLeave.
  void leave(uint32_t now);
  // forget drops all that waits to go out.
  void forget();

  // open is true from begin until it is over; online from joined on.
  bool open() const { return state_ != State::closed; }
  bool online() const { return state_ == State::online; }
  // why the last connection is over.
  MqttEnd why() const { return why_; }

  // publish queues a message. Where the queue is full, messages that nobody has sent
  // and that a newer one of the same topic makes old are dropped, the oldest first. It
  // says no where that does not help, or the message is too large.
  bool publish(const char *topic, const void *payload, size_t length, bool retain, bool acknowledged = true);
  // subscribe queues a subscription with QoS 1.
  bool subscribe(const char *filter);
  // idle is true when nothing waits to go out or to be acknowledged.
  bool idle() const { return queued_ == 0 && out_count_ == 0; }

 private:
  enum class State : uint8_t { closed, connecting, online };
  enum class Stage : uint8_t { type, length, body };

  void over(MqttEnd why);
  bool connect(const MqttOptions &options);
  void receive(uint32_t now);
  void take(const uint8_t *data, size_t length);
  bool expected() const;
  void packet();
  void incoming();
  void acknowledged(uint16_t id, uint8_t code);
  void watch(uint32_t now);
  void send(uint32_t now);
  void flush(uint32_t now);
  uint8_t *room(size_t length);
  bool append(uint8_t flags, const char *topic, const void *payload, size_t length);
  bool makeRoom(const char *topic, size_t need);
  void remove(size_t at);
  size_t find(uint16_t id) const;
  uint16_t nextId();

  MqttOwner &owner_;
  Transport *transport_ = nullptr;
  State state_ = State::closed;
  MqttEnd why_ = MqttEnd::none;
  bool leaving_ = false, goodbye_ = false, pinged_ = false;
  uint16_t last_id_ = 0;
  uint32_t keepalive_ = 0;  // ms
  // When the connection began, something came, something went, a ping went, the
  // broker acknowledged the last time or began to owe, and leave was called.
  uint32_t begun_at_ = 0, heard_at_ = 0, sent_at_ = 0, pinged_at_ = 0, owed_at_ = 0, leave_at_ = 0;
  size_t in_flight_ = 0;

  // What comes in.
  Stage stage_ = Stage::type;
  uint8_t type_ = 0, length_bytes_ = 0;
  uint32_t length_ = 0, got_ = 0;

  size_t queued_ = 0, out_count_ = 0;
  uint8_t in_[2 + kTopic + 2 + kPayload];
  uint8_t queue_[kQueue];
  uint8_t out_[kOut];
};
