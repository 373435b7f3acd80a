// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy {

/// A learning rate as a function of the number of updates done so far, built as part of the graph: the step counter is
/// all that a resumed run needs. A number is the constant schedule. A plain value.
class Schedule {
 public:
  /// Builds the rate f32[] from the step i32[] (0 before the first update).
  using Builder = std::function<Value(Value step, SourceLocation where)>;

  Schedule(double rate);  // NOLINT: a number is a schedule
  explicit Schedule(Builder builder) : builder_(std::move(builder)) {}

  Value build(Value step, SourceLocation where = SourceLocation::current()) const;

 private:
  Builder builder_;
};

// Steps count from 0; t is the step. Curves are evaluated in double precision. All throw GraphError for a
// rate that is negative or not finite, and for a length that is not positive. It comes from build(), as for boundaries
// that do not rise or are not one fewer than the pieces. They are pure and hold copies of what they are given.

/// rate * factor^(t / every), but at least `floor`
Schedule exponential_decay(double rate, double factor, std::int64_t every = 1, double floor = 0);
/// rate * factor^floor(t / every), but at least `floor`
Schedule step_decay(double rate, double factor, std::int64_t every, double floor = 0);
/// From `from` to `to` on a straight line in `steps` steps, then `to`.
Schedule linear_decay(double from, double to, std::int64_t steps);
/// From `rate` to `floor` on half a cosine in `steps` steps, then `floor` (Loshchilov & Hutter 2017, equation 5, one
/// cycle).
Schedule cosine_decay(double rate, std::int64_t steps, double floor = 0);
/// `rates[i]` from step `boundaries[i - 1]` on, `rates[0]` before the first boundary.
Schedule piecewise_constant(const std::vector<std::int64_t>& boundaries, const std::vector<double>& rates);
/// The same with schedules, each counting from its own boundary.
Schedule piecewise(const std::vector<std::int64_t>& boundaries, const std::vector<Schedule>& pieces);
/// A straight line from `start` times to 1 times the first rate of `then` in `steps` steps, followed by `then`.
Schedule warm_up(std::int64_t steps, const Schedule& then, double start = 0);

}  // namespace eddy
