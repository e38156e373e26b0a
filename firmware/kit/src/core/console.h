// What a person types on the serial console: firmware/PROTOCOL.md, "Console".
#pragma once
#include <stddef.h>
#include <stdint.h>

struct ConsoleCommand {
  enum class Kind : uint8_t {
    none,     // nothing was typed
    unknown,  // no such command
    wrong,    // not with these words: usage says how
    help, info, networks, join, locate, restart,
  };
  Kind kind;
  const char *usage;        // of wrong: `join "NAME" "KEY"`
  char ssid[33], key[65];   // of join; key is "" for an open network
  uint8_t seconds;          // of locate; 10 where none is said
};

// parseConsole reads a line. Words are apart by spaces; in quotes they may have
// spaces, and \" and \\ for themselves. Capitals in a command do not matter.
ConsoleCommand parseConsole(const char *line, size_t length);
