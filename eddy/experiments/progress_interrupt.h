// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

#include "eddy/core/error.h"

namespace eddy {

/// Work that was given up because of a signal; what was finished before is kept.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// While one lives, the first SIGINT or SIGTERM only sets a flag, for loops to stop and save; the second ends the
/// program at once. The former handlers come back with its end. One at a time, made and ended by the main thread.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction former_interrupt_ {};
  struct sigaction former_terminate_ {};
};

/// True from the first signal to the end of the InterruptGuard that caught it. Safe to ask from any thread.
bool interrupted();
/// Throws Interrupted when a signal has come. For loops that may be given up between two rounds.
void stop_if_interrupted();
/// The signal the latest InterruptGuard caught, or 0; a program ends with status 128 + signal.
int interrupt_signal();

}  // namespace eddy
