#include "host.h"

#include <string.h>

namespace {

enum Call { kExit = 1, kRead = 3, kWrite = 4, kOpen = 5, kClose = 6, kSelect = 29, kArgc = 1000, kArgvSize = 1001, kArgv = 1002 };

int call(int number, int a = 0, int b = 0, int c = 0) {
  register int a2 __asm__("a2") = number;
  register int a3 __asm__("a3") = a;
  register int a4 __asm__("a4") = b;
  register int a5 __asm__("a5") = c;
  __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
  return a2;
}

int at(const void *p) { return static_cast<int>(reinterpret_cast<uintptr_t>(p)); }

}  // namespace

namespace host {

int open(const char *path) { return call(kOpen, at(path), 0, 0); }
int read(int file, void *to, size_t size) { return call(kRead, file, at(to), static_cast<int>(size)); }
int write(int file, const void *from, size_t length) { return call(kWrite, file, at(from), static_cast<int>(length)); }
void close(int file) { call(kClose, file); }

bool ready(int file) {
  uint32_t at_once[2] = {0, 0};
  return call(kSelect, file, 1, at(at_once)) > 0;  // 1: for reading
}

void exit(int code) {
  for (;;) call(kExit, code);
}

size_t arguments(const char **to, size_t most) {
  static uint32_t buffer[1024];
  int argc = call(kArgc);
  if (call(kArgvSize) > static_cast<int>(sizeof buffer)) return 0;
  call(kArgv, at(buffer));
  size_t n = 0;
  for (int i = 1; i < argc && n < most; i++) to[n++] = reinterpret_cast<const char *>(buffer[i]);
  return n;
}

}  // namespace host
