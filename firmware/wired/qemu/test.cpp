// Runs a test program of firmware/host in QEMU: its main, its output, its memory.
#include "host.h"
#include "std.h"

extern "C" {
extern void (*init_start[])();
extern void (*init_end[])();
void kitMain();
void kitInterrupt();
void kitFault(uint32_t cause, uint32_t where);
}

int main(int argc, char **argv);

namespace {

struct Line {
  char text[256];
  size_t length = 0;
} line;

int put(char c, FILE *) {
  line.text[line.length++] = c;
  if (c == '\n' || line.length == sizeof line.text) {
    host::write(1, line.text, line.length);
    line.length = 0;
  }
  return static_cast<unsigned char>(c);
}

FILE console = FDEV_SETUP_STREAM(put, nullptr, nullptr, _FDEV_SETUP_WRITE);

char *const kHeap = reinterpret_cast<char *>(0x62000000);
constexpr size_t kHeapSize = 64u << 20;

}  // namespace

FILE *const stdout = &console;
FILE *const stderr = &console;

extern "C" {

void *malloc(size_t size) {
  static size_t used = 0;
  size = (size + 15) & ~static_cast<size_t>(15);
  if (size > kHeapSize - used) abort();
  used += size;
  return kHeap + used - size;
}

void free(void *) {}

void exit(int code) {
  if (line.length > 0) put('\n', nullptr);
  host::exit(code);
}

void abort() {
  printf("aborted\n");
  exit(134);
}

void kitMain() {
  for (void (**f)() = init_start; f < init_end; f++) (*f)();
  static const char *argv[65] = {"test"};
  size_t n = host::arguments(argv + 1, 63);
  exit(main(static_cast<int>(n + 1), const_cast<char **>(argv)));
}

void kitInterrupt() {}

void kitFault(uint32_t cause, uint32_t where) {
  printf("fault %lu at %08lx\n", static_cast<unsigned long>(cause), static_cast<unsigned long>(where));
  exit(135);
}
}

namespace std {

string contents(const char *path, bool *ok) {
  string out;
  int file = host::open(path);
  *ok = file >= 0;
  if (!*ok) return out;
  char part[1024];
  for (int n; (n = host::read(file, part, sizeof part)) > 0;) out.append(part, static_cast<size_t>(n));
  host::close(file);
  return out;
}

}  // namespace std
