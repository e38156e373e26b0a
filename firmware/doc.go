// Package firmware is what runs on a kit, in C++; the tests here compile it for this
// PC with all warnings and sanitizers, and run it. PROTOCOL.md says how the program
// talks to it.
package firmware
