// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "eddy/core/denormals.h"
#include "eddy/core/resident_team.h"
#include "eddy/core/threads.h"

namespace eddy::test {
namespace {

class Threads {
 public:
  explicit Threads(int threads) : before_(num_threads()) { set_num_threads(threads); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// Many small jobs of every team size; each member must do its part of each exactly once.
void check_jobs(int threads) {
  for (int job = 0; job < 2000; ++job) {
    const int wanted = 1 + job % threads;
    std::vector<int> done(static_cast<std::size_t>(threads), 0);
    parallel_team(wanted, [&](int thread, int team) {
      CHECK(team == wanted);
      ++done[static_cast<std::size_t>(thread)];
    });
    CHECK(std::accumulate(done.begin(), done.end(), 0) == wanted);
    CHECK(*std::max_element(done.begin(), done.end()) == 1);
  }
}

TEST_CASE("a resident team gives every member its part of every job once") {
  for (const int threads : {1, 2, 3, 5}) {
    const Threads setting(threads);
    check_jobs(threads);
    with_resident_team([&] { check_jobs(threads); });
  }
}

TEST_CASE("a team computes with the modes of the thread that asks, and keeps its own for later") {
  const Threads setting(3);
  const unsigned plain = FloatModes::current();
  const unsigned flushing = FloatModes::without_denormals();
  REQUIRE(plain != flushing);
  const auto check_all = [](unsigned modes) {
    std::atomic<int> same = 0;
    parallel_team(3, [&](int, int) { same += FloatModes::current() == modes ? 1 : 0; });
    CHECK(same == 3);
  };
  const auto check_both = [&] {
    check_all(plain);
    {
      const FloatModes modes(flushing);
      check_all(flushing);
    }
    CHECK(FloatModes::current() == plain);
    check_all(plain);
  };
  check_both();
  with_resident_team(check_both);
  {
    const FloatModes modes(flushing);
    with_resident_team([&] { check_all(flushing); });
  }
  check_both();
}

TEST_CASE("work inside a job is serial; resident teams nest and pass exceptions on") {
  const Threads setting(3);
  std::atomic<int> inner = 0;
  with_resident_team([&] {
    with_resident_team([&] {
      parallel_team(3, [&](int, int) {
        parallel_team(3, [&](int thread, int team) { inner += thread == 0 && team == 1 ? 1 : 100; });
      });
    });
  });
  CHECK(inner == 3);
  CHECK_THROWS_WITH(with_resident_team([] { throw std::runtime_error("in the middle"); }), "in the middle");
  check_jobs(3);
}

TEST_CASE("an error in the caller's part of a job waits for the other parts") {
  const Threads setting(3);
  with_resident_team([&] {
    for (int round = 0; round < 200; ++round) {
      std::atomic<int> done = 0;
      const auto job = [&](int thread, int) {
        if (thread == 0) throw std::runtime_error("my part");
        for (int spin = 0; spin < 1000; ++spin) done += spin % 2 == 0 ? 1 : -1;
        ++done;
      };
      CHECK_THROWS_WITH(parallel_team(3, job), "my part");
      CHECK(done == 2);
    }
    check_jobs(3);
  });
}

}  // namespace
}  // namespace eddy::test
