// Division, which the lx106 has not and Debian's libgcc for it leaves out: what the
// compiler calls for / and %, of 32 and 64 bits. Bit by bit; dividing by 0 gives the largest number.
#include <stdint.h>

extern "C" {

uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
int32_t __divsi3(int32_t a, int32_t b);
int32_t __modsi3(int32_t a, int32_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);
int64_t __moddi3(int64_t a, int64_t b);
uint64_t __umulsidi3(uint32_t a, uint32_t b);
uint64_t __muldi3(uint64_t a, uint64_t b);
}

namespace {

// divide shifts the divisor up to the dividend and takes it off on the way back. U
// is unsigned; *rest is what remains.
template <typename U>
U divide(U a, U b, U *rest) {
  const U top = static_cast<U>(1) << (sizeof(U) * 8 - 1);
  U quotient = 0, bit = 1;
  if (b == 0) return *rest = a, ~static_cast<U>(0);
  while (b < a && (b & top) == 0) b <<= 1, bit <<= 1;
  for (; bit != 0; b >>= 1, bit >>= 1) {
    if (a < b) continue;
    a -= b;
    quotient |= bit;
  }
  *rest = a;
  return quotient;
}

template <typename U, typename S>
U size(S v) {
  return v < 0 ? static_cast<U>(0) - static_cast<U>(v) : static_cast<U>(v);
}

// sign gives v the sign of a number that is negative or not.
template <typename S, typename U>
S sign(U v, bool negative) {
  return static_cast<S>(negative ? static_cast<U>(0) - v : v);
}

}  // namespace

uint32_t __udivsi3(uint32_t a, uint32_t b) {
  uint32_t rest;
  return divide(a, b, &rest);
}

uint32_t __umodsi3(uint32_t a, uint32_t b) {
  uint32_t rest;
  divide(a, b, &rest);
  return rest;
}

int32_t __divsi3(int32_t a, int32_t b) {
  uint32_t rest;
  return sign<int32_t>(divide(size<uint32_t>(a), size<uint32_t>(b), &rest), (a < 0) != (b < 0));
}

int32_t __modsi3(int32_t a, int32_t b) {
  uint32_t rest;
  divide(size<uint32_t>(a), size<uint32_t>(b), &rest);
  return sign<int32_t>(rest, a < 0);
}

uint64_t __udivdi3(uint64_t a, uint64_t b) {
  uint64_t rest;
  return divide(a, b, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b) {
  uint64_t rest;
  divide(a, b, &rest);
  return rest;
}

int64_t __divdi3(int64_t a, int64_t b) {
  uint64_t rest;
  return sign<int64_t>(divide(size<uint64_t>(a), size<uint64_t>(b), &rest), (a < 0) != (b < 0));
}

int64_t __moddi3(int64_t a, int64_t b) {
  uint64_t rest;
  divide(size<uint64_t>(a), size<uint64_t>(b), &rest);
  return sign<int64_t>(rest, a < 0);
}

// The chip multiplies 32 bits by 32 and gives the lower 32.
uint64_t __umulsidi3(uint32_t a, uint32_t b) {
  uint32_t al = a & 0xffff, ah = a >> 16, bl = b & 0xffff, bh = b >> 16;
  uint32_t low = al * bl, middle = ah * bl + (low >> 16);  // fits: (2^16-1)^2 + 2^16-1
  uint32_t other = al * bh + (middle & 0xffff);
  uint32_t high = ah * bh + (middle >> 16) + (other >> 16);
  return static_cast<uint64_t>(high) << 32 | (other << 16 | (low & 0xffff));
}

uint64_t __muldi3(uint64_t a, uint64_t b) {
  uint32_t al = static_cast<uint32_t>(a), ah = static_cast<uint32_t>(a >> 32);
  uint32_t bl = static_cast<uint32_t>(b), bh = static_cast<uint32_t>(b >> 32);
  return __umulsidi3(al, bl) + (static_cast<uint64_t>(al * bh + ah * bl) << 32);
}
