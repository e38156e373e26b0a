#include "improv.h"

#include "bytes.h"

namespace {

// text reads a length and a text without 00.
bool text(char *to, size_t size, const uint8_t **at, size_t *left) {
  if (*left == 0) return false;
  size_t n = **at;
  if (n >= size || n + 1 > *left || memchr(*at + 1, 0, n) != nullptr) return false;
  memcpy(to, *at + 1, n);
  to[n] = 0;
  *at += n + 1;
  *left -= n + 1;
  return true;
}

}  // namespace

ImprovError parseImprov(const uint8_t *data, size_t length, ImprovRequest *to) {
  memset(static_cast<void *>(to), 0, sizeof *to);
  if (length < 2 || data[1] != length - 2) return ImprovError::invalid;
  if (data[0] < 1 || data[0] > static_cast<uint8_t>(ImprovId::scan)) return ImprovError::unknown;
  to->id = static_cast<ImprovId>(data[0]);
  size_t left = length - 2;
  data += 2;
  if (to->id == ImprovId::wifi) {
    if (!text(to->ssid, sizeof to->ssid, &data, &left) || to->ssid[0] == 0) return ImprovError::invalid;
    if (!text(to->key, sizeof to->key, &data, &left)) return ImprovError::invalid;
  }
  return left == 0 ? ImprovError::none : ImprovError::invalid;
}

size_t encodeImprov(uint8_t *to, size_t size, uint8_t type, const uint8_t *data, size_t length) {
  if (length > 255 || size < kImprovHead + length + 2) return 0;
  memmove(to + kImprovHead, data, length);
  memcpy(to, "IMPROV\1", 7);
  to[7] = type;
  to[8] = static_cast<uint8_t>(length);
  uint8_t sum = 0;
  for (size_t i = 0; i < kImprovHead + length; i++) sum = static_cast<uint8_t>(sum + to[i]);
  to[kImprovHead + length] = sum;
  to[kImprovHead + length + 1] = '\n';
  return kImprovHead + length + 2;
}

size_t encodeImprovState(uint8_t *to, size_t size, ImprovState state) {
  uint8_t data = static_cast<uint8_t>(state);
  return encodeImprov(to, size, kImprovState, &data, 1);
}

size_t encodeImprovError(uint8_t *to, size_t size, ImprovError error) {
  uint8_t data = static_cast<uint8_t>(error);
  return encodeImprov(to, size, kImprovError, &data, 1);
}

size_t encodeImprovResult(uint8_t *to, size_t size, ImprovId id, const char *const *texts, size_t count) {
  if (size < kImprovMost) return 0;
  Writer w(to + kImprovHead, 255);
  w.u8(static_cast<uint8_t>(id));
  w.u8(0);
  for (size_t i = 0; i < count; i++) w.text(texts[i]);
  if (!w.ok()) return 0;
  to[kImprovHead + 1] = static_cast<uint8_t>(w.length() - 2);
  return encodeImprov(to, size, kImprovResult, to + kImprovHead, w.length());
}
