// Checks the portable parts of the kit. It has neither files nor heap, so that it
// also runs on the bare lx106. The last lines it prints are the sizes of what a kit
// keeps in memory, and how many checks failed.
#include <stdio.h>
#include <string.h>

#include "../kit/src/core/backoff.h"
#include "../kit/src/core/bytes.h"
#include "../kit/src/core/console.h"
#include "../kit/src/core/crc32.h"
#include "../kit/src/core/frame.h"
#include "../kit/src/core/improv.h"
#include "../kit/src/core/mqtt.h"
#include "../kit/src/core/places.h"
#include "../kit/src/core/roles.h"
#include "../kit/src/core/settings.h"
#include "../kit/src/core/version.h"

namespace {

unsigned checks, failures;

void check(bool ok, int line, const char *what) {
  checks++;
  if (ok) return;
  failures++;
  if (failures <= 50) printf("unit.cpp:%d: %s\n", line, what);
}

#define CHECK(what) check((what), __LINE__, #what)

// ---- CRC32

void testCrc() {
  CHECK(crc32(0, "123456789", 9) == 0xcbf43926);
  CHECK(crc32(0, "", 0) == 0);
  for (size_t i = 0; i <= 9; i++) CHECK(crc32(crc32(0, "123456789", i), &"123456789"[i], 9 - i) == 0xcbf43926);
}

// ---- Writer

void testWriter() {
  uint8_t to[8];
  Writer w(to, sizeof to);
  w.u8(1);
  w.u16(0x0302);
  w.u32(0x07060504);
  CHECK(w.ok() && w.length() == 7 && memcmp(to, "\1\2\3\4\5\6\7", 7) == 0);
  w.u16(0);
  CHECK(!w.ok() && w.length() == 7);
  w.u8(8);
  CHECK(!w.ok() && w.length() == 7);
  Writer t(to, sizeof to);
  t.text("abc");
  t.tlv8(9, 8);
  CHECK(t.ok() && t.length() == 7 && memcmp(to, "\3abc\11\1\10", 7) == 0);
}

// ---- Settings

Settings one, two, three;

// sample fills a kit's settings. n makes two of them different.
void sample(Settings *s, uint8_t n) {
  uint8_t tlvs[512], part[64];
  Writer w(tlvs, sizeof tlvs);
  w.tlv(kTagSsid, "Classroom");
  w.tlv(kTagKey, "correct horse");
  w.tlv(kTagHost, "192.168.1.10");
  const uint8_t broker[] = {0x5b, 0x07};
  w.tlv(kTagPort, broker, 2);
  w.tlv(kTagAccount, "kit");
  w.tlv(kTagSecret, "s3cret");
  w.tlv(kTagName, "house/kit");
  w.tlv8(kTagRole, static_cast<uint8_t>(Role::all));
  w.tlv32(kTagHold, n);
  Writer p(part, sizeof part);
  p.u8(PartSettings::writable | PartSettings::retain);
  p.u32(static_cast<uint32_t>(-40));
  p.u32(125);
  p.text("led");
  p.text("house/kit/led");
  p.text("An");
  p.text("Aus");
  w.tlv(kTagPart, part, p.length());
  w.tlv(kTagPin, "\5\1led", 5);
  w.tlv(kTagLabel, "K\303\274che");
  CHECK(p.ok() && w.ok() && parseSettings(tlvs, w.length(), s));
}

bool equal(const Settings &a, const Settings &b) { return memcmp(&a, &b, sizeof a) == 0; }

void testSettings() {
  sample(&one, 1);
  CHECK(strcmp(one.ssid, "Classroom") == 0 && one.port == 1883 && one.role == Role::all && one.hold == 1 && !one.cable && one.complete());
  Port p = one.parts[0].port();
  CHECK(one.part_count == 1 && strcmp(p.slot, "led") == 0 && strcmp(p.topic, "house/kit/led") == 0 && strcmp(p.yes, "An") == 0 && strcmp(p.no, "Aus") == 0);
  CHECK(p.min == -40 && p.max == 125 && p.writable && p.retain && !p.publish && !p.toggle);
  CHECK(one.pin("led") == &one.pins[0] && one.pin("button") == nullptr && one.pins[0].gpio == 5 && one.pins[0].flags == PinSettings::inverted);

  // Any byte that does not fit leaves nothing.
  uint8_t tlvs[512];
  size_t n = encodeSettings(one, Extent::all, tlvs, sizeof tlvs);
  CHECK(n != SIZE_MAX && encodeSettings(one, Extent::all, tlvs, n) == n && encodeSettings(one, Extent::all, tlvs, n - 1) == SIZE_MAX);
  CHECK(crc32(0, tlvs, n) == settingsCrc(one, Extent::all));
  two.clear();
  for (size_t i = 1; i < n; i++) {
    bool whole = parseSettings(tlvs, i, &three);
    CHECK(whole || equal(three, two));
  }
  // Nobody sees key and secret, also where a shorter one has replaced them.
  n = encodeSettings(one, Extent::open, tlvs, sizeof tlvs);
  for (size_t i = 0; i + 6 < n; i++) CHECK(memcmp(tlvs + i, "correct", 7) != 0 && memcmp(tlvs + i, "s3cret", 6) != 0);
  CHECK(changeSettings(one, reinterpret_cast<const uint8_t *>("\x15\1x\x11\0"), 5, &two));
  CHECK(strcmp(two.secret, "x") == 0 && two.secret[2] == 0 && two.key[0] == 0 && two.key[3] == 0 && !sameNetwork(one, two));
  CHECK(settingsCrc(one, Extent::design) == settingsCrc(two, Extent::design) && settingsCrc(one, Extent::all) != settingsCrc(two, Extent::all));
  CHECK(changeSettings(one, reinterpret_cast<const uint8_t *>("\x25\3New"), 5, &two) && sameNetwork(one, two));
  // A home is of the network, and none of its secrets.
  CHECK(changeSettings(one, reinterpret_cast<const uint8_t *>("\x19\x08pc.local"), 10, &two) && strcmp(two.home, "pc.local") == 0 && !sameNetwork(one, two));
  n = encodeSettings(two, Extent::open, tlvs, sizeof tlvs);
  CHECK(n != SIZE_MAX && parseSettings(tlvs, n, &three) && strcmp(three.home, "pc.local") == 0);
  CHECK(settingsCrc(one, Extent::design) == settingsCrc(two, Extent::design));
  CHECK(changeSettings(two, reinterpret_cast<const uint8_t *>("\x19\x07" "a.local"), 9, &three) && strcmp(three.home, "a.local") == 0 && three.home[8] == 0);
  CHECK(changeSettings(two, reinterpret_cast<const uint8_t *>("\x19\0"), 2, &three) && equal(one, three));
  // Without any of these a kit does not join.
  const char *needs[] = {"\x10", "\x12", "\x13", "\x14", "\x15", "\x20"};
  for (const char *tag : needs) {
    uint8_t away[2] = {static_cast<uint8_t>(tag[0]), 0};
    CHECK(changeSettings(one, away, 2, &two) && !two.complete());
  }
  const uint8_t cable[] = {kTagTransport, 1, 1, kTagSsid, 0};
  CHECK(changeSettings(one, cable, sizeof cable, &two) && two.complete() && two.cable);
}

// ---- Where the broker may be

void testPlaces() {
  using R = KitReason;
  Places p;
  CHECK(!p.home());
  // Without a home there is one place, whatever became of it before.
  for (int i = 0; i < 3; i++) {
    p.begin(false);
    CHECK(!p.home() && !p.next(R::noBroker) && p.reason(R::noBroker) == R::noBroker && p.reason(R::tls) == R::tls);
    if (i == 1) p.refused();
  }
  // Both are one attempt, and nobody has told where the broker is: the host is first again.
  p = Places();
  for (int i = 0; i < 3; i++) {
    p.begin(true);
    CHECK(!p.home() && p.next(R::noBroker) && p.home() && !p.next(R::noBroker) && p.reason(R::noBroker) == R::noBroker);
  }
  // A broker with another key, and nobody at the other place: the key is what a person has to hear of.
  const struct {
    R first, second, told;
  } ends[] = {{R::tls, R::noBroker, R::tls}, {R::noBroker, R::tls, R::tls}, {R::tls, R::tls, R::tls}, {R::tls, R::lost, R::lost}, {R::tls, R::denied, R::denied},
              {R::noBroker, R::denied, R::denied}, {R::noBroker, R::refused, R::refused}, {R::lost, R::noBroker, R::noBroker}};
  for (auto &end : ends) {
    p.begin(true);
    CHECK(p.next(end.first) && p.reason(end.second) == end.told);
  }
  // Who was reached is the first.
  p.joined();
  p.begin(true);
  CHECK(p.home() && p.next(R::noBroker) && !p.home());
  p.joined();
  p.begin(true);
  CHECK(!p.home());
  // Who refuses the kit is not, and there is no second login in the attempt: its owner asks for no next.
  p.refused();
  p.begin(true);
  CHECK(p.home());
  p.refused();
  p.begin(true);
  CHECK(!p.home() && p.next(R::noBroker));
  p.refused();  // at home
  p.begin(true);
  CHECK(!p.home());
}

// ---- Slots in flash that loses its power

struct Nor : Flash {
  uint8_t sectors[2][SettingsStore::kSector];
  long left = -1;   // bytes that it can write or erase; -1: any number
  bool dead = false, stuck = false;
  bool backwards = false;  // erases from the end

  bool inside(uint32_t address, size_t length) const {
    return address >= SettingsStore::kSlots[0] && address - SettingsStore::kSlots[0] + length <= sizeof sectors;
  }
  uint8_t *at(uint32_t address) { return &sectors[0][0] + (address - SettingsStore::kSlots[0]); }
  // spend says no when the power is cut.
  bool spend() {
    if (left == 0) dead = true;
    if (left > 0) left--;
    return !dead;
  }
  bool read(uint32_t address, uint8_t *to, size_t length) override {
    CHECK(inside(address, length));
    memcpy(to, at(address), length);
    return !dead;
  }
  bool erase(uint32_t address) override {
    CHECK(inside(address, SettingsStore::kSector) && address % SettingsStore::kSector == 0);
    for (size_t i = 0; i < SettingsStore::kSector; i++) {
      uint8_t *cell = at(address) + (backwards ? SettingsStore::kSector - 1 - i : i);
      if (!spend()) {
        *cell |= 0x55;  // half of it
        return false;
      }
      *cell = 0xff;
    }
    return true;
  }
  bool write(uint32_t address, const uint8_t *from, size_t length) override {
    CHECK(inside(address, length) && address % 4 == 0 && length % 4 == 0 && reinterpret_cast<uintptr_t>(from) % 4 == 0);
    for (size_t i = 0; i < length; i++) {
      uint8_t *cell = at(address) + i;
      if (!spend()) {
        *cell = static_cast<uint8_t>(*cell & (from[i] | 0x55));
        return false;
      }
      *cell &= from[i];
    }
    if (stuck) *at(address + 20) &= 0xfe;
    return true;
  }
  void wipe() {
    memset(sectors, 0xff, sizeof sectors);
    left = -1;
    dead = stuck = backwards = false;
  }
};

Nor nor;
uint8_t saved[sizeof nor.sectors];

// cut saves two over what is there with the power cut after each number of
// bytes, and wants what was there, or two.
template <typename Store>
void cut(Store make, const Settings &before, uint32_t sequence) {
  memcpy(saved, nor.sectors, sizeof saved);
  bool whole = false;
  bool backwards = nor.backwards;
  for (long n = 0; !whole; n++) {
    memcpy(nor.sectors, saved, sizeof saved);
    nor.left = -1;
    nor.dead = false;
    SettingsStore store(nor);
    CHECK(store.load(&three) == (sequence != 0) && store.sequence() == sequence);
    nor.left = n;
    whole = make(store);
    nor.left = -1;
    nor.dead = false;
    nor.backwards = backwards;
    SettingsStore again(nor);
    bool some = again.load(&three);
    bool old = some == (sequence != 0) && again.sequence() == sequence && (sequence == 0 || equal(three, before));
    bool fresh = some && again.sequence() == sequence + 1 && equal(three, two);
    if (whole ? !fresh : !old && !fresh) {
      CHECK(!"a power cut loses the settings");
      return;
    }
    if (!whole && n % 64 == 0) CHECK(again.save(two) && again.load(&three) && equal(three, two));
  }
}

void testStore() {
  sample(&one, 1);
  sample(&two, 2);
  nor.wipe();
  SettingsStore store(nor);
  CHECK(!store.load(&three) && store.sequence() == 0 && !store.proven() && !store.prove() && !store.revert(&three));
  CHECK(store.save(one) && store.sequence() == 1 && store.load(&three) && equal(three, one) && !store.proven());
  CHECK(memcmp(nor.sectors[0], "HRS1", 4) == 0 && nor.sectors[1][0] == 0xff);
  CHECK(store.prove() && store.proven() && store.prove());
  CHECK(get32(nor.sectors[0] + 4092) == 0);
  SettingsStore second(nor);
  CHECK(second.load(&three) && second.proven());
  // A trial, and back.
  CHECK(second.save(two) && second.sequence() == 2 && !second.proven() && second.load(&three) && equal(three, two) && !second.proven());
  CHECK(second.revert(&three) && equal(three, one) && second.sequence() == 1 && second.proven() && !second.revert(&three));
  CHECK(second.load(&three) && equal(three, one));
  CHECK(second.save(two) && second.save(one) && second.save(two) && second.sequence() == 4 && second.load(&three) && equal(three, two));
  // A stuck bit is seen.
  nor.stuck = true;
  CHECK(!second.save(one));
  nor.stuck = false;
  CHECK(second.load(&three) && equal(three, two) && second.sequence() == 4);
  CHECK(second.save(one) && second.sequence() == 5);
  CHECK(second.forget() && second.sequence() == 0 && !second.load(&three) && nor.sectors[0][0] == 0xff && nor.sectors[1][0] == 0xff);
  // There is no number after the last.
  nor.wipe();
  size_t n = encodeSlot(one, 0xffffffff, nor.sectors[0], SettingsStore::kSector);
  CHECK(n > 0 && second.load(&three) && !second.save(two) && second.load(&three) && equal(three, one));

  // The first settings, and the next over older ones.
  auto save = [](SettingsStore &s) { return s.save(two); };
  for (int backwards = 0; backwards < 2; backwards++) {
    nor.wipe();
    nor.backwards = backwards == 1;
    cut(save, one, 0);
    nor.wipe();
    nor.backwards = backwards == 1;
    SettingsStore kept(nor);
    CHECK(!kept.load(&three) && kept.save(two) && kept.save(two) && kept.save(one));
    cut(save, one, 3);
  }
  // A cut while the newest ones are dropped leaves those, or the older.
  nor.wipe();
  SettingsStore trial(nor);
  CHECK(!trial.load(&three) && trial.save(one) && trial.save(two));
  memcpy(saved, nor.sectors, sizeof saved);
  bool whole = false;
  for (long k = 0; !whole; k += 61) {
    memcpy(nor.sectors, saved, sizeof saved);
    SettingsStore s(nor);
    CHECK(s.load(&three) && equal(three, two));
    nor.left = k;
    whole = s.revert(&three);
    nor.left = -1;
    nor.dead = false;
    CHECK(s.load(&three) && (equal(three, one) || (!whole && equal(three, two))));
  }
}

// ---- The serial port

struct Found : SplitterOwner {
  unsigned lines = 0, frames = 0, packets = 0, damaged = 0;
  char text[kLine + 1];
  size_t text_length = 0;
  uint8_t type = 0, seq = 0, data[kFrameData];
  size_t length = 0;
  void line(const char *t, size_t n) override {
    lines++;
    text_length = n;
    memcpy(text, t, n + 1);
  }
  void frame(uint8_t t, uint8_t s, const uint8_t *d, size_t n) override {
    frames++;
    type = t;
    seq = s;
    length = n;
    memcpy(data, d, n);
  }
  void improv(uint8_t t, const uint8_t *d, size_t n) override {
    packets++;
    type = t;
    length = n;
    memcpy(data, d, n);
  }
  void improvDamaged() override { damaged++; }
};

Found found;
Splitter splitter(found);
uint8_t buffer[kFrameMost + 8];

void push(const char *text) { splitter.push(reinterpret_cast<const uint8_t *>(text), strlen(text)); }

void testFrames() {
  uint8_t data[kFrameData];
  for (size_t i = 0; i < sizeof data; i++) data[i] = static_cast<uint8_t>(i * 7);
  CHECK(encodeFrame(buffer, sizeof buffer, 1, 2, data, kFrameData + 1) == 0);
  CHECK(encodeFrame(buffer, 9, 1, 2, data, 0) == 0 && encodeFrame(buffer, 10, 1, 2, data, 0) == 10);
  for (size_t length = 0; length <= kFrameData; length += length < 8 ? 1 : 127) {
    size_t n = encodeFrame(buffer, kFrameMost, kWriteSettings, 77, data, length);
    found.frames = 0;
    push("half a ");
    splitter.push(buffer, n);
    push("line\n");
    CHECK(n == length + 10 && found.frames == 1 && found.type == kWriteSettings && found.seq == 77 && found.length == length &&
          memcmp(found.data, data, length) == 0 && strcmp(found.text, "half a line") == 0);
    // In place it is the same.
    memmove(buffer + kFrameHead, data, length);
    CHECK(encodeFrame(buffer, kFrameMost, kWriteSettings, 77, buffer + kFrameHead, length) == n && memcmp(buffer + kFrameHead, data, length) == 0);
  }
  // A flipped bit is found wherever it is, and the next frame comes through.
  size_t n = encodeFrame(buffer, sizeof buffer, kHello, 3, "abc", 3);
  for (size_t bit = 0; bit < n * 8; bit++) {
    found = Found();
    buffer[bit / 8] = static_cast<uint8_t>(buffer[bit / 8] ^ (1 << bit % 8));
    splitter.push(buffer, n);
    buffer[bit / 8] = static_cast<uint8_t>(buffer[bit / 8] ^ (1 << bit % 8));
    splitter.quiet();
    push("\n");
    CHECK(found.frames == 0 && !splitter.pending());
    splitter.push(buffer, n);
    CHECK(found.frames == 1 && found.length == 3);
  }
  // A line that is too long, and the next.
  found = Found();
  for (size_t i = 0; i < kLine + 50; i++) push("x");
  push("\nnext\n");
  CHECK(found.lines == 2 && strcmp(found.text, "next") == 0);
  for (size_t i = 0; i < kLine + 50; i++) push("x");
  push("\r\n");
  CHECK(found.lines == 3 && found.text_length == kLine);
}

void testImprov() {
  uint8_t to[kImprovMost];
  const char *texts[] = {"homeroom-kit", HOMEROOM_VERSION, "ESP8266", "house/kit"};
  size_t n = encodeImprovResult(to, sizeof to, ImprovId::info, texts, 4);
  found = Found();
  splitter.push(to, n);
  CHECK(n > 0 && found.packets == 1 && found.lines == 0 && found.type == kImprovResult && found.data[0] == 3 && found.data[1] == found.length - 2);
  CHECK(encodeImprovResult(to, sizeof to - 1, ImprovId::info, texts, 4) == 0);
  char lengthy[256];
  memset(lengthy, 'a', sizeof lengthy);
  lengthy[253] = 0;
  const char *too[] = {lengthy};
  CHECK(encodeImprovResult(to, sizeof to, ImprovId::info, too, 1) == 0);
  lengthy[252] = 0;
  CHECK(encodeImprovResult(to, sizeof to, ImprovId::info, too, 1) == kImprovMost);
  CHECK(encodeImprovState(to, sizeof to, ImprovState::ready) == 12 && encodeImprovState(to, 11, ImprovState::ready) == 0);
  CHECK(encodeImprovError(to, sizeof to, ImprovError::other) == 12 && to[9] == 0xff);
  ImprovRequest r;
  CHECK(parseImprov(reinterpret_cast<const uint8_t *>("\1\7\3Lab\2ab"), 9, &r) == ImprovError::none && r.id == ImprovId::wifi);
  CHECK(strcmp(r.ssid, "Lab") == 0 && strcmp(r.key, "ab") == 0);
}

// ---- Console

void testConsole() {
  using Kind = ConsoleCommand::Kind;
  const struct {
    const char *line;
    Kind kind;
    const char *ssid, *key;
    int seconds;
  } cases[] = {
      {"", Kind::none, "", "", 0},
      {"  \t ", Kind::none, "", "", 0},
      {"help", Kind::help, "", "", 0},
      {"  HeLp  ", Kind::help, "", "", 0},
      {"help me", Kind::wrong, "", "", 0},
      {"info", Kind::info, "", "", 0},
      {"networks", Kind::networks, "", "", 0},
      {"restart", Kind::restart, "", "", 0},
      {"restarts", Kind::unknown, "", "", 0},
      {"a-very-long-command", Kind::unknown, "", "", 0},
      {"\"open", Kind::unknown, "", "", 0},
      {"locate", Kind::locate, "", "", 10},
      {"locate 0", Kind::locate, "", "", 0},
      {"locate 255", Kind::locate, "", "", 255},
      {"locate 256", Kind::wrong, "", "", 0},
      {"locate -1", Kind::wrong, "", "", 0},
      {"locate ten", Kind::wrong, "", "", 0},
      {"locate 1:", Kind::wrong, "", "", 0},
      {"locate 1/", Kind::wrong, "", "", 0},
      {"locate \"\"", Kind::wrong, "", "", 0},
      {"locate 1 2", Kind::wrong, "", "", 0},
      {"join", Kind::wrong, "", "", 0},
      {"join \"\"", Kind::wrong, "", "", 0},
      {"join \"Free Wi-Fi\"", Kind::join, "Free Wi-Fi", "", 0},
      {"join Lab \"\"", Kind::join, "Lab", "", 0},
      {"join \"My Lab\" \"correct horse\"", Kind::join, "My Lab", "correct horse", 0},
      {"JOIN\tLab\t12345678", Kind::join, "Lab", "12345678", 0},
      {"join \"a\\\"b\\\\c\\d\" \"12345678\"", Kind::join, "a\"b\\c\\d", "12345678", 0},
      {"join \"Lab\" \"1234567\"", Kind::wrong, "", "", 0},
      {"join \"Lab\" \"12345678", Kind::wrong, "", "", 0},
      {"join \"Lab\"\"12345678\"", Kind::wrong, "", "", 0},
      {"join \"Lab\" 12345678 x", Kind::wrong, "", "", 0},
      {"join 12345678901234567890123456789012", Kind::join, "12345678901234567890123456789012", "", 0},
      {"join 123456789012345678901234567890123", Kind::wrong, "", "", 0},
      {"join Lab 0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef", Kind::join, "Lab",
       "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef", 0},
      {"join Lab 0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdeg", Kind::wrong, "", "", 0},
  };
  for (auto &c : cases) {
    ConsoleCommand got = parseConsole(c.line, strlen(c.line));
    bool ok = got.kind == c.kind && (got.kind != Kind::wrong || got.usage[0] != 0) && (got.kind != Kind::locate || got.seconds == c.seconds) &&
              (got.kind != Kind::join || (strcmp(got.ssid, c.ssid) == 0 && strcmp(got.key, c.key) == 0));
    if (!ok) printf("%s\n", c.line);
    CHECK(ok);
  }
}

// ---- Backoff

void testBackoff() {
  uint32_t now = 0xffffff00, random = 1;
  Backoff b;
  CHECK(b.due(now));
  const uint32_t most[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
  for (uint32_t m : most) {
    uint32_t longest = 0;
    for (int i = 0; i < 200; i++) {
      Backoff c = b;
      random = random * 1664525 + 1013904223;
      c.wait(now, random >> 8);
      CHECK(c.delay() <= m && !(c.delay() > 0 && c.due(now + c.delay() - 1)) && c.due(now + c.delay()));
      longest = c.delay() > longest ? c.delay() : longest;
    }
    CHECK(longest > m / 2);
    b.wait(now, random);
    now += b.delay();
    CHECK(b.due(now) && b.due(now + 0x80000000));  // once due it stays so
  }
  b.reset();
  b.wait(now, 123456789);
  CHECK(b.delay() <= 1000);
}

// ---- MQTT

// Line is a connection, with what the broker says and what it heard.
struct Line : Transport {
  const uint8_t *in = nullptr;
  size_t in_left = 0, piece = 1000, takes = 100000;
  uint8_t out[6000];
  size_t out_count = 0;
  bool ended = false;
  size_t write(const uint8_t *data, size_t length) override {
    size_t n = length < takes ? length : takes;
    if (n > sizeof out - out_count) n = sizeof out - out_count;
    memcpy(out + out_count, data, n);
    out_count += n;
    return n;
  }
  size_t read(uint8_t *to, size_t size) override {
    size_t n = in_left < size ? in_left : size;
    n = n < piece ? n : piece;
    if (n > 0) memcpy(to, in, n);
    in += n;
    in_left -= n;
    return n;
  }
  bool alive() override { return !ended; }
};

struct Heard : MqttOwner {
  Mqtt *client = nullptr;
  unsigned joins = 0, messages = 0, larger = 0, granted = 0, refused = 0;
  char topic[200] = "", filter[200] = "";
  uint8_t payload[Mqtt::kPayload];
  size_t length = 0;
  bool retained = false, end_in_message = false, answer = false;
  void joined() override {
    joins++;
    if (answer) CHECK(client->subscribe("a/set") && client->publish("a/$state", "ready", 5, true));
  }
  void subscribed(const char *f, bool ok) override {
    (ok ? granted : refused)++;
    strcpy(filter, f);
    if (answer) CHECK(client->publish("a/told", f, strlen(f), false));
  }
  void message(const char *t, const uint8_t *p, size_t n, bool r) override {
    messages++;
    strcpy(topic, t);
    memcpy(payload, p, n);
    length = n;
    retained = r;
    if (answer) CHECK(client->publish("a", p, n, true));
    if (end_in_message) client->end();
  }
  void tooLarge(const char *t, size_t n) override {
    larger++;
    strcpy(topic, t);
    length = n;
  }
};

Line wire;
Heard heard;
Mqtt mqtt(heard);
uint32_t clock_;
const uint8_t kAccepted[] = {0x20, 2, 0, 0};

// says has the broker send bytes, and the client read them.
void says(const void *bytes, size_t length) {
  wire.in = static_cast<const uint8_t *>(bytes);
  wire.in_left = length;
  while (wire.in_left > 0 && mqtt.open()) {
    size_t before = wire.in_left;
    mqtt.tick(clock_);
    if (wire.in_left == before) break;
  }
  mqtt.tick(clock_);
}

// opened begins on a fresh connection.
void opened() {
  wire = Line();
  MqttOptions o;
  o.client = "kit-7";
  o.user = "kit-7";
  o.password = "s3cret";
  o.will_topic = "a/$state";
  o.will = "lost";
  mqtt.begin(wire, o, clock_);
}

// online also has the broker accept, and forgets what was heard of it.
void online() {
  mqtt.end();
  mqtt.forget();
  heard = Heard();
  heard.client = &mqtt;
  opened();
  says(kAccepted, sizeof kAccepted);
  CHECK(mqtt.online() && heard.joins == 1);
  wire.out_count = 0;
}

bool sent(const void *bytes, size_t length) {
  bool ok = wire.out_count == length && memcmp(wire.out, bytes, length) == 0;
  wire.out_count = 0;
  return ok;
}

// packets counts what is in wire.out, and how many are PUBLISH.
size_t packets(size_t *published) {
  size_t n = 0, at = 0;
  *published = 0;
  while (at < wire.out_count) {
    size_t length = wire.out[at + 1] & 0x7f, head = 2;
    if (wire.out[at + 1] & 0x80) length |= static_cast<size_t>(wire.out[at + 2]) << 7, head = 3;
    if ((wire.out[at] & 0xf0) == 0x30) ++*published;
    at += head + length;
    n++;
  }
  CHECK(at == wire.out_count);
  return n;
}

#define SENT(text) sent(text, sizeof text - 1)
#define SAYS(text) says(text, sizeof text - 1)

void testConnect() {
  clock_ = 0xfffffff0;  // and round it goes
  opened();
  mqtt.tick(clock_);
  CHECK(SENT("\x10\x30\0\4MQTT\4\xee\0\x0f\0\5kit-7\0\x08"
             "a/$state\0\4lost\0\5kit-7\0\6s3cret"));
  CHECK(mqtt.open() && !mqtt.online());
  const struct {
    const char *bytes;
    size_t length;
    MqttEnd why;
  } answers[] = {
      {"\x20\2\0\0", 4, MqttEnd::none},       {"\x20\2\1\0", 4, MqttEnd::none},    {"\x20\2\0\1", 4, MqttEnd::refused},
      {"\x20\2\0\2", 4, MqttEnd::refused},    {"\x20\2\0\3", 4, MqttEnd::refused}, {"\x20\2\0\4", 4, MqttEnd::denied},
      {"\x20\2\0\5", 4, MqttEnd::denied},     {"\x20\2\0\6", 4, MqttEnd::wrong},   {"\x20\2\2\0", 4, MqttEnd::wrong},
      {"\x20\2\1\5", 4, MqttEnd::wrong},      {"\x21\2\0\0", 4, MqttEnd::wrong},   {"\x20\1\0", 3, MqttEnd::wrong},
      {"\x20\3\0\0\0", 5, MqttEnd::wrong},    {"\xd0\0", 2, MqttEnd::wrong},       {"\x30\3\0\1a", 5, MqttEnd::wrong},
      {"HTTP/1.1 400", 12, MqttEnd::wrong},   {"\x20\x82\x80\x80\0", 5, MqttEnd::none}, {"\x20\x80\x80\x80\x80\0", 6, MqttEnd::wrong},
      {"\x20\2\0\0\x20\2\0\0", 8, MqttEnd::wrong},
  };
  for (auto &a : answers) {
    for (size_t piece = 1; piece < 4; piece++) {
      mqtt.end();
      opened();
      wire.piece = piece;
      says(a.bytes, a.length);
      bool ok = a.why == MqttEnd::none ? mqtt.open() : !mqtt.open() && mqtt.why() == a.why;
      if (!ok) printf("answer %d\n", static_cast<int>(&a - answers));
      CHECK(ok);
    }
  }
  // Without a will, user or password; options that are too long.
  mqtt.end();
  wire = Line();
  MqttOptions o;
  o.keepalive = 0;
  mqtt.begin(wire, o, clock_);
  mqtt.tick(clock_);
  CHECK(SENT("\x10\x0c\0\4MQTT\4\2\0\5\0\0"));
  static char text[800];
  memset(text, 'x', sizeof text - 1);
  o.will_topic = text;
  mqtt.end();
  mqtt.begin(wire, o, clock_);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::wrong);
  // No answer, and a connection that ends.
  opened();
  clock_ += Mqtt::kAnswer - 1;
  mqtt.tick(clock_);
  CHECK(mqtt.open());
  mqtt.tick(++clock_);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::silent);
  opened();
  wire.ended = true;
  mqtt.tick(clock_);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::lost);
  // What came before the end is read.
  opened();
  wire.ended = true;
  SAYS("\x20\2\0\5");
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::denied);
}

void testPublish() {
  online();
  heard.answer = true;
  CHECK(mqtt.publish("a", "on", 2, true) && mqtt.publish("b", "", 0, false, false) && mqtt.subscribe("c"));
  mqtt.tick(clock_);
  const uint8_t first = wire.out[6], second = wire.out[16];
  uint8_t want[] = {0x33, 7, 0, 1, 'a', 0, first, 'o', 'n', 0x30, 3, 0, 1, 'b', 0x82, 6, 0, second, 0, 1, 'c', 1};
  want[17] = wire.out[17];
  CHECK(sent(want, sizeof want) && want[17] != first && !mqtt.idle());
  uint8_t acks[] = {0x40, 2, 0, first, 0x90, 3, 0, want[17], 0x80};
  says(acks, sizeof acks);
  CHECK(heard.refused == 1 && strcmp(heard.filter, "c") == 0 && heard.granted == 0);
  // What the owner published meanwhile is on its way.
  size_t published;
  CHECK(packets(&published) == 1 && published == 1 && !mqtt.idle());
  // What does not fit is refused.
  static char text[800];
  memset(text, 'x', sizeof text);
  CHECK(!mqtt.publish("a", text, Mqtt::kOut, false) && !mqtt.publish("", text, 1, false) && mqtt.publish("a", text, Mqtt::kOut - 9, false));
  text[Mqtt::kTopic] = 0;
  CHECK(!mqtt.publish(text, "", 0, false) && !mqtt.subscribe(text));
  text[Mqtt::kTopic - 1] = 0;
  CHECK(mqtt.publish(text, "", 0, false));
  mqtt.tick(clock_);
  mqtt.tick(clock_);
  CHECK(packets(&published) == 3 && published == 3);
}

// acknowledge has the broker acknowledge all that it heard, once.
void acknowledge() {
  uint8_t acks[256];
  size_t n = 0;
  for (size_t at = 0; at < wire.out_count;) {
    size_t length = wire.out[at + 1], topic = wire.out[at + 3];
    if ((wire.out[at] & 0xf6) == 0x32 && n + 4 <= sizeof acks) {
      const uint8_t ack[] = {0x40, 2, wire.out[at + 4 + topic], wire.out[at + 5 + topic]};
      memcpy(acks + n, ack, 4);
      n += 4;
    }
    at += 2 + length;
  }
  wire.out_count = 0;
  says(acks, n);
}

void testWindow() {
  online();
  char topic[] = "a/0";
  for (int i = 0; i < 20; i++) {
    topic[2] = static_cast<char>('a' + i);
    CHECK(mqtt.publish(topic, "x", 1, true));
  }
  size_t published, all = 0;
  for (int round = 0; round < 4; round++) {
    mqtt.tick(clock_);
    packets(&published);
    CHECK(published == (round < 2 ? Mqtt::kWindow : round == 2 ? 4 : 0));
    for (size_t i = 0; i < published; i++) CHECK(wire.out[i * 10] == 0x33 && wire.out[i * 10 + 6] == 'a' + static_cast<int>(all + i));
    all += published;
    wire.takes = 0;  // the next ones are seen in their own round
    acknowledge();
    wire.takes = 100000;
  }
  mqtt.tick(clock_);
  CHECK(all == 20 && mqtt.idle());
}

void testAgain() {
  online();
  CHECK(mqtt.subscribe("s") && mqtt.publish("a", "1", 1, true) && mqtt.publish("b", "2", 1, false));
  mqtt.tick(clock_);
  uint8_t a[8], b[8];
  memcpy(a, wire.out + 8, 8);
  memcpy(b, wire.out + 16, 8);
  wire.out_count = 0;
  CHECK(mqtt.publish("c", "3", 1, true, false) && a[0] == 0x33 && b[0] == 0x32);
  // The connection breaks before anything was acknowledged, and again before the broker accepts.
  wire.ended = true;
  wire.takes = 0;
  mqtt.tick(clock_);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::lost);
  for (int i = 0; i < 2; i++) {
    opened();
    mqtt.tick(clock_);
    wire.out_count = 0;
  }
  a[0] = static_cast<uint8_t>(a[0] | 8);
  b[0] = static_cast<uint8_t>(b[0] | 8);
  heard.answer = true;
  says(kAccepted, 4);
  // In order: both again, what had not been sent, then what the owner does on joining.
  CHECK(memcmp(wire.out, a, 8) == 0 && memcmp(wire.out + 8, b, 8) == 0 && memcmp(wire.out + 16, "\x31\4\0\1c3", 6) == 0);
  CHECK(wire.out[22] == 0x82 && wire.out[34] == 0x33 && wire.out_count == 34 + 19);
  const uint8_t acks[] = {0x40, 2, a[5], a[6], 0x40, 2, b[5], b[6]};
  wire.out_count = 0;
  says(acks, sizeof acks);
  CHECK(wire.out_count == 0 && !mqtt.idle());
}

void testFull() {
  online();
  wire.takes = 0;  // the broker takes nothing
  char topic[] = "a/0", text[12];
  CHECK(mqtt.publish("once", "kept", 4, true));
  int n = 0;
  // Ten topics, newer and newer values: the newest ones are there in the end.
  for (; n < 2000; n++) {
    topic[2] = static_cast<char>('0' + n % 10);
    snprintf(text, sizeof text, "%d", n);
    if (!mqtt.publish(topic, text, strlen(text), true)) break;
    if (n % 100 == 0) mqtt.tick(clock_);
  }
  CHECK(n == 2000);
  // Subscriptions are never dropped, nor is what nobody has a newer one of.
  static char large[Mqtt::kOut];
  memset(large, 'x', sizeof large);
  CHECK(mqtt.subscribe("wanted"));
  int most = 0;
  for (char t = 'A'; t <= 'Z'; t++) {
    const char name[] = {t, 0};
    most += mqtt.publish(name, large, 600, true);
  }
  CHECK(most >= 3 && most <= 5 && !mqtt.publish("new", large, 600, true) && mqtt.publish("A", large, 600, true));
  wire.takes = 100000;
  bool kept = false, wanted = false;
  bool newest[10] = {};
  for (int round = 0; round < 300 && !mqtt.idle(); round++) {
    mqtt.tick(clock_);
    size_t acked = 0;
    uint8_t acks[256];
    for (size_t at = 0; at < wire.out_count;) {
      size_t length = wire.out[at + 1] & 0x7f, head = 2;
      if (wire.out[at + 1] & 0x80) length |= static_cast<size_t>(wire.out[at + 2]) << 7, head = 3;
      const uint8_t *body = wire.out + at + head;
      size_t name = body[1];
      if (wire.out[at] == 0x82) {
        wanted = true;
        const uint8_t ack[] = {0x90, 3, body[0], body[1], 1};
        memcpy(acks + acked, ack, 5);
        acked += 5;
      } else {
        CHECK(wire.out[at] == 0x33);
        kept = kept || (name == 4 && memcmp(body + 2, "once", 4) == 0);
        if (name == 3 && body[2] == 'a' && length == 2 + 3 + 2 + 4 && memcmp(body + 7, "199", 3) == 0) newest[body[4] - '0'] = body[10] == body[4];
        const uint8_t ack[] = {0x40, 2, body[2 + name], body[3 + name]};
        memcpy(acks + acked, ack, 4);
        acked += 4;
      }
      at += head + length;
    }
    wire.out_count = 0;
    says(acks, acked);
  }
  CHECK(mqtt.idle() && kept && wanted && heard.granted == 1 && strcmp(heard.filter, "wanted") == 0);
  for (bool there : newest) CHECK(there);
}

uint8_t large[6000];

// largePublish fills a PUBLISH of QoS 1 and returns its length.
size_t largePublish(size_t topic, size_t payload) {
  size_t n = 2 + topic + 2 + payload;
  uint8_t *at = large;
  *at++ = 0x33;
  *at++ = static_cast<uint8_t>(n | 0x80);
  *at++ = static_cast<uint8_t>(n >> 7);
  *at++ = static_cast<uint8_t>(topic >> 8);
  *at++ = static_cast<uint8_t>(topic);
  memset(at, 't', topic);
  at += topic;
  *at++ = 0x12;
  *at++ = 0x34;
  for (size_t i = 0; i < payload; i++) at[i] = static_cast<uint8_t>(i * 7);
  return 3 + n;
}

void testReceive() {
  const size_t pieces[] = {1, 2, 3, 7, 63, 64, 65, 5000};
  for (size_t piece : pieces) {
    online();
    wire.piece = piece;
    SAYS("\x30\7\0\3a/bxy");
    CHECK(heard.messages == 1 && strcmp(heard.topic, "a/b") == 0 && heard.length == 2 && memcmp(heard.payload, "xy", 2) == 0 && !heard.retained && wire.out_count == 0);
    SAYS("\x33\x07\0\3a/b\1\2\x3b\x07\0\3a/b\1\2");  // and the same once more, with DUP
    CHECK(heard.messages == 3 && heard.length == 0 && heard.retained && SENT("\x40\2\1\2\x40\2\1\2"));
    // The largest, and one more.
    says(large, largePublish(Mqtt::kTopic - 1, Mqtt::kPayload));
    CHECK(heard.messages == 4 && strlen(heard.topic) == Mqtt::kTopic - 1 && heard.length == Mqtt::kPayload && heard.payload[Mqtt::kPayload - 1] == static_cast<uint8_t>((Mqtt::kPayload - 1) * 7) && SENT("\x40\2\x12\x34"));
    const size_t more[] = {Mqtt::kPayload + 1 + 130, 3000, 5000};
    for (size_t payload : more) {
      size_t n = largePublish(5, payload);
      memcpy(large + n, "\x30\3\0\1z", 5);
      heard.larger = 0;
      heard.messages = 0;
      says(large, n + 5);
      CHECK(heard.larger == 1 && heard.messages == 1 && strcmp(heard.topic, "z") == 0 && SENT("\x40\2\x12\x34"));
      says(large, n);
      CHECK(heard.larger == 2 && strcmp(heard.topic, "ttttt") == 0 && heard.length == payload && SENT("\x40\2\x12\x34") && mqtt.online());
    }
  }
  // Many at once, while the broker takes little: all are heard and acknowledged.
  online();
  size_t n = 0;
  for (int i = 0; i < 500; i++, n += 7) memcpy(large + n, "\x32\5\0\1a\0\1", 7);
  wire.takes = 1;
  wire.in = large;
  wire.in_left = n;
  for (int i = 0; i < 5000 && wire.in_left > 0; i++) mqtt.tick(clock_);
  for (int i = 0; i < 3000; i++) mqtt.tick(clock_);
  CHECK(heard.messages == 500 && wire.out_count == 2000 && mqtt.online());
  // The owner ends it in the middle of two.
  online();
  heard.end_in_message = true;
  SAYS("\x32\5\0\1a\0\1\x32\5\0\1a\0\1");
  CHECK(heard.messages == 1 && !mqtt.open() && mqtt.why() == MqttEnd::left && wire.out_count == 0);
}

void testHostile() {
  const struct {
    const char *bytes;
    size_t length;
  } cases[] = {
      {"\0\0", 2}, {"\x10\0", 2}, {"\xf0\0", 2}, {"\x50\2\0\1", 4}, {"\x62\2\0\1", 4}, {"\x70\2\0\1", 4}, {"\xb0\2\0\1", 4}, {"\xc0\0", 2}, {"\xe0\0", 2},
      {"\x20\2\0\0", 4},                    // a second CONNACK
      {"\x34\5\0\1a\0\1", 7}, {"\x36\5\0\1a\0\1", 7},  // QoS 2 and 3
      {"\x38\3\0\1a", 5},                   // DUP with QoS 0
      {"\x30\0", 2}, {"\x30\2\0\0", 4}, {"\x30\3\0\0x", 5}, {"\x30\3\0\2a", 5}, {"\x30\4\xff\xff" "aa", 6},
      {"\x32\4\0\1a\0", 6}, {"\x32\5\0\2ab\0", 7}, {"\x32\5\0\1a\0\0", 7},  // no place for the id; id 0
      {"\x30\5\0\3a\0b", 7}, {"\x30\5\0\3a/+", 7}, {"\x30\3\0\1#", 5},
      {"\x30\xff\xff\xff\xff\1", 6}, {"\x30\x80\x80\x80\x80\1", 6},
      {"\x40\3\0\1\0", 5}, {"\x40\1\0", 3}, {"\x41\2\0\1", 4}, {"\x90\2\0\1", 4}, {"\x90\4\0\1\0\0", 6}, {"\x92\3\0\1\0", 5}, {"\xd0\1\0", 3}, {"\xd1\0", 2},
  };
  for (auto &c : cases) {
    for (size_t piece = 1; piece < 4; piece++) {
      online();
      wire.piece = piece;
      says(c.bytes, c.length);
      bool ok = !mqtt.open() && mqtt.why() == MqttEnd::wrong && heard.messages + heard.larger == 0;
      if (!ok) printf("hostile %d\n", static_cast<int>(&c - cases));
      CHECK(ok);
    }
  }
  // The wrong kind of answer, and a filter with a strange one.
  online();
  CHECK(mqtt.subscribe("s"));
  mqtt.tick(clock_);
  uint8_t id = wire.out[3];
  uint8_t puback[] = {0x40, 2, wire.out[2], id}, suback[] = {0x90, 3, wire.out[2], id, 2};
  says(puback, 4);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::wrong);
  online();
  CHECK(mqtt.subscribe("s"));
  mqtt.tick(clock_);
  suback[2] = wire.out[2];
  suback[3] = wire.out[3];
  says(suback, 5);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::wrong);
  // A topic so long that nobody knows where its id is.
  online();
  says(large, largePublish(2 + Mqtt::kTopic + 2 + Mqtt::kPayload, 10));
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::wrong);
  // An acknowledgement that nobody waits for does no harm.
  online();
  SAYS("\x40\2\7\7\x90\3\7\7\1");
  CHECK(mqtt.online());
}

void testDead() {
  online();
  clock_ += 7499;
  mqtt.tick(clock_);
  CHECK(wire.out_count == 0);
  mqtt.tick(++clock_);
  CHECK(SENT("\xc0\0"));
  SAYS("\xd0\0");
  clock_ += 7500;
  mqtt.tick(clock_);
  mqtt.tick(++clock_);
  CHECK(SENT("\xc0\0"));
  clock_ += Mqtt::kAnswer - 2;
  mqtt.tick(clock_);
  CHECK(mqtt.online());
  mqtt.tick(++clock_);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::dead);
  // Messages are no excuse for sending nothing: the broker would end it.
  online();
  for (int i = 0; i < 7; i++) {
    clock_ += 1500;
    SAYS("\x30\3\0\1a");
  }
  CHECK(mqtt.online() && SENT("\xc0\0"));
  // To the millisecond, and the other way round.
  for (int hears = 0; hears < 2; hears++) {
    online();
    for (int i = 0; i < 75; i++) {
      clock_ += i < 74 ? 100 : 99;
      if (hears) {
        SAYS("\x30\3\0\1a");
      } else {
        CHECK(mqtt.publish("a", "", 0, false, false));
        mqtt.tick(clock_);
      }
      wire.out_count = hears ? wire.out_count : 0;
    }
    CHECK(wire.out_count == 0);
    mqtt.tick(++clock_);
    CHECK(SENT("\xc0\0"));
    if (hears) SAYS("\xd0\0");
  }
  // A broker that does not acknowledge, however long it had nothing to acknowledge.
  online();
  for (int i = 0; i < 10; i++) {
    clock_ += 7500;
    mqtt.tick(clock_);
    SAYS("\xd0\0");
  }
  CHECK(mqtt.publish("a", "x", 1, false));
  mqtt.tick(clock_);
  mqtt.tick(clock_);
  CHECK(mqtt.online());
  uint32_t began = clock_;
  while (mqtt.open() && clock_ - began < 60000) {
    mqtt.tick(++clock_);
    if (mqtt.open() && clock_ % 1000 == 0) SAYS("\x30\3\0\1a\xd0\0");
  }
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::dead && clock_ - began == Mqtt::kAnswer);
  // A connection that takes nothing, where there is no room for a ping either.
  for (size_t fill = 0; fill < 2; fill++) {
    online();
    wire.takes = 0;
    static const char text[Mqtt::kOut] = {};
    if (fill) CHECK(mqtt.publish("a", text, Mqtt::kOut - 9, false, false) && mqtt.publish("a", text, 0, false, false));
    began = clock_;
    while (mqtt.open() && clock_ - began < 60000) mqtt.tick(++clock_);
    CHECK(mqtt.why() == MqttEnd::dead && clock_ - began == 7500 + Mqtt::kAnswer);
  }
}

void testLeave() {
  online();
  CHECK(mqtt.publish("a", "x", 1, true));
  mqtt.leave(clock_);
  mqtt.tick(clock_);
  uint8_t puback[] = {0x40, 2, wire.out[5], wire.out[6]};
  CHECK(wire.out_count == 8 && mqtt.open());
  wire.out_count = 0;
  says(puback, 4);
  CHECK(SENT("\xe0\0") && !mqtt.open() && mqtt.why() == MqttEnd::left && mqtt.idle());
  // Nobody acknowledges, and nobody takes it.
  for (int takes = 0; takes < 2; takes++) {
    online();
    CHECK(mqtt.publish("a", "x", 1, true));
    mqtt.tick(clock_);
    wire.out_count = 0;
    wire.takes = takes == 0 ? 0 : 1;
    mqtt.leave(clock_);
    clock_ += Mqtt::kLeave - 1;
    mqtt.tick(clock_);
    CHECK(wire.out_count == 0 && mqtt.open());
    mqtt.tick(++clock_);
    mqtt.tick(clock_);
    mqtt.tick(clock_);
    if (takes == 1) CHECK(SENT("\xe0\0") && !mqtt.open());
    clock_ += Mqtt::kLeave;
    mqtt.tick(clock_);
    CHECK(!mqtt.open() && mqtt.why() == MqttEnd::left);
  }
  opened();
  mqtt.leave(clock_);
  CHECK(!mqtt.open() && mqtt.why() == MqttEnd::left);
  mqtt.forget();
}

// testIds sends more messages than there are ids.
void testIds() {
  online();
  CHECK(mqtt.publish("kept", "x", 1, false));
  mqtt.tick(clock_);
  uint16_t kept = static_cast<uint16_t>(wire.out[8] << 8 | wire.out[9]);
  unsigned wrong = 0;
  for (uint32_t i = 0; i < 70000; i++) {
    wire.out_count = 0;
    mqtt.publish("a", "", 0, false);
    mqtt.tick(clock_);
    uint16_t id = static_cast<uint16_t>(wire.out[5] << 8 | wire.out[6]);
    wrong += id == 0 || id == kept;
    const uint8_t ack[] = {0x40, 2, wire.out[5], wire.out[6]};
    says(ack, 4);
  }
  CHECK(wrong == 0 && mqtt.online());
}

// ---- Sizes

const struct {
  const char *name;
  size_t bytes;
} kSizes[] = {
    {"Kit", sizeof(Kit)},         {"Settings", sizeof(Settings)}, {"SettingsStore", sizeof(SettingsStore)},
    {"Splitter", sizeof(Splitter)}, {"Mqtt", sizeof(Mqtt)},         {"Backoff", sizeof(Backoff)},
    {"ConsoleCommand", sizeof(ConsoleCommand)}, {"ImprovRequest", sizeof(ImprovRequest)},
};

}  // namespace

int main() {
  testCrc();
  testWriter();
  testSettings();
  testPlaces();
  testStore();
  testFrames();
  testImprov();
  testConsole();
  testBackoff();
  testConnect();
  testPublish();
  testWindow();
  testAgain();
  testFull();
  testReceive();
  testHostile();
  testDead();
  testLeave();
  testIds();
  for (auto &s : kSizes) printf("size %s %u\n", s.name, static_cast<unsigned>(s.bytes));
  printf("%u checks, %u failed\n", checks, failures);
  return failures == 0 ? 0 : 1;
}
