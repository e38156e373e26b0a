// A kit's board on a PC: flash in a file, serial port on two descriptors, Wi-Fi
// that is only told of, and real TCP; with -DKIT_TLS also TLS, see tls.h.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "../kit/src/core/hal.h"
#include "mdns.h"
#include "tls.h"

// Air is a simulated Wi-Fi network.
struct Air {
  std::string name, key;  // key "" is open
  uint8_t channel = 1, security = 3;
  int8_t signal = -50;
};

class HostHal final : public Hal {
 public:
  struct Options {
    std::string flash, variant;  // variant "" is that of the image on the flash, or host
    uint8_t mac[6] = {0x5c, 0xcf, 0x7f, 0x01, 0x02, 0x03};
    uint64_t seed = 0;
    int serial_in = 0, serial_out = 1, control_in = -1, control_out = -1;
    sockaddr_in mdns = mdnsGroup();  // who is asked for a name in .local
    long cut = -1;  // the power goes when so many more bytes are written to the flash
    size_t receive = kTlsReceive;  // bytes of TLS that it can take at once, as setBufferSizes has it
  };

  explicit HostHal(const Options &options);
  ~HostHal();
  HostHal(const HostHal &) = delete;
  HostHal &operator=(const HostHal &) = delete;

  // open makes the flash ready. It says what is wrong with it, or "".
  std::string open();
  // boot is power-on: the clock begins, pins and connections are as new.
  void boot();
  // wait returns after at most ms, or once there is something to read. No means
  // that the serial port or the control has ended.
  bool wait(int ms);
  // command returns the next line of the control.
  bool command(std::string *line);
  // say writes a line to the control.
  void say(const std::string &line);
  bool restarting() const { return restarting_; }
  const sockaddr_in &mdns() const { return options_.mdns; }

  void setPin(uint8_t gpio, bool high);
  // interrupt, where there is one, is called at each change of a watched pin instead of
  // keeping it for edge.
  void (*interrupt)(uint8_t gpio) = nullptr;
  void setAnalog(uint16_t value) { analog_ = value; }
  void addNetwork(const Air &air);
  void dropNetworks();
  // deafen makes the next tries to join a network hear none.
  void deafen(int tries) { deaf_ = tries; }

  uint32_t now() override;
  uint32_t random() override;
  size_t serialRead(uint8_t *to, size_t size) override;
  size_t serialWrite(const uint8_t *bytes, size_t length) override;
  bool pinMode(uint8_t gpio, Pin mode) override;
  void pinWrite(uint8_t gpio, bool high) override;
  bool pinRead(uint8_t gpio) override;
  uint16_t analog() override { return analog_; }
  bool watch(uint8_t gpio) override;
  bool edge(Edge *e) override;
  uint32_t flashSize() override { return kFlash; }
  bool flashRead(uint32_t at, uint8_t *to, size_t length) override;
  bool flashErase(uint32_t sector) override;
  bool flashWrite(uint32_t at, const uint8_t *bytes, size_t length) override;
  uint8_t abilities() override { return wired() ? 0 : kTlsBuilt ? kWifi | kTls | kUpdate : kWifi | kUpdate; }
  const char *variant() override { return variant_.c_str(); }
  const char *version() override { return version_.c_str(); }
  void mac(uint8_t to[6]) override;
  uint32_t chip() override;
  uint32_t freeHeap() override { return 40000; }
  void restart() override;
  void netJoin(const char *ssid, const char *key) override;
  void netLeave() override;
  Link netState(KitReason *why) override;
  int8_t netSignal() override;
  void netAddress(char *to, size_t size) override;
  bool scanStart() override;
  Link scanState() override;
  bool scanNext(Network *n) override;
  bool tcpOpen(Line line, const char *host, uint16_t port, const uint8_t *key, size_t length) override;
  Link tcpState(Line line, KitReason *why) override;
  size_t tcpRead(Line line, uint8_t *to, size_t size) override;
  size_t tcpWrite(Line line, const uint8_t *bytes, size_t length) override;
  void tcpClose(Line line) override;
  bool imageBegin(uint32_t size, const char *md5) override;
  bool imageWrite(const uint8_t *bytes, size_t length) override;
  bool imageEnd() override;
  void imageDrop() override;

 private:
  static constexpr uint32_t kFlash = 4 << 20, kSector = 4096;
  static constexpr uint32_t kImageMost = 0xF8000;  // bytes, as in the 4 MiB layout

  struct Secure;
  struct Socket {
    int fd = -1;
    std::unique_ptr<Secure> secure;  // what TLS adds, or null
    Link state = Link::off;
    KitReason why = KitReason::none;
    uint32_t since = 0;
    bool greeted = false;  // the connection stands, and TLS is under way
  };

  bool secure(Line line, const uint8_t *key, size_t length);
  void greet(Socket &s);
  bool wired() const { return variant_ == "wired"; }
  void readImage();
  const Air *heard() const;

  Options options_;
  int flash_ = -1;
  std::string variant_, version_;
  uint64_t seed_ = 0;
  int64_t born_ = 0;  // ms of the system's clock at power-on
  bool restarting_ = false;
  bool level_[17] = {}, output_[17] = {}, driven_[17] = {}, watched_[17] = {}, set_[17] = {};
  uint16_t analog_ = 512;
  std::deque<Edge> edges_;
  std::string control_;
  bool serial_ready_ = false, ended_ = false;

  std::vector<Air> air_;
  std::string ssid_, key_;
  Link net_ = Link::off;
  KitReason net_why_ = KitReason::none;
  uint32_t net_since_ = 0, scan_since_ = 0;
  int deaf_ = 0;  // tries to join that will hear no network
  bool scanning_ = false;
  size_t scan_next_ = 0;

  Socket sockets_[2];
  std::vector<uint8_t> image_;
  uint32_t image_size_ = 0;
  std::string image_md5_;
  bool updating_ = false;
};
