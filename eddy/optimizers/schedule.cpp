// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "eddy/core/number_text.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

/// Whether a number can be a rate, which is an f32.
bool is_rate(double number) { return number >= 0 && std::isfinite(static_cast<float>(number)); }

enum class Curve : std::uint8_t { exponential, staircase, linear, cosine };

struct CurveOp final : OpClass<CurveOp> {
  static constexpr std::string_view kName = "schedule";
  Curve curve;
  double from, to_or_factor, floor;
  std::int64_t steps;

  CurveOp(Curve c, double f, double t, double lowest, std::int64_t s)
      : curve(c), from(f), to_or_factor(t), floor(lowest), steps(s) {}
  static void attributes(auto& op, auto&& visit) {
    visit("curve", op.curve);
    visit("from", op.from);
    visit("to_or_factor", op.to_or_factor);
    visit("floor", op.floor);
    visit("steps", op.steps);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(steps > 0, "the length must be positive, it is {}", steps);
    require<GraphError>(is_rate(from) && is_rate(to_or_factor) && is_rate(floor),
                        "rates must be finite and not negative: {}, {}, {}", from, to_or_factor, floor);
    require<GraphError>(inputs[0] == TensorType{i32, {}}, "the step must be i32[], it is {}", to_string(inputs[0]));
    return {{f32, {}}};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [op = *this](const KernelArgs& args) {
      *args.out<float>(0) = static_cast<float>(op.at(*args.in<std::int32_t>(0)));
    }};
  }

 private:
  double at(std::int32_t step) const {
    const double t = step;
    const double done = std::clamp(t / static_cast<double>(steps), 0.0, 1.0);
    switch (curve) {
      case Curve::exponential:
        return std::max(floor, from * std::pow(to_or_factor, t / static_cast<double>(steps)));
      case Curve::staircase:
        return std::max(floor, from * std::pow(to_or_factor, std::floor(t / static_cast<double>(steps))));
      case Curve::linear:
        return from + (to_or_factor - from) * done;
      case Curve::cosine:
        return floor + (from - floor) * 0.5 * (1 + std::cos(std::numbers::pi * done));
    }
    return 0;
  }
};

/// Steps since `start`, 0 before it.
struct StepsSince final : OpClass<StepsSince> {
  static constexpr std::string_view kName = "steps_since";
  std::int64_t start;

  explicit StepsSince(std::int64_t s) : start(s) {}
  static void attributes(auto& op, auto&& visit) { visit("start", op.start); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [first = start](const KernelArgs& args) {
      *args.out<std::int32_t>(0) =
          static_cast<std::int32_t>(std::max<std::int64_t>(0, *args.in<std::int32_t>(0) - first));
    }};
  }
};

/// Picks the input of the piece that the step (input 0) falls in.
struct PickPiece final : OpClass<PickPiece> {
  static constexpr std::string_view kName = "schedule_piece";
  std::vector<std::int64_t> boundaries;

  explicit PickPiece(std::vector<std::int64_t> b) : boundaries(std::move(b)) {}
  static void attributes(auto& op, auto&& visit) { visit("boundaries", op.boundaries); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs.size() == boundaries.size() + 2, "expected {} for {}, not {}",
                        counted(std::ssize(boundaries) + 1, "piece"),
                        counted(std::ssize(boundaries), "boundary", "boundaries"), inputs.size() - 1);
    require<GraphError>(std::ranges::is_sorted(boundaries, std::less_equal<>()), "the boundaries [{}] do not ascend",
                        fmt::join(boundaries, ","));
    for (const TensorType& type : inputs.subspan(1))
      require<GraphError>(type == TensorType{f32, {}}, "a piece is {}, not f32[]", to_string(type));
    return {{f32, {}}};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [starts = boundaries](const KernelArgs& args) {
      const auto piece = std::ranges::upper_bound(starts, *args.in<std::int32_t>(0)) - starts.begin();
      *args.out<float>(0) = *args.in<float>(static_cast<int>(piece) + 1);
    }};
  }
};

/// rate (input 1) * a line from `start` to 1 in `steps` steps (input 0).
struct WarmUp final : OpClass<WarmUp> {
  static constexpr std::string_view kName = "warm_up";
  std::int64_t steps;
  double start;

  WarmUp(std::int64_t n, double s) : steps(n), start(s) {}
  static void attributes(auto& op, auto&& visit) {
    visit("steps", op.steps);
    visit("start", op.start);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(steps > 0 && is_rate(start),
                        "steps must be 1 or more and start finite and not negative, they are {} and {}", steps, start);
    require<GraphError>(inputs[1] == TensorType{f32, {}}, "the rate is {}, not f32[]", to_string(inputs[1]));
    return {inputs[1]};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [steps = static_cast<double>(steps), start = start](const KernelArgs& args) {
      const double done = std::min(1.0, *args.in<std::int32_t>(0) / steps);
      *args.out<float>(0) = static_cast<float>(*args.in<float>(1) * (start + (1 - start) * done));
    }};
  }
};

Schedule curve_schedule(const CurveOp& op) {
  return Schedule([op](Value step, SourceLocation where) { return add_node(step.graph(), op, {step}, where); });
}

}  // namespace

Value Schedule::build(Value step, SourceLocation where) const {
  require_at(static_cast<bool>(builder_), where, "schedule", "the learning rate's builder is an empty function");
  return builder_(step, where);
}

Schedule::Schedule(double rate)
    : builder_([rate](Value step, SourceLocation where) {
        require_at(is_rate(rate), where, "schedule", "the learning rate must be finite and not negative, it is {}",
                   rate);
        return step.graph().constant(static_cast<float>(rate), where);
      }) {}

Schedule exponential_decay(double rate, double factor, std::int64_t every, double floor) {
  return curve_schedule({Curve::exponential, rate, factor, floor, every});
}

Schedule step_decay(double rate, double factor, std::int64_t every, double floor) {
  return curve_schedule({Curve::staircase, rate, factor, floor, every});
}

Schedule linear_decay(double from, double to, std::int64_t steps) {
  return curve_schedule({Curve::linear, from, to, 0, steps});
}

Schedule cosine_decay(double rate, std::int64_t steps, double floor) {
  return curve_schedule({Curve::cosine, rate, 0, floor, steps});
}

Schedule piecewise_constant(const std::vector<std::int64_t>& boundaries, const std::vector<double>& rates) {
  return piecewise(boundaries, {rates.begin(), rates.end()});
}

Schedule piecewise(const std::vector<std::int64_t>& boundaries, const std::vector<Schedule>& pieces) {
  return Schedule([boundaries, pieces](Value step, SourceLocation where) {
    std::vector<Value> inputs{step};
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const bool later = i > 0 && i <= boundaries.size();
      const Value own = later ? add_node(step.graph(), StepsSince(boundaries[i - 1]), {step}, where) : step;
      inputs.push_back(pieces[i].build(own, where));
    }
    return add_node(step.graph(), PickPiece(boundaries), std::move(inputs), where);
  });
}

Schedule warm_up(std::int64_t steps, const Schedule& then, double start) {
  return Schedule([=](Value step, SourceLocation where) {
    const Value rate = then.build(add_node(step.graph(), StepsSince(steps), {step}, where), where);
    return add_node(step.graph(), WarmUp(steps, start), {step, rate}, where);
  });
}

}  // namespace eddy
