#include "app.h"

#include <string.h>

#include "bytes.h"
#include "crc32.h"
#include "text.h"

#if __has_include(<new>)
#include <new>
#else
inline void *operator new(size_t, void *place) noexcept { return place; }
#endif

namespace {

constexpr uint8_t kProtocol = 1;

bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

const char *said(KitReason why) {
  switch (why) {
    case KitReason::none: return "";
    case KitReason::noNetwork: return "no such network";
    case KitReason::wrongKey: return "wrong key";
    case KitReason::noAddress: return "no address on the network";
    case KitReason::noBroker: return "the broker does not answer";
    case KitReason::denied: return "the broker refuses the account";
    case KitReason::refused: return "the broker refuses the kit";
    case KitReason::lost: return "the connection was lost";
    case KitReason::tls: return "the broker's key is another";
    case KitReason::noProgram: return "no program on the cable";
  }
  return "";
}

KitReason reasonOf(MqttEnd end) {
  switch (end) {
    case MqttEnd::silent: return KitReason::noBroker;
    case MqttEnd::denied: return KitReason::denied;
    case MqttEnd::refused:
    case MqttEnd::wrong: return KitReason::refused;
    case MqttEnd::none:
    case MqttEnd::lost:
    case MqttEnd::dead:
    case MqttEnd::left: break;
  }
  return KitReason::lost;
}

// defaultPin is where a part is that no setting places.
bool defaultPin(const char *slot, PinSettings *to) {
  bool button = strcmp(slot, "button") == 0, second = begins(slot, "button-");
  to->flags = button || second ? PinSettings::inverted | PinSettings::pullUp : 0;
  if (button) to->gpio = 4;
  else if (second) to->gpio = 12;
  else if (strcmp(slot, "light") == 0 || strcmp(slot, "led") == 0) to->gpio = 5;
  else if (strcmp(slot, "presence") == 0) to->gpio = 14;
  else if (strcmp(slot, "brightness") == 0) to->gpio = PinSettings::kAnalog;
  else return false;
  return true;
}

// number reads up to most and says no to anything else.
bool number(const char *s, uint32_t most, uint32_t *to) {
  uint32_t v = 0;
  if (*s == 0) return false;
  for (; *s != 0; s++) {
    if (*s < '0' || *s > '9') return false;
    uint32_t digit = static_cast<uint32_t>(*s - '0');
    if (v > (UINT32_MAX - digit) / 10) return false;
    v = v * 10 + digit;
  }
  *to = v;
  return v <= most;
}

}  // namespace

bool App::Way::alive() {
  KitReason why;
  return hal.tcpState(Hal::broker, &why) == Hal::Link::open;
}

App::App(Hal &hal, uint32_t trial)
    : hal_(hal), trial_for_(trial), store_(*this), splitter_(*this), mqtt_(*this), tcp_(hal), cable_(*this), fetch_(hal) {}

void App::begin() {
  now_ = second_at_ = sampled_at_ = received_at_ = hal_.now();
  uint8_t mac[6];
  hal_.mac(mac);
  Text(client_, sizeof client_).add("homeroom-").mac(mac, "");
  char text[80];
  Text(text, sizeof text).add("Homeroom kit ").add(hal_.version()).add(" (").add(hal_.variant()).add("), ").mac(mac, ":");
  print(text);
  store_.load(&settings_);
  trial_ = store_.sequence() != 0 && !store_.proven() && olderIsGood();
  trial_at_ = now_;
  build();
  stop();
}

void App::tick() {
  if (halted_) return;
  inputs();
  now_ = hal_.now();
  for (; now_ - second_at_ >= 1000; second_at_ += 1000) uptime_++;
  serial();
  way();
  if (kNetwork) {
    look();
    update();
  }
  kit_->tick(now_);
  if (state_ == KitState::joined && now_ - info_at_ >= kTellInfo) tellInfo();
  if (then_ != Then::nothing && !mqtt_.open()) cable_.close();  // with the goodbye that is in it
  if (then_ != Then::nothing && !mqtt_.open() && (out_count_ == 0 || now_ - then_at_ >= Mqtt::kLeave)) {
    if (then_ == Then::restart) {
      halted_ = true;
      hal_.restart();
      return;
    }
    if (then_ == Then::forget) {
      store_.forget();
      store_.load(&next_);  // none, but where the flash failed
      trial_ = false;
    }
    reload();
  }
  boardLed();
}

// --- Serial port

void App::serial() {
  uint8_t bytes[128];
  // A whole request that came while a connection was opened: another one may be opened next.
  for (size_t got = 0; got < kFrameMost;) {
    size_t n = hal_.serialRead(bytes, sizeof bytes);
    if (n == 0) break;
    got += n;
    received_at_ = now_;
    splitter_.push(bytes, n);
  }
  if (splitter_.pending() && now_ - received_at_ >= kQuiet) splitter_.quiet();
  while (out_count_ > 0) {
    size_t end = out_at_ + out_count_ < kOut ? out_at_ + out_count_ : kOut;
    size_t took = hal_.serialWrite(out_ + out_at_, end - out_at_);
    if (took == 0) break;
    out_at_ = (out_at_ + took) % kOut;
    out_count_ -= took;
  }
}

// emit takes all or nothing.
bool App::emit(const void *bytes, size_t length) {
  if (length > kOut - out_count_) return false;
  const uint8_t *from = static_cast<const uint8_t *>(bytes);
  for (size_t i = 0; i < length; i++) out_[(out_at_ + out_count_++) % kOut] = from[i];
  return true;
}

// print drops a line that nobody reads fast enough.
void App::print(const char *text) {
  size_t n = strlen(text);
  if (n + 1 > kOut - out_count_) return;
  for (size_t i = 0; i < n; i++) {
    uint8_t c = static_cast<uint8_t>(text[i]);
    if ((c < ' ' && c != '\t') || c == 0x7f) c = '.';
    emit(&c, 1);
  }
  emit("\n", 1);
}

bool App::send(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) {
  size_t n = encodeFrame(work_, sizeof work_, type, seq, data, length);
  return n > 0 && emit(work_, n);
}

// answer sends the status and what body() holds.
void App::answer(uint8_t type, uint8_t seq, FrameStatus status, size_t length) {
  work_[kFrameHead] = static_cast<uint8_t>(status);
  send(static_cast<uint8_t>(type | kAnswer), seq, work_ + kFrameHead, 1 + length);
}

void App::frame(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) {
  if (type >= kAnswer) {
    if (length > 0) cable_.answer(static_cast<uint8_t>(type & ~kAnswer), seq, data[0]);
  } else if (type == kData || type == kClose) {
    cable_.request(type, seq, data, length);
  } else if (type < 0x40) {
    request(type, seq, data, length);
  }
}

void App::request(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) {
  FrameStatus status = FrameStatus::wrong;
  size_t n = 0;
  switch (type) {
    case kHello:
      if (settings_.cable && state_ == KitState::waiting) backoff_.reset();  // there is a program
      return answer(type, seq, FrameStatus::done, facts());
    case kReadSettings:
      if (length == 2) return readFrom(type, seq, get16(data));
      put32(body(), store_.sequence());
      n = encodeSettings(newest(), Extent::open, body() + 4, kBody - 4);
      if (n <= kBody - 4) return answer(type, seq, FrameStatus::done, 4 + n);
      break;
    case kWriteSettings:
      status = changeOnce(seq, data, length);
      if (status != FrameStatus::done) break;
      put32(body(), store_.sequence());
      put32(body() + 4, settingsCrc(newest(), Extent::all));
      return answer(type, seq, status, 8);
    case kForget:
      status = store_.forget() ? FrameStatus::done : FrameStatus::flash;
      answer(type, seq, status);
      next_.clear();
      trial_ = false;
      return after(Then::reload);
    case kLocate:
      if (length != 1) break;
      locate(data[0]);
      return answer(type, seq, FrameStatus::done);
    case kTest:
      if (length != 1) break;
      answer(type, seq, FrameStatus::done);
      return test(data[0]);
    case kLamp:
      if (!testing_) {
        status = FrameStatus::busy;
        break;
      }
      for (size_t i = 0; i < lamp_count_ && length > 1; i++) {
        const char *slot = lamps_[i].slot;
        if (strlen(slot) != length - 1 || memcmp(slot, data + 1, length - 1) != 0) continue;
        set(lamps_[i], data[0] != 0);
        status = FrameStatus::done;
      }
      break;
    case kScan:
      if ((asked_ & kByFrame) != 0 && seq == scan_seq_) return;  // it is asked again
      scan_seq_ = seq;
      if (kNetwork && startScan(kByFrame)) return;
      status = FrameStatus::busy;
      break;
    case kRestart:
      answer(type, seq, FrameStatus::done);
      return after(Then::restart);
    case kAskStatus:
      answer(type, seq, FrameStatus::done);
      return tellStatus();
    default:
      status = FrameStatus::unknown;
  }
  answer(type, seq, status);
}

// readFrom answers with what of the settings fits from there.
void App::readFrom(uint8_t type, uint8_t seq, size_t from) {
  constexpr size_t kHead = 6, kRoom = kBody - kHead;
  size_t n = encodeSettings(newest(), Extent::open, work_, Settings::kMost);
  if (from > n) return answer(type, seq, FrameStatus::wrong);
  size_t left = n - from < kRoom ? n - from : kRoom;
  memmove(body() + kHead, work_ + from, left);
  put32(body(), store_.sequence());
  put16(body() + 4, static_cast<uint16_t>(n));
  answer(type, seq, FrameStatus::done, kHead + left);
}

// facts writes those of hello into body().
size_t App::facts() {
  Writer w(body(), kBody);
  uint8_t mac[6];
  char address[48];
  hal_.mac(mac);
  address[0] = 0;
  if (kNetwork) hal_.netAddress(address, sizeof address);
  w.tlv(kFactFirmware, "homeroom-kit");
  w.tlv(kFactVariant, hal_.variant());
  w.tlv(kFactVersion, hal_.version());
  w.tlv32(kFactChip, hal_.chip());
  w.tlv(kFactMac, mac, sizeof mac);
  w.tlv32(kFactFlash, hal_.flashSize());
  w.tlv32(kFactHeap, hal_.freeHeap());
  w.tlv32(kFactUptime, uptime_);
  w.tlv8(kFactProtocol, kProtocol);
  w.tlv32(kFactSequence, store_.sequence());
  w.tlv32(kFactDesign, settingsCrc(newest(), Extent::design));
  w.tlv8(kFactState, static_cast<uint8_t>(state_));
  w.tlv(kFactAddress, address);
  w.tlv8(kFactSignal, static_cast<uint8_t>(kNetwork ? hal_.netSignal() : 0));
  w.tlv8(kFactAbilities, hal_.abilities());
  return w.length();
}

void App::tellStatus() {
  uint8_t data[64];
  char address[48];
  address[0] = 0;
  if (kNetwork) hal_.netAddress(address, sizeof address);
  Writer w(data, sizeof data);
  w.u8(static_cast<uint8_t>(state_));
  w.u8(static_cast<uint8_t>(reason_));
  w.u8(static_cast<uint8_t>(kNetwork ? hal_.netSignal() : 0));
  w.text(address);
  send(kStatus, 0, data, w.length());
}

void App::line(const char *text, size_t length) { command(parseConsole(text, length)); }

void App::command(const ConsoleCommand &c) {
  char text[96];
  Text t(text, sizeof text);
  switch (c.kind) {
    case ConsoleCommand::Kind::none:
      return;
    case ConsoleCommand::Kind::unknown:
      return print("No such command. help tells which there are.");
    case ConsoleCommand::Kind::wrong:
      t.add("It is: ").add(c.usage);
      break;
    case ConsoleCommand::Kind::help:
      return print("help, info, networks, join \"NAME\" \"KEY\", locate 10, restart");
    case ConsoleCommand::Kind::info:
      return info();
    case ConsoleCommand::Kind::networks:
      if (!kNetwork || !startScan(kByConsole)) t.add("This kit cannot look for networks now.");
      else t.add("Looking for networks");
      break;
    case ConsoleCommand::Kind::join:
      if ((hal_.abilities() & Hal::kWifi) == 0) t.add("This kit has no Wi-Fi.");
      else if (changeWifi(c.ssid, c.key) != FrameStatus::done) t.add("The settings could not be kept.");
      else t.add("Joining ").add(c.ssid);
      break;
    case ConsoleCommand::Kind::locate:
      locate(c.seconds);
      t.add("Blinking for ").number(c.seconds).add(" s");
      break;
    case ConsoleCommand::Kind::restart:
      print("Starting anew");
      return after(Then::restart);
  }
  print(text);
}

void App::info() {
  char text[200], address[48];
  address[0] = 0;
  if (kNetwork) hal_.netAddress(address, sizeof address);
  Text(text, sizeof text).add("Firmware ").add(hal_.version()).add(" (").add(hal_.variant()).add("), on for ").number(uptime_).add(" s");
  print(text);
  Text(text, sizeof text).add("Kit ").add(settings_.name[0] != 0 ? settings_.name : "without a name");
  print(text);
  Text t(text, sizeof text);
  if (settings_.cable) t.add("Over the cable");
  else t.add("Network ").add(settings_.ssid[0] != 0 ? settings_.ssid : "none").add(address[0] != 0 ? ", address " : "").add(address);
  print(text);
  const char *states[] = {"No settings to join with", "Joining the network", "Joining the broker", "On the broker", "Waiting to try again"};
  if (kNetwork && !settings_.cable && settings_.home[0] != 0) {
    Text h(text, sizeof text);
    h.add("Home ").add(settings_.home);
    if (state_ == KitState::joined && places_.home()) h.add(", where the broker is");
    print(text);
  }
  Text s(text, sizeof text);
  s.add(states[static_cast<size_t>(state_)]);
  if (reason_ != KitReason::none) s.add(": ").add(said(reason_));
  print(text);
}

// --- Improv

void App::improv(uint8_t type, const uint8_t *data, size_t length) {
  if (!kNetwork || type != kImprovCommand) return;
  ImprovRequest r;
  ImprovError error = parseImprov(data, length, &r);
  if ((hal_.abilities() & Hal::kWifi) == 0) error = ImprovError::unable;
  uint8_t *to = work_;
  if (error != ImprovError::none) {
    emit(to, encodeImprovError(to, sizeof work_, error));
    return;
  }
  emit(to, encodeImprovError(to, sizeof work_, ImprovError::none));
  switch (r.id) {
    case ImprovId::wifi:
      if (changeWifi(r.ssid, r.key) != FrameStatus::done) return improvFailed(ImprovError::unable);
      improving_ = true;
      improving_since_ = now_;
      return improvState(r.id);
    case ImprovId::state:
      return improvState(r.id);
    case ImprovId::info: {
      const char *name = settings_.label[0] != 0 ? settings_.label : settings_.name[0] != 0 ? settings_.name : "Homeroom kit";
      const char *texts[] = {"homeroom-kit", hal_.version(), "ESP8266", name};
      emit(to, encodeImprovResult(to, sizeof work_, r.id, texts, 4));
      return;
    }
    case ImprovId::scan:
      if (!startScan(kByImprov)) emit(to, encodeImprovError(to, sizeof work_, ImprovError::unable));
  }
}

void App::improvDamaged() {
  if (kNetwork) emit(work_, encodeImprovError(work_, sizeof work_, ImprovError::invalid));
}

// improvState tells it, and where to go on once the kit is on the network.
void App::improvState(ImprovId asked) {
  KitReason why;
  bool on = !settings_.cable && hal_.netState(&why) == Hal::Link::open && !improving_;
  ImprovState state = on ? ImprovState::provisioned : improving_ ? ImprovState::provisioning : ImprovState::ready;
  emit(work_, encodeImprovState(work_, sizeof work_, state));
  if (!on) return;
  char url[90];
  Text(url, sizeof url).add("http://").add(settings_.page);
  const char *texts[] = {url};
  emit(work_, encodeImprovResult(work_, sizeof work_, asked, texts, settings_.page[0] != 0 ? 1 : 0));
}

void App::improvFailed(ImprovError error) {
  improving_ = false;
  emit(work_, encodeImprovError(work_, sizeof work_, error));
  emit(work_, encodeImprovState(work_, sizeof work_, ImprovState::ready));
}

// --- Settings and parts

// change keeps what comes of a change and makes it count as soon as the broker has
// been told goodbye.
FrameStatus App::change(const uint8_t *tlvs, size_t length) {
  if (then_ == Then::restart || then_ == Then::forget) return FrameStatus::busy;
  if (then_ == Then::reload) reload();
  if (!changeSettings(settings_, tlvs, length, &next_)) return FrameStatus::wrong;
  bool kept = store_.sequence() != 0;
  if (kept && settingsCrc(next_, Extent::all) == settingsCrc(settings_, Extent::all)) return FrameStatus::done;
  bool network = !sameNetwork(next_, settings_);
  if (trial_) {
    // The newest were not good yet: they make room, and the older ones stay.
    Settings &older = settings_;
    if (!store_.revert(&older)) return FrameStatus::flash;
  }
  if (!store_.save(next_)) {
    store_.load(&next_);
    trial_ = false;
    after(Then::reload);
    return FrameStatus::flash;
  }
  trial_ = (network || trial_) && olderIsGood();
  trial_at_ = now_;
  after(Then::reload);
  return FrameStatus::done;
}

// changeOnce is change of a frame. Who gets no answer in time sends it again, and a port
// that is added must not come twice.
FrameStatus App::changeOnce(uint8_t seq, const uint8_t *tlvs, size_t length) {
  uint32_t crc = crc32(0, tlvs, length);
  if (changed_to_ != 0 && changed_to_ == store_.sequence() && changed_by_ == seq && changed_crc_ == crc) return FrameStatus::done;
  FrameStatus status = change(tlvs, length);
  changed_to_ = status == FrameStatus::done ? store_.sequence() : 0;
  changed_by_ = seq;
  changed_crc_ = crc;
  return status;
}

FrameStatus App::changeWifi(const char *ssid, const char *key) {
  uint8_t tlvs[2 + 32 + 2 + 64 + 3];
  Writer w(tlvs, sizeof tlvs);
  w.tlv(kTagSsid, ssid);
  w.tlv(kTagKey, key);
  w.tlv8(kTagTransport, 0);
  FrameStatus status = w.ok() ? change(tlvs, w.length()) : FrameStatus::wrong;
  if (status == FrameStatus::done && then_ == Then::nothing && state_ != KitState::joined) {
    next_ = settings_;  // it has them already, and tries at once
    after(Then::reload);
  }
  return status;
}

// olderIsGood reports whether there is a way back: settings before the newest with
// which the kit was on the broker.
bool App::olderIsGood() {
  for (uint32_t slot : SettingsStore::kSlots) {
    uint8_t mark[4];
    uint32_t end = slot + static_cast<uint32_t>(SettingsStore::kSector) - 4;
    if (!read(slot, work_, kSlotMost) || !read(end, mark, sizeof mark)) continue;
    uint32_t sequence = decodeSlot(work_, kSlotMost, nullptr);
    if (sequence != 0 && sequence != store_.sequence() && get32(mark) == 0) return true;
  }
  return false;
}

// build makes the kit and sets its pins.
void App::build() {
  kit_ = new (kit_place_) Kit(*this, settings_.role, settings_.name);
  kit_->setHold(settings_.hold);
  input_count_ = lamp_count_ = sample_count_ = 0;
  testing_ = false;
  for (size_t i = 0; i < settings_.part_count; i++) {
    const PartSettings &part = settings_.parts[i];
    if (!kit_->add(part.port())) {
      char text[64];
      Text(text, sizeof text).add("This kit cannot do this: ").add(part.slot);
      print(text);
    } else if (settings_.role != Role::choice) {
      addPart(part);
    }
  }
  board_led_ = hal_.pinMode(kBoardLed, Hal::Pin::output);
  for (size_t i = 0; i < lamp_count_; i++) board_led_ = board_led_ && lamps_[i].gpio != kBoardLed;
  for (size_t i = 0; i < input_count_; i++) board_led_ = board_led_ && inputs_[i].gpio != kBoardLed;
  for (size_t i = 0; i < input_count_; i++) {
    const Input &in = inputs_[i];
    if (in.gpio == kBoardLed) hal_.pinMode(kBoardLed, Hal::Pin::pull_up);
  }
  board_on_ = true;
  boardLed();
}

void App::addPart(const PartSettings &part) {
  PinSettings pin;
  const PinSettings *placed = settings_.pin(part.slot);
  if (placed != nullptr) pin = *placed;
  else if (!defaultPin(part.slot, &pin)) return;
  bool inverted = (pin.flags & PinSettings::inverted) != 0;
  if ((part.flags & PartSettings::publish) == 0) {
    if (!hal_.pinMode(pin.gpio, Hal::Pin::output)) return;
    Lamp &lamp = lamps_[lamp_count_++];
    lamp = {part.slot, pin.gpio, inverted, false};
    return set(lamp, false);
  }
  bool analog = pin.gpio == PinSettings::kAnalog;
  if (!analog && !hal_.pinMode(pin.gpio, (pin.flags & PinSettings::pullUp) != 0 ? Hal::Pin::pull_up : Hal::Pin::input)) return;
  Input &in = inputs_[input_count_++];
  in = {part.slot, pin.gpio, inverted, false, false, false, 0, 0, now_};
  if (analog) return;
  in.watched = hal_.watch(pin.gpio);
  // A button that is held at power-on was pressed.
  in.level = hal_.pinRead(pin.gpio) != inverted;
  in.value = in.level;
  if (strcmp(part.slot, "presence") == 0) kit_->presence(in.level);
  else kit_->contact(in.slot, in.level, now_);
}

// after does what is to be done once the broker knows that the kit goes.
void App::after(Then then) {
  if (mqtt_.online() && then_ == Then::nothing) {
    kit_->stopping();
    mqtt_.leave(now_);
  } else if (!mqtt_.online()) {
    mqtt_.end();
  }
  if (then_ != Then::restart) then_ = then;
  then_at_ = now_;
}

void App::reload() {
  bool other = !sameNetwork(next_, settings_);
  if (strcmp(next_.name, settings_.name) != 0) mqtt_.forget();
  mqtt_.end();
  if (other) places_ = Places();
  settings_ = next_;
  then_ = Then::nothing;
  build();
  KitReason why;
  if (kNetwork && (other || hal_.netState(&why) != Hal::Link::open)) hal_.netLeave();
  backoff_.reset();
  stop();
}

// --- Inputs and lamps

bool App::input(const char *slot, uint8_t *gpio, bool *inverted) const {
  for (size_t i = 0; i < input_count_; i++) {
    const Input &in = inputs_[i];
    if (strcmp(in.slot, slot) != 0 || in.gpio == PinSettings::kAnalog) continue;
    *gpio = in.gpio;
    *inverted = in.inverted;
    return true;
  }
  return false;
}

void App::inputs() {
  Edge e;
  // At most as many as a queue holds: who bounces for ever must not stop the rest.
  for (int n = 0; n < 64 && hal_.edge(&e); n++) {
    // An edge is never older than what the kit has been told.
    uint32_t at = static_cast<int32_t>(e.at - now_) < 0 ? now_ : e.at;
    for (size_t i = 0; i < input_count_; i++) {
      Input &in = inputs_[i];
      if (in.gpio != e.gpio || in.level == (e.high != in.inverted)) continue;
      kit_->tick(at);  // what was before it has rested
      in.level = e.high != in.inverted;
      in.changed_at = now_ = at;
      kit_->contact(in.slot, in.level, at);
    }
  }
  now_ = hal_.now();
  for (size_t i = 0; i < input_count_; i++) {
    Input &in = inputs_[i];
    if (in.gpio == PinSettings::kAnalog) continue;
    bool level = hal_.pinRead(in.gpio) != in.inverted;
    if (level != in.level) {
      in.level = level;
      in.changed_at = now_;
      kit_->contact(in.slot, level, now_);
    }
    if (strcmp(in.slot, "presence") == 0) kit_->presence(level);
    if (now_ - in.changed_at >= kTestRest) in.value = in.level;
    told(in);
  }
  if (now_ - sampled_at_ >= kSample) sample();
  if (testing_ && now_ - test_from_ >= test_for_) test(0);
}

// sample reads A0 and takes the middle of the last five, so that one bad reading
// is not seen.
void App::sample() {
  sampled_at_ = now_;
  bool any = false;
  for (size_t i = 0; i < input_count_; i++) any = any || inputs_[i].gpio == PinSettings::kAnalog;
  if (!any) return;
  samples_[sample_count_++ % 5] = hal_.analog();
  if (sample_count_ == 10) sample_count_ = 5;
  size_t n = sample_count_ < 5 ? sample_count_ : 5;
  uint16_t sorted[5];
  for (size_t i = 0; i < n; i++) {
    size_t at = i;
    for (; at > 0 && sorted[at - 1] > samples_[i]; at--) sorted[at] = sorted[at - 1];
    sorted[at] = samples_[i];
  }
  int32_t raw = sorted[n / 2] > 1023 ? 1023 : sorted[n / 2];
  for (size_t i = 0; i < input_count_; i++) {
    Input &in = inputs_[i];
    if (in.gpio != PinSettings::kAnalog) continue;
    int32_t v = in.inverted ? 1023 - raw : raw, min = 0, max = 100;
    for (size_t p = 0; p < settings_.part_count; p++) {
      const PartSettings &part = settings_.parts[p];
      if (part.slot != in.slot || part.max <= part.min) continue;
      min = part.min;
      max = part.max;
    }
    int64_t range = static_cast<int64_t>(max) - min;
    kit_->measure(in.slot, static_cast<int32_t>(min + (v * range + 511) / 1023));
    in.value = (v * 100 + 511) / 1023;
    told(in);
  }
}

// told sends the event input where a test has something new to tell.
void App::told(Input &in) {
  if (!testing_) return;
  int32_t moved = in.value - in.told_value;
  bool analog = in.gpio == PinSettings::kAnalog;
  if (in.told && (moved == 0 || (analog && moved > -2 && moved < 2))) return;
  uint8_t data[32];
  Writer w(data, sizeof data);
  w.text(in.slot);
  w.u32(static_cast<uint32_t>(in.value));
  if (!send(kInput, 0, data, w.length())) return;
  in.told = true;
  in.told_value = in.value;
}

void App::test(uint8_t seconds) {
  bool was = testing_;
  testing_ = seconds > 0;
  test_from_ = now_;
  test_for_ = seconds * 1000u;
  for (size_t i = 0; i < input_count_; i++) inputs_[i].told = inputs_[i].told && was && testing_;
  for (size_t i = 0; i < lamp_count_ && !testing_; i++) set(lamps_[i], lamps_[i].on);
}

void App::set(const Lamp &lamp, bool on) { hal_.pinWrite(lamp.gpio, on != lamp.inverted); }

void App::light(const char *slot, bool on) {
  for (size_t i = 0; i < lamp_count_; i++) {
    if (strcmp(lamps_[i].slot, slot) != 0) continue;
    lamps_[i].on = on;
    if (!testing_) set(lamps_[i], on);
  }
}

void App::locate(uint32_t seconds) {
  locating_ = seconds > 0;
  locate_from_ = now_;
  locate_for_ = seconds * 1000;
}

// boardLed blinks five times a second to locate. Else it flashes: twice every two
// seconds without settings, once a second for the network, twice a second for the
// broker, and it is dark on the broker.
void App::boardLed() {
  if (locating_ && now_ - locate_from_ >= locate_for_) {
    locating_ = false;
    for (size_t i = 0; i < lamp_count_; i++)
      if (lamps_[i].gpio == kBoardLed) set(lamps_[i], lamps_[i].on);
  }
  uint32_t phase = now_ % 2000;
  bool on = false;
  if (locating_) {
    on = (now_ - locate_from_) % 200 < 100;
  } else if (!board_led_) {
    return;
  } else {
    switch (state_) {
      case KitState::empty: on = phase < 100 || (phase >= 300 && phase < 400); break;
      case KitState::network: on = phase % 1000 < 100; break;
      case KitState::broker: on = phase % 500 < 100; break;
      case KitState::waiting: on = phase < 100; break;
      case KitState::joined: break;
    }
  }
  if (on == board_on_) return;
  board_on_ = on;
  hal_.pinWrite(kBoardLed, !on);
}

// --- The way to the broker

void App::enter(KitState state, KitReason reason) {
  since_ = now_;
  bool same = state == state_ && reason == reason_;
  state_ = state;
  reason_ = reason;
  if (!same) tellStatus();
}

// stop is where every way begins: not on the broker, and no wait.
void App::stop() {
  kit_->disconnected();
  mqtt_.end();
  cable_.close();
  if (kNetwork) hal_.tcpClose(Hal::broker);
  enter(settings_.complete() ? KitState::waiting : KitState::empty, KitReason::none);
  // A network alone is joined too: whoever sets the kit up wants to see that it works.
  KitReason why;
  if (!settings_.complete() && kNetwork && !settings_.cable && settings_.ssid[0] != 0 && hal_.netState(&why) != Hal::Link::open)
    hal_.netJoin(settings_.ssid, settings_.key);
}

void App::fail(KitReason why) {
  kit_->disconnected();
  mqtt_.end();
  cable_.close();
  if (kNetwork) hal_.tcpClose(Hal::broker);
  // On the cable nobody else waits, and who plugs it in wants to see it.
  if (settings_.cable || stayed_) backoff_.reset();
  stayed_ = false;
  backoff_.wait(now_, hal_.random());
  char text[96];
  Text(text, sizeof text).add("Waiting: ").add(said(why));
  if (why != reason_ || state_ == KitState::joined) print(text);
  enter(KitState::waiting, why);
}

void App::way() {
  KitReason why = KitReason::none;
  cable_.tick(now_);
  mqtt_.tick(now_);
  if (kNetwork && improving_) {
    Hal::Link link = hal_.netState(&why);
    if (then_ != Then::nothing) {
      improving_since_ = now_;
    } else if (link == Hal::Link::open) {
      improving_ = false;
      improvState(ImprovId::wifi);
    } else if (link == Hal::Link::failed || now_ - improving_since_ >= kImprovFor) {
      improvFailed(ImprovError::unable);
      if (store_.revert(&next_)) {
        trial_ = false;
        after(Then::reload);
      }
      return;
    }
  }
  if (then_ != Then::nothing) return;
  if (trial_ && state_ != KitState::joined && now_ - trial_at_ >= trial_for_) {
    trial_ = false;
    if (store_.revert(&next_)) {
      print("Back to the older settings: the broker was not reached with the new ones.");
      return after(Then::reload);
    }
  }
  bool on = state_ == KitState::broker || state_ == KitState::joined;
  if (kNetwork && on && !settings_.cable && hal_.netState(&why) != Hal::Link::open) return fail(KitReason::lost);
  switch (state_) {
    case KitState::empty:
      return;
    case KitState::waiting:
      if (backoff_.due(now_) && asked_ == 0) connect();
      return;
    case KitState::network: {
      if (!kNetwork) return;
      Hal::Link link = hal_.netState(&why);
      if (link == Hal::Link::open) {
        char text[128], address[48];
        hal_.netAddress(address, sizeof address);
        Text(text, sizeof text).add("Joined ").add(settings_.ssid).add(" as ").add(address);
        print(text);
        open();
      } else if (link != Hal::Link::opening || now_ - since_ >= kJoin) {
        if (link == Hal::Link::opening) hal_.netLeave();
        fail(why != KitReason::none ? why : KitReason::noAddress);
      }
      return;
    }
    case KitState::broker:
      if (!mqtt_.open()) {
        if (begun_) {
          places_.refused();
          return fail(reasonOf(mqtt_.why()));
        }
        Transport *transport = nullptr;
        if (settings_.cable) {
          if (cable_.state() == Cable::State::opening) return;
          if (cable_.state() != Cable::State::open) return fail(KitReason::noProgram);
          transport = &cable_;
        } else if (kNetwork) {
          Hal::Link link = hal_.tcpState(Hal::broker, &why);
          if (link == Hal::Link::opening) return;
          if (link != Hal::Link::open) {
            if (why == KitReason::none) why = KitReason::noBroker;
            return places_.next(why) ? reach() : fail(places_.reason(why));
          }
          transport = &tcp_;
        }
        MqttOptions o;
        o.client = client_;
        o.user = settings_.account;
        o.password = settings_.secret;
        o.will_topic = kit_->stateTopic();
        o.will = "lost";
        begun_ = true;
        wanted_ = 1;
        refused_ = false;
        mqtt_.begin(*transport, o, now_);
      }
      return;
    case KitState::joined:
      if (now_ - since_ >= kStay) stayed_ = true;
      if (!mqtt_.open()) fail(reasonOf(mqtt_.why()));
  }
}

// connect begins: with the network where the kit is not on it.
void App::connect() {
  KitReason why;
  if (settings_.cable || (kNetwork && hal_.netState(&why) == Hal::Link::open)) return open();
  if (!kNetwork) return enter(KitState::empty, KitReason::none);
  hal_.netJoin(settings_.ssid, settings_.key);
  enter(KitState::network, reason_);
}

void App::open() {
  begun_ = false;
  enter(KitState::broker, reason_);
  if (settings_.cable) return cable_.open(now_);
  if (!kNetwork) return;
  places_.begin(settings_.home[0] != 0 && strcmp(settings_.home, settings_.host) != 0);
  reach();
}

// reach opens a connection to the broker, where this attempt is.
void App::reach() {
  hal_.tcpOpen(Hal::broker, places_.home() ? settings_.home : settings_.host, settings_.port, settings_.tls, settings_.tls_length);
}

void App::joined() {
  mqtt_.subscribe(topic("/$do"));
  for (size_t i = 0; const char *filter = kit_->subscription(i); i++) {
    if (mqtt_.subscribe(filter)) wanted_++;
    else refused_ = true;
  }
}

void App::subscribed(const char *, bool granted) {
  if (!granted) refused_ = true;
  if (wanted_ == 0 || --wanted_ > 0) return;
  enter(KitState::joined, KitReason::none);
  places_.joined();
  print(places_.home() ? "Joined the broker at home" : "Joined the broker");
  if (!store_.proven()) store_.prove();
  trial_ = false;
  kit_->connected(now_);
  if (refused_) kit_->refused();
  tellInfo();
}

// --- Networks around

bool App::startScan(uint8_t who) {
  if (asked_ == 0) {
    // A chip that joins cannot look round.
    if (state_ == KitState::network) {
      hal_.netLeave();
      enter(KitState::waiting, KitReason::none);  // this try did not fail
    }
    if (!hal_.scanStart()) return false;
    scan_at_ = now_;
    network_count_ = 0;
  }
  asked_ = static_cast<uint8_t>(asked_ | who);
  return true;
}

void App::look() {
  if (asked_ == 0) return;
  Hal::Link link = hal_.scanState();
  if (link == Hal::Link::opening && now_ - scan_at_ < kScanFor) return;
  Network n;
  while (link == Hal::Link::open && hal_.scanNext(&n)) heard(n);
  finishScan();
}

// heard keeps the strongest of each name, the strongest first.
void App::heard(const Network &n) {
  if (n.ssid[0] == 0) return;
  for (size_t i = 0; i < network_count_; i++) {
    if (strcmp(networks_[i].ssid, n.ssid) != 0) continue;
    if (networks_[i].signal >= n.signal) return;
    memmove(networks_ + i, networks_ + i + 1, (network_count_ - i - 1) * sizeof n);
    network_count_--;
  }
  size_t at = network_count_;
  while (at > 0 && networks_[at - 1].signal < n.signal) at--;
  if (at == kNetworks) return;
  if (network_count_ < kNetworks) network_count_++;
  memmove(networks_ + at + 1, networks_ + at, (network_count_ - at - 1) * sizeof n);
  networks_[at] = n;
}

void App::finishScan() {
  uint8_t who = asked_;
  asked_ = 0;
  char text[96];
  if ((who & kByFrame) != 0) {
    Writer w(body(), kBody);
    for (size_t i = 0; i < network_count_; i++) {
      const Network &n = networks_[i];
      w.u8(static_cast<uint8_t>(n.signal));
      w.u8(n.security);
      w.u8(n.channel);
      w.text(n.ssid);
    }
    answer(kScan, scan_seq_, FrameStatus::done, w.length());
  }
  for (size_t i = 0; i < network_count_; i++) {
    const Network &n = networks_[i];
    char signal[8];
    Text(signal, sizeof signal).signedNumber(n.signal);
    const char *texts[] = {n.ssid, signal, n.security == 0 ? "NO" : "YES"};
    if ((who & kByImprov) != 0) emit(work_, encodeImprovResult(work_, sizeof work_, ImprovId::scan, texts, 3));
    if ((who & kByConsole) == 0) continue;
    Text(text, sizeof text).add(n.ssid).add(", ").add(signal).add(" dBm, channel ").number(n.channel).add(n.security == 0 ? ", open" : "");
    print(text);
  }
  if ((who & kByImprov) != 0) emit(work_, encodeImprovResult(work_, sizeof work_, ImprovId::scan, nullptr, 0));
  if ((who & kByConsole) != 0 && network_count_ == 0) print("No network is in reach.");
}

// --- Over MQTT

const char *App::topic(const char *last) {
  Text(topic_, sizeof topic_).add(settings_.name).add(last);
  return topic_;
}

void App::publish(const char *to, const char *payload, bool retain) {
  if (!mqtt_.publish(to, payload, strlen(payload), retain)) print("The broker is too slow: a message was dropped.");
}

void App::tell(const char *a, const char *b, const char *c) {
  char text[96];
  Text t(text, sizeof text);
  t.add(a).add(b).add(c);
  mqtt_.publish(topic("/$told"), text, t.length(), false);
}

void App::tellInfo() {
  info_at_ = now_;
  uint8_t mac[6];
  char text[320], address[48];
  hal_.mac(mac);
  Text t(text, sizeof text);
  t.add("{\"fw\":\"").add(hal_.version()).add("\",\"image\":\"").add(hal_.variant()).add("\",\"mac\":\"").mac(mac, ":");
  if (kNetwork && !settings_.cable) {
    address[0] = 0;
    hal_.netAddress(address, sizeof address);
    t.add("\",\"ip\":\"").add(address).add("\",\"rssi\":").signedNumber(hal_.netSignal());
  } else {
    t.add("\"");
  }
  t.add(",\"uptime\":").number(uptime_).add(",\"heap\":").number(hal_.freeHeap());
  t.add(",\"design\":\"").hex(settingsCrc(settings_, Extent::design), 8).add("\",\"seq\":").number(store_.sequence());
  t.add(",\"flash\":").number(hal_.flashSize()).add("}");
  mqtt_.publish(topic("/$info"), text, t.length(), true);
}

void App::message(const char *to, const uint8_t *payload, size_t length, bool retained) {
  if (strcmp(to, topic("/$do")) != 0) return kit_->received(to, payload, length, now_);
  if (!retained) obey(payload, length);  // a command is for who is there
}

void App::tooLarge(const char *to, size_t length) {
  char text[200];
  Text(text, sizeof text).add("Too large: a message with topic '").add(to).add("', length ").number(static_cast<uint32_t>(length)).add(" bytes");
  print(text);
  if (strcmp(to, topic("/$do")) == 0) tell("settings bad");
}

void App::obey(const uint8_t *payload, size_t length) {
  const char settings[] = "settings ";
  size_t head = sizeof settings - 1;
  if (length >= head && memcmp(payload, settings, head) == 0) {
    // change must not end the connection that it comes over.
    if (then_ != Then::nothing || change(payload + head, length - head) != FrameStatus::done) return tell("settings bad");
    char text[24];
    Text(text, sizeof text).number(store_.sequence()).add(" ").hex(settingsCrc(newest(), Extent::design), 8);
    return tell("settings ok ", text);
  }
  char text[256];
  if (length >= sizeof text || memchr(payload, 0, length) != nullptr) return;
  Text(text, sizeof text).add(reinterpret_cast<const char *>(payload), length);
  uint32_t seconds;
  if (strcmp(text, "info") == 0) {
    tellInfo();
  } else if (strcmp(text, "restart") == 0) {
    after(Then::restart);
  } else if (strcmp(text, "forget") == 0) {
    if (then_ != Then::nothing) return;
    tell("forget ok");
    after(Then::forget);
  } else if (begins(text, "locate ") && number(text + 7, 255, &seconds)) {
    locate(seconds);
    tell("locate ok");
  } else if (begins(text, "update ")) {
    orderUpdate(text + 7);
  } else {
    print("Ignored: an order that this kit does not know.");
  }
}

// page is where updates are. Where it is on the broker's machine, and that was found
// at home, it is there too; to then has it.
const char *App::page(char *to, size_t size) {
  size_t n = strlen(settings_.host);
  if (!places_.home() || strncmp(settings_.page, settings_.host, n) != 0 || settings_.page[n] != ':') return settings_.page;
  Text(to, size).add(settings_.home).add(settings_.page + n);
  return to;
}

// orderUpdate takes PATH SIZE MD5 VERSION, which it cuts up. One that is under way goes on.
void App::orderUpdate(char *text) {
  if (fetch_.state() != Fetch::State::idle) return;
  if (!kNetwork || (hal_.abilities() & Hal::kUpdate) == 0 || settings_.page[0] == 0) return tell("update failed ", "here");
  char *words[4];
  size_t count = 0;
  while (*text != 0) {
    char *end = strchr(text, ' ');
    size_t n = end == nullptr ? strlen(text) : static_cast<size_t>(end - text);
    if (count == 4 || n == 0 || n > kUpdateWord) return tell("update failed ", "connect");
    words[count++] = text;
    text += n;
    if (end != nullptr) *text++ = 0;
  }
  Fetch::Order order;
  if (count != 4 || words[0][0] != '/' || strlen(words[3]) >= sizeof update_version_) return tell("update failed ", "connect");
  if (!number(words[1], UINT32_MAX, &order.size) || order.size == 0) return tell("update failed ", "size");
  if (strlen(words[2]) != 32) return tell("update failed ", "md5");
  order.path = words[0];
  order.md5 = words[2];
  Text(update_version_, sizeof update_version_).add(words[3]);
  tell("update start ", update_version_);
  fetch_told_ = now_;
  order.page = page(reinterpret_cast<char *>(work_), sizeof work_);
  fetch_.start(order, now_);
}

void App::update() {
  fetch_.tick(now_);
  char percent[12];
  switch (fetch_.state()) {
    case Fetch::State::idle:
      return;
    case Fetch::State::running:
      if (now_ - fetch_told_ < 1000) return;
      fetch_told_ = now_;
      Text(percent, sizeof percent).number(fetch_.percent());
      return tell("update ", percent);
    case Fetch::State::failed:
      fetch_.rest();
      return tell("update failed ", fetch_.why());
    case Fetch::State::done:
      fetch_.rest();
      tell("update ok ", update_version_);
      after(Then::restart);
  }
}
