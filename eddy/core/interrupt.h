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

/// While one lives, a signal does nothing; what was done about it before comes back with its end.
class IgnoredSignal {
 public:
  explicit IgnoredSignal(int signal);
  ~IgnoredSignal();
  IgnoredSignal(const IgnoredSignal&) = delete;
  IgnoredSignal& operator=(const IgnoredSignal&) = delete;

 private:
  int signal_;
  struct sigaction former_ {};
};

/// While one lives, the first SIGINT, SIGTERM or SIGHUP only sets a flag, for loops to stop and save; a SIGINT or
/// SIGTERM after it ends the program at once. SIGHUP does nothing where it did nothing before (nohup), and may come
/// twice, as it does when a terminal is closed. A pipe whose reader has gone and a file that has reached the limit of
/// its size are errors of the writing, not signals. The former handlers come back with its end. One at a time, made and
/// ended by the main thread.
class InterruptGuard {
 public:
  /// Throws Error when there is one already.
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction former_interrupt_ {};
  struct sigaction former_terminate_ {};
  struct sigaction former_hang_up_ {};
  IgnoredSignal pipe_{SIGPIPE};
  IgnoredSignal file_size_{SIGXFSZ};
};

/// True from the first signal to the end of the InterruptGuard that caught it. Safe to ask from any thread.
bool interrupted();
/// Throws Interrupted when a signal has come. For loops that may be given up between two rounds.
void stop_if_interrupted();
/// The signal the latest InterruptGuard caught, or 0; a program ends with status 128 + signal.
int interrupt_signal();

}  // namespace eddy
