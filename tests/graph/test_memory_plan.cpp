// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <numeric>

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

/// The lowest offset at which the buffer overlaps none of those placed so far, found by trying.
std::size_t lowest_offset(const MemoryPlan& plan, const std::vector<std::size_t>& placed, std::size_t index) {
  const BufferLife& buffer = plan.buffers[index];
  const auto end_of = [&](std::size_t i) { return plan.offsets[i] + plan.buffers[i].bytes; };
  std::size_t lowest = SIZE_MAX;
  std::vector<std::size_t> candidates{0};
  for (const std::size_t other : placed)
    candidates.push_back((end_of(other) + kAlignment - 1) / kAlignment * kAlignment);
  for (const std::size_t offset : candidates) {
    const bool free = std::ranges::none_of(placed, [&](std::size_t other) {
      const BufferLife& life = plan.buffers[other];
      return buffer.first <= life.last && life.first <= buffer.last && offset < end_of(other) &&
             plan.offsets[other] < offset + buffer.bytes;
    });
    if (free) lowest = std::min(lowest, offset);
  }
  return lowest;
}

TEST_CASE("memory plan: by descending size, every buffer lies at the lowest offset free during its life") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    INFO("seed ", seed);
    Philox random(seed);
    const auto count = static_cast<int>(uniform_index(random, 80));
    const MemoryPlan plan = plan_memory(random_lives(random, count, 5 + static_cast<int>(uniform_index(random, 60))));
    std::vector<std::size_t> order(plan.buffers.size()), placed;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return plan.buffers[i].bytes; });
    for (const std::size_t index : order) {
      CHECK(plan.offsets[index] == lowest_offset(plan, placed, index));
      placed.push_back(index);
    }
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
