// What the application needs from a board. hal_esp8266 is a kit on Wi-Fi, host a
// PC, wired the bare chip on its cable. No call waits, but where it says so.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "version.h"

// The wired image is built without everything that only Wi-Fi needs.
#ifndef KIT_NETWORK
#define KIT_NETWORK 1
#endif
constexpr bool kNetwork = KIT_NETWORK != 0;

// Network is one that the radio hears. Security is as in the answer to scan.
struct Network {
  char ssid[33] = "";
  int8_t signal = 0;  // dBm
  uint8_t security = 0, channel = 0;
};

// Edge is a change of a watched pin.
struct Edge {
  uint8_t gpio = 0;
  bool high = false;
  uint32_t at = 0;  // when, on the clock of now
};

struct Hal {
  enum class Pin : uint8_t { input, pull_up, output };
  enum class Link : uint8_t { off, opening, open, failed };
  enum Line : uint8_t { broker, page };  // its two TCP connections

  // now is milliseconds since power-on; it wraps after 49 days.
  virtual uint32_t now() = 0;
  virtual uint32_t random() = 0;

  // serialRead returns how many bytes it gave, serialWrite how many it took; both
  // may be 0.
  virtual size_t serialRead(uint8_t *to, size_t size) = 0;
  virtual size_t serialWrite(const uint8_t *bytes, size_t length) = 0;

  // Pins are GPIO 0 to 16. pinMode says no to those that the board has not (6 to
  // 11 carry the flash, 1 and 3 the serial port).
  virtual bool pinMode(uint8_t gpio, Pin mode) = 0;
  virtual void pinWrite(uint8_t gpio, bool high) = 0;
  virtual bool pinRead(uint8_t gpio) = 0;
  virtual uint16_t analog() = 0;  // A0, 0 to 1023
  // watch makes edge tell each change of an input, also those that come while
  // another call waits. A board without interrupts says no; its pins are then
  // read at each tick.
  virtual bool watch(uint8_t) { return false; }
  virtual bool edge(Edge *) { return false; }

  // The flash, by its absolute address. Addresses and lengths of a write are
  // multiples of four, and only erased bytes are written; a sector has 4096 bytes.
  virtual uint32_t flashSize() = 0;
  virtual bool flashRead(uint32_t at, uint8_t *to, size_t length) = 0;
  virtual bool flashErase(uint32_t sector) = 0;  // its number; waits up to 0.4 s
  virtual bool flashWrite(uint32_t at, const uint8_t *bytes, size_t length) = 0;

  // Abilities are bits of what a board can do beside the cable.
  enum : uint8_t { kWifi = 1, kTls = 2, kUpdate = 4 };
  virtual uint8_t abilities() { return 0; }
  virtual const char *variant() = 0;     // "wifi", "wired" or "host"
  virtual const char *version() { return HOMEROOM_VERSION; }
  virtual void mac(uint8_t to[6]) = 0;
  virtual uint32_t chip() = 0;           // its ID, the last three bytes of the MAC
  virtual uint32_t freeHeap() = 0;       // bytes
  virtual void restart() = 0;            // may return; nothing else is called then

  // Wi-Fi. key is "" (open), the passphrase or the PMK in 64 hex digits. Once it
  // has joined, a link that is lost is failed, and the caller joins again.
  virtual void netJoin(const char *, const char *) {}
  virtual void netLeave() {}
  virtual Link netState(KitReason *) { return Link::off; }
  virtual int8_t netSignal() { return 0; }  // dBm, 0 where it is not joined
  // netAddress writes text, "" where there is none.
  virtual void netAddress(char *to, size_t) { to[0] = 0; }
  // scanStart looks for networks; scanNext gives them in any order and says no
  // after the last, which forgets them. scanState is open when they are there.
  virtual bool scanStart() { return false; }
  virtual Link scanState() { return Link::failed; }
  virtual bool scanNext(Network *) { return false; }

  // TCP. key is the SubjectPublicKeyInfo (DER) that the server must have, or
  // length 0 for no TLS. Names in .local are asked for by mDNS. tcpOpen ends what was
  // open, and may wait for a name and a connection, at most three seconds in all; TLS
  // takes some more. Presses are not lost meanwhile: see watch.
  // tcpRead and tcpWrite tell how many bytes they moved; what came before an end can
  // still be read after it.
  virtual bool tcpOpen(Line, const char *, uint16_t, const uint8_t *, size_t) { return false; }
  virtual Link tcpState(Line, KitReason *) { return Link::off; }
  virtual size_t tcpRead(Line, uint8_t *, size_t) { return 0; }
  virtual size_t tcpWrite(Line, const uint8_t *, size_t) { return 0; }
  virtual void tcpClose(Line) {}

  // An image for the next start: begun with its size and its MD5 in 32 hex digits,
  // written in order. imageBegin says no where it does not fit. imageEnd says no where
  // the MD5 is another; the old image then stays.
  virtual bool imageBegin(uint32_t, const char *) { return false; }
  virtual bool imageWrite(const uint8_t *, size_t) { return false; }
  virtual bool imageEnd() { return false; }
  virtual void imageDrop() {}

 protected:
  ~Hal() = default;
};
