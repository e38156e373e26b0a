// Improv Wi-Fi over a serial port, version 1, as improv-wifi.com/serial describes
// it; the kit's side. Splitter finds the packets.
#pragma once
#include <stddef.h>
#include <stdint.h>

constexpr size_t kImprovHead = 9;                          // bytes before the data
constexpr size_t kImprovMost = kImprovHead + 255 + 1 + 1;  // with checksum and end of line

enum ImprovType : uint8_t { kImprovState = 1, kImprovError, kImprovCommand, kImprovResult };
enum class ImprovState : uint8_t { ready = 2, provisioning, provisioned };
enum class ImprovError : uint8_t { none = 0, invalid = 1, unknown = 2, unable = 3, other = 0xff };
enum class ImprovId : uint8_t { wifi = 1, state, info, scan };

// ImprovRequest is what a client asks. Texts are "" but for wifi.
struct ImprovRequest {
  ImprovId id;
  char ssid[33], key[65];
};

// parseImprov reads the data of a command. It says none, invalid or unknown.
ImprovError parseImprov(const uint8_t *data, size_t length, ImprovRequest *to);

// Each returns how many bytes, with the end of line, or 0 where they do not fit.
size_t encodeImprov(uint8_t *to, size_t size, uint8_t type, const uint8_t *data, size_t length);
size_t encodeImprovState(uint8_t *to, size_t size, ImprovState state);
size_t encodeImprovError(uint8_t *to, size_t size, ImprovError error);
size_t encodeImprovResult(uint8_t *to, size_t size, ImprovId id, const char *const *texts, size_t count);
