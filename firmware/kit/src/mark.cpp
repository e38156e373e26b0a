#include "mark.h"

#include "core/version.h"

const char kFirmwareMark[] = "@HOMEROOM-FIRMWARE@wifi@" HOMEROOM_VERSION "@";
