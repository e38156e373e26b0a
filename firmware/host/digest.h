// The digests that a board has in hardware or in its SDK.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <string>

// md5 and hmacSha1 are RFC 1321 and RFC 2104.
std::string md5(const uint8_t *data, size_t length);
std::string hmacSha1(const std::string &key, const std::string &data);
// wifiKey is the PMK of a WPA2 network in hex: PBKDF2 with 4096 rounds (IEEE 802.11i, J.4).
std::string wifiKey(const std::string &passphrase, const std::string &ssid);
std::string hex(const std::string &bytes);
