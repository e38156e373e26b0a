#include "roles.h"

#include <stdio.h>
#include <string.h>

namespace {

// copy reports whether text fits, with its end.
bool copy(char *to, size_t size, const char *text) {
  size_t n = strlen(text);
  if (n >= size) return false;
  memcpy(to, text, n + 1);
  return true;
}

bool join(char *to, size_t size, const char *a, const char *b) {
  size_t n = strlen(a);
  return n < size && copy(to, size, a) && copy(to + n, size - n, b);
}

bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

// within reports whether topic is name or below it.
bool within(const char *topic, const char *name) {
  char after = begins(topic, name) ? topic[strlen(name)] : 'x';
  return after == 0 || after == '/';
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(const char *word, const char *text, size_t length) {
  if (strlen(word) != length) return false;
  for (size_t i = 0; i < length; i++)
    if (lower(word[i]) != lower(text[i])) return false;
  return true;
}

bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// number reads digits, one point and a sign as thousandths.
bool number(const char *s, size_t length, int64_t *milli) {
  const int64_t most = 1000000000000000;
  size_t i = 0;
  bool negative = false, point = false;
  int64_t v = 0, unit = 1000;
  if (length > 32) return false;
  if (i < length && (s[i] == '-' || s[i] == '+')) negative = s[i++] == '-';
  if (i == length || s[i] == '.') return false;
  for (; i < length; i++) {
    if (s[i] == '.' && !point) {
      point = true;
    } else if (s[i] < '0' || s[i] > '9') {
      return false;
    } else if (point) {
      unit /= 10;
      v += (s[i] - '0') * unit;
    } else if (v < most) {
      v = v * 10 + (s[i] - '0') * 1000;
    }
  }
  *milli = negative ? -v : v;
  return true;
}

// printable writes what the console shows of a payload: at most 64 bytes.
void printable(char *to, const uint8_t *payload, size_t length) {
  size_t n = length > 64 ? 64 : length;
  for (size_t i = 0; i < n; i++) to[i] = payload[i] < ' ' || payload[i] == 0x7f ? '.' : static_cast<char>(payload[i]);
  memcpy(to + n, length > 64 ? "..." : "", length > 64 ? 4 : 1);
}

}  // namespace

Kit::Kit(Board &board, Role role, const char *name) : board_(board), role_(role) {
  if (!copy(name_, sizeof name_, name) || !join(state_topic_, sizeof state_topic_, name, "/$state")) name_[0] = state_topic_[0] = 0;
}

bool Kit::add(const Port &port) {
  if (count_ == kPorts || name_[0] == 0) return false;
  Part &p = parts_[count_];
  memset(static_cast<void *>(&p), 0, sizeof p);
  bool own = within(port.topic, name_), fits;
  if (port.publish) {
    fits = join(p.publish, sizeof p.publish, port.topic, port.writable && !own ? "/set" : "");
    p.retain = port.retain && !(port.writable && !own);  // a command never is
  } else {
    fits = join(p.subscribe, sizeof p.subscribe, port.topic, port.writable && own ? "/set" : "");
    if (port.writable && own) fits = fits && copy(p.publish, sizeof p.publish, port.topic);
    p.retain = true;  // what it tells is what became of commands
  }
  if (!fits || !copy(p.slot, sizeof p.slot, port.slot) || !copy(p.yes, sizeof p.yes, port.yes) || !copy(p.no, sizeof p.no, port.no)) return false;
  p.number = strcmp(p.slot, "brightness") == 0;
  p.toggle = port.toggle;
  p.min = port.max > port.min ? port.min : 0;
  p.max = port.max > port.min ? port.max : 100;
  bool button = strcmp(p.slot, "button") == 0 || begins(p.slot, "button-");
  if (!p.number && !button && strcmp(p.slot, "light") != 0 && strcmp(p.slot, "led") != 0 && strcmp(p.slot, "presence") != 0) return false;
  if (role_ == Role::choice) {
    p.job = port.publish ? Job::answer : Job::input;
  } else if (!port.publish) {
    if (p.number) return false;  // there is nothing on the board to show it
    p.job = Job::lamp;
    p.known = true;
  } else {
    p.job = p.number ? Job::sensor : button ? Job::button : Job::switched;
  }
  count_++;
  return true;
}

const char *Kit::subscription(size_t i) const {
  for (size_t n = 0; n < count_; n++) {
    if (parts_[n].subscribe[0] == 0) continue;
    if (i-- == 0) return parts_[n].subscribe;
  }
  return nullptr;
}

void Kit::tellState(const char *word) {
  state_ = word;
  board_.publish(state_topic_, word, true);
}

void Kit::connected(uint32_t now) {
  online_ = true;
  tellState("ready");
  for (size_t i = 0; i < count_; i++) {
    Part &p = parts_[i];
    if (p.job == Job::sensor || p.job == Job::switched || p.retain) p.told = false;
  }
  tick(now);
}

void Kit::refused() {
  if (online_ && strcmp(state_, "alert") != 0) tellState("alert");
}

void Kit::stopping() {
  if (online_) tellState("disconnected");
  online_ = false;
}

bool Kit::accept(Part &p, const uint8_t *payload, size_t length) {
  const char *s = reinterpret_cast<const char *>(payload);
  while (length > 0 && space(s[0])) s++, length--;
  while (length > 0 && space(s[length - 1])) length--;
  if (p.number) {
    if (!number(s, length, &p.milli)) return false;
    return p.known = true;
  }
  // Those of the topic come first, as in core.Topic.Truth; capitals matter only beyond ASCII.
  const char *words[][2] = {{p.yes, p.no}, {"true", "false"}, {"on", "off"}, {"1", "0"}, {"yes", "no"}, {"open", "closed"}, {"turn on", "turn off"}};
  for (auto &w : words) {
    bool yes = same(w[0], s, length);
    if (!yes && !same(w[1], s, length)) continue;
    p.on = yes;
    return p.known = true;
  }
  return false;
}

void Kit::received(const char *topic, const uint8_t *payload, size_t length, uint32_t now) {
  char text[64 + 4], line[kTopic + sizeof text + 80];
  printable(text, payload, length);
  snprintf(line, sizeof line, "Received a message with topic '%.*s', length %lu bytes: %s", static_cast<int>(kTopic), topic,
           static_cast<unsigned long>(length), text);
  board_.print(line);
  for (size_t i = 0; i < count_; i++) {
    Part &p = parts_[i];
    if (p.subscribe[0] == 0 || strcmp(p.subscribe, topic) != 0) continue;
    bool before = p.known, was = p.on;
    if (!accept(p, payload, length)) {
      snprintf(line, sizeof line, "Ignored: %s", text);
      board_.print(line);
      continue;
    }
    if (p.job == Job::lamp) {
      p.told = false;  // also where nothing changed: who commanded wants to know
      board_.light(p.slot, p.on);
    } else {
      heard(p, !before || p.on != was, now);
    }
  }
  tick(now);
}

Kit::Part *Kit::find(const char *slot, Job job) {
  for (size_t i = 0; i < count_; i++)
    if (parts_[i].job == job && strcmp(parts_[i].slot, slot) == 0) return &parts_[i];
  return nullptr;
}

void Kit::contact(const char *slot, bool down, uint32_t now) {
  Part *p = find(slot, Job::button);
  if (p == nullptr || p->raw == down) return;
  p->raw = down;
  p->raw_at = now;
}

void Kit::measure(const char *slot, int32_t value) {
  Part *p = find(slot, Job::sensor);
  if (p == nullptr) return;
  p->known = true;
  p->value = value < p->min ? p->min : value > p->max ? p->max : value;
}

void Kit::presence(bool seen) {
  Part *p = find("presence", Job::switched);
  if (p == nullptr) return;
  p->known = true;
  p->on = seen;
}

// settle makes the contact count once it has rested. Unsigned differences stay
// right when the clock wraps after 49 days.
void Kit::settle(Part &p, uint32_t now) {
  if (p.raw == p.down || now - p.raw_at < kDebounce) return;
  p.down = p.raw;
  if (p.toggle && !p.down) return;
  p.known = true;
  p.on = p.toggle ? !p.on : p.down;
}

bool Kit::changed(const Part &p) {
  if (p.publish[0] == 0 || !p.known) return false;
  if (!p.told) return true;
  if (!p.number) return p.on != p.told_on;
  int64_t moved = static_cast<int64_t>(p.value) - p.told_value, range = static_cast<int64_t>(p.max) - p.min;
  if (moved < 0) moved = -moved;
  bool end = p.value == p.min || p.value == p.max;  // or it would never be told
  return moved != 0 && (moved * 100 >= kHysteresis * range || end);
}

void Kit::tick(uint32_t now) {
  for (size_t i = 0; i < count_; i++) {
    Part &p = parts_[i];
    bool on = false;
    if (p.job == Job::button) settle(p, now);
    if (p.job == Job::answer && decide(now, &on)) {
      p.known = true;
      p.on = on;
    }
    if (online_ && changed(p) && (p.job != Job::sensor || !p.told || now - p.told_at >= kSensorRest)) tell(p, now);
  }
}

void Kit::tell(Part &p, uint32_t now) {
  p.told = true;
  p.told_on = p.on;
  p.told_value = p.value;
  p.told_at = now;
  char text[16];
  if (p.number) snprintf(text, sizeof text, "%ld", static_cast<long>(p.value));
  board_.publish(p.publish, p.number ? text : p.on ? p.yes : p.no, p.retain);
}

// A choice is the rule
//   button || (never(button) || age(button) >= duration("10m") && presence) && brightness < 60
// where age is the time since the value became another.
void Kit::heard(const Part &p, bool changed, uint32_t now) {
  any_ = true;
  if (p.number) {
    seen_ = true;
    brightness_ = p.milli;
  } else if (strcmp(p.slot, "presence") == 0) {
    presence_ = p.on;
  } else if (strcmp(p.slot, "button") == 0) {
    if (changed) {
      since_ = now;
      long_ = false;
    }
    pressed_ = true;
    button_ = p.on;
  }
}

bool Kit::decide(uint32_t now, bool *on) {
  if (pressed_ && now - since_ >= hold_) long_ = true;  // also after the clock has gone round
  bool dark = seen_ && brightness_ < kDarkBelow * 1000;
  *on = button_ || ((!pressed_ || (long_ && presence_)) && dark);
  return any_;
}
