// host.cpp as the firmware of the board.
#define KIT_ARDUINO
#include "../host.cpp"
