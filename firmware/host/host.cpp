// The kit on a PC: the same application as on the board, on a flash that is a file.
// Its serial port is the standard input and output, or a terminal.
//
//   host --flash FILE [--serial PATH] [--control PATH | --control fd:IN,OUT]
//        [--mac 5c:cf:7f:01:02:03] [--variant host|wifi|wired] [--seed N] [--trial MS] [--cut N] [--receive N]
//        [--mdns ADDRESS:PORT]
//
// Without --variant it is what the image on the flash says, or host. --trial is how
// long new settings may take to reach the broker. With --cut the power goes when N
// more bytes have been written to the flash; it then ends with 3. --receive is how many
// bytes of TLS it can take at once, 1024 as the board. --mdns is who is asked for a name in
// .local, instead of all on this network.
//
// With -DKIT_ARDUINO it is the firmware of the board as it is, hal_esp8266.cpp included, on
// the core of arduino/pc.cpp.
//
// Its hardware is on the control, a Unix socket that it connects to or two
// descriptors, a line each. It takes:
//
//   press SLOT, release SLOT     a button, wherever its pin is
//   gpio N 0|1                   the level of an input
//   analog N                     A0, 0 to 1023
//   presence on|off
//   network "NAME" "KEY" CHANNEL SECURITY SIGNAL   one that is in reach; key "" is open
//   network-off                  none is
//   quit
//
// and tells "gpio N 0|1" at each change of an output, "restart", and "update MD5" when
// an image has come over the air. It ends with its standard input.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <memory>

#include "../kit/src/core/app.h"
#ifdef KIT_ARDUINO
#include "arduino/pc.h"
#endif
#include "hal_host.h"

namespace {

int wrong(const std::string &why) {
  fprintf(stderr, "host: %s\n", why.c_str());
  return 2;
}

// words reads them; in quotes they may have spaces, and \ before a quote or itself.
std::vector<std::string> words(const std::string &line) {
  std::vector<std::string> out;
  bool quoted = false, word = false;
  for (size_t i = 0; i < line.size(); i++) {
    char c = line[i];
    if (c == '"') {
      quoted = !quoted;
      if (!word) out.emplace_back();
      word = true;
      continue;
    }
    if (c == ' ' && !quoted) {
      word = false;
      continue;
    }
    if (c == '\\' && quoted && i + 1 < line.size()) c = line[++i];
    if (!word) out.emplace_back();
    word = true;
    out.back() += c;
  }
  return out;
}

bool number(const std::string &word, long least, long most, long *to) {
  char *end = nullptr;
  *to = strtol(word.c_str(), &end, 10);
  return !word.empty() && *end == 0 && *to >= least && *to <= most;
}

// obey does what a line of the control says, and no where it makes no sense.
bool obey(const std::string &line, HostHal &hal, const App &app) {
  std::vector<std::string> w = words(line);
  long n = 0, level = 0;
  uint8_t gpio = 0;
  bool inverted = false;
  if (w.empty()) return true;
  if ((w[0] == "press" || w[0] == "release") && w.size() <= 2) {
    if (!app.input(w.size() == 2 ? w[1].c_str() : "button", &gpio, &inverted)) return false;
    hal.setPin(gpio, (w[0] == "press") != inverted);
    return true;
  }
  if (w[0] == "presence" && w.size() == 2 && (w[1] == "on" || w[1] == "off")) {
    if (!app.input("presence", &gpio, &inverted)) return false;
    hal.setPin(gpio, (w[1] == "on") != inverted);
    return true;
  }
  if (w[0] == "gpio" && w.size() == 3 && number(w[1], 0, 16, &n) && number(w[2], 0, 1, &level)) {
    hal.setPin(static_cast<uint8_t>(n), level == 1);
    return true;
  }
  if (w[0] == "analog" && w.size() == 2 && number(w[1], 0, 1023, &n)) {
    hal.setAnalog(static_cast<uint16_t>(n));
    return true;
  }
  if (w[0] == "network-off" && w.size() == 1) {
    hal.dropNetworks();
    return true;
  }
  if (w[0] == "deaf" && w.size() == 2 && number(w[1], 0, 100, &n)) {
    hal.deafen(static_cast<int>(n));
    return true;
  }
  long channel = 0, security = 0, signal = 0;
  if (w[0] == "network" && w.size() == 6 && w[1].size() <= 32 && number(w[3], 1, 14, &channel) && number(w[4], 0, 6, &security) &&
      number(w[5], -120, 0, &signal)) {
    Air air;
    air.name = w[1];
    air.key = w[2];
    air.channel = static_cast<uint8_t>(channel);
    air.security = static_cast<uint8_t>(security);
    air.signal = static_cast<int8_t>(signal);
    hal.addNetwork(air);
    return true;
  }
  return false;
}

bool openSerial(const std::string &path, HostHal::Options *o) {
  int fd = open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  termios t;
  if (fd < 0) return false;
  if (tcgetattr(fd, &t) == 0) {
    cfmakeraw(&t);
    tcsetattr(fd, TCSANOW, &t);
  }
  o->serial_in = o->serial_out = fd;
  return true;
}

bool openControl(const std::string &path, HostHal::Options *o) {
  if (sscanf(path.c_str(), "fd:%d,%d", &o->control_in, &o->control_out) == 2) return true;
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return false;
  memcpy(to.sun_path, path.c_str(), path.size());
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr *>(&to), sizeof to) != 0) return false;
  o->control_in = o->control_out = fd;
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  HostHal::Options o;
  std::string control;
  long trial = App::kTrial, seed = 0, receive = 0;
  for (int i = 1; i < argc; i += 2) {
    std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    bool good = i + 1 < argc;
    if (name == "--flash") o.flash = value;
    else if (name == "--serial") good = openSerial(value, &o);
    else if (name == "--control") control = value;
    else if (name == "--variant") good = value == "host" || value == "wifi" || value == "wired", o.variant = value;
    else if (name == "--seed") good = number(value, 0, INT32_MAX, &seed);
    else if (name == "--trial") good = number(value, 1, INT32_MAX, &trial);
    else if (name == "--mdns") good = mdnsPlace(value, &o.mdns);
    else if (name == "--cut") good = number(value, 0, INT32_MAX, &o.cut);
    else if (name == "--receive") good = number(value, 512, 16384, &receive), o.receive = static_cast<size_t>(receive);
    else if (name == "--mac") {
      unsigned m[6];
      char end;
      good = sscanf(value.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%c", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) == 6;
      for (int n = 0; n < 6 && good; n++) o.mac[n] = static_cast<uint8_t>(m[n]);
    } else return wrong("there is no option " + name);
    if (!good) return wrong(name + " " + value + " makes no sense" + (name == "--serial" ? std::string(": ") + strerror(errno) : ""));
  }
  if (o.flash.empty()) return wrong("--flash FILE is missing");
  if (!control.empty() && !openControl(control, &o)) return wrong("no control at " + control);
  o.seed = static_cast<uint64_t>(seed);
  signal(SIGPIPE, SIG_IGN);

  HostHal hal(o);
  if (std::string why = hal.open(); !why.empty()) return wrong(why);
  for (;;) {
    hal.boot();
#ifdef KIT_ARDUINO
    Hal &board = esp8266On(&hal);
#else
    HostHal &board = hal;
#endif
    App app(board, static_cast<uint32_t>(trial));
    // live is a moment of the world around it; no is its end.
    auto live = [&](int ms) {
      if (!hal.wait(ms)) return false;
      std::string line;
      while (hal.command(&line)) {
        if (line == "quit") return false;
        if (!obey(line, hal, app)) hal.say("wrong " + line);
      }
#ifdef KIT_ARDUINO
      radio();
#endif
      return true;
    };
#ifdef KIT_ARDUINO
    whileItWaits([&] {
      if (!live(1)) exit(0);
    });
#endif
    app.begin();
    while (!hal.restarting()) {
      if (!live(2)) return 0;
      app.tick();
    }
  }
}
