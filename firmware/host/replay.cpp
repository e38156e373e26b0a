// Replays transcripts against the kit on a PC. testdata/light.txt tells their
// format; core/sim/behaviour_test.go does the same in Go.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "../kit/src/core/roles.h"

namespace {

// Paper is a board that writes down what the kit does.
struct Paper : Board {
  std::deque<std::string> sent;
  std::string line;
  bool lit = false;
  void publish(const char *t, const char *p, bool retain) override {
    sent.push_back(std::string("< ") + t + " " + p + (retain ? " retain" : ""));
  }
  void light(const char *, bool on) override { lit = on; }
  void print(const char *l) override { line = l; }
};

std::string trimmed(std::string s) {
  s.erase(s.find_last_not_of(' ') + 1);
  return s;
}

bool addPort(Kit &kit, std::string line) {
  Port p;
  std::string yes = "true", no = "false", word, slot, action, topic;
  if (size_t at = line.find(" words "); at != std::string::npos) {
    std::string words = line.substr(at + 7);
    yes = words.substr(0, words.find('|'));
    no = words.substr(words.find('|') + 1);
    line.resize(at);
  }
  std::istringstream in(line);
  in >> word >> slot >> action >> topic;
  while (in >> word) {
    if (word == "toggle") p.toggle = true;
    if (word == "writable") p.writable = true;
    if (word == "retain") p.retain = true;
    if (word == "range") in >> p.min >> p.max;
  }
  p.slot = slot.c_str();
  p.topic = topic.c_str();
  p.publish = action == "publish";
  p.yes = yes.c_str();
  p.no = no.c_str();
  return kit.add(p);
}

// replay returns the number of the first line where the kit does something else,
// or 0.
int replay(std::istream &in, std::string *why) {
  Paper board;
  const char *roles[] = {"light", "sensor", "button", "choice", "all"};
  alignas(Kit) unsigned char place[sizeof(Kit)];
  Kit *kit = nullptr;
  uint32_t now = 0;
  int n = 0;
  std::string line;
  while (std::getline(in, line)) {
    n++;
    std::istringstream words(line);
    std::string op, a, b;
    words >> op >> a >> b;
    if (op.empty() || op[0] == '#') continue;
    *why = line + ": it sent " + (board.sent.empty() ? "nothing" : board.sent.front());
    if (op == "<") {
      if (board.sent.empty() || board.sent.front() != line) return n;
      board.sent.pop_front();
      continue;
    }
    if (!board.sent.empty()) return n;
    *why = line;
    if (op == "kit") {
      size_t role = 0;
      while (role < 5 && a != roles[role]) role++;
      if (role == 5 || kit != nullptr) return n;
      kit = new (place) Kit(board, static_cast<Role>(role), b.c_str());
      continue;
    }
    if (kit == nullptr) return n;
    uint32_t number = static_cast<uint32_t>(std::strtoul(a.c_str(), nullptr, 10));
    if (op == "port") {
      if (!addPort(*kit, line)) return n;
    } else if (op == "hold") {
      kit->setHold(number);
    } else if (op == "clock") {
      kit->tick(now = number);
    } else if (op == "connect") {
      kit->connected(now);
    } else if (op == "disconnect") {
      kit->disconnected();
    } else if (op == "stop") {
      kit->stopping();
    } else if (op == "refused") {
      kit->refused();
    } else if (op == ">") {
      size_t at = line.find(' ', 2);
      std::string topic = line.substr(2, at == std::string::npos ? at : at - 2), payload = at == std::string::npos ? "" : line.substr(at + 1);
      // A copy without an end, so that the sanitizer sees who reads on.
      std::vector<uint8_t> bytes(payload.begin(), payload.end());
      kit->received(topic.c_str(), bytes.data(), bytes.size(), now);
    } else if (op == "press" || op == "release") {
      kit->contact(a.empty() ? "button" : a.c_str(), op == "press", now);
      kit->tick(now);
    } else if (op == "brightness") {
      kit->measure("brightness", static_cast<int32_t>(std::strtol(a.c_str(), nullptr, 10)));
      kit->tick(now);
    } else if (op == "presence") {
      kit->presence(a == "on");
      kit->tick(now);
    } else if (op == "led") {
      if (board.lit != (a == "on")) return n;
    } else if (op == "|") {
      *why = line + ": it printed " + board.line;
      if (trimmed("| " + board.line) != trimmed(line)) return n;
    } else if (op == "subscribes") {
      std::string got = "subscribes";
      for (size_t i = 0; kit->subscription(i) != nullptr; i++) got += std::string(" ") + kit->subscription(i);
      *why = line + ": " + got;
      if (got != trimmed(line)) return n;
    } else {
      return n;
    }
  }
  *why = "at the end it sent " + (board.sent.empty() ? "" : board.sent.front());
  return board.sent.empty() ? 0 : n + 1;
}

}  // namespace

int main(int argc, char **argv) {
  int failed = 0;
  for (int i = 1; i < argc; i++) {
    std::ifstream in(argv[i]);
    std::string why = "cannot be read";
    int line = in ? replay(in, &why) : 1;
    if (line == 0) continue;
    std::fprintf(stderr, "%s:%d: %s\n", argv[i], line, why.c_str());
    failed++;
  }
  std::printf("%d transcripts, %d failed\n", argc - 1, failed);
  return failed == 0 ? 0 : 1;
}
