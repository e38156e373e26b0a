#include "fetch.h"

#include <string.h>

#include "text.h"

namespace {

// number reads digits and stops at what is none. More than fits is UINT32_MAX.
uint32_t number(const char *s) {
  uint32_t v = 0;
  for (; *s >= '0' && *s <= '9'; s++) {
    uint32_t digit = static_cast<uint32_t>(*s - '0');
    if (v > (UINT32_MAX - digit) / 10) return UINT32_MAX;
    v = v * 10 + digit;
  }
  return v;
}

}  // namespace

void Fetch::start(const Order &order, uint32_t now) {
  state_ = State::running;
  part_ = Part::name;
  size_ = order.size;
  got_ = 0;
  heard_at_ = now;
  status_seen_ = false;
  Text(md5_, sizeof md5_).add(order.md5);
  const char *colon = strrchr(order.page, ':');
  size_t length = colon == nullptr ? 0 : static_cast<size_t>(colon - order.page);
  if (length == 0 || length >= sizeof host_) return fail("connect");
  memcpy(host_, order.page, length);
  host_[length] = 0;
  uint32_t port = number(colon + 1);
  if (port == 0 || port > UINT16_MAX) return fail("connect");
  port_ = static_cast<uint16_t>(port);
  Text request(text_, sizeof text_);
  // Version 1.0: the answer comes in one piece and ends with the connection.
  request.add("GET ").add(order.path).add(" HTTP/1.0\r\nHost: ").add(order.page).add("\r\nConnection: close\r\n\r\n");
  count_ = request.length();
  sent_ = 0;
}

void Fetch::fail(const char *why) {
  hal_.tcpClose(Hal::page);
  if (part_ == Part::body) hal_.imageDrop();
  Text(why_, sizeof why_).add(why);
  state_ = State::failed;
}

void Fetch::tick(uint32_t now) {
  if (state_ != State::running) return;
  if (part_ == Part::name) {
    if (!hal_.tcpOpen(Hal::page, host_, port_, nullptr, 0)) return fail("connect");
    part_ = Part::connect;
    heard_at_ = now;
    return;
  }
  KitReason reason;
  Hal::Link link = hal_.tcpState(Hal::page, &reason);
  if (part_ == Part::connect) {
    if (link == Hal::Link::opening && now - heard_at_ < kSilence) return;
    if (link != Hal::Link::open) return fail("connect");
    sent_ += hal_.tcpWrite(Hal::page, reinterpret_cast<const uint8_t *>(text_) + sent_, count_ - sent_);
    if (sent_ < count_) return now - heard_at_ < kSilence ? void() : fail("connect");
    part_ = Part::head;
    count_ = 0;
  }
  size_t n = hal_.tcpRead(Hal::page, block_, sizeof block_), used = 0;
  if (n == 0) {
    bool ended = hal_.tcpState(Hal::page, &reason) != Hal::Link::open;
    if (!ended && now - heard_at_ < kSilence) return;
    return fail(part_ == Part::head ? "connect" : "size");
  }
  heard_at_ = now;
  if (part_ == Part::head && !head(block_, n, &used)) return;
  body(block_ + used, n - used);
}

// head takes lines until the empty one. It says no where it has failed or wants more.
bool Fetch::head(const uint8_t *bytes, size_t length, size_t *used) {
  while (*used < length) {
    char c = static_cast<char>(bytes[(*used)++]);
    if (c != '\n') {
      if (count_ < sizeof text_ - 1) text_[count_++] = c;
      continue;
    }
    if (count_ > 0 && text_[count_ - 1] == '\r') count_--;
    text_[count_] = 0;
    bool empty = count_ == 0;
    count_ = 0;
    if (!empty || !status_seen_) {
      if (!headLine()) return false;
      continue;
    }
    if (!hal_.imageBegin(size_, md5_)) {
      fail("space");
      return false;
    }
    part_ = Part::body;
    return true;
  }
  return false;
}

bool Fetch::headLine() {
  if (!status_seen_) {
    status_seen_ = true;
    uint32_t status = strncmp(text_, "HTTP/1.", 7) == 0 && strlen(text_) >= 12 && text_[8] == ' ' ? number(text_ + 9) : 0;
    if (status == 200) return true;
    char why[12];
    Text(why, sizeof why).add("http ").number(status > 999 ? 0 : status);
    fail(why);
    return false;
  }
  const char name[] = "content-length:";
  for (size_t i = 0; i < sizeof name - 1; i++) {
    char c = text_[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c != name[i]) return true;
  }
  const char *value = text_ + sizeof name - 1;
  while (*value == ' ' || *value == '\t') value++;
  if (number(value) == size_) return true;
  fail("size");
  return false;
}

void Fetch::body(const uint8_t *bytes, size_t length) {
  if (length > size_ - got_) return fail("size");
  if (length > 0 && !hal_.imageWrite(bytes, length)) return fail("write");
  got_ += static_cast<uint32_t>(length);
  if (got_ < size_) return;
  hal_.tcpClose(Hal::page);
  bool right = hal_.imageEnd();
  part_ = Part::connect;  // there is nothing to drop anymore
  if (!right) return fail("md5");
  state_ = State::done;
}
