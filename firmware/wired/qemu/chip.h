// What a test may do to what stands in for the chip.
#pragma once
#include <stdint.h>

// convert sets what the converter behind A0 gives, 0 to 2047.
void convert(uint32_t value);
