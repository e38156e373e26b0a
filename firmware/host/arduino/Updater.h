#pragma once
#include <Arduino.h>

#define U_FLASH 0

class UpdaterClass {
 public:
  bool begin(size_t size, int command = U_FLASH, int ledPin = -1, uint8_t ledOn = LOW);
  bool setMD5(const char *expected_md5);
  size_t write(uint8_t *data, size_t len);
  bool end(bool evenIfRemaining = false);
  bool isRunning() { return _size > 0; }

 private:
  size_t _size = 0;
};
extern UpdaterClass Update;
