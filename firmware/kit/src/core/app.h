// A kit: settings, inputs and lamps, the serial port, and the way to the broker:
// firmware/PROTOCOL.md. One object for as long as the board is on, and no heap.
#pragma once
#include "backoff.h"
#include "cable.h"
#include "console.h"
#include "fetch.h"
#include "frame.h"
#include "hal.h"
#include "improv.h"
#include "mqtt.h"
#include "places.h"
#include "roles.h"
#include "settings.h"

class App final : private Board, private SplitterOwner, private MqttOwner, private Flash, private FrameSender {
 public:
  // How long new settings may take to reach the broker, in ms, before the older ones count again.
  static constexpr uint32_t kTrial = 60000;

  explicit App(Hal &hal, uint32_t trial = kTrial);
  App(const App &) = delete;
  App &operator=(const App &) = delete;

  // begin reads the settings and sets the pins.
  void begin();
  // tick does what is due. It is called every few milliseconds, and never from an
  // interrupt. Only what hal.h says waits makes it wait.
  void tick();

  // input finds the pin of a button or presence sensor.
  bool input(const char *slot, uint8_t *gpio, bool *inverted) const;

 private:
  static constexpr size_t kOut = 2048;             // bytes for the serial port that wait
  static constexpr size_t kNetworks = 20;
  static constexpr uint32_t kJoin = 20000;         // ms that a network has
  static constexpr uint32_t kStay = 10000;         // ms on the broker until it is not a failure to lose it
  static constexpr uint32_t kTellInfo = 60000;     // ms
  static constexpr uint32_t kSample = 50;          // ms between two readings of A0
  static constexpr uint32_t kTestRest = 30;        // ms that a contact rests before a test tells it
  static constexpr uint32_t kScanFor = 9000;       // ms
  static constexpr size_t kUpdateWord = 127;       // bytes of a word of an order
  static constexpr uint32_t kImprovFor = 30000;    // ms to join
  static constexpr uint8_t kBoardLed = 2;          // GPIO, inverted

  // Then is what follows when the broker has been told goodbye.
  enum class Then : uint8_t { nothing, restart, reload, forget };
  // Asked is who waits for a look round.
  enum Asked : uint8_t { kByFrame = 1, kByImprov = 2, kByConsole = 4 };

  struct Input {
    const char *slot;
    uint8_t gpio;  // or PinSettings::kAnalog
    bool inverted, watched, level;
    bool told;  // while it tests: told_value is what was told
    int32_t value, told_value;
    uint32_t changed_at;
  };
  struct Lamp {
    const char *slot;
    uint8_t gpio;
    bool inverted, on;
  };
  // Way is TCP to the broker as Mqtt wants it.
  struct Way final : Transport {
    explicit Way(Hal &h) : hal(h) {}
    size_t write(const uint8_t *data, size_t length) override { return hal.tcpWrite(Hal::broker, data, length); }
    size_t read(uint8_t *to, size_t size) override { return hal.tcpRead(Hal::broker, to, size); }
    bool alive() override;
    Hal &hal;
  };

  // Board
  void publish(const char *topic, const char *payload, bool retain) override;
  void light(const char *slot, bool on) override;
  void print(const char *text) override;
  // SplitterOwner
  void line(const char *text, size_t length) override;
  void frame(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) override;
  void improv(uint8_t type, const uint8_t *data, size_t length) override;
  void improvDamaged() override;
  // MqttOwner
  void joined() override;
  void subscribed(const char *filter, bool granted) override;
  void message(const char *topic, const uint8_t *payload, size_t length, bool retained) override;
  void tooLarge(const char *topic, size_t length) override;
  // Flash
  bool read(uint32_t address, uint8_t *to, size_t length) override { return hal_.flashRead(address, to, length); }
  bool erase(uint32_t address) override { return hal_.flashErase(address / 4096); }
  bool write(uint32_t address, const uint8_t *from, size_t length) override { return hal_.flashWrite(address, from, length); }
  // FrameSender
  bool send(uint8_t type, uint8_t seq, const uint8_t *data, size_t length) override;

  // Serial port.
  void serial();
  bool emit(const void *bytes, size_t length);
  void request(uint8_t type, uint8_t seq, const uint8_t *data, size_t length);
  void answer(uint8_t type, uint8_t seq, FrameStatus status, size_t length = 0);
  uint8_t *body() { return work_ + kFrameHead + 1; }  // where an answer puts what follows its status
  static constexpr size_t kBody = kFrameData - 1;
  void readFrom(uint8_t type, uint8_t seq, size_t from);
  size_t facts();
  void tellStatus();
  void command(const ConsoleCommand &c);
  void info();
  void improvState(ImprovId asked);
  void improvFailed(ImprovError error);

  // Settings and parts.
  const Settings &newest() const { return then_ == Then::reload ? next_ : settings_; }
  FrameStatus change(const uint8_t *tlvs, size_t length);
  FrameStatus changeOnce(uint8_t seq, const uint8_t *tlvs, size_t length);
  FrameStatus changeWifi(const char *ssid, const char *key);
  bool olderIsGood();
  void build();
  void addPart(const PartSettings &part);
  void reload();
  void after(Then then);

  // Inputs and lamps.
  void inputs();
  void sample();
  void set(const Lamp &lamp, bool on);
  void boardLed();
  void locate(uint32_t seconds);
  void test(uint8_t seconds);
  void told(Input &in);

  // The way to the broker.
  void way();
  void connect();
  void open();
  void reach();
  void stop();
  void fail(KitReason why);
  void enter(KitState state, KitReason reason);
  void look();
  bool startScan(uint8_t who);
  void finishScan();
  void heard(const Network &n);

  // Over MQTT.
  void tell(const char *a, const char *b = "", const char *c = "");
  void tellInfo();
  void obey(const uint8_t *payload, size_t length);
  void orderUpdate(char *text);
  void update();
  const char *page(char *to, size_t size);
  const char *topic(const char *last);

  Hal &hal_;
  uint32_t trial_for_;
  uint32_t now_ = 0;
  uint32_t uptime_ = 0, second_at_ = 0;  // seconds, and when the last one was over

  Settings settings_, next_;
  SettingsStore store_;
  bool trial_ = false;
  uint32_t trial_at_ = 0;
  Then then_ = Then::nothing;
  uint32_t then_at_ = 0;
  bool halted_ = false;  // restart has been asked of the board

  alignas(Kit) unsigned char kit_place_[sizeof(Kit)];
  Kit *kit_ = nullptr;
  size_t input_count_ = 0, lamp_count_ = 0;
  Input inputs_[Settings::kParts];
  Lamp lamps_[Settings::kParts];
  uint16_t samples_[5] = {};
  size_t sample_count_ = 0;
  uint32_t sampled_at_ = 0;
  bool locating_ = false, testing_ = false;
  uint32_t locate_from_ = 0, locate_for_ = 0, test_from_ = 0, test_for_ = 0;
  bool board_led_ = false, board_on_ = false;  // whether it is free, and lit

  Splitter splitter_;
  uint32_t received_at_ = 0;
  size_t out_at_ = 0, out_count_ = 0;
  uint8_t out_[kOut];
  alignas(4) uint8_t work_[kSlotMost];  // for what is put together and gone in the same call

  KitState state_ = KitState::empty;
  KitReason reason_ = KitReason::none;
  uint32_t since_ = 0;  // of state_
  bool stayed_ = false;
  Backoff backoff_;
  Places places_;
  Mqtt mqtt_;
  Way tcp_;
  Cable cable_;
  char client_[24] = "", topic_[Mqtt::kTopic];
  bool begun_ = false;  // CONNECT went out
  size_t wanted_ = 0;  // subscriptions that the broker has not answered
  bool refused_ = false;
  uint32_t info_at_ = 0;

  bool improving_ = false;
  uint32_t improving_since_ = 0;
  uint8_t asked_ = 0, scan_seq_ = 0;
  // The last change by a frame: its seq, CRC, and the sequence of the settings that it made, 0 where it failed.
  uint8_t changed_by_ = 0;
  uint32_t changed_crc_ = 0, changed_to_ = 0;
  uint32_t scan_at_ = 0;
  size_t network_count_ = 0;
  Network networks_[kNetworks];

  Fetch fetch_;
  uint32_t fetch_told_ = 0;
  char update_version_[25] = "";
};
