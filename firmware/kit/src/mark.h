#pragma once

// kFirmwareMark is how a file is told to be a firmware image, and which. The board
// reads its own version from it: an image without it does not link.
extern const char kFirmwareMark[];
