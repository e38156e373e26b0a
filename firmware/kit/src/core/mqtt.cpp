#include "mqtt.h"

#include <string.h>

namespace {

// Packet types with the flags that they must have.
enum : uint8_t {
  kConnect = 0x10, kConnack = 0x20, kPublish = 0x30, kPuback = 0x40, kSubscribe = 0x82, kSuback = 0x90,
  kPingreq = 0xc0, kPingresp = 0xd0, kDisconnect = 0xe0,
};

// Flags of kPublish.
constexpr uint8_t kRetained = 0x01, kQos1 = 0x02, kQosMask = 0x06, kDup = 0x08;

// An item of the queue: size u16, id u16, flags, length of topic u8, topic, payload.
constexpr size_t kItemHead = 6;
enum ItemFlag : uint8_t { kItemSent = 1, kItemAgain = 2, kItemRetain = 4, kItemQos1 = 8, kItemSubscribe = 16 };

constexpr size_t kChunk = 64;        // bytes read at once; their acknowledgements need less room
constexpr size_t kChunks = 32;       // a tick, so that the button is looked at again
constexpr size_t kNowhere = SIZE_MAX;

// MQTT has the high byte first, and nothing is aligned.
uint16_t high(const uint8_t *at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

uint8_t *high(uint8_t *at, size_t v) {
  at[0] = static_cast<uint8_t>(v >> 8);
  at[1] = static_cast<uint8_t>(v);
  return at + 2;
}

uint8_t *copy(uint8_t *at, const void *from, size_t length) {
  if (length > 0) memcpy(at, from, length);
  return at + length;
}

uint8_t *text(uint8_t *at, const char *s) {
  size_t n = strlen(s);
  return copy(high(at, n), s, n);
}

// header writes type and remaining length, which is less than 16,384.
uint8_t *header(uint8_t *at, uint8_t type, size_t length) {
  *at++ = type;
  if (length > 127) *at++ = static_cast<uint8_t>(length | 0x80);
  *at++ = static_cast<uint8_t>(length > 127 ? length >> 7 : length);
  return at;
}

size_t whole(size_t length) { return (length > 127 ? 3 : 2) + length; }

bool same(const uint8_t *item, const char *topic) {
  size_t n = strlen(topic);
  return item[5] == n && memcmp(item + kItemHead, topic, n) == 0;
}

}  // namespace

void Mqtt::begin(Transport &transport, const MqttOptions &options, uint32_t now) {
  transport_ = &transport;
  state_ = State::connecting;
  why_ = MqttEnd::none;
  leaving_ = goodbye_ = pinged_ = false;
  keepalive_ = (options.keepalive < 5 ? 5 : options.keepalive) * 1000u;
  begun_at_ = heard_at_ = sent_at_ = owed_at_ = now;
  in_flight_ = out_count_ = 0;
  stage_ = Stage::type;
  for (size_t at = 0; at < queued_;) {
    uint8_t *item = queue_ + at;
    if (item[4] & kItemSubscribe) {
      remove(at);
      continue;
    }
    if (item[4] & kItemSent) item[4] = static_cast<uint8_t>((item[4] & ~kItemSent) | kItemAgain);
    at += high(item);
  }
  if (!connect(options)) over(MqttEnd::wrong);
}

bool Mqtt::connect(const MqttOptions &o) {
  bool will = o.will_topic[0] != 0, user = o.user[0] != 0, password = user && o.password[0] != 0;
  size_t n = 10 + 2 + strlen(o.client);
  if (will) n += 2 + strlen(o.will_topic) + 2 + strlen(o.will);
  if (user) n += 2 + strlen(o.user);
  if (password) n += 2 + strlen(o.password);
  uint8_t *at = room(whole(n));
  if (at == nullptr) return false;
  at = text(header(at, kConnect, n), "MQTT");
  *at++ = 4;
  // User, password, will retained, will with QoS 1, will, clean session.
  *at++ = static_cast<uint8_t>((user ? 0x80 : 0) | (password ? 0x40 : 0) | (will ? 0x20 | 0x08 | 0x04 : 0) | 0x02);
  at = text(high(at, keepalive_ / 1000), o.client);
  if (will) at = text(text(at, o.will_topic), o.will);
  if (user) at = text(at, o.user);
  if (password) text(at, o.password);
  return true;
}

void Mqtt::over(MqttEnd why) {
  if (!open()) return;
  state_ = State::closed;
  why_ = why;
  transport_ = nullptr;
  out_count_ = 0;
}

void Mqtt::leave(uint32_t now) {
  if (state_ == State::connecting) over(MqttEnd::left);
  if (!open() || leaving_) return;
  leaving_ = true;
  leave_at_ = now;
}

void Mqtt::forget() { queued_ = in_flight_ = 0; }

void Mqtt::tick(uint32_t now) {
  if (open()) flush(now);
  if (open()) receive(now);
  if (open()) watch(now);
  if (open()) send(now);
  if (open()) flush(now);
}

void Mqtt::receive(uint32_t now) {
  uint8_t chunk[kChunk];
  for (size_t i = 0; i < kChunks; i++) {
    if (kOut - out_count_ < kChunk) return;  // no room to acknowledge
    size_t n = transport_->read(chunk, sizeof chunk);
    if (n == 0) {
      if (!transport_->alive()) over(goodbye_ ? MqttEnd::left : MqttEnd::lost);
      return;
    }
    heard_at_ = now;
    size_t before = in_flight_;
    take(chunk, n);
    if (in_flight_ != before) owed_at_ = now;
    if (!open()) return;
  }
}

// watch ends a connection that is dead, and asks the broker whether it is.
void Mqtt::watch(uint32_t now) {
  if (leaving_ && now - leave_at_ >= 2 * kLeave) return over(MqttEnd::left);
  if (state_ == State::connecting) {
    if (now - begun_at_ >= kAnswer) over(MqttEnd::silent);
    return;
  }
  uint32_t half = keepalive_ / 2;
  bool dead = now - heard_at_ >= half + kAnswer || (pinged_ && now - pinged_at_ >= kAnswer) || (in_flight_ > 0 && now - owed_at_ >= kAnswer);
  if (dead) return over(MqttEnd::dead);
  if (pinged_ || goodbye_ || (now - heard_at_ < half && now - sent_at_ < half)) return;
  uint8_t *at = room(2);
  if (at == nullptr) return;
  header(at, kPingreq, 0);
  pinged_ = true;
  pinged_at_ = now;
}

// send takes from the queue what the window and the buffer have room for, in order.
void Mqtt::send(uint32_t now) {
  if (state_ != State::online || goodbye_) return;
  for (size_t at = 0; at < queued_;) {
    uint8_t *item = queue_ + at;
    size_t size = high(item);
    uint8_t flags = item[4];
    at += size;
    if (flags & kItemSent) continue;
    size_t topic = item[5], payload = size - kItemHead - topic;
    bool subscribe = (flags & kItemSubscribe) != 0, qos1 = (flags & kItemQos1) != 0;
    size_t n = 2 + topic + (subscribe ? 3 : payload + (qos1 ? 2 : 0));
    if ((subscribe || qos1) && in_flight_ == kWindow) return;
    uint8_t *to = room(whole(n));
    if (to == nullptr) return;
    if (subscribe) {
      to = high(header(to, kSubscribe, n), high(item + 2));
      to = copy(high(to, topic), item + kItemHead, topic);
      *to = 1;
    } else {
      uint8_t type = static_cast<uint8_t>(kPublish | (flags & kItemRetain ? kRetained : 0) | (qos1 ? kQos1 : 0) | (flags & kItemAgain ? kDup : 0));
      to = copy(high(header(to, type, n), topic), item + kItemHead, topic);
      if (qos1) to = high(to, high(item + 2));
      copy(to, item + kItemHead + topic, payload);
    }
    if (!subscribe && !qos1) {
      remove(at -= size);
      continue;
    }
    item[4] = static_cast<uint8_t>(flags | kItemSent);
    if (in_flight_++ == 0) owed_at_ = now;
  }
  if (!leaving_ || (queued_ > 0 && now - leave_at_ < kLeave)) return;
  uint8_t *to = room(2);
  if (to == nullptr) return;
  header(to, kDisconnect, 0);
  goodbye_ = true;
}

void Mqtt::flush(uint32_t now) {
  if (out_count_ > 0) {
    size_t n = transport_->write(out_, out_count_);
    if (n > out_count_) n = out_count_;
    if (n > 0) sent_at_ = now;
    out_count_ -= n;
    memmove(out_, out_ + n, out_count_);
  }
  if (goodbye_ && out_count_ == 0) over(MqttEnd::left);
}

// room makes place for a packet that goes out, or says nullptr.
uint8_t *Mqtt::room(size_t length) {
  if (length > kOut - out_count_) return nullptr;
  out_count_ += length;
  return out_ + out_count_ - length;
}

void Mqtt::take(const uint8_t *data, size_t length) {
  while (length > 0 && open()) {
    if (stage_ == Stage::body) {
      size_t n = length_ - got_ < length ? length_ - got_ : length;
      // What does not fit is counted and thrown away.
      if (got_ < sizeof in_) memcpy(in_ + got_, data, n < sizeof in_ - got_ ? n : sizeof in_ - got_);
      got_ += static_cast<uint32_t>(n);
      data += n;
      length -= n;
      if (got_ == length_) packet();
      continue;
    }
    uint8_t b = *data++;
    length--;
    if (stage_ == Stage::type) {
      type_ = b;
      stage_ = Stage::length;
      length_ = length_bytes_ = 0;
      continue;
    }
    length_ |= static_cast<uint32_t>(b & 0x7f) << 7 * length_bytes_++;
    if (b & 0x80) {
      if (length_bytes_ == 4) over(MqttEnd::wrong);
      continue;
    }
    got_ = 0;
    stage_ = Stage::body;
    if (!expected()) {
      over(MqttEnd::wrong);
    } else if (length_ == 0) {
      packet();
    }
  }
}

// expected reports whether a packet of this type and length may come now.
bool Mqtt::expected() const {
  if (state_ == State::connecting) return type_ == kConnack && length_ == 2;
  if ((type_ & 0xf0) == kPublish) {
    uint8_t qos = type_ & kQosMask;
    if (qos == 0) return (type_ & kDup) == 0 && length_ >= 3;
    return qos == kQos1 && length_ >= 5;
  }
  return (type_ == kPuback && length_ == 2) || (type_ == kSuback && length_ == 3) || (type_ == kPingresp && length_ == 0);
}

// packet is for a whole one.
void Mqtt::packet() {
  stage_ = Stage::type;
  if (type_ == kConnack) {
    if ((in_[0] & 0xfe) != 0 || (in_[1] != 0 && in_[0] != 0) || in_[1] > 5) return over(MqttEnd::wrong);
    if (in_[1] != 0) return over(in_[1] >= 4 ? MqttEnd::denied : MqttEnd::refused);
    state_ = State::online;
    owner_.joined();
  } else if (type_ == kPingresp) {
    pinged_ = false;
  } else if (type_ == kPuback || type_ == kSuback) {
    acknowledged(high(in_), in_[2]);
  } else {
    incoming();
  }
}

void Mqtt::incoming() {
  bool qos1 = (type_ & kQosMask) != 0;
  size_t topic = high(in_), head = 2 + topic + (qos1 ? 2 : 0);
  if (topic == 0 || head > length_ || head > sizeof in_) return over(MqttEnd::wrong);
  uint16_t id = qos1 ? high(in_ + 2 + topic) : 0;
  if (qos1 && id == 0) return over(MqttEnd::wrong);
  for (size_t i = 0; i < topic; i++)
    if (in_[2 + i] == 0 || in_[2 + i] == '+' || in_[2 + i] == '#') return over(MqttEnd::wrong);
  memmove(in_, in_ + 2, topic);  // makes place for its end
  in_[topic] = 0;
  const char *name = reinterpret_cast<const char *>(in_);
  if (length_ <= sizeof in_) {
    owner_.message(name, in_ + head, length_ - head, (type_ & kRetained) != 0);
  } else {
    owner_.tooLarge(name, length_ - head);
  }
  if (!qos1 || !open()) return;
  uint8_t *to = room(4);
  if (to == nullptr) return over(MqttEnd::wrong);  // receive has seen to it
  high(header(to, kPuback, 2), id);
}

void Mqtt::acknowledged(uint16_t id, uint8_t code) {
  size_t at = find(id);
  if (at == kNowhere) return;  // of a message that was forgotten
  uint8_t *item = queue_ + at;
  bool subscribe = (item[4] & kItemSubscribe) != 0;
  if (subscribe != (type_ == kSuback)) return over(MqttEnd::wrong);
  if (subscribe && code > 1 && code != 0x80) return over(MqttEnd::wrong);
  // The owner may change the queue while it hears the filter.
  size_t topic = item[5];
  memcpy(in_, item + kItemHead, topic);
  in_[topic] = 0;
  remove(at);
  in_flight_--;
  if (subscribe) owner_.subscribed(reinterpret_cast<const char *>(in_), code != 0x80);
}

bool Mqtt::publish(const char *topic, const void *payload, size_t length, bool retain, bool acknowledged) {
  return append(static_cast<uint8_t>((retain ? kItemRetain : 0) | (acknowledged ? kItemQos1 : 0)), topic, payload, length);
}

bool Mqtt::subscribe(const char *filter) { return append(kItemSubscribe, filter, nullptr, 0); }

bool Mqtt::append(uint8_t flags, const char *topic, const void *payload, size_t length) {
  size_t n = strlen(topic), size = kItemHead + n + length;
  if (n == 0 || n >= kTopic || length > kOut || whole(2 + n + 3 + length) > kOut) return false;
  if (size > kQueue - queued_ && !makeRoom((flags & kItemSubscribe) != 0 ? "" : topic, size)) return false;
  uint16_t id = flags & (kItemQos1 | kItemSubscribe) ? nextId() : 0;
  uint8_t *item = queue_ + queued_;
  queued_ += size;
  high(high(item, size), id);
  item[4] = flags;
  item[5] = static_cast<uint8_t>(n);
  copy(copy(item + kItemHead, topic, n), payload, length);
  return true;
}

// makeRoom drops what nobody has sent and is old once a message of topic comes.
bool Mqtt::makeRoom(const char *topic, size_t need) {
  for (size_t at = 0; at < queued_ && need > kQueue - queued_;) {
    const uint8_t *item = queue_ + at;
    bool old = same(item, topic);
    for (size_t next = at + high(item); !old && next < queued_; next += high(queue_ + next)) {
      const uint8_t *newer = queue_ + next;
      old = (newer[4] & kItemSubscribe) == 0 && newer[5] == item[5] && memcmp(newer + kItemHead, item + kItemHead, item[5]) == 0;
    }
    if (old && (item[4] & (kItemSent | kItemSubscribe)) == 0) {
      remove(at);
    } else {
      at += high(item);
    }
  }
  return need <= kQueue - queued_;
}

void Mqtt::remove(size_t at) {
  size_t size = high(queue_ + at);
  queued_ -= size;
  memmove(queue_ + at, queue_ + at + size, queued_ - at);
}

// find looks for what was sent with an id.
size_t Mqtt::find(uint16_t id) const {
  for (size_t at = 0; at < queued_; at += high(queue_ + at))
    if (high(queue_ + at + 2) == id && (queue_[at + 4] & kItemSent)) return at;
  return kNowhere;
}

uint16_t Mqtt::nextId() {
  // There are far more numbers than the queue can hold items.
  for (;;) {
    bool used = ++last_id_ == 0;
    for (size_t at = 0; at < queued_ && !used; at += high(queue_ + at)) used = high(queue_ + at + 2) == last_id_;
    if (!used) return last_id_;
  }
}
