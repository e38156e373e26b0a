// What the world does to the core of core.cpp, and what it saw.
#pragma once
#include <ESP8266WiFi.h>

#include <string>
#include <vector>

struct World {
  unsigned long clock = 0;  // ms
  // Pins.
  int level[17] = {}, mode[17] = {};
  // Serial port: what waits in the FIFO, and what has left it.
  std::string typed, fifo, sent;
  bool restarted = false;
  // Wi-Fi.
  wl_status_t status = WL_IDLE_STATUS;
  std::string ssid, key, host;
  int joins = 0, again = 0, leaves = 0;
  bool scanning = false;
  struct Net {
    const char *ssid;
    uint8_t type;
  };
  std::vector<Net> nets;
  int forgotten = 0;  // scanDelete
  // TCP: who is there, what it says, what waits for an acknowledgement and what has one.
  bool name = true, peer = true;
  std::string said, waiting, heard;
  int tls = 0, largest = 1024;  // the error of a handshake, the largest record of the server
  std::string spki;
  // Flash.
  std::string image;  // that the next start copies
  uint8_t flash[8192];

  // pin changes a level, as the core's interrupt handler sees it.
  void pin(uint8_t gpio, int high);
  void associated();
  void left(WiFiDisconnectReason why);
};
extern World world;
