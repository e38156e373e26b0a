// The wired kit: the kit's application on the bare chip.
#include <stdint.h>
#include <string.h>

#include "../kit/src/core/app.h"
#include "../kit/src/core/text.h"
#include "../kit/src/core/version.h"
#include "wired.h"

extern "C" {
extern void (*init_start[])();
extern void (*init_end[])();
}

namespace {

// What a file is told by.
[[gnu::used, gnu::section(".marker")]] const char kMarker[] = "@HOMEROOM-FIRMWARE@wired@" HOMEROOM_VERSION "@";

Wired board;
App app(board);

void say(const char *text) {
  size_t length = strlen(text);
  for (uint32_t from = board.now(); length > 0 && board.now() - from < 100;) {
    size_t n = board.serialWrite(reinterpret_cast<const uint8_t *>(text), length);
    text += n;
    length -= n;
  }
}

// tellFault tells of a restart that nobody asked for.
void tellFault() {
  uint32_t cause, where, count;
  if (!board.faulted(&cause, &where, &count)) return;
  char line[96];
  Text text(line, sizeof line);
  text.add("Started again after fault ").number(cause).add(" at ").hex(where, 8).add(", number ").number(count).add(" since power-on.\n");
  say(line);
}

}  // namespace

void kitMain() {
  for (void (**f)() = init_start; f < init_end; f++) (*f)();
  board.setup();
  tellFault();
  app.begin();
  for (;;) {
    board.feed();
    app.tick();
  }
}

void kitInterrupt() { board.interrupt(); }

void kitFault(uint32_t cause, uint32_t where) { board.fault(cause, where); }
