// The Arduino core on a PC, for host.cpp: pins, flash, serial port and Wi-Fi are those of a
// HostHal, TCP and TLS are real. Where it waits for the network, it waits as the core of
// esp8266/Arduino 3.1.2 does, and interrupts come meanwhile.
#pragma once
#include <functional>

#include "../hal_host.h"

// esp8266On begins anew on a board, and returns what hal_esp8266.cpp makes of it. There is
// one at a time.
Hal &esp8266On(HostHal *board);

// radio calls whoever wants to know of what happened to the network, as the SDK does
// between two turns of loop.
void radio();

// whileItWaits sets what goes on around a board while a call of the core waits. It takes
// a millisecond or so.
void whileItWaits(std::function<void()> live);
