// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eddy/core/interrupt.h"

namespace eddy {
namespace {

TEST_CASE("the first signal sets a flag, and the former handler comes back") {
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction former {};
  ::sigaction(SIGTERM, &ignore, &former);
  {
    const InterruptGuard guard;
    CHECK_FALSE(interrupted());
    CHECK_THROWS_AS(InterruptGuard(), Error);
    ::raise(SIGTERM);
    CHECK(interrupted());
    CHECK(interrupt_signal() == SIGTERM);
  }
  struct sigaction now {};
  ::sigaction(SIGTERM, &former, &now);
  CHECK((now.sa_handler == SIG_IGN));
  const InterruptGuard fresh;
  CHECK_FALSE(interrupted());
}

/// What to do about a signal now.
bool is_ignored(int signal) {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  return now.sa_handler == SIG_IGN;
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
