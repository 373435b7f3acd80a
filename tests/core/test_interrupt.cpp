// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eddy/core/interrupt.h"

namespace eddy {
namespace {

/// What to do about a signal now.
bool is_ignored(int signal) {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_IGN;
}

TEST_CASE("the first signal sets a flag, and the former handler comes back") {
  {
    const IgnoredSignal ignored(SIGTERM);
    {
      const InterruptGuard guard;
      CHECK_FALSE(interrupted());
      CHECK_THROWS_AS(InterruptGuard(), Error);
      ::raise(SIGTERM);
      CHECK(interrupted());
      CHECK(interrupt_signal() == SIGTERM);
    }
    CHECK(is_ignored(SIGTERM));
  }
  const InterruptGuard fresh;
  CHECK_FALSE(interrupted());
}

TEST_CASE("a pipe without reader and a file of the largest size are no signals to a guarded run") {
  const bool pipe = is_ignored(SIGPIPE), size = is_ignored(SIGXFSZ);
  {
    const InterruptGuard guard;
    CHECK(is_ignored(SIGPIPE));
    CHECK(is_ignored(SIGXFSZ));
  }
  CHECK(is_ignored(SIGPIPE) == pipe);
  CHECK(is_ignored(SIGXFSZ) == size);
}

TEST_CASE("a closed terminal stops a run as often as it tells so, and one under nohup not at all") {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  struct sigaction former {};
  ::sigaction(SIGHUP, &standard, &former);
  {
    const InterruptGuard guard;
    ::raise(SIGHUP);
    ::raise(SIGHUP);
    CHECK(interrupted());
    CHECK(interrupt_signal() == SIGHUP);
  }
  CHECK_FALSE(is_ignored(SIGHUP));
  {
    const IgnoredSignal nohup(SIGHUP);
    const InterruptGuard guard;
    ::raise(SIGHUP);
    CHECK_FALSE(interrupted());
  }
  ::sigaction(SIGHUP, &former, nullptr);
}

TEST_CASE("the second signal ends the program at once") {
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGINT, &standard, nullptr);
    ::sigaction(SIGTERM, &standard, nullptr);
    const InterruptGuard guard;
    ::raise(SIGINT);
    if (!interrupted()) ::_exit(3);
    ::raise(SIGTERM);
    ::_exit(4);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

}  // namespace
}  // namespace eddy
