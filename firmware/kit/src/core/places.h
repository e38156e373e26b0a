// Where the broker may be: firmware/PROTOCOL.md, "Home".
#pragma once
#include "frame.h"

// Places are the two where the broker may be: its host and, where the kit has one, its
// home. An attempt goes to one and, where that gives no connection, to the other. The
// name and secret of the kit go to one of them in an attempt, never to both.
class Places {
 public:
  // begin begins an attempt. home is whether the kit has one.
  void begin(bool home) {
    home_ = home && home_first_;
    left_ = home;
    first_ = KitReason::none;
  }
  // home reports whether this attempt is at home now, else it is at the host.
  bool home() const { return home_; }
  // next goes to the other place, since this one gave no connection. It says no where
  // the attempt is over.
  bool next(KitReason why) {
    if (!left_) return false;
    left_ = false;
    home_ = !home_;
    first_ = why;
    return true;
  }
  // reason is that of the attempt, whose last place ended with why: a broker with
  // another key tells more than nobody.
  KitReason reason(KitReason why) const {
    return why == KitReason::noBroker && first_ == KitReason::tls ? first_ : why;
  }
  // joined: the broker is here, so the next attempt begins here.
  void joined() { home_first_ = home_; }
  // refused: somebody is here, but the kit did not get in, so the next attempt begins
  // at the other.
  void refused() { home_first_ = !home_; }

 private:
  bool home_ = false, home_first_ = false;
  bool left_ = false;  // whether the other was not tried
  KitReason first_ = KitReason::none;  // why the first gave no connection
};
