// bcryptprimitives.dll for a wine that has none (Debian 12's wine 8), so that
// homeroom.exe can be tried there. Windows has its own; this is never shipped.
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); // advapi32's RtlGenRandom

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE p, SIZE_T n) { return SystemFunction036(p, (ULONG)n); }
