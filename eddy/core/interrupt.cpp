// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace eddy {
namespace {

volatile std::sig_atomic_t received = 0;
std::atomic<bool> guarded = false;

/// Calls only what a signal handler may.
extern "C" void note_signal(int signal) {
  const int error = errno;
  if (received == 0) received = signal;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &standard, nullptr);
  ::sigaction(SIGTERM, &standard, nullptr);
  if (signal == SIGINT && ::isatty(STDERR_FILENO) != 0) {
    constexpr std::string_view text = "\nstopping; Ctrl-C again ends at once\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  }
  errno = error;
}

}  // namespace

IgnoredSignal::IgnoredSignal(int signal) : signal_(signal) {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  ::sigaction(signal_, &action, &former_);
}

IgnoredSignal::~IgnoredSignal() { ::sigaction(signal_, &former_, nullptr); }

InterruptGuard::InterruptGuard() {
  require<Error>(!guarded, "signals are already guarded; only one InterruptGuard may live at a time");
  guarded = true;
  received = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &former_interrupt_);
  ::sigaction(SIGTERM, &action, &former_terminate_);
  ::sigaction(SIGHUP, nullptr, &former_hang_up_);
  if (former_hang_up_.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &former_interrupt_, nullptr);
  ::sigaction(SIGTERM, &former_terminate_, nullptr);
  ::sigaction(SIGHUP, &former_hang_up_, nullptr);
  guarded = false;
}

bool interrupted() { return guarded && received != 0; }

void stop_if_interrupted() {
  if (interrupted()) fail<Interrupted>("interrupted by signal {}", interrupt_signal());
}

int interrupt_signal() { return received; }

}  // namespace eddy
