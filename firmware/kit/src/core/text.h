// Text is put together in a buffer. What does not fit is cut off; there always is an end.
#pragma once
#include <stddef.h>
#include <stdint.h>

class Text {
 public:
  Text(char *to, size_t size) : to_(to), size_(size) { to_[0] = 0; }
  Text &add(const char *s) {
    while (*s != 0) put(*s++);
    return *this;
  }
  Text &add(const char *s, size_t length) {
    for (size_t i = 0; i < length; i++) put(s[i]);
    return *this;
  }
  Text &number(uint32_t v) {
    char digits[10];
    size_t n = 0;
    do digits[n++] = static_cast<char>('0' + v % 10);
    while ((v /= 10) != 0);
    while (n > 0) put(digits[--n]);
    return *this;
  }
  Text &signedNumber(int32_t v) {
    if (v < 0) put('-');
    return number(v < 0 ? 0u - static_cast<uint32_t>(v) : static_cast<uint32_t>(v));
  }
  // hex writes so many digits.
  Text &hex(uint32_t v, unsigned digits) {
    while (digits > 0) put("0123456789abcdef"[v >> 4 * --digits & 15]);
    return *this;
  }
  // mac writes six bytes, with what is between them.
  Text &mac(const uint8_t *bytes, const char *between) {
    for (int i = 0; i < 6; i++) add(i > 0 ? between : "").hex(bytes[i], 2);
    return *this;
  }
  size_t length() const { return length_; }

 private:
  void put(char c) {
    if (length_ + 1 >= size_) return;
    to_[length_++] = c;
    to_[length_] = 0;
  }

  char *to_;
  size_t size_, length_ = 0;
};
