// The version of the firmware.
#pragma once
#define HOMEROOM_VERSION "1.0.0"
