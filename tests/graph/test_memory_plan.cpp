// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/core/random.h"
#include "eddy/core/tensor.h"
#include "eddy/graph/memory_plan.h"
#include "tests/graph/plan_check.h"

namespace eddy::test {
namespace {

std::vector<BufferLife> random_lives(Philox& random, int count, int steps) {
  std::vector<BufferLife> lives;
  for (int i = 0; i < count; ++i) {
    const auto first = static_cast<int>(uniform_index(random, static_cast<std::uint64_t>(steps)));
    const auto length = static_cast<int>(uniform_index(random, uniform_index(random, 4) == 0 ? 40 : 4));
    lives.push_back({uniform_index(random, 5000), first, first + length, "buffer"});
  }
  return lives;
}

TEST_CASE("memory plan: no two live buffers overlap, whatever their sizes and lives") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    INFO("seed ", seed);
    Philox random(seed);
    const auto count = static_cast<int>(uniform_index(random, 80));
    const std::vector<BufferLife> lives = random_lives(random, count, 60);
    const MemoryPlan plan = plan_memory(lives);
    CHECK(plan_problem(plan) == "");
    REQUIRE(plan.buffers.size() == lives.size());
    for (std::size_t i = 0; i < lives.size(); ++i) CHECK(plan.buffers[i].bytes == lives[i].bytes);
    const MemoryPlan apart = plan_memory(lives, /*reuse=*/false);
    CHECK(plan_problem(apart) == "");
    CHECK(apart.arena_bytes == apart.unshared_bytes);
    CHECK(plan.unshared_bytes == apart.unshared_bytes);
  }
}

TEST_CASE("memory plan: buffers that follow each other share, and the arena is as small as the peak") {
  // A chain of equal buffers, each alive together with the next: two places suffice.
  std::vector<BufferLife> chain;
  for (int i = 0; i < 50; ++i) chain.push_back({4096, i, i + 1, "link"});
  const MemoryPlan plan = plan_memory(chain);
  CHECK(plan_problem(plan) == "");
  CHECK(plan.arena_bytes == 2 * 4096);
  CHECK(plan.unshared_bytes == 50 * 4096);
  CHECK(plan.bytes_alive(plan.peak_step()) == 2 * 4096);
}

TEST_CASE("memory plan: the report names who is alive at the peak") {
  const MemoryPlan plan = plan_memory({{64, 0, 3, "small"}, {1 << 20, 1, 2, "large"}, {1 << 10, 3, 4, "late"}});
  const std::string report = to_string(plan);
  INFO(report);
  CHECK(report.find("large") != std::string::npos);
  CHECK(report.find("small") != std::string::npos);
  CHECK(report.find("late") == std::string::npos);
  CHECK(report.find("1.0 MiB") != std::string::npos);
}

TEST_CASE("memory plan: nothing to place") {
  const MemoryPlan plan = plan_memory({});
  CHECK(plan.arena_bytes == 0);
  CHECK(plan_problem(plan) == "");
  CHECK(!to_string(plan).empty());
}

TEST_CASE("arena: grows, never shrinks, and is aligned") {
  Arena arena;
  arena.reserve(0);
  CHECK(arena.data() != nullptr);
  arena.reserve(100);
  CHECK(arena.bytes() >= 100);
  CHECK(reinterpret_cast<std::uintptr_t>(arena.data()) % kAlignment == 0);
  arena.reserve(std::size_t{5} << 20);
  const std::byte* large = arena.data();
  CHECK(reinterpret_cast<std::uintptr_t>(large) % kAlignment == 0);
  arena.reserve(10);
  CHECK(arena.data() == large);
  CHECK(arena.bytes() >= std::size_t{5} << 20);
}

}  // namespace
}  // namespace eddy::test
