#include "console.h"

#include <string.h>

#include "settings.h"

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool space(char c) { return c == ' ' || c == '\t'; }

// Words takes a line apart.
class Words {
 public:
  Words(const char *line, size_t length) : at_(line), left_(length) {}

  // next copies a word. It says no where there is none, it does not fit, or its
  // quotes are open.
  bool next(char *to, size_t size) {
    size_t n = 0;
    if (end()) return false;
    bool quoted = *at_ == '"';
    if (quoted) skip();
    while (left_ > 0 && (quoted ? *at_ != '"' : !space(*at_))) {
      if (quoted && *at_ == '\\' && left_ > 1 && (at_[1] == '"' || at_[1] == '\\')) skip();
      if (n + 1 >= size || *at_ == 0) return false;
      to[n++] = *at_;
      skip();
    }
    to[n] = 0;
    if (!quoted) return true;
    if (left_ == 0) return false;
    skip();
    return left_ == 0 || space(*at_);
  }

  // end reports whether no word is left.
  bool end() {
    while (left_ > 0 && space(*at_)) skip();
    return left_ == 0;
  }

 private:
  void skip() { at_++, left_--; }
  const char *at_;
  size_t left_;
};

struct Usage {
  const char *word;
  ConsoleCommand::Kind kind;
  const char *usage;
};

const Usage kUsages[] = {
    {"help", ConsoleCommand::Kind::help, "help"},
    {"info", ConsoleCommand::Kind::info, "info"},
    {"networks", ConsoleCommand::Kind::networks, "networks"},
    {"join", ConsoleCommand::Kind::join, "join \"NAME\" \"KEY\""},
    {"locate", ConsoleCommand::Kind::locate, "locate 10"},
    {"restart", ConsoleCommand::Kind::restart, "restart"},
};

bool seconds(const char *word, uint8_t *to) {
  unsigned v = 0;
  for (const char *c = word; *c != 0; c++) {
    if (*c < '0' || *c > '9') return false;
    v = v * 10 + static_cast<unsigned>(*c - '0');
    if (v > 255) return false;
  }
  *to = static_cast<uint8_t>(v);
  return word[0] != 0;
}

// arguments reads what comes after the command.
bool arguments(ConsoleCommand *c, Words *words) {
  char word[4];
  switch (c->kind) {
    case ConsoleCommand::Kind::join:
      if (!words->next(c->ssid, sizeof c->ssid) || c->ssid[0] == 0) return false;
      if (!words->end() && !words->next(c->key, sizeof c->key)) return false;
      if (c->key[0] != 0 && !validKey(c->key, strlen(c->key))) return false;
      break;
    case ConsoleCommand::Kind::locate:
      c->seconds = 10;
      if (!words->end() && (!words->next(word, sizeof word) || !seconds(word, &c->seconds))) return false;
      break;
    default: break;
  }
  return words->end();
}

}  // namespace

ConsoleCommand parseConsole(const char *line, size_t length) {
  ConsoleCommand c = {};
  Words words(line, length);
  if (words.end()) return c;
  c.kind = ConsoleCommand::Kind::unknown;
  char word[10];
  if (!words.next(word, sizeof word)) return c;
  for (char *at = word; *at != 0; at++) *at = lower(*at);
  for (const Usage &u : kUsages) {
    if (strcmp(u.word, word) != 0) continue;
    c.kind = u.kind;
    c.usage = u.usage;
    if (!arguments(&c, &words)) c.kind = ConsoleCommand::Kind::wrong;
  }
  return c;
}
