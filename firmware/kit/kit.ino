// A kit of a homeroom lab: everything is in src. README.md tells how to build it.
#include "src/core/app.h"
#include "src/hal_esp8266.h"

static Esp8266Hal board;
static App app(board);

void setup() {
  board.begin();
  app.begin();
}

void loop() {
  app.tick();
  delay(1);  // the radio's turn
}
