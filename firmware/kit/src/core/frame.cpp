#include "frame.h"

#include "bytes.h"
#include "crc32.h"
#include "improv.h"

namespace {

const uint8_t kFrameMark[] = {0x1e, 0x48};
const uint8_t kPacketMark[] = {'I', 'M', 'P', 'R', 'O', 'V', 1};

// fits reports whether bytes begin with a mark, or could where they are fewer.
bool fits(const uint8_t *held, size_t count, const uint8_t *mark, size_t length) {
  return memcmp(held, mark, count < length ? count : length) == 0;
}

}  // namespace

size_t encodeFrame(uint8_t *to, size_t size, uint8_t type, uint8_t seq, const void *data, size_t length) {
  if (length > kFrameData || size < kFrameHead + length + kFrameEnd) return 0;
  if (length > 0) memmove(to + kFrameHead, data, length);
  memcpy(to, kFrameMark, sizeof kFrameMark);
  to[2] = type;
  to[3] = seq;
  put16(to + 4, static_cast<uint16_t>(length));
  put32(to + kFrameHead + length, crc32(0, to + 2, kFrameHead - 2 + length));
  return kFrameHead + length + kFrameEnd;
}

// mark is the length of the whole mark that held_ begins with, or 0.
size_t Splitter::mark() const {
  if (held_count_ >= sizeof kFrameMark && fits(held_, held_count_, kFrameMark, sizeof kFrameMark)) return sizeof kFrameMark;
  if (held_count_ >= sizeof kPacketMark && fits(held_, held_count_, kPacketMark, sizeof kPacketMark)) return sizeof kPacketMark;
  return 0;
}

bool Splitter::pending() const { return mark() > 0; }

void Splitter::push(const uint8_t *data, size_t length) {
  while (length-- > 0) {
    held_[held_count_++] = *data++;  // sort leaves less than the largest frame
    sort();
  }
}

void Splitter::quiet() {
  for (size_t n = mark(); n > 0; n = mark()) {
    drop(n);
    sort();
  }
}

// sort takes from held_ what can be told, until it is empty or more has to come.
void Splitter::sort() {
  while (held_count_ > 0) {
    bool belongs = after_packet_ && held_[0] == '\n';
    after_packet_ = false;
    if (belongs) {
      drop(1);
    } else if (fits(held_, held_count_, kFrameMark, sizeof kFrameMark)) {
      if (!takeFrame()) return;
    } else if (fits(held_, held_count_, kPacketMark, sizeof kPacketMark)) {
      if (!takeImprov()) return;
    } else {
      text(held_[0]);
      drop(1);
    }
  }
}

// takeFrame says no where more has to come.
bool Splitter::takeFrame() {
  if (held_count_ < kFrameHead) return false;
  size_t n = get16(held_ + 4), all = kFrameHead + n + kFrameEnd;
  if (n <= kFrameData && held_count_ < all) return false;
  if (n > kFrameData || crc32(0, held_ + 2, kFrameHead - 2 + n) != get32(held_ + kFrameHead + n)) {
    drop(sizeof kFrameMark);
    return true;
  }
  to_.frame(held_[2], held_[3], held_ + kFrameHead, n);
  drop(all);
  return true;
}

// takeImprov says no where more has to come.
bool Splitter::takeImprov() {
  if (held_count_ < kImprovHead) return false;
  size_t n = held_[8], all = kImprovHead + n + 1;
  if (held_count_ < all) return false;
  uint8_t sum = 0;
  for (size_t i = 0; i < all - 1; i++) sum = static_cast<uint8_t>(sum + held_[i]);
  if (sum != held_[all - 1]) {
    to_.improvDamaged();
    drop(sizeof kPacketMark);
    return true;
  }
  to_.improv(held_[7], held_ + kImprovHead, n);
  drop(all);
  after_packet_ = true;
  return true;
}

void Splitter::drop(size_t length) {
  held_count_ -= length;
  memmove(held_, held_ + length, held_count_);
}

void Splitter::text(uint8_t c) {
  if (cr_ && c != '\n' && line_count_ < kLine) line_[line_count_++] = '.';
  cr_ = c == '\r';
  if (cr_) return;
  if (c != '\n') {
    if (line_count_ < kLine) line_[line_count_++] = (c < ' ' && c != '\t') || c == 0x7f ? '.' : static_cast<char>(c);
    return;
  }
  size_t n = line_count_;
  line_[n] = 0;
  line_count_ = 0;
  if (n > 0) to_.line(line_, n);
}
