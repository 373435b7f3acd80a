// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/check_gradients.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eddy/core/random.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/program.h"
#include "eddy/ops/check_op_parts.h"

namespace eddy {
namespace {

constexpr int kDirections = 12;
constexpr int kEnough = 4;
// With inputs on a grid of 2^-12 and directions in sixteenths, every step is exact in f32.
constexpr double kStep = 0x1p-7;
/// Larger inputs are not searched for the element that is wrong.
constexpr std::int64_t kMostSearched = 2000;

using Direction = std::vector<std::vector<double>>;

/// Central differences of a scalar function.
class Differences {
 public:
  Differences(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt)
      : terms_(terms), inputs_(inputs), wrt_(wrt), moved_(inputs.begin(), inputs.end()) {
    double squares = 0;
    for (const double term : terms(inputs)) squares += term * term;
    noise_ = 8 * 6e-8 * (std::sqrt(squares) + 1e-3) / kStep;
  }

  struct Slope {
    double wide = 0;
    double narrow = 0;
    double value() const { return (4 * narrow - wide) / 3; }
  };

  /// The derivative along `direction`, by two step sizes.
  Slope along(const Direction& direction) {
    return {(value_at(direction, kStep) - value_at(direction, -kStep)) / (2 * kStep),
            (value_at(direction, kStep / 2) - value_at(direction, -kStep / 2)) / kStep};
  }

  /// For each input of `wrt` a direction: multiples of 1/16 in [-1, 1], in every second one mostly zeros.
  Direction random_direction(bool sparse, Philox& random) const {
    Direction direction = zero();
    for (std::vector<double>& d : direction)
      for (double& x : d) {
        if (sparse && uniform_index(random, 4) != 0) continue;
        const double size = static_cast<double>(4 + uniform_index(random, 13)) / 16;
        x = uniform_index(random, 2) == 0 ? size : -size;
      }
    return direction;
  }

  Direction zero() const {
    Direction direction;
    for (const int i : wrt_)
      direction.emplace_back(static_cast<std::size_t>(inputs_[static_cast<std::size_t>(i)].elements()));
    return direction;
  }

  /// What the rounding of the terms may amount to.
  double noise() const { return noise_; }

 private:
  double value_at(const Direction& direction, double step) {
    for (std::size_t k = 0; k < wrt_.size(); ++k) {
      const auto i = static_cast<std::size_t>(wrt_[k]);
      moved_[i] = inputs_[i].clone();
      const std::span<float> values = moved_[i].values<float>();
      for (std::size_t j = 0; j < values.size(); ++j)
        values[j] = static_cast<float>(static_cast<double>(values[j]) + step * direction[k][j]);
    }
    const std::vector<double> parts = terms_(moved_);
    return std::accumulate(parts.begin(), parts.end(), 0.0);
  }

  const Terms& terms_;
  std::span<const Tensor> inputs_;
  std::span<const int> wrt_;
  std::vector<Tensor> moved_;
  double noise_ = 0;
};

/// The element whose gradient is farthest from its difference, as text; empty when there are too many to search.
std::string worst_element(Differences& differences, std::span<const Tensor> inputs, std::span<const int> wrt,
                          std::span<const std::vector<double>> gradients, std::span<const std::string> names) {
  std::int64_t elements = 0;
  for (const int i : wrt) elements += inputs[static_cast<std::size_t>(i)].elements();
  if (elements > kMostSearched) return {};
  std::string text;
  double worst = differences.noise();
  Direction direction = differences.zero();
  for (std::size_t k = 0; k < wrt.size(); ++k)
    for (std::size_t j = 0; j < direction[k].size(); ++j) {
      direction[k][j] = 1;
      const double measured = differences.along(direction).value();
      direction[k][j] = 0;
      const double error = std::abs(measured - gradients[k][j]);
      if (error <= worst) continue;
      worst = error;
      const auto i = static_cast<std::size_t>(wrt[k]);
      text = fmt::format("{} {}, element {}: the gradient is {}, differences give {}; ", names[i],
                         to_string(inputs[i].type()), j, gradients[k][j], measured);
      if (std::isnan(error)) return text;
    }
  return text;
}

std::string check_gradients(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt,
                            std::span<const std::vector<double>> gradients, double tolerance, std::uint64_t seed,
                            std::span<const std::string> names) {
  Philox random(seed);
  Differences differences(terms, inputs, wrt);
  int passed = 0;
  std::string last;
  for (int attempt = 0; attempt < kDirections; ++attempt) {
    const Direction direction = differences.random_direction(attempt % 2 == 1, random);
    double expected = 0;
    double size = 0;
    for (std::size_t k = 0; k < wrt.size(); ++k)
      for (std::size_t j = 0; j < direction[k].size(); ++j) {
        const double term = gradients[k][j] * direction[k][j];
        expected += term;
        size += term * term;
      }
    const double allowed = tolerance * std::sqrt(size) + differences.noise();
    const Differences::Slope slope = differences.along(direction);
    if (std::abs(slope.value() - expected) <= allowed) {
      ++passed;
      continue;
    }
    last = fmt::format("along direction {} the gradients give {}, differences {} (steps {} and {}, allowed error {})",
                       attempt, expected, slope.value(), slope.wide, slope.narrow, allowed);
    const bool smooth = std::abs(slope.wide - slope.narrow) <= allowed / 2;
    if (smooth || !std::isfinite(slope.value()) || !std::isfinite(expected))
      return worst_element(differences, inputs, wrt, gradients, names) + last;
  }
  if (passed >= kEnough) return {};
  return fmt::format("{}only {} of {} directions are free of kinks and agree; the last of the others: {}",
                     worst_element(differences, inputs, wrt, gradients, names), passed, kDirections, last);
}

std::vector<std::string> numbered_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format("input {}", i));
  return names;
}

/// Values of variables, which get them back in the end.
class VariableValues {
 public:
  VariableValues() = default;
  ~VariableValues() { set(before_); }
  VariableValues(const VariableValues&) = delete;
  VariableValues& operator=(const VariableValues&) = delete;

  void add(const Tensor& value) {
    values_.push_back(value);
    before_.push_back(value.clone());
  }
  void set(std::span<const Tensor> to) const {
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i].copy_from(to[i]);
  }

 private:
  std::vector<Tensor> values_, before_;
};

}  // namespace

std::string check_gradients(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt,
                            std::span<const std::vector<double>> gradients, double tolerance, std::uint64_t seed) {
  return check_gradients(terms, inputs, wrt, gradients, tolerance, seed, numbered_names(inputs.size()));
}

std::string check_gradients(Value loss, const std::vector<Value>& wrt, const std::vector<Binding>& bindings,
                            double tolerance, std::uint64_t seed) {
  require<GraphError>(loss.dtype() == f32 && loss.shape().elements() == 1,
                      "gradients are checked of a loss of one f32 element, not of {}", to_string(loss.type()));
  std::vector<std::string> names;
  std::vector<Tensor> tensors;
  for (const Binding& binding : bindings) {
    names.emplace_back(binding.name);
    tensors.push_back(binding.tensor);
  }
  const std::size_t inputs_end = tensors.size();
  std::vector<int> places;
  VariableValues variables;
  for (const Value& value : wrt) {
    if (const Variable* variable = value.dtype() == f32 ? variable_of(value) : nullptr) {
      variables.add(variable->value);
      places.push_back(static_cast<int>(tensors.size()));
      names.push_back(variable->name);
      tensors.push_back(variable->value.clone());
      continue;
    }
    const auto* input = dynamic_cast<const InputOp*>(loss.graph().node(value.node()).op.get());
    require<GraphError>(input != nullptr && value.dtype() == f32,
                        "gradients are checked with respect to f32 inputs and parameters of the graph, not to {}",
                        to_string(value.type()));
    const auto end = names.begin() + static_cast<std::ptrdiff_t>(inputs_end);
    const auto found = std::find(names.begin(), end, input->label);
    require<GraphError>(found != end, "input '{}' has no binding", input->label);
    places.push_back(static_cast<int>(found - names.begin()));
  }
  Program forward = compile(loss.graph(), {loss});
  Program backward = compile(loss.graph(), dense_gradients(loss, wrt));
  const FlatArrays gradients = checks::to_doubles(backward.run(bindings));
  const Terms terms = [&](std::span<const Tensor> inputs) {
    std::vector<Binding> moved;
    for (std::size_t i = 0; i < inputs_end; ++i) moved.push_back({names[i], inputs[i]});
    variables.set(inputs.subspan(inputs_end));
    return std::vector<double>{static_cast<double>(forward.run(moved)[0].item())};
  };
  return check_gradients(terms, tensors, places, gradients, tolerance, seed, names);
}

}  // namespace eddy
