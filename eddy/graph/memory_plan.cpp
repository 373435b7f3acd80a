// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "eddy/core/tensor.h"

namespace eddy {
namespace {

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

bool overlap(const BufferLife& a, const BufferLife& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

int MemoryPlan::peak_step() const {
  int last = 0;
  for (const BufferLife& buffer : buffers) last = std::max(last, buffer.last);
  std::vector<std::ptrdiff_t> change(static_cast<std::size_t>(last) + 2, 0);
  for (const BufferLife& buffer : buffers) {
    change[static_cast<std::size_t>(buffer.first)] += static_cast<std::ptrdiff_t>(buffer.bytes);
    change[static_cast<std::size_t>(buffer.last) + 1] -= static_cast<std::ptrdiff_t>(buffer.bytes);
  }
  std::partial_sum(change.begin(), change.end(), change.begin());
  return static_cast<int>(std::max_element(change.begin(), change.end()) - change.begin());
}

std::size_t MemoryPlan::bytes_alive(int step) const {
  std::size_t sum = 0;
  for (const BufferLife& buffer : buffers)
    if (buffer.first <= step && step <= buffer.last) sum += buffer.bytes;
  return sum;
}

MemoryPlan plan_memory(std::vector<BufferLife> buffers, bool reuse) {
  MemoryPlan plan;
  plan.buffers = std::move(buffers);
  const std::size_t count = plan.buffers.size();
  plan.offsets.assign(count, 0);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  std::vector<std::size_t> placed;  // sorted by offset
  for (const std::size_t index : order) {
    const BufferLife& buffer = plan.buffers[index];
    const std::size_t bytes = round_up(buffer.bytes, kAlignment);
    std::size_t offset = reuse ? 0 : plan.unshared_bytes;
    for (const std::size_t other : placed) {
      if (!reuse) break;
      if (plan.offsets[other] >= offset + bytes) break;
      if (overlap(buffer, plan.buffers[other]))
        offset = std::max(offset, plan.offsets[other] + round_up(plan.buffers[other].bytes, kAlignment));
    }
    plan.offsets[index] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    plan.unshared_bytes += bytes;
    const auto position = std::upper_bound(placed.begin(), placed.end(), offset,
                                           [&](std::size_t at, std::size_t other) { return at < plan.offsets[other]; });
    placed.insert(position, index);
  }
  return plan;
}

std::string format_bytes(std::size_t bytes) {
  if (bytes < std::size_t{10} * 1024) return fmt::format("{} B", bytes);
  const double kib = static_cast<double>(bytes) / 1024;
  if (kib < 1024) return fmt::format("{:.1f} KiB", kib);
  if (kib < 1024 * 1024) return fmt::format("{:.1f} MiB", kib / 1024);
  return fmt::format("{:.2f} GiB", kib / 1024 / 1024);
}

std::string to_string(const MemoryPlan& plan) {
  const int peak = plan.peak_step();
  std::string text = fmt::format(
      "arena {} ({} if nothing shared memory), results {}, variables {}, constants {}\n"
      "peak at step {}: {} alive in {} buffers\n",
      format_bytes(plan.arena_bytes), format_bytes(plan.unshared_bytes), format_bytes(plan.result_bytes),
      format_bytes(plan.variable_bytes), format_bytes(plan.constant_bytes), peak, format_bytes(plan.bytes_alive(peak)),
      std::count_if(plan.buffers.begin(), plan.buffers.end(),
                    [&](const BufferLife& b) { return b.first <= peak && peak <= b.last; }));
  std::vector<std::size_t> alive;
  for (std::size_t i = 0; i < plan.buffers.size(); ++i)
    if (plan.buffers[i].first <= peak && peak <= plan.buffers[i].last) alive.push_back(i);
  std::stable_sort(alive.begin(), alive.end(),
                   [&](std::size_t a, std::size_t b) { return plan.buffers[a].bytes > plan.buffers[b].bytes; });
  for (std::size_t i = 0; i < std::min<std::size_t>(alive.size(), 20); ++i) {
    const BufferLife& buffer = plan.buffers[alive[i]];
    text += fmt::format("  {:>10}  at {:>11}  steps {:>4} to {:>4}  {}\n", format_bytes(buffer.bytes),
                        plan.offsets[alive[i]], buffer.first, buffer.last, buffer.label);
  }
  if (alive.size() > 20) text += fmt::format("  and {} smaller ones\n", alive.size() - 20);
  return text;
}

void Arena::reserve(std::size_t bytes) {
  if (bytes <= bytes_ && memory_) return;
  const std::size_t before = memory_ ? bytes_ : 0;
  const auto take = [&](std::size_t size) {
    memory_ = allocate_uninitialised(size);
    bytes_ = size;
  };
  memory_.reset();
  try {
    take(std::max(bytes, kAlignment));
  } catch (...) {
    // The programs that share the arena must still run.
    if (before > 0) take(before);
    throw;
  }
}

}  // namespace eddy
