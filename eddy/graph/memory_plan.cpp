// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>

#include "eddy/core/number_text.h"
#include "eddy/core/rounding.h"
#include "eddy/core/tensor.h"

namespace eddy {
namespace {

/// Bytes of the arena that are taken: ranges that neither overlap nor touch, ascending.
class TakenBytes {
 public:
  void add(std::size_t begin, std::size_t end) {
    auto range = ranges_.upper_bound(begin);
    if (range != ranges_.begin() && std::prev(range)->second >= begin) --range;
    while (range != ranges_.end() && range->first <= end) {
      begin = std::min(begin, range->first);
      end = std::max(end, range->second);
      range = ranges_.erase(range);
    }
    ranges_.emplace_hint(range, begin, end);
  }
  /// The lowest offset from `offset` on where so many bytes are free.
  std::size_t free_from(std::size_t offset, std::size_t bytes) const {
    auto range = ranges_.upper_bound(offset);
    if (range != ranges_.begin()) offset = std::max(offset, std::prev(range)->second);
    for (; range != ranges_.end() && range->first < offset + bytes; ++range) offset = range->second;
    return offset;
  }

 private:
  std::map<std::size_t, std::size_t> ranges_;  ///< ends by begins
};

/// What placed buffers take during which steps: a tree of stretches of steps, so that to place a buffer does not mean
/// to look at all others.
class Occupancy {
 public:
  explicit Occupancy(int steps) {
    while (leaves_ < steps) leaves_ *= 2;
    stretches_.resize(2 * static_cast<std::size_t>(leaves_));
  }

  void add(const BufferLife& life, std::size_t begin, std::size_t end) {
    visit(life, 1, 0, leaves_ - 1, [&](Stretch& stretch, bool whole) {
      stretch.at_times.add(begin, end);
      if (whole) stretch.always.add(begin, end);
    });
  }
  /// The lowest offset where so many bytes are free during the life.
  std::size_t lowest(const BufferLife& life, std::size_t bytes) {
    if (bytes == 0) return 0;
    taken_.clear();
    visit(life, 1, 0, leaves_ - 1,
          [&](Stretch& stretch, bool whole) { taken_.push_back(whole ? &stretch.at_times : &stretch.always); });
    std::size_t offset = 0;
    for (std::size_t agreed = 0; agreed < taken_.size();) {
      agreed = 0;
      for (const TakenBytes* taken : taken_) {
        const std::size_t next = taken->free_from(offset, bytes);
        agreed = next == offset ? agreed + 1 : 0;
        offset = next;
      }
    }
    return offset;
  }

 private:
  struct Stretch {
    TakenBytes always;    ///< by buffers that live at all its steps
    TakenBytes at_times;  ///< by buffers that live at any of them
  };

  /// Calls `body` for the largest stretches within the life, and those they are parts of.
  template <class Body>
  void visit(const BufferLife& life, std::size_t index, int first, int last, const Body& body) {
    if (life.last < first || last < life.first) return;
    const bool whole = life.first <= first && last <= life.last;
    body(stretches_[index], whole);
    if (whole) return;
    const int middle = first + (last - first) / 2;
    visit(life, 2 * index, first, middle, body);
    visit(life, 2 * index + 1, middle + 1, last, body);
  }

  int leaves_ = 1;
  std::vector<Stretch> stretches_;
  std::vector<const TakenBytes*> taken_;
};

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
  int steps = 1;
  for (const BufferLife& buffer : plan.buffers) steps = std::max(steps, buffer.last + 1);
  Occupancy occupancy(reuse ? steps : 1);
  for (const std::size_t index : order) {
    const BufferLife& buffer = plan.buffers[index];
    const std::size_t bytes = round_up(buffer.bytes, kAlignment);
    const std::size_t offset = reuse ? occupancy.lowest(buffer, bytes) : plan.unshared_bytes;
    if (reuse && bytes > 0) occupancy.add(buffer, offset, offset + bytes);
    plan.offsets[index] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    plan.unshared_bytes += bytes;
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

namespace {

void append_peak(const MemoryPlan& plan, const std::string& indent, std::string& text) {
  constexpr std::size_t kMostListed = 20;
  const int peak = plan.peak_step();
  std::vector<const BufferLife*> alive;
  for (const BufferLife& buffer : plan.buffers)
    if (buffer.first <= peak && peak <= buffer.last) alive.push_back(&buffer);
  std::ranges::stable_sort(alive, std::greater(), &BufferLife::bytes);
  text += fmt::format("{}peak at step {}: {} alive in {}\n", indent, peak, format_bytes(plan.bytes_alive(peak)),
                      counted(std::ssize(alive), "buffer"));
  for (std::size_t i = 0; i < std::min(alive.size(), kMostListed); ++i) {
    const BufferLife& buffer = *alive[i];
    const auto index = static_cast<std::size_t>(&buffer - plan.buffers.data());
    text += fmt::format("{}  {:>10}  at {:>11}  steps {:>4} to {:>4}  {}\n", indent, format_bytes(buffer.bytes),
                        plan.offsets[index], buffer.first, buffer.last, buffer.label);
    if (buffer.body && !buffer.body->buffers.empty()) append_peak(*buffer.body, indent + "    its body: ", text);
  }
  if (alive.size() > kMostListed)
    text += fmt::format("{}  and {}\n", indent,
                        counted(static_cast<std::int64_t>(alive.size() - kMostListed), "smaller one"));
}

}  // namespace

std::string to_string(const MemoryPlan& plan) {
  std::string text =
      fmt::format("arena {} ({} if nothing shared memory), results {}, variables {}, constants {}\n",
                  format_bytes(plan.arena_bytes), format_bytes(plan.unshared_bytes), format_bytes(plan.result_bytes),
                  format_bytes(plan.variable_bytes), format_bytes(plan.constant_bytes));
  append_peak(plan, "", text);
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
  bytes_ = 0;
  try {
    take(std::max(bytes, kAlignment));
  } catch (...) {
    // The programs that share the arena must still run.
    if (before > 0) take(before);
    throw;
  }
}

}  // namespace eddy
