// CRC32 as IEEE 802.3 and zlib have it.
#pragma once
#include <stddef.h>
#include <stdint.h>

// crc32 goes on from the CRC of what came before, 0 at first.
uint32_t crc32(uint32_t before, const void *data, size_t length);
