#include "digest.h"

#include <string.h>

#include <cmath>

namespace {

uint32_t left(uint32_t v, uint32_t n) { return v << n | v >> (32 - n); }

// padded is a message with the bit 1, zeros and its length in bits, to blocks of 64 bytes.
std::string padded(const uint8_t *data, size_t length, bool big_endian) {
  std::string m(reinterpret_cast<const char *>(data), length);
  m += '\x80';
  while (m.size() % 64 != 56) m += '\0';
  uint64_t bits = static_cast<uint64_t>(length) * 8;
  for (int i = 0; i < 8; i++) m += static_cast<char>(bits >> (big_endian ? 56 - 8 * i : 8 * i) & 0xff);
  return m;
}

uint32_t byteAt(const std::string &s, size_t i) { return static_cast<uint8_t>(s[i]); }

std::string sha1(const std::string &data) {
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::string m = padded(reinterpret_cast<const uint8_t *>(data.data()), data.size(), true);
  for (size_t at = 0; at < m.size(); at += 64) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (size_t i = 0; i < 16; i++)
      w[i] = byteAt(m, at + 4 * i) << 24 | byteAt(m, at + 4 * i + 1) << 16 | byteAt(m, at + 4 * i + 2) << 8 | byteAt(m, at + 4 * i + 3);
    for (size_t i = 16; i < 80; i++) w[i] = left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (size_t i = 0; i < 80; i++) {
      uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
      uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      uint32_t next = left(a, 5) + f + e + k + w[i];
      e = d, d = c, c = left(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  std::string out;
  for (uint32_t v : h)
    for (int i = 24; i >= 0; i -= 8) out += static_cast<char>(v >> i & 0xff);
  return out;
}

}  // namespace

std::string md5(const uint8_t *data, size_t length) {
  const uint32_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
  uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  std::string m = padded(data, length, false);
  for (size_t at = 0; at < m.size(); at += 64) {
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3];
    for (size_t i = 0; i < 16; i++)
      w[i] = byteAt(m, at + 4 * i) | byteAt(m, at + 4 * i + 1) << 8 | byteAt(m, at + 4 * i + 2) << 16 | byteAt(m, at + 4 * i + 3) << 24;
    for (uint32_t i = 0; i < 64; i++) {
      uint32_t f, g;
      if (i < 16) f = (b & c) | (~b & d), g = i;
      else if (i < 32) f = (d & b) | (~d & c), g = (5 * i + 1) % 16;
      else if (i < 48) f = b ^ c ^ d, g = (3 * i + 5) % 16;
      else f = c ^ (b | ~d), g = 7 * i % 16;
      uint32_t k = static_cast<uint32_t>(static_cast<int64_t>(std::floor(std::fabs(std::sin(i + 1.0)) * 4294967296.0)));
      uint32_t next = b + left(a + f + k + w[g], turns[i / 16][i % 4]);
      a = d, d = c, c = b, b = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d;
  }
  std::string out;
  for (uint32_t v : h)
    for (int i = 0; i < 32; i += 8) out += static_cast<char>(v >> i & 0xff);
  return out;
}

std::string hmacSha1(const std::string &key, const std::string &data) {
  std::string k = key.size() > 64 ? sha1(key) : key, inner, outer;
  k.resize(64);
  for (char c : k) {
    inner += static_cast<char>(c ^ 0x36);
    outer += static_cast<char>(c ^ 0x5c);
  }
  return sha1(outer + sha1(inner + data));
}

std::string wifiKey(const std::string &passphrase, const std::string &ssid) {
  std::string key;
  for (char block = 1; block <= 2; block++) {
    std::string u = hmacSha1(passphrase, ssid + std::string("\0\0\0", 3) + block), sum = u;
    for (int i = 1; i < 4096; i++) {
      u = hmacSha1(passphrase, u);
      for (size_t n = 0; n < sum.size(); n++) sum[n] = static_cast<char>(sum[n] ^ u[n]);
    }
    key += sum;
  }
  return hex(key.substr(0, 32));
}

std::string hex(const std::string &bytes) {
  std::string out;
  for (char c : bytes) {
    const char *digits = "0123456789abcdef";
    out += digits[static_cast<uint8_t>(c) >> 4];
    out += digits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}
