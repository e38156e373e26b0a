// Integers as PROTOCOL.md has them: little-endian, wherever they lie.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

inline uint16_t get16(const uint8_t *at) { return static_cast<uint16_t>(at[0] | at[1] << 8); }
inline uint32_t get32(const uint8_t *at) { return get16(at) | static_cast<uint32_t>(get16(at + 2)) << 16; }

inline void put16(uint8_t *at, uint16_t v) {
  at[0] = static_cast<uint8_t>(v);
  at[1] = static_cast<uint8_t>(v >> 8);
}

inline void put32(uint8_t *at, uint32_t v) {
  put16(at, static_cast<uint16_t>(v));
  put16(at + 2, static_cast<uint16_t>(v >> 16));
}

// Writer fills a buffer. What does not fit makes ok() false and leaves it as it is.
class Writer {
 public:
  Writer(uint8_t *to, size_t size) : to_(to), size_(size) {}
  void bytes(const void *from, size_t length) {
    if (!ok_ || length > size_ - length_) {
      ok_ = false;
    } else if (length > 0) {
      memmove(to_ + length_, from, length);
      length_ += length;
    }
  }
  void u8(uint8_t v) { bytes(&v, 1); }
  void u16(uint16_t v) {
    uint8_t b[2];
    put16(b, v);
    bytes(b, sizeof b);
  }
  void u32(uint32_t v) {
    uint8_t b[4];
    put32(b, v);
    bytes(b, sizeof b);
  }
  // text is a length u8 and at most 255 bytes; longer ones do not fit.
  void text(const char *s) {
    size_t n = strlen(s);
    if (n > 255) ok_ = false;
    u8(static_cast<uint8_t>(n));
    bytes(s, n);
  }
  // tlv is a tag and a value of at most 255 bytes; longer ones do not fit.
  void tlv(uint8_t tag, const void *value, size_t length) {
    if (length > 255) ok_ = false;
    u8(tag);
    u8(static_cast<uint8_t>(length));
    bytes(value, length);
  }
  void tlv(uint8_t tag, const char *value) { tlv(tag, value, strlen(value)); }
  void tlv32(uint8_t tag, uint32_t v) {
    uint8_t b[4];
    put32(b, v);
    tlv(tag, b, sizeof b);
  }
  void tlv8(uint8_t tag, uint8_t v) { tlv(tag, &v, 1); }
  bool ok() const { return ok_; }
  size_t length() const { return length_; }

 private:
  uint8_t *to_;
  size_t size_, length_ = 0;
  bool ok_ = true;
};
