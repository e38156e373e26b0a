// What QEMU does for a program: calls of the simulator, -semihosting.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace host {

// open returns a file, or less than 0. Files 0, 1 and 2 are open.
int open(const char *path);
// read returns how many bytes there were, 0 at the end.
int read(int file, void *to, size_t size);
int write(int file, const void *from, size_t length);
void close(int file);
// ready says whether a read would not wait.
bool ready(int file);
[[noreturn]] void exit(int code);
// arguments are those after -append, apart by spaces; it returns how many there are.
size_t arguments(const char **to, size_t most);

}  // namespace host
