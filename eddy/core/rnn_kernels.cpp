// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/rnn_kernels.h"

#include <algorithm>

#include "eddy/core/barrier.h"
#include "eddy/core/error.h"
#include "eddy/core/rnn_steps.h"
#include "eddy/core/rounding.h"
#include "eddy/core/threads.h"

namespace eddy {
namespace {

/// Multiply-adds that a thread must have, in all, to be worth waking; and per step, to be worth a barrier.
constexpr std::int64_t kWorkPerThread = 200'000;
constexpr std::int64_t kWorkPerBarrier = 30'000;

RnnPlan plan_rnn(std::int64_t time, std::int64_t batch, std::int64_t hidden, std::int64_t gates) {
  const std::int64_t step = batch * hidden * gates * hidden;
  const std::int64_t most = std::clamp<std::int64_t>(time * step / kWorkPerThread, 1, num_threads());
  // By the batch, not by the rows of a thread: bits do not depend on the threads.
  const int parts = rnn_tile_parts(batch, hidden);
  const std::int64_t lanes = rnn_steps(parts).geometry.lanes, panels = (hidden + lanes - 1) / lanes;
  const std::int64_t by_rows = std::min(most, batch);
  const std::int64_t by_columns = std::min({most, panels, std::max<std::int64_t>(step / kWorkPerBarrier, 1)});
  if (by_rows <= 1 && by_columns <= 1) return {.parts = parts};
  if (by_columns <= 1 || slices_rows(batch, by_rows, gates * hidden * hidden, hidden, parts))
    return by_rows > 1 ? RnnPlan{RnnSplit::rows, static_cast<int>(by_rows), parts} : RnnPlan{.parts = parts};
  return {RnnSplit::columns, static_cast<int>(by_columns), parts};
}

UnitRange part_of(std::int64_t size, std::int64_t unit, int part, int parts) {
  const std::int64_t count = (size + unit - 1) / unit;
  return {std::min(size, count * part / parts * unit), std::min(size, count * (part + 1) / parts * unit)};
}

/// Scratch handed out in pieces that start on cache lines.
class Pieces {
 public:
  explicit Pieces(void* base) : base_(static_cast<float*>(base)) {}
  float* take(std::int64_t floats) {
    float* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += round_up(floats, 16);
    return piece;
  }
  std::size_t bytes() const { return static_cast<std::size_t>(used_) * sizeof(float); }

 private:
  float* base_;
  std::int64_t used_ = 0;
};

/// The step done s-th, and the slots before and after it.
struct StepIndex {
  std::int64_t t, before, after;
  StepIndex(std::int64_t s, std::int64_t time, bool reverse)
      : t(reverse ? time - 1 - s : s), before(reverse ? t + 1 : t), after(reverse ? t : t + 1) {}
};

/// One thread's rows and units of the layer.
struct Share {
  int thread, team;
  std::int64_t batch, hidden;
  bool barriers;
  UnitRange units;
  UnitRange packed_gates, packed_plain;  ///< what this thread packs
  std::int64_t first_row, row_step;
  std::int32_t* rows;  ///< room for the active rows

  Share(const RnnPlan& plan, std::int64_t batch_size, std::int64_t hidden_size, int index, int members, void* row_lists)
      : thread(index), team(members), batch(batch_size), hidden(hidden_size) {
    const RnnGeometry geometry = rnn_steps(plan.parts).geometry;
    const bool columns = plan.split == RnnSplit::columns;
    barriers = columns && members > 1;
    packed_gates = part_of(hidden, geometry.lanes, index, members);
    units = columns ? packed_gates : UnitRange{0, hidden};
    packed_plain = columns ? packed_gates : part_of(hidden, geometry.unit, index, members);
    // Every so many rows, not a contiguous slice: batches sorted by length stay balanced.
    first_row = columns ? 0 : index;
    row_step = columns ? 1 : members;
    rows = static_cast<std::int32_t*>(row_lists) + round_up(batch, 16) * index;
  }

  ActiveRows active(const float* mask) const {
    std::int64_t count = 0;
    for (std::int64_t row = first_row; row < batch; row += row_step)
      if (mask == nullptr || mask[row] != 0.0F) rows[count++] = static_cast<std::int32_t>(row);
    return {rows, count};
  }

  /// Calls `body(row)` for this thread's masked rows.
  template <class Body>
  void for_each_masked(const float* mask, Body&& body) const {
    if (mask == nullptr) return;
    for (std::int64_t row = first_row; row < batch; row += row_step)
      if (mask[row] == 0.0F) body(row);
  }

  template <class Body>
  void for_each_row(Body&& body) const {
    for (std::int64_t row = first_row; row < batch; row += row_step) body(row);
  }

  std::int64_t width() const { return units.end - units.begin; }
  /// The units in the order of a step.
  UnitRange units_at(const StepIndex& step) const { return {units.begin, units.end, step.t % 2 != 0}; }
  /// This share's part of one row of a [batch,hidden] array.
  void copy_row(const float* from, float* to, std::int64_t row) const {
    std::copy_n(from + row * hidden + units.begin, width(), to + row * hidden + units.begin);
  }
  void add_row(const float* from, float* to, std::int64_t row) const {
    const std::int64_t at = row * hidden;
    for (std::int64_t unit = units.begin; unit < units.end; ++unit) to[at + unit] += from[at + unit];
  }
  /// Zeroes this share's units in each of `blocks` blocks of a row.
  void clear_row(float* to, std::int64_t blocks, std::int64_t row) const {
    for (std::int64_t block = 0; block < blocks; ++block)
      std::fill_n(to + (row * blocks + block) * hidden + units.begin, width(), 0.0F);
  }
  void set_all(const float* from, float* to) const {
    for_each_row([&](std::int64_t row) {
      if (from != nullptr) {
        copy_row(from, to, row);
      } else {
        clear_row(to, 1, row);
      }
    });
  }
};

const float* at_step(const float* base, std::int64_t step, std::int64_t size) {
  return base == nullptr ? nullptr : base + step * size;
}
float* at_step(float* base, std::int64_t step, std::int64_t size) {
  return base == nullptr ? nullptr : base + step * size;
}

enum class Pass { forward, backward };

/// Calls `body(index, mask, active)` for each step, the one done first last in a backward pass: `mask` is that of the
/// step or null, `active` the rows of the share that it leaves.
template <class Config, class Body>
void for_each_step(Pass pass, const Config& config, const Share& share, const float* mask, Body&& body) {
  ActiveRows active = share.active(nullptr);
  for (std::int64_t i = 0; i < config.time; ++i) {
    const StepIndex index(pass == Pass::forward ? i : config.time - 1 - i, config.time, config.reverse);
    const float* of_step = at_step(mask, index.t, config.batch);
    if (of_step != nullptr) active = share.active(of_step);
    body(index, of_step, active);
  }
}

std::int64_t row_list_floats(const RnnPlan& plan, std::int64_t batch) { return round_up(batch, 16) * plan.threads; }

/// gates_x of a stretch of steps, made when the first of them comes.
class InputStretches {
 public:
  /// `width` columns of gates_x.
  template <class Config>
  InputStretches(const Config& config, std::int64_t width, const RnnPlan& plan, Pieces& pieces)
      : steps_of_(rnn_steps(plan.parts)),
        size_(config.input),
        width_(width),
        batch_(config.batch),
        time_(config.time),
        reverse_(config.reverse),
        steps_(std::clamp<std::int64_t>(kRnnInputRows / std::max<std::int64_t>(batch_, 1), 1,
                                        std::max<std::int64_t>(time_, 1))),
        list_(size_ > 0 ? round_up(steps_ * batch_, 16) : 0),
        packed_(pieces.take(size_ > 0 ? steps_of_.plain_panel_floats(size_, width) : 0)),
        gates_(pieces.take(size_ > 0 ? steps_ * batch_ * width : 0)),
        rows_(pieces.take(list_ * plan.threads)) {}

  void pack(const RnnInput& input, const Share& share) const {
    if (size_ == 0) return;
    const UnitRange columns = part_of(width_, steps_of_.geometry.unit, share.thread, share.team);
    steps_of_.pack_plain(input.w_x, width_, false, size_, columns, packed_);
  }

  /// gates_x of step `t`: of the array `given`, or made here. All threads call it for each step, in the order of steps.
  const float* at(std::int64_t t, const float* given, const RnnInput& input, const float* mask, const Share& share,
                  Barrier& barrier) const {
    if (size_ == 0) return given + t * batch_ * width_;
    const std::int64_t done = reverse_ ? time_ - 1 - t : t, since = done % steps_, begin = done - since,
                       count = std::min(steps_, time_ - begin), first = reverse_ ? time_ - begin - count : begin;
    if (since == 0) {
      steps_of_.plain_product(packed_, size_, input.x + first * batch_ * size_, size_, input.bias, false, gates_,
                              width_, {0, width_}, active(first, count, mask, share));
      if (share.barriers) barrier.wait(share.team);
    }
    return gates_ + (t - first) * batch_ * width_;
  }

 private:
  /// The rows of the share in steps first … first + count - 1 that the mask leaves.
  ActiveRows active(std::int64_t first, std::int64_t count, const float* mask, const Share& share) const {
    auto* rows = reinterpret_cast<std::int32_t*>(rows_ + list_ * share.thread);
    std::int64_t found = 0;
    for (std::int64_t step = 0; step < count; ++step)
      for (std::int64_t row = share.thread; row < batch_; row += share.team)
        if (mask == nullptr || mask[(first + step) * batch_ + row] != 0.0F)
          rows[found++] = static_cast<std::int32_t>(step * batch_ + row);
    return {rows, found};
  }

  const RnnSteps& steps_of_;
  std::int64_t size_, width_, batch_, time_;
  bool reverse_;
  std::int64_t steps_, list_;
  float *packed_, *gates_, *rows_;
};

}  // namespace

// --- LSTM -----------------------------------------------------------------------------------------------------------

LstmKernel::LstmKernel(const LstmConfig& config)
    : config_(config), plan_(plan_rnn(config.time, config.batch, config.hidden, 4)) {
  require(config.time >= 0 && config.batch >= 0 && config.hidden >= 0,
          "LSTM sizes must not be negative: time {}, batch {}, hidden {}", config.time, config.batch, config.hidden);
}

std::size_t LstmKernel::forward_scratch_bytes() const {
  Pieces pieces(nullptr);
  pieces.take(rnn_steps(plan_.parts).gate_panel_floats(config_.hidden, 4));
  pieces.take(row_list_floats(plan_, config_.batch));
  InputStretches(config_, 4 * config_.hidden, plan_, pieces);
  return pieces.bytes();
}

std::size_t LstmKernel::backward_scratch_bytes() const {
  Pieces pieces(nullptr);
  pieces.take(rnn_steps(plan_.parts).plain_panel_floats(4 * config_.hidden, config_.hidden));
  pieces.take(row_list_floats(plan_, config_.batch));
  return pieces.bytes();
}

void LstmKernel::forward(const LstmForward& io, void* scratch) const {
  const std::int64_t time = config_.time, batch = config_.batch, hidden = config_.hidden;
  const bool reverse = config_.reverse, hard = config_.hard_sigmoid;
  const RnnSteps& steps = rnn_steps(plan_.parts);
  const std::int64_t state = batch * hidden;
  Pieces pieces(scratch);
  float* packed = pieces.take(steps.gate_panel_floats(hidden, 4));
  float* row_lists = pieces.take(row_list_floats(plan_, batch));
  const InputStretches stretches(config_, 4 * hidden, plan_, pieces);
  // Without room for all cell states, the last one is updated in place.
  const bool keep_c = io.states_c != nullptr;
  require(keep_c || io.c_last != nullptr, "LSTM forward needs room for the cell states: states_c or c_last");
  const auto cell = [&](std::int64_t slot) { return keep_c ? io.states_c + slot * state : io.c_last; };
  const std::int64_t first_slot = reverse ? time : 0, last_slot = reverse ? 0 : time;
  Barrier barrier;
  parallel_team(plan_.threads, [&](int thread, int team) {
    const Share share(plan_, batch, hidden, thread, team, row_lists);
    if (time > 0) {
      steps.pack_gates(io.w_h, hidden, 4 * hidden, 4, share.packed_gates, packed);
      stretches.pack(io.input, share);
    }
    share.set_all(io.h0, io.states_h + first_slot * state);
    share.set_all(io.c0, cell(first_slot));
    barrier.wait(team);
    const auto one_step = [&](const StepIndex& index, const float* mask, const ActiveRows& active) {
      const LstmStep step{.hidden = hidden,
                          .hard_sigmoid = hard,
                          .packed = packed,
                          .gates_x = stretches.at(index.t, io.gates_x, io.input, io.mask, share, barrier),
                          .h_prev = io.states_h + index.before * state,
                          .c_prev = cell(index.before),
                          .h = io.states_h + index.after * state,
                          .c = cell(index.after),
                          .gates = at_step(io.gates, index.t, 4 * state)};
      share.for_each_masked(mask, [&](std::int64_t row) {
        share.copy_row(step.h_prev, step.h, row);
        if (keep_c) share.copy_row(step.c_prev, step.c, row);
        if (step.gates != nullptr && step.gates != step.gates_x) share.clear_row(step.gates, 4, row);
      });
      steps.lstm_forward(step, share.units_at(index), active);
      if (share.barriers) barrier.wait(team);
    };
    for_each_step(Pass::forward, config_, share, io.mask, one_step);
    if (keep_c && io.c_last != nullptr) share.set_all(cell(last_slot), io.c_last);
  });
}

void LstmKernel::backward(const LstmBackward& io, void* scratch) const {
  const std::int64_t time = config_.time, batch = config_.batch, hidden = config_.hidden;
  const bool reverse = config_.reverse, hard = config_.hard_sigmoid;
  const RnnSteps& steps = rnn_steps(plan_.parts);
  const std::int64_t state = batch * hidden;
  Pieces pieces(scratch);
  float* packed = pieces.take(steps.plain_panel_floats(4 * hidden, hidden));
  float* row_lists = pieces.take(row_list_floats(plan_, batch));
  Barrier barrier;
  parallel_team(plan_.threads, [&](int thread, int team) {
    const Share share(plan_, batch, hidden, thread, team, row_lists);
    if (time > 0) steps.pack_plain(io.w_h, 4 * hidden, true, 4 * hidden, share.packed_plain, packed);
    // The gradients of the first state carry the sum from step to step.
    share.set_all(nullptr, io.d_h0);
    share.set_all(nullptr, io.d_c0);
    barrier.wait(team);
    const auto add_slot = [&](std::int64_t slot, std::int64_t row) {
      if (io.d_states_h != nullptr) share.add_row(io.d_states_h + slot * state, io.d_h0, row);
      if (io.d_states_c != nullptr) share.add_row(io.d_states_c + slot * state, io.d_c0, row);
    };
    const auto one_step = [&](const StepIndex& index, const float* mask, const ActiveRows& active) {
      const LstmStepBackward step{.hidden = hidden,
                                  .hard_sigmoid = hard,
                                  .gates = io.gates + index.t * 4 * state,
                                  .c_prev = io.states_c + index.before * state,
                                  .c = io.states_c + index.after * state,
                                  .d_h = at_step(io.d_states_h, index.after, state),
                                  .d_c = at_step(io.d_states_c, index.after, state),
                                  .d_gates = io.d_gates + index.t * 4 * state,
                                  .carry_h = io.d_h0,
                                  .carry_c = io.d_c0};
      share.for_each_masked(mask, [&](std::int64_t row) {
        add_slot(index.after, row);
        share.clear_row(step.d_gates, 4, row);
      });
      steps.lstm_backward(step, share.units, active);
      if (share.barriers) barrier.wait(team);
      steps.plain_product(packed, 4 * hidden, step.d_gates, 4 * hidden, nullptr, false, io.d_h0, hidden,
                          share.units_at(index), active);
    };
    for_each_step(Pass::backward, config_, share, io.mask, one_step);
    share.for_each_row([&](std::int64_t row) { add_slot(reverse ? time : 0, row); });
  });
}

// --- GRU ------------------------------------------------------------------------------------------------------------

namespace {

struct GruForwardScratch {
  float *packed, *packed_n, *gates, *extra, *row_lists;
  InputStretches stretches;
  GruForwardScratch(const GruConfig& c, const RnnPlan& plan, Pieces& pieces)
      : packed(pieces.take(rnn_steps(plan.parts).gate_panel_floats(c.hidden, c.reset_after ? 3 : 2))),
        packed_n(pieces.take(c.reset_after ? 0 : rnn_steps(plan.parts).plain_panel_floats(c.hidden, c.hidden))),
        gates(pieces.take(c.reset_after ? 0 : 3 * c.batch * c.hidden)),
        extra(pieces.take(c.reset_after ? 0 : c.batch * c.hidden)),
        row_lists(pieces.take(row_list_floats(plan, c.batch))),
        stretches(c, 3 * c.hidden, plan, pieces) {}
};

struct GruBackwardScratch {
  float *packed, *packed_n, *d_reset, *row_lists;
  GruBackwardScratch(const GruConfig& c, const RnnPlan& plan, Pieces& pieces)
      : packed(pieces.take(rnn_steps(plan.parts).plain_panel_floats((c.reset_after ? 3 : 2) * c.hidden, c.hidden))),
        packed_n(pieces.take(c.reset_after ? 0 : rnn_steps(plan.parts).plain_panel_floats(c.hidden, c.hidden))),
        d_reset(pieces.take(c.reset_after ? 0 : c.batch * c.hidden)),
        row_lists(pieces.take(row_list_floats(plan, c.batch))) {}
};

}  // namespace

GruKernel::GruKernel(const GruConfig& config)
    : config_(config), plan_(plan_rnn(config.time, config.batch, config.hidden, 3)) {
  require(config.time >= 0 && config.batch >= 0 && config.hidden >= 0,
          "GRU sizes must not be negative: time {}, batch {}, hidden {}", config.time, config.batch, config.hidden);
}

std::size_t GruKernel::forward_scratch_bytes() const {
  Pieces pieces(nullptr);
  GruForwardScratch(config_, plan_, pieces);
  return pieces.bytes();
}

std::size_t GruKernel::backward_scratch_bytes() const {
  Pieces pieces(nullptr);
  GruBackwardScratch(config_, plan_, pieces);
  return pieces.bytes();
}

void GruKernel::forward(const GruForward& io, void* scratch) const {
  const std::int64_t time = config_.time, batch = config_.batch, hidden = config_.hidden;
  const bool reverse = config_.reverse, hard = config_.hard_sigmoid, reset_after = config_.reset_after;
  const RnnSteps& steps = rnn_steps(plan_.parts);
  const std::int64_t state = batch * hidden;
  Pieces pieces(scratch);
  const GruForwardScratch room(config_, plan_, pieces);
  Barrier barrier;
  parallel_team(plan_.threads, [&](int thread, int team) {
    const Share share(plan_, batch, hidden, thread, team, room.row_lists);
    if (time > 0) {
      steps.pack_gates(io.w_h, hidden, 3 * hidden, reset_after ? 3 : 2, share.packed_gates, room.packed);
      if (!reset_after)
        steps.pack_plain(io.w_h + 2 * hidden, 3 * hidden, false, hidden, share.packed_plain, room.packed_n);
      room.stretches.pack(io.input, share);
    }
    share.set_all(io.h0, io.states_h + (reverse ? time : 0) * state);
    barrier.wait(team);
    const auto one_step = [&](const StepIndex& index, const float* mask, const ActiveRows& active) {
      GruStep step{.hidden = hidden,
                   .hard_sigmoid = hard,
                   .packed = room.packed,
                   .packed_n = room.packed_n,
                   .gates_x = room.stretches.at(index.t, io.gates_x, io.input, io.mask, share, barrier),
                   .b_h = io.b_h,
                   .h_prev = io.states_h + index.before * state,
                   .h = io.states_h + index.after * state,
                   .gates = at_step(io.gates, index.t, 3 * state),
                   .extra = at_step(io.extra, index.t, state)};
      share.for_each_masked(mask, [&](std::int64_t row) {
        share.copy_row(step.h_prev, step.h, row);
        if (step.gates != nullptr && step.gates != step.gates_x) share.clear_row(step.gates, 3, row);
        if (step.extra != nullptr) share.clear_row(step.extra, 1, row);
      });
      if (reset_after) {
        steps.gru_forward(step, share.units_at(index), active);
      } else {
        if (step.gates == nullptr) step.gates = room.gates;
        if (step.extra == nullptr) step.extra = room.extra;
        steps.gru_reset(step, share.units_at(index), active);
        if (share.barriers) barrier.wait(team);
        steps.gru_update(step, share.units_at(index), active);
      }
      if (share.barriers) barrier.wait(team);
    };
    for_each_step(Pass::forward, config_, share, io.mask, one_step);
  });
}

void GruKernel::backward(const GruBackward& io, void* scratch) const {
  const std::int64_t time = config_.time, batch = config_.batch, hidden = config_.hidden;
  const bool reverse = config_.reverse, hard = config_.hard_sigmoid, reset_after = config_.reset_after;
  const RnnSteps& steps = rnn_steps(plan_.parts);
  const std::int64_t state = batch * hidden;
  require(!reset_after || io.d_gates_h != nullptr || time == 0, "GRU backward with reset_after needs d_gates_h");
  Pieces pieces(scratch);
  const GruBackwardScratch room(config_, plan_, pieces);
  Barrier barrier;
  parallel_team(plan_.threads, [&](int thread, int team) {
    const Share share(plan_, batch, hidden, thread, team, room.row_lists);
    if (time > 0) {
      steps.pack_plain(io.w_h, 3 * hidden, true, (reset_after ? 3 : 2) * hidden, share.packed_plain, room.packed);
      if (!reset_after)
        steps.pack_plain(io.w_h + 2 * hidden, 3 * hidden, true, hidden, share.packed_plain, room.packed_n);
    }
    share.set_all(nullptr, io.d_h0);
    barrier.wait(team);
    const auto add_slot = [&](std::int64_t slot, std::int64_t row) {
      if (io.d_states_h != nullptr) share.add_row(io.d_states_h + slot * state, io.d_h0, row);
    };
    const auto one_step = [&](const StepIndex& index, const float* mask, const ActiveRows& active) {
      const GruStepBackward step{.hidden = hidden,
                                 .hard_sigmoid = hard,
                                 .gates = io.gates + index.t * 3 * state,
                                 .extra = io.extra + index.t * state,
                                 .h_prev = io.states_h + index.before * state,
                                 .d_h = at_step(io.d_states_h, index.after, state),
                                 .d_gates_x = io.d_gates_x + index.t * 3 * state,
                                 .d_gates_h = at_step(io.d_gates_h, index.t, 3 * state),
                                 .carry_h = io.d_h0,
                                 .d_reset = room.d_reset};
      share.for_each_masked(mask, [&](std::int64_t row) {
        add_slot(index.after, row);
        share.clear_row(step.d_gates_x, 3, row);
        if (reset_after) share.clear_row(step.d_gates_h, 3, row);
      });
      if (reset_after) {
        steps.gru_backward(step, share.units, active);
        if (share.barriers) barrier.wait(team);
        steps.plain_product(room.packed, 3 * hidden, step.d_gates_h, 3 * hidden, nullptr, true, io.d_h0, hidden,
                            share.units_at(index), active);
      } else {
        steps.gru_update_backward(step, share.units, active);
        if (share.barriers) barrier.wait(team);
        steps.plain_product(room.packed_n, hidden, step.d_gates_x + 2 * hidden, 3 * hidden, nullptr, false,
                            room.d_reset, hidden, share.units_at(index), active);
        steps.gru_reset_backward(step, share.units, active);
        if (share.barriers) barrier.wait(team);
        steps.plain_product(room.packed, 2 * hidden, step.d_gates_x, 3 * hidden, nullptr, true, io.d_h0, hidden,
                            share.units_at(index), active);
      }
    };
    for_each_step(Pass::backward, config_, share, io.mask, one_step);
    share.for_each_row([&](std::int64_t row) { add_slot(reverse ? time : 0, row); });
  });
}

}  // namespace eddy
