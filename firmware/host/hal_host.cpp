#include "hal_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "digest.h"

namespace {

constexpr uint32_t kConnectFor = 3000;  // ms
constexpr uint32_t kTlsFor = 15000;     // ms, as on the board
constexpr int kNameFor = 1500;          // ms
constexpr uint32_t kJoinTakes = 50;     // ms, as does a look round

int64_t clockNow() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
}

void unblock(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

// Secure is what TLS adds to a connection.
struct HostHal::Secure {
#ifdef KIT_TLS
  TlsEngine engine;
  Secure(const TlsKey &key, size_t receive) : engine(key, receive, kTlsSend) {}

  // move carries records between the engine and the network as far as that does not
  // wait. No means that nothing will come any more.
  bool move(int fd) {
    for (size_t n = 0;;) {
      ssize_t done = -1;
      errno = EAGAIN;
      if (uint8_t *from = br_ssl_engine_sendrec_buf(engine.engine(), &n)) {
        done = ::send(fd, from, n, 0);
        if (done > 0) {
          br_ssl_engine_sendrec_ack(engine.engine(), static_cast<size_t>(done));
          continue;
        }
        if (errno != EAGAIN && errno != EINTR) return false;
      }
      if (uint8_t *to = br_ssl_engine_recvrec_buf(engine.engine(), &n)) {
        done = recv(fd, to, n, 0);
        if (done > 0) {
          br_ssl_engine_recvrec_ack(engine.engine(), static_cast<size_t>(done));
          continue;
        }
        if (done == 0 || (errno != EAGAIN && errno != EINTR)) return false;
      }
      return !engine.is(BR_SSL_CLOSED);
    }
  }
#endif
};

HostHal::HostHal(const Options &options) : options_(options) {}

HostHal::~HostHal() {
  for (Socket &s : sockets_)
    if (s.fd >= 0) close(s.fd);
  if (flash_ >= 0) close(flash_);
}

std::string HostHal::open() {
  flash_ = ::open(options_.flash.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct stat st;
  if (flash_ < 0 || fstat(flash_, &st) != 0) return options_.flash + ": " + strerror(errno);
  if (st.st_size == 0) {
    std::string blank(kFlash, '\xff');
    if (pwrite(flash_, blank.data(), blank.size(), 0) != static_cast<ssize_t>(blank.size())) return options_.flash + ": " + strerror(errno);
  } else if (st.st_size != kFlash) {
    return options_.flash + " is no flash of 4 MiB.";
  }
  unblock(options_.serial_in);
  unblock(options_.serial_out);
  if (options_.control_in >= 0) unblock(options_.control_in);
  return "";
}

void HostHal::boot() {
  for (Line line : {broker, page}) tcpClose(line);
  readImage();
  born_ = clockNow();
  if (seed_ == 0) seed_ = options_.seed != 0 ? options_.seed : static_cast<uint64_t>(born_) * 2654435761u + static_cast<uint64_t>(getpid());
  restarting_ = scanning_ = updating_ = false;
  net_ = Link::off;
  edges_.clear();
  for (uint8_t i = 0; i < 17; i++) {
    output_[i] = watched_[i] = false;
    if (!set_[i]) level_[i] = false;
  }
}

// readImage finds out which firmware is on the flash: its text is in the image.
void HostHal::readImage() {
  variant_ = "host";
  version_ = Hal::version();
  std::string start(1 << 20, '\0');
  if (pread(flash_, start.data(), start.size(), 0) == static_cast<ssize_t>(start.size())) {
    const std::string mark = "@HOMEROOM-FIRMWARE@";
    size_t at = start.find(mark), middle = start.find('@', at + mark.size());
    size_t end = middle == std::string::npos ? middle : start.find('@', middle + 1);
    if (at != std::string::npos && end != std::string::npos && end - at < 64) {
      variant_ = start.substr(at + mark.size(), middle - at - mark.size());
      version_ = start.substr(middle + 1, end - middle - 1);
    }
  }
  if (!options_.variant.empty()) variant_ = options_.variant;
}

bool HostHal::wait(int ms) {
  pollfd fds[4] = {};
  nfds_t n = 0;
  fds[n++] = {options_.serial_in, POLLIN, 0};
  if (options_.control_in >= 0) fds[n++] = {options_.control_in, POLLIN, 0};
  nfds_t own = n;
  for (const Socket &s : sockets_)
    if (s.fd >= 0 && (s.state == Link::open || s.secure)) fds[n++] = {s.fd, POLLIN, 0};
  poll(fds, n, ms);
  for (nfds_t i = 0; i < own; i++)
    if ((fds[i].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 && (fds[i].revents & POLLIN) == 0) return false;
  // An end of a file can be read, and then gives nothing.
  serial_ready_ = (fds[0].revents & POLLIN) != 0;
  if (own > 1 && (fds[1].revents & POLLIN) != 0) {
    char text[512];
    ssize_t got = read(options_.control_in, text, sizeof text);
    if (got == 0) return false;
    if (got > 0) control_.append(text, static_cast<size_t>(got));
  }
  return !ended_;
}

bool HostHal::command(std::string *line) {
  size_t end = control_.find('\n');
  if (end == std::string::npos) return false;
  *line = control_.substr(0, end);
  control_.erase(0, end + 1);
  return true;
}

void HostHal::say(const std::string &line) {
  if (options_.control_out < 0) return;
  std::string text = line + "\n";
  for (size_t at = 0; at < text.size();) {
    ssize_t n = write(options_.control_out, text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR && errno != EAGAIN) return;
    if (n > 0) at += static_cast<size_t>(n);
  }
}

uint32_t HostHal::now() { return static_cast<uint32_t>(clockNow() - born_); }

uint32_t HostHal::random() {  // splitmix64
  uint64_t z = seed_ += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return static_cast<uint32_t>(z >> 32);
}

size_t HostHal::serialRead(uint8_t *to, size_t size) {
  if (!serial_ready_) return 0;
  ssize_t n = read(options_.serial_in, to, size);
  if (n > 0) return static_cast<size_t>(n);
  serial_ready_ = false;
  if (n == 0) ended_ = true;
  return 0;
}

size_t HostHal::serialWrite(const uint8_t *bytes, size_t length) {
  ssize_t n = write(options_.serial_out, bytes, length);
  if (n >= 0) return static_cast<size_t>(n);
  return errno == EAGAIN || errno == EINTR ? 0 : length;  // nobody listens
}

bool HostHal::pinMode(uint8_t gpio, Pin mode) {
  if (gpio > 16 || gpio == 1 || gpio == 3 || (gpio >= 6 && gpio <= 11)) return false;
  output_[gpio] = mode == Pin::output;
  driven_[gpio] = false;
  if (!set_[gpio] && mode != Pin::output) level_[gpio] = mode == Pin::pull_up;
  return true;
}

void HostHal::pinWrite(uint8_t gpio, bool high) {
  if (gpio > 16 || !output_[gpio] || (driven_[gpio] && level_[gpio] == high)) return;
  driven_[gpio] = true;
  level_[gpio] = high;
  say("gpio " + std::to_string(gpio) + (high ? " 1" : " 0"));
}

bool HostHal::pinRead(uint8_t gpio) { return gpio <= 16 && level_[gpio]; }

bool HostHal::watch(uint8_t gpio) {
  if (gpio > 15) return false;
  return watched_[gpio] = true;
}

bool HostHal::edge(Edge *e) {
  if (edges_.empty()) return false;
  *e = edges_.front();
  edges_.pop_front();
  return true;
}

void HostHal::setPin(uint8_t gpio, bool high) {
  if (gpio > 16 || output_[gpio]) return;
  set_[gpio] = true;
  if (level_[gpio] == high) return;
  level_[gpio] = high;
  Edge e;
  e.gpio = gpio;
  e.high = high;
  e.at = now();
  if (!watched_[gpio]) return;
  if (interrupt != nullptr) interrupt(gpio);
  else edges_.push_back(e);
}

bool HostHal::flashRead(uint32_t at, uint8_t *to, size_t length) {
  return at <= kFlash && length <= kFlash - at && pread(flash_, to, length, at) == static_cast<ssize_t>(length);
}

bool HostHal::flashErase(uint32_t sector) {
  if (sector >= kFlash / kSector) return false;
  uint8_t blank[kSector];
  memset(blank, 0xff, sizeof blank);
  if (options_.cut >= 0 && options_.cut < static_cast<long>(kSector)) {
    // The power goes while it erases: what is half erased reads as anything.
    for (size_t i = static_cast<size_t>(options_.cut); i < kSector; i++) blank[i] = static_cast<uint8_t>(random());
    if (pwrite(flash_, blank, kSector, sector * kSector) >= 0) _exit(3);
  }
  if (options_.cut >= 0) options_.cut -= kSector;
  return pwrite(flash_, blank, kSector, sector * kSector) == kSector;
}

// flashWrite clears bits, as NOR flash does.
bool HostHal::flashWrite(uint32_t at, const uint8_t *bytes, size_t length) {
  if (at % 4 != 0 || length % 4 != 0 || at > kFlash || length > kFlash - at) return false;
  std::vector<uint8_t> is(length);
  if (!flashRead(at, is.data(), length)) return false;
  bool cut = options_.cut >= 0 && options_.cut < static_cast<long>(length);
  size_t n = cut ? static_cast<size_t>(options_.cut) : length;
  for (size_t i = 0; i < n; i++) is[i] &= bytes[i];
  if (pwrite(flash_, is.data(), length, at) != static_cast<ssize_t>(length)) return false;
  if (cut) _exit(3);
  if (options_.cut >= 0) options_.cut -= static_cast<long>(length);
  return true;
}

void HostHal::mac(uint8_t to[6]) { memcpy(to, options_.mac, 6); }

uint32_t HostHal::chip() { return static_cast<uint32_t>(options_.mac[3]) << 16 | static_cast<uint32_t>(options_.mac[4]) << 8 | options_.mac[5]; }

void HostHal::restart() {
  restarting_ = true;
  say("restart");
}

void HostHal::addNetwork(const Air &air) {
  for (Air &a : air_)
    if (a.name == air.name) {
      a = air;
      return;
    }
  air_.push_back(air);
}

void HostHal::dropNetworks() {
  air_.clear();
  for (Line line : {broker, page})
    if (sockets_[line].state == Link::open || sockets_[line].state == Link::opening) {
      tcpClose(line);
      sockets_[line].state = Link::failed;
      sockets_[line].why = KitReason::lost;
    }
}

const Air *HostHal::heard() const {
  for (const Air &a : air_)
    if (a.name == ssid_) return &a;
  return nullptr;
}

void HostHal::netJoin(const char *ssid, const char *key) {
  if (wired()) return;
  ssid_ = ssid;
  key_ = key;
  net_ = Link::opening;
  net_why_ = KitReason::none;
  net_since_ = now();
}

void HostHal::netLeave() { net_ = Link::off; }

Hal::Link HostHal::netState(KitReason *why) {
  const Air *a = heard();
  if (net_ == Link::open && a == nullptr) {
    net_ = Link::failed;
    net_why_ = KitReason::lost;
  }
  if (net_ == Link::opening && now() - net_since_ >= kJoinTakes) {
    if (deaf_ > 0) {
      deaf_--;
      a = nullptr;
    }
    bool right = a != nullptr && (a->key == key_ || (!a->key.empty() && key_.size() == 64 && wifiKey(a->key, a->name) == key_));
    net_ = right ? Link::open : Link::failed;
    net_why_ = a == nullptr ? KitReason::noNetwork : right ? KitReason::none : KitReason::wrongKey;
  }
  *why = net_why_;
  return net_;
}

int8_t HostHal::netSignal() {
  const Air *a = heard();
  return net_ == Link::open && a != nullptr ? a->signal : static_cast<int8_t>(0);
}

void HostHal::netAddress(char *to, size_t size) {
  const char *text = net_ == Link::open ? "127.0.0.1" : "";
  if (strlen(text) < size) strcpy(to, text);
}

bool HostHal::scanStart() {
  if (wired()) return false;
  scanning_ = true;
  scan_since_ = now();
  scan_next_ = 0;
  return true;
}

Hal::Link HostHal::scanState() {
  if (!scanning_) return Link::failed;
  return now() - scan_since_ >= kJoinTakes ? Link::open : Link::opening;
}

bool HostHal::scanNext(Network *n) {
  if (!scanning_ || scan_next_ >= air_.size()) return scanning_ = false;
  const Air &a = air_[scan_next_++];
  memset(n->ssid, 0, sizeof n->ssid);
  memcpy(n->ssid, a.name.data(), a.name.size() < sizeof n->ssid ? a.name.size() : sizeof n->ssid - 1);
  n->signal = a.signal;
  n->security = a.security;
  n->channel = a.channel;
  return true;
}

// secure makes a connection that is to be opened one of TLS.
bool HostHal::secure(Line line, const uint8_t *key, size_t length) {
#ifdef KIT_TLS
  TlsKey k;
  if (line == broker && k.read(key, length)) {
    sockets_[line].secure = std::make_unique<Secure>(k, options_.receive);
    return true;
  }
#else
  static_cast<void>(line), static_cast<void>(key), static_cast<void>(length);
#endif
  return false;
}

bool HostHal::tcpOpen(Line line, const char *host, uint16_t port, const uint8_t *key, size_t length) {
  tcpClose(line);
  Socket &s = sockets_[line];
  s.state = Link::failed;
  s.why = KitReason::tls;
  if (length > 0 && !secure(line, key, length)) return false;
  s.why = KitReason::noBroker;
  if (net_ != Link::open) return false;
  addrinfo hints = {}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  // As on the board, a name in .local is asked for by mDNS, whatever this PC does.
  std::string name = host;
  uint8_t a[4];
  if (name.size() > 6 && name.compare(name.size() - 6, 6, ".local") == 0) {
    if (!mdnsAsk(options_.mdns, name, static_cast<uint16_t>(random()), kNameFor, a)) return false;
    char text[INET_ADDRSTRLEN];
    name = inet_ntop(AF_INET, a, text, sizeof text);
  }
  if (getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  s.fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  bool begun = false;
  if (s.fd >= 0) {
    unblock(s.fd);
    fcntl(s.fd, F_SETFD, FD_CLOEXEC);
    int one = 1;
    setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    begun = connect(s.fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS;
  }
  freeaddrinfo(found);
  if (!begun) {
    tcpClose(line);
    s.state = Link::failed;
    return false;
  }
  s.state = Link::opening;
  s.since = now();
  return true;
}

Hal::Link HostHal::tcpState(Line line, KitReason *why) {
  Socket &s = sockets_[line];
  if (s.state == Link::opening) {
    pollfd p = {s.fd, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    bool ready = poll(&p, 1, 0) > 0;
    if (ready) getsockopt(s.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (s.greeted || (ready && error == 0 && s.secure)) {
      greet(s);
    } else if (ready && error == 0) {
      s.state = Link::open;
      s.why = KitReason::none;
    } else if (ready || now() - s.since >= kConnectFor) {
      s.state = Link::failed;
      s.why = KitReason::noBroker;
    }
  }
  *why = s.why;
  return s.state;
}

// greet goes on with the handshake of TLS.
void HostHal::greet(Socket &s) {
#ifdef KIT_TLS
  if (!s.greeted) s.since = now();
  s.greeted = true;
  bool going = s.secure->move(s.fd);
  if (s.secure->engine.is(BR_SSL_SENDAPP)) {
    s.state = Link::open;
    s.why = KitReason::none;
  } else if (!going || now() - s.since >= kTlsFor) {
    s.state = Link::failed;
    s.why = s.secure->engine.error() != 0 ? KitReason::tls : KitReason::noBroker;
  }
#else
  s.state = Link::failed;
#endif
}

size_t HostHal::tcpRead(Line line, uint8_t *to, size_t size) {
  Socket &s = sockets_[line];
  if (s.state != Link::open) return 0;
#ifdef KIT_TLS
  if (s.secure) {
    bool going = s.secure->move(s.fd);
    size_t n = s.secure->engine.take(to, size);
    if (n == 0 && !going) {
      s.state = Link::failed;
      s.why = KitReason::lost;
    }
    return n;
  }
#endif
  ssize_t n = recv(s.fd, to, size, 0);
  if (n > 0) return static_cast<size_t>(n);
  if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    s.state = Link::failed;
    s.why = KitReason::lost;
  }
  return 0;
}

size_t HostHal::tcpWrite(Line line, const uint8_t *bytes, size_t length) {
  Socket &s = sockets_[line];
  if (s.state != Link::open) return 0;
#ifdef KIT_TLS
  if (s.secure) {
    size_t n = s.secure->engine.put(bytes, length);
    s.secure->move(s.fd);  // that it ended, a read tells
    return n;
  }
#endif
  ssize_t n = send(s.fd, bytes, length, 0);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

void HostHal::tcpClose(Line line) {
  Socket &s = sockets_[line];
  if (s.fd >= 0) close(s.fd);
  s = Socket();
}

bool HostHal::imageBegin(uint32_t size, const char *sum) {
  imageDrop();
  if (wired() || size == 0 || size > kImageMost) return false;
  image_.reserve(size);
  image_size_ = size;
  image_md5_ = sum;
  return updating_ = true;
}

bool HostHal::imageWrite(const uint8_t *bytes, size_t length) {
  if (!updating_ || image_.size() + length > image_size_) return false;
  image_.insert(image_.end(), bytes, bytes + length);
  return true;
}

// imageEnd copies the image to where the next start takes it from, which on the
// chip its boot loader does.
bool HostHal::imageEnd() {
  bool right = updating_ && image_.size() == image_size_ && hex(md5(image_.data(), image_.size())) == image_md5_;
  if (right) {
    say("update " + image_md5_);
    image_.resize((image_.size() + 3) / 4 * 4, 0xff);
    for (uint32_t at = 0; at < image_.size(); at += kSector) flashErase(at / kSector);
    right = flashWrite(0, image_.data(), image_.size());
  }
  imageDrop();
  return right;
}

void HostHal::imageDrop() {
  image_.clear();
  updating_ = false;
}
