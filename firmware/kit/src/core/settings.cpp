#include "settings.h"

#include "bytes.h"
#include "crc32.h"

namespace {

const uint8_t kMagic[4] = {'H', 'R', 'S', '1'};
constexpr uint8_t kVersion = 1;
constexpr size_t kMark = SettingsStore::kSector - 4;  // where prove writes

// text takes 1 to size - 1 bytes.
bool text(char *to, size_t size, const uint8_t *from, size_t length) {
  if (length == 0 || length >= size || memchr(from, 0, length) != nullptr) return false;
  memset(to, 0, size);  // and nothing stays of a longer secret
  memcpy(to, from, length);
  return true;
}

bool number8(uint8_t *to, uint8_t most, const uint8_t *from, size_t length) {
  if (length != 1 || from[0] > most) return false;
  *to = from[0];
  return true;
}

// validHome reports whether something is before ".local".
bool validHome(const uint8_t *name, size_t length) {
  const char end[] = ".local";
  size_t n = sizeof end - 1;
  return length > n && memcmp(name + length - n, end, n) == 0;
}

// piece reads a length and a text.
bool piece(char *to, size_t size, const uint8_t **at, size_t *left) {
  if (*left == 0) return false;
  size_t n = **at;
  if (n + 1 > *left || !text(to, size, *at + 1, n)) return false;
  *at += n + 1;
  *left -= n + 1;
  return true;
}

bool readPart(PartSettings *p, const uint8_t *at, size_t left) {
  if (left < 9 || at[0] > (15 | PartSettings::kAdded)) return false;
  memset(p, 0, sizeof *p);
  p->flags = at[0] & 15;
  p->min = static_cast<int32_t>(get32(at + 1));
  p->max = static_cast<int32_t>(get32(at + 5));
  at += 9;
  left -= 9;
  return piece(p->slot, sizeof p->slot, &at, &left) && piece(p->topic, sizeof p->topic, &at, &left) &&
         piece(p->yes, sizeof p->yes, &at, &left) && piece(p->no, sizeof p->no, &at, &left) && left == 0;
}

bool readPin(PinSettings *p, const uint8_t *at, size_t left) {
  if (left < 3 || at[0] > PinSettings::kAnalog || (at[0] >= 6 && at[0] <= 11) || at[1] > 3) return false;
  p->gpio = at[0];
  p->flags = at[1];
  return text(p->slot, sizeof p->slot, at + 2, left - 2);
}

// take reads the value of one tag.
bool take(Settings *s, uint8_t tag, const uint8_t *v, size_t n) {
  uint8_t u = 0;
  switch (tag) {
    case kTagSsid: return text(s->ssid, sizeof s->ssid, v, n);
    case kTagKey: return validKey(reinterpret_cast<const char *>(v), n) && text(s->key, sizeof s->key, v, n);
    case kTagHost: return text(s->host, sizeof s->host, v, n);
    case kTagPort:
      s->port = n == 2 ? get16(v) : 0;
      return s->port != 0;
    case kTagAccount: return text(s->account, sizeof s->account, v, n);
    case kTagSecret: return text(s->secret, sizeof s->secret, v, n);
    case kTagTls:
      if (n == 0 || n > sizeof s->tls) return false;
      memcpy(s->tls, v, n);
      s->tls_length = static_cast<uint8_t>(n);
      return true;
    case kTagPage: return text(s->page, sizeof s->page, v, n);
    case kTagTransport:
      if (!number8(&u, 1, v, n)) return false;
      s->cable = u == 1;
      return s->has_transport = true;
    case kTagHome: return validHome(v, n) && text(s->home, sizeof s->home, v, n);
    case kTagName: return text(s->name, sizeof s->name, v, n);
    case kTagRole:
      if (!number8(&u, static_cast<uint8_t>(Role::all), v, n)) return false;
      s->role = static_cast<Role>(u);
      return s->has_role = true;
    case kTagHold:
      if (n != 4) return false;
      s->hold = get32(v);
      return s->has_hold = true;
    case kTagPart: return s->part_count < Settings::kParts && readPart(&s->parts[s->part_count++], v, n);
    case kTagPin: return s->pin_count < Settings::kPins && readPin(&s->pins[s->pin_count++], v, n);
    case kTagLabel: return text(s->label, sizeof s->label, v, n);
    default: return true;
  }
}

// takeAway makes a tag what it is where nobody told it.
void takeAway(Settings *s, uint8_t tag) {
  switch (tag) {
    case kTagSsid: memset(s->ssid, 0, sizeof s->ssid); break;
    case kTagKey: memset(s->key, 0, sizeof s->key); break;
    case kTagHost: memset(s->host, 0, sizeof s->host); break;
    case kTagPort: s->port = 0; break;
    case kTagAccount: memset(s->account, 0, sizeof s->account); break;
    case kTagSecret: memset(s->secret, 0, sizeof s->secret); break;
    case kTagTls: s->tls_length = 0; break;
    case kTagPage: memset(s->page, 0, sizeof s->page); break;
    case kTagTransport: s->cable = s->has_transport = false; break;
    case kTagHome: memset(s->home, 0, sizeof s->home); break;
    case kTagName: memset(s->name, 0, sizeof s->name); break;
    case kTagRole:
      s->role = Role::light;
      s->has_role = false;
      break;
    case kTagHold:
      s->hold = Kit::kOffFor;
      s->has_hold = false;
      break;
    case kTagPart: s->part_count = 0; break;
    case kTagPin: s->pin_count = 0; break;
    case kTagLabel: memset(s->label, 0, sizeof s->label); break;
    default: break;
  }
}

bool known(uint8_t tag) { return (tag >= kTagSsid && tag <= kTagHome) || (tag >= kTagName && tag <= kTagLabel); }

// takeAll reads TLVs into s.
bool takeAll(Settings *s, const uint8_t *at, size_t left, bool change) {
  uint32_t seen = 0, emptied = 0;
  bool adds = false;  // the parts
  if (left > Settings::kMost) return false;
  while (left > 0) {
    if (left < 2 || left - 2 < at[1]) return false;
    uint8_t tag = at[0];
    const uint8_t *v = at + 2;
    size_t n = at[1];
    at += n + 2;
    left -= n + 2;
    if (!known(tag)) continue;
    uint32_t bit = 1u << ((tag & 0x0f) | (tag >= kTagName ? 16 : 0));
    bool first = (seen & bit) == 0, many = tag == kTagPart || tag == kTagPin, empty = change && n == 0;
    if (!first && (!many || empty || (emptied & bit) != 0)) return false;
    if (tag == kTagPart && n > 0) {
      bool added = (v[0] & PartSettings::kAdded) != 0;
      if ((added && !change) || (!first && added != adds)) return false;
      adds = added;
    }
    seen |= bit;
    if (change && first && !(tag == kTagPart && adds)) takeAway(s, tag);
    if (empty) {
      emptied |= bit;
    } else if (!take(s, tag, v, n)) {
      return false;
    }
  }
  return true;
}

// Out writes TLVs, or only counts them where to is nullptr, and always sums them.
class Out {
 public:
  Out(uint8_t *to, size_t size) : to_(to), size_(size) {}
  void bytes(const void *from, size_t n) {
    if (to_ != nullptr && n <= size_ && length_ <= size_ - n) memcpy(to_ + length_, from, n);
    length_ += n;
    crc_ = crc32(crc_, from, n);
  }
  void head(uint8_t tag, size_t n) {
    uint8_t b[2] = {tag, static_cast<uint8_t>(n)};
    bytes(b, 2);
  }
  void value(uint8_t tag, const void *from, size_t n) {
    head(tag, n);
    bytes(from, n);
  }
  void text(uint8_t tag, const char *s) {
    if (s[0] != 0) value(tag, s, strlen(s));
  }
  void piece(const char *s) {
    uint8_t n = static_cast<uint8_t>(strlen(s));
    bytes(&n, 1);
    bytes(s, n);
  }
  size_t length() const { return length_; }
  uint32_t crc() const { return crc_; }

 private:
  uint8_t *to_;
  size_t size_, length_ = 0;
  uint32_t crc_ = 0;
};

void write(const Settings &s, Extent extent, Out *out) {
  uint8_t b[9];
  if (extent != Extent::design) {
    out->text(kTagSsid, s.ssid);
    if (extent != Extent::open) out->text(kTagKey, s.key);
    out->text(kTagHost, s.host);
    put16(b, s.port);
    if (s.port != 0) out->value(kTagPort, b, 2);
    out->text(kTagAccount, s.account);
    if (extent != Extent::open) out->text(kTagSecret, s.secret);
    if (s.tls_length > 0) out->value(kTagTls, s.tls, s.tls_length);
    out->text(kTagPage, s.page);
    b[0] = s.cable;
    if (s.has_transport) out->value(kTagTransport, b, 1);
    out->text(kTagHome, s.home);
  }
  out->text(kTagName, s.name);
  b[0] = static_cast<uint8_t>(s.role);
  if (s.has_role) out->value(kTagRole, b, 1);
  put32(b, s.hold);
  if (s.has_hold) out->value(kTagHold, b, 4);
  for (size_t i = 0; i < s.part_count; i++) {
    const PartSettings &p = s.parts[i];
    out->head(kTagPart, sizeof b + 4 + strlen(p.slot) + strlen(p.topic) + strlen(p.yes) + strlen(p.no));
    b[0] = p.flags;
    put32(b + 1, static_cast<uint32_t>(p.min));
    put32(b + 5, static_cast<uint32_t>(p.max));
    out->bytes(b, sizeof b);
    out->piece(p.slot);
    out->piece(p.topic);
    out->piece(p.yes);
    out->piece(p.no);
  }
  for (size_t i = 0; i < s.pin_count; i++) {
    const PinSettings &p = s.pins[i];
    out->head(kTagPin, 2 + strlen(p.slot));
    b[0] = p.gpio;
    b[1] = p.flags;
    out->bytes(b, 2);
    out->bytes(p.slot, strlen(p.slot));
  }
  out->text(kTagLabel, s.label);
}

}  // namespace

Port PartSettings::port() const {
  Port p;
  p.slot = slot;
  p.topic = topic;
  p.publish = (flags & publish) != 0;
  p.toggle = (flags & toggle) != 0;
  p.writable = (flags & writable) != 0;
  p.retain = (flags & retain) != 0;
  p.yes = yes;
  p.no = no;
  p.min = min;
  p.max = max;
  return p;
}

void Settings::clear() {
  memset(static_cast<void *>(this), 0, sizeof *this);
  hold = Kit::kOffFor;
}

bool Settings::complete() const {
  return name[0] != 0 && account[0] != 0 && secret[0] != 0 && host[0] != 0 && port != 0 && (cable || ssid[0] != 0);
}

const PinSettings *Settings::pin(const char *slot) const {
  for (size_t i = 0; i < pin_count; i++)
    if (strcmp(pins[i].slot, slot) == 0) return &pins[i];
  return nullptr;
}

bool validKey(const char *key, size_t length) {
  if (length != 64) return length >= 8 && length <= 63;
  for (size_t i = 0; i < length; i++) {
    char c = key[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
  }
  return true;
}

bool parseSettings(const uint8_t *tlvs, size_t length, Settings *to) {
  to->clear();
  if (takeAll(to, tlvs, length, false)) return true;
  to->clear();
  return false;
}

bool changeSettings(const Settings &from, const uint8_t *change, size_t length, Settings *to) {
  *to = from;
  return takeAll(to, change, length, true) && encodeSettings(*to, Extent::all, nullptr, Settings::kMost) <= Settings::kMost;
}

size_t encodeSettings(const Settings &s, Extent extent, uint8_t *to, size_t size) {
  Out out(to, size);
  write(s, extent, &out);
  return out.length() <= size ? out.length() : SIZE_MAX;
}

uint32_t settingsCrc(const Settings &s, Extent extent) {
  Out out(nullptr, 0);
  write(s, extent, &out);
  return out.crc();
}

bool sameNetwork(const Settings &a, const Settings &b) {
  return strcmp(a.ssid, b.ssid) == 0 && strcmp(a.key, b.key) == 0 && strcmp(a.host, b.host) == 0 && a.port == b.port &&
         strcmp(a.account, b.account) == 0 && strcmp(a.secret, b.secret) == 0 && a.tls_length == b.tls_length &&
         memcmp(a.tls, b.tls, a.tls_length) == 0 && strcmp(a.page, b.page) == 0 && a.cable == b.cable && strcmp(a.home, b.home) == 0;
}

size_t encodeSlot(const Settings &s, uint32_t sequence, uint8_t *to, size_t size) {
  if (size < kSlotHead + 4) return 0;
  size_t most = size - kSlotHead - 4;
  size_t n = encodeSettings(s, Extent::all, to + kSlotHead, most < Settings::kMost ? most : Settings::kMost);
  if (n == SIZE_MAX) return 0;
  size_t end = kSlotHead + n + 4, padded = (end + 3) / 4 * 4;
  if (padded > size) return 0;
  memcpy(to, kMagic, sizeof kMagic);
  to[4] = kVersion;
  to[5] = 0;
  put16(to + 6, static_cast<uint16_t>(n));
  put32(to + 8, sequence);
  put32(to + kSlotHead + n, crc32(0, to, kSlotHead + n));
  memset(to + end, 0xff, padded - end);
  return padded;
}

uint32_t decodeSlot(const uint8_t *slot, size_t length, Settings *to) {
  if (to != nullptr) to->clear();
  if (length < kSlotHead + 4 || memcmp(slot, kMagic, sizeof kMagic) != 0 || slot[4] != kVersion || slot[5] != 0) return 0;
  size_t n = get16(slot + 6);
  uint32_t sequence = get32(slot + 8);
  if (n > Settings::kMost || n > length - kSlotHead - 4) return 0;
  if (crc32(0, slot, kSlotHead + n) != get32(slot + kSlotHead + n)) return 0;
  return to == nullptr || parseSettings(slot + kSlotHead, n, to) ? sequence : 0;
}

// readSlot is decodeSlot out of flash.
uint32_t SettingsStore::readSlot(int slot, Settings *to) {
  if (to != nullptr) to->clear();
  uint32_t at = kSlots[slot];
  if (!flash_.read(at, work_, kSlotHead)) return 0;
  size_t n = get16(work_ + 6);
  if (n > Settings::kMost || !flash_.read(at + kSlotHead, work_ + kSlotHead, (n + 4 + 3) / 4 * 4)) return 0;
  return decodeSlot(work_, kSlotHead + n + 4, to);
}

bool SettingsStore::load(Settings *to) {
  uint32_t sequences[2] = {readSlot(0, nullptr), readSlot(1, nullptr)};
  int newer = sequences[1] > sequences[0] ? 1 : 0;
  const int order[] = {newer, 1 - newer};
  for (int slot : order) {
    sequence_ = sequences[slot] == 0 ? 0 : readSlot(slot, to);
    if (sequence_ == 0) continue;
    slot_ = slot;
    uint8_t mark[4];
    proven_ = flash_.read(kSlots[slot] + kMark, mark, sizeof mark) && get32(mark) != 0xffffffff;
    return true;
  }
  to->clear();
  slot_ = 1;
  proven_ = false;
  return false;
}

bool SettingsStore::matches(uint32_t address, const uint8_t *want, size_t length) {
  alignas(4) uint8_t got[64];
  while (length > 0) {
    size_t n = length < sizeof got ? length : sizeof got;
    if (!flash_.read(address, got, n) || memcmp(got, want, n) != 0) return false;
    address += static_cast<uint32_t>(n);
    want += n;
    length -= n;
  }
  return true;
}

bool SettingsStore::save(const Settings &s) {
  int other = 1 - slot_;
  uint32_t at = kSlots[other];
  size_t n = sequence_ == 0xffffffff ? 0 : encodeSlot(s, sequence_ + 1, work_, sizeof work_);
  if (n == 0 || !flash_.erase(at)) return false;
  if (!flash_.write(at, work_, n) || !matches(at, work_, n)) {
    flash_.erase(at);  // or a start could still take it for good
    return false;
  }
  sequence_++;
  slot_ = other;
  proven_ = false;
  return true;
}

bool SettingsStore::revert(Settings *to) {
  int other = 1 - slot_;
  if (sequence_ == 0 || readSlot(other, to) == 0 || !flash_.erase(kSlots[slot_])) return false;
  return load(to);
}

bool SettingsStore::forget() {
  // The older one first: a power cut between leaves what the kit has now.
  int older = 1 - slot_;
  if (!flash_.erase(kSlots[older]) || !flash_.erase(kSlots[slot_])) return false;
  sequence_ = 0;
  slot_ = 1;
  proven_ = false;
  return true;
}

bool SettingsStore::prove() {
  if (sequence_ == 0) return false;
  if (proven_) return true;
  alignas(4) const uint8_t mark[4] = {0, 0, 0, 0};
  return proven_ = flash_.write(kSlots[slot_] + kMark, mark, sizeof mark);
}
