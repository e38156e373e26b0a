// What a kit is told about its network and its design, and how that is kept in
// flash: firmware/PROTOCOL.md, "Settings". core/kits/wire does the same in Go, and
// firmware/testdata/settings.vectors keeps the two the same.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "roles.h"

// Tags of settings.
enum Tag : uint8_t {
  kTagSsid = 0x10, kTagKey, kTagHost, kTagPort, kTagAccount, kTagSecret, kTagTls, kTagPage, kTagTransport,
  kTagHome,
  kTagName = 0x20, kTagRole, kTagHold, kTagPart, kTagPin, kTagLabel,
};

// PartSettings is a part of the kit and its topic (tag 23).
struct PartSettings {
  enum Flag : uint8_t { publish = 1, toggle = 2, writable = 4, retain = 8 };
  static constexpr uint8_t kAdded = 16;  // in a change: those that are there stay
  uint8_t flags;
  int32_t min, max;
  char slot[17], topic[121], yes[25], no[25];
  // port is what a Kit is made of; it points into this.
  Port port() const;
};

// PinSettings is the pin that a part is on (tag 24).
struct PinSettings {
  enum Flag : uint8_t { inverted = 1, pullUp = 2 };
  static constexpr uint8_t kAnalog = 17;  // A0
  uint8_t gpio;                           // 0 to 5, 12 to 16, or kAnalog: 6 to 11 are the flash's
  uint8_t flags;
  char slot[17];
};

// Settings are all a kit knows. A text that is not set is "". Texts have no 00 in them.
struct Settings {
  static constexpr size_t kMost = 2048;  // bytes of TLVs
  static constexpr size_t kParts = 8, kPins = 8;

  // Of the network.
  char ssid[33], key[65], host[64], account[65], secret[65], page[73], home[64];
  uint16_t port;  // of the broker; 0 where it is not set
  uint8_t tls[120];
  uint8_t tls_length;  // 0: no TLS
  bool cable;          // else Wi-Fi
  // Of the design.
  char name[121], label[64];
  Role role;
  uint32_t hold;  // ms
  uint8_t part_count, pin_count;
  PartSettings parts[kParts];
  PinSettings pins[kPins];
  // Whether these were told; without, they are Wi-Fi, light and Kit::kOffFor.
  bool has_transport, has_role, has_hold;

  // clear makes them what a kit has that was told nothing.
  void clear();
  // complete reports whether the kit can join with them.
  bool complete() const;
  // pin finds the pin of a slot, or nullptr.
  const PinSettings *pin(const char *slot) const;
};

// validKey reports whether a Wi-Fi key is 8 to 63 bytes, or 64 hex digits.
bool validKey(const char *key, size_t length);

// parseSettings reads TLVs as they are kept. Where it says no, to is empty.
bool parseSettings(const uint8_t *tlvs, size_t length, Settings *to);

// changeSettings makes to what from is after a change. to is another one than from.
// Where it says no the change makes no sense, or the whole would be more than
// Settings::kMost, and to is of no use.
bool changeSettings(const Settings &from, const uint8_t *change, size_t length, Settings *to);

enum class Extent : uint8_t {
  all,
  open,    // without key and secret
  design,  // from tag 20 on
};

// encodeSettings writes TLVs in ascending order and returns how many bytes, or
// SIZE_MAX where they do not fit.
size_t encodeSettings(const Settings &s, Extent extent, uint8_t *to, size_t size);

// settingsCrc is CRC32 over the encoded TLVs, 0 where there are none.
uint32_t settingsCrc(const Settings &s, Extent extent);

// sameNetwork reports whether two have the same tags below 20.
bool sameNetwork(const Settings &a, const Settings &b);

// Slots, as they lie in flash.
constexpr size_t kSlotHead = 12;
constexpr size_t kSlotMost = kSlotHead + Settings::kMost + 4;  // a multiple of 4

// encodeSlot returns how many bytes, a multiple of four, or 0 where they do not fit.
size_t encodeSlot(const Settings &s, uint32_t sequence, uint8_t *to, size_t size);

// decodeSlot returns the sequence, or 0 where the slot is not valid. to may be
// nullptr: then nobody has asked whether its TLVs can be read.
uint32_t decodeSlot(const uint8_t *slot, size_t length, Settings *to);

// Flash is NOR flash: erased it is FF, and a write only clears bits. All calls wait.
struct Flash {
  virtual bool read(uint32_t address, uint8_t *to, size_t length) = 0;
  // erase erases the 4 KiB at address.
  virtual bool erase(uint32_t address) = 0;
  // write takes addresses and lengths that are multiples of four, and an aligned from.
  virtual bool write(uint32_t address, const uint8_t *from, size_t length) = 0;

 protected:
  ~Flash() = default;
};

// SettingsStore keeps settings in two slots of flash. A power cut at any moment of
// save leaves what was there before, or the new ones, and never none.
class SettingsStore {
 public:
  static constexpr uint32_t kSlots[2] = {0x3FA000, 0x3FB000};
  static constexpr size_t kSector = 4096;

  explicit SettingsStore(Flash &flash) : flash_(flash) {}

  // load reads the newest valid settings. Where there are none it says no, and to is empty.
  bool load(Settings *to);
  // save erases and writes the other slot and reads it back. Where it says no, what
  // load would find is what it was.
  bool save(const Settings &s);
  // revert drops the newest settings and loads the older ones. Where there are no
  // older ones it says no and leaves everything.
  bool revert(Settings *to);
  // forget erases both slots.
  bool forget();

  // prove marks the newest settings as good: the kit reached its broker with them.
  // The mark is the last word of the sector, which is FFFFFFFF before.
  bool prove();
  bool proven() const { return proven_; }

  // sequence of the newest settings; 0: none.
  uint32_t sequence() const { return sequence_; }

 private:
  uint32_t readSlot(int slot, Settings *to);
  bool matches(uint32_t address, const uint8_t *want, size_t length);

  Flash &flash_;
  uint32_t sequence_ = 0;
  int slot_ = 1;  // of the newest settings; 1 before there are any, so the first go into 0
  bool proven_ = false;
  alignas(4) uint8_t work_[kSlotMost];
};
