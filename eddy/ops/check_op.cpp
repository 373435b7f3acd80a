// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/check_op.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "eddy/core/element_type.h"
#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/ops/check_op_parts.h"

namespace eddy {
namespace checks {
namespace {

std::string input_name(std::size_t i) { return fmt::format("input{}", i); }

Value make_input(Graph& graph, const std::string& name, const Tensor& tensor, InputForm form) {
  switch (form) {
    case InputForm::fed:
      return graph.input(name, tensor.dtype(), tensor.shape());
    case InputForm::copied:
      return copy_of(graph.input(name, tensor.dtype(), tensor.shape()));
    case InputForm::constant:
      return graph.constant(tensor);
  }
  return {};
}

/// Whether `value` can be reached from one of `sources` along f32 edges.
bool depends_on(const Graph& graph, Value value, std::span<const Value> sources) {
  std::vector<bool> reached(static_cast<std::size_t>(graph.size()), false);
  for (const Value& source : sources) reached[static_cast<std::size_t>(source.node())] = true;
  for (int id = 0; id <= value.node(); ++id)
    for (const Value& input : graph.node(id).inputs)
      if (input.dtype() == f32 && reached[static_cast<std::size_t>(input.node())])
        reached[static_cast<std::size_t>(id)] = true;
  return reached[static_cast<std::size_t>(value.node())];
}

/// Uniform in [-2, 2) on the grid of 2^-12, as inputs are.
Tensor random_weights(const TensorType& type, Philox& random) {
  const Tensor weights(type);
  for (float& weight : weights.values<float>()) weight = std::floor(uniform_float(random, -2, 2) * 4096) / 4096;
  return weights;
}

}  // namespace

std::vector<Value> CaseGraph::wrt_values() const {
  std::vector<Value> values;
  for (const int i : wrt) values.push_back(inputs[static_cast<std::size_t>(i)]);
  return values;
}

std::vector<Value> CaseGraph::results() const {
  std::vector<Value> results = outputs;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Value like = inputs[static_cast<std::size_t>(wrt[i])];
    results.push_back(gradients[i].empty() ? full(*graph, like.type(), 0.0F) : gradients[i].dense(like));
  }
  return results;
}

CaseData random_data(const OpCase& op_case, std::uint64_t seed) {
  Philox random(seed, stable_hash(op_case.name));
  CaseData data;
  for (const CaseInput& input : op_case.inputs) data.inputs.push_back(case_tensor(input, random));
  Graph graph;
  std::vector<Value> inputs;
  for (const Tensor& tensor : data.inputs) inputs.push_back(graph.constant(tensor));
  for (const Value& output : op_case.build(graph, inputs))
    data.weights.push_back(output.dtype() == f32 ? random_weights(output.type(), random) : Tensor());
  return data;
}

CaseGraph build_graph(const OpCase& op_case, const CaseData& data, InputForm form) {
  CaseGraph result;
  Graph& graph = *result.graph;
  for (std::size_t i = 0; i < data.inputs.size(); ++i) {
    result.inputs.push_back(make_input(graph, input_name(i), data.inputs[i], form));
    const bool differentiable = i >= op_case.inputs.size() || op_case.inputs[i].differentiable;
    if (differentiable && data.inputs[i].dtype() == f32) result.wrt.push_back(static_cast<int>(i));
  }
  result.outputs = op_case.build(graph, result.inputs);
  const std::vector<Value> wrt = result.wrt_values();
  std::vector<Seed> seeds;
  for (std::size_t i = 0; i < result.outputs.size(); ++i)
    if (data.weights.at(i) && depends_on(graph, result.outputs[i], wrt))
      // A copy, so that backward kernels may write over it.
      seeds.push_back({result.outputs[i], copy_of(graph.constant(data.weights[i]))});
  if (!seeds.empty()) result.gradients = backpropagate(seeds, wrt);
  return result;
}

std::vector<Value> second_gradients(const CaseGraph& built, std::uint64_t seed, std::vector<Value>& first,
                                    std::vector<Tensor>& weights) {
  Philox random(seed, 1);
  const std::vector<Value> wrt = built.wrt_values();
  std::vector<Seed> seeds;
  for (std::size_t i = 0; i < built.gradients.size(); ++i) {
    if (built.gradients[i].empty()) continue;
    first.push_back(built.gradients[i].dense(wrt[i]));
    weights.push_back(random_weights(wrt[i].type(), random));
    if (depends_on(*built.graph, first.back(), wrt))
      seeds.push_back({first.back(), copy_of(built.graph->constant(weights.back()))});
  }
  const std::vector<Gradient> found = seeds.empty() ? std::vector<Gradient>(wrt.size()) : backpropagate(seeds, wrt);
  std::vector<Value> second;
  for (std::size_t i = 0; i < wrt.size(); ++i)
    second.push_back(found[i].empty() ? full(*built.graph, wrt[i].type(), 0.0F) : found[i].dense(wrt[i]));
  return second;
}

std::vector<Tensor> run(Program& program, std::span<const Tensor> inputs) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < inputs.size(); ++i) names.push_back(input_name(i));
  std::vector<Binding> bindings;
  for (std::size_t i = 0; i < inputs.size(); ++i) bindings.push_back({names[i], inputs[i]});
  std::vector<Tensor> results;
  for (const Tensor& tensor : program.run(bindings)) results.push_back(tensor.clone());
  return results;
}

std::vector<double> to_doubles(const Tensor& tensor) {
  return with_element_type(tensor.dtype(), [&](auto zero) {
    const auto values = tensor.values<const decltype(zero)>();
    return std::vector<double>(values.begin(), values.end());
  });
}

std::string difference(std::span<const double> got, std::span<const double> expected, double tolerance) {
  if (got.size() != expected.size()) return fmt::format("{} elements, expected {}", got.size(), expected.size());
  double worst = tolerance;
  std::size_t at = got.size();
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]))) continue;
    const double error = std::abs(got[i] - expected[i]) / (1 + std::abs(expected[i]));
    if (error <= worst) continue;  // false for NaN
    at = i;
    if (std::isnan(error)) break;
    worst = error;
  }
  if (at == got.size()) return {};
  return fmt::format("element {} is {}, expected {} (tolerance {})", at, got[at], expected[at], tolerance);
}

std::string difference(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance) {
  if (got.size() != expected.size()) return fmt::format("{} tensors, expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("tensor {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    const std::string found = difference(to_doubles(got[i]), to_doubles(expected[i]), tolerance);
    if (!found.empty()) return fmt::format("tensor {} {}: {}", i, to_string(got[i].type()), found);
  }
  return {};
}

std::string bit_difference(std::span<const Tensor> got, std::span<const Tensor> expected) {
  if (got.size() != expected.size()) return fmt::format("{} tensors, expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("tensor {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    const std::size_t size = size_of(got[i].dtype());
    for (std::size_t at = 0; at < got[i].bytes(); at += size)
      if (std::memcmp(static_cast<const std::byte*>(got[i].data()) + at,
                      static_cast<const std::byte*>(expected[i].data()) + at, size) != 0)
        return fmt::format("tensor {} {}: element {} is {}, expected the bits of {}", i, to_string(got[i].type()),
                           at / size, to_doubles(got[i])[at / size], to_doubles(expected[i])[at / size]);
  }
  return {};
}

}  // namespace checks

namespace {

using checks::CaseData;
using checks::CaseGraph;
using checks::InputForm;

constexpr int kDirections = 12;
constexpr int kEnough = 4;
// With inputs on a grid of 2^-12 and directions in sixteenths, every step is exact in f32.
constexpr double kStep = 0x1p-7;
/// Larger inputs are not searched for the element that is wrong.
constexpr std::int64_t kMostSearched = 2000;
constexpr std::int64_t kMostElements = 8'000'000;

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

FlatArrays doubles(std::span<const Tensor> tensors) {
  FlatArrays result;
  for (const Tensor& tensor : tensors) result.push_back(checks::to_doubles(tensor));
  return result;
}

/// weights[i] * values[i], one by one; tensors without weights are left out.
std::vector<double> weighted_terms(std::span<const Tensor> values, std::span<const Tensor> weights) {
  std::vector<double> terms;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!weights[i]) continue;
    const auto v = values[i].values<const float>();
    const auto w = weights[i].values<const float>();
    for (std::size_t j = 0; j < v.size(); ++j) terms.push_back(static_cast<double>(v[j]) * static_cast<double>(w[j]));
  }
  return terms;
}

struct Variant {
  const char* name;
  CompileOptions options;
  bool same_bits;
};

std::vector<Variant> option_variants() {
  return {
      {"without pruning", {.passes = {.prune = false}}, true},
      {"without clean-up", {.passes = {.simplify = false}}, false},
      {"without folding", {.passes = {.fold = false}}, true},
      {"without CSE", {.passes = {.cse = false}}, true},
      {"without lowering", {.passes = {.lower = false}}, true},
      {"without fusion", {.passes = {.fuse = false}}, true},
      {"without any pass", {.passes = {false, false, false, false, false, false}}, false},
      {"without reuse of memory", {.reuse_memory = false}, true},
      {"without in-place kernels", {.in_place = false}, true},
  };
}

/// Sets the size of the thread team back at the end.
class ThreadsRestored {
 public:
  ThreadsRestored() : threads_(num_threads()) {}
  ThreadsRestored(const ThreadsRestored&) = delete;
  ThreadsRestored& operator=(const ThreadsRestored&) = delete;
  ~ThreadsRestored() { set_num_threads(threads_); }

 private:
  int threads_;
};

class Checker {
 public:
  Checker(const OpCase& op_case, const CheckOptions& options) : case_(op_case), options_(options) {}

  std::vector<std::string> run() {
    if (!case_.build) return {about() + "it has no builder"};
    for (const OpCheck check : options_.checks) {
      check_ = check;
      try {
        run(check);
      } catch (const std::exception& error) {
        report(error.what());
      }
    }
    return std::move(problems_);
  }

 private:
  void run(OpCheck check) {
    switch (check) {
      case OpCheck::values:
        return values();
      case OpCheck::gradients:
        return gradients();
      case OpCheck::second_order:
        return second_order();
      case OpCheck::determinism:
        return determinism();
      case OpCheck::passes:
        return passes();
      case OpCheck::threads:
        return threads();
    }
  }

  std::string about() const {
    const std::string op = case_.name.substr(0, case_.name.find('/'));
    return op == case_.name ? fmt::format("op {}: ", op) : fmt::format("op {}, case {}: ", op, case_.name);
  }
  /// Adds `problem` unless it is empty, after where it was found.
  void report(const std::string& problem, const std::string& where = {}) {
    if (!problem.empty()) problems_.push_back(fmt::format("{}{}: {}{}", about(), to_string(check_), where, problem));
  }

  CaseData data(const OpCase& op_case) const {
    return options_.data ? *options_.data : checks::random_data(op_case, options_.seed);
  }

  void values() {
    const CaseData in = data(case_);
    if (in.outputs.empty() && !case_.reference)
      return report("it has neither a reference nor recorded outputs to compare with");
    const FlatArrays expected = in.outputs.empty() ? case_.reference(doubles(in.inputs)) : in.outputs;
    const CaseGraph built = checks::build_graph(case_, in);
    Program program = compile(*built.graph, built.outputs);
    const std::vector<Tensor> got = checks::run(program, in.inputs);
    if (got.size() != expected.size())
      return report(fmt::format("{} outputs, expected {}", got.size(), expected.size()));
    for (std::size_t i = 0; i < got.size(); ++i)
      report(checks::difference(checks::to_doubles(got[i]), expected[i], case_.value_tolerance),
             fmt::format("output {} {}: ", i, to_string(got[i].type())));
  }

  void gradients() {
    const CaseData in = data(case_);
    const CaseGraph built = checks::build_graph(case_, in);
    if (!built.differentiable()) return;
    for (std::size_t i = 0; i < built.wrt.size(); ++i)
      if (built.gradients[i].empty())
        report(fmt::format("input {} gets no gradient, expected {}", built.wrt[i],
                           to_string(built.wrt_values()[i].type())));
    Program program = compile(*built.graph, built.results());
    const std::vector<Tensor> results = checks::run(program, in.inputs);
    const FlatArrays got = doubles(std::span(results).subspan(built.outputs.size()));
    Program forward = compile(*built.graph, built.outputs);
    const Terms terms = [&](std::span<const Tensor> inputs) {
      return weighted_terms(checks::run(forward, inputs), in.weights);
    };
    report(eddy::check_gradients(terms, in.inputs, built.wrt, got, case_.gradient_tolerance, options_.seed));
    for (std::size_t i = 0; i < built.wrt.size() && !in.gradients.empty(); ++i)
      report(checks::difference(got[i], in.gradients.at(static_cast<std::size_t>(built.wrt[i])), case_.value_tolerance),
             fmt::format("recorded gradient of input {}: ", built.wrt[i]));
  }

  void second_order() {
    if (!case_.second_order) return;
    const CaseData in = data(case_);
    const CaseGraph built = checks::build_graph(case_, in);
    if (!built.differentiable()) return;
    std::vector<Value> first;
    std::vector<Tensor> weights;
    const std::vector<Value> second = checks::second_gradients(built, options_.seed, first, weights);
    if (first.empty()) return report("no input gets a gradient that could have one itself");
    Program program = compile(*built.graph, second);
    Program gradient = compile(*built.graph, first);
    const FlatArrays got = doubles(checks::run(program, in.inputs));
    const Terms terms = [&](std::span<const Tensor> inputs) {
      return weighted_terms(checks::run(gradient, inputs), weights);
    };
    report(eddy::check_gradients(terms, in.inputs, built.wrt, got, 2 * case_.gradient_tolerance, options_.seed));
  }

  void determinism() {
    const CaseData in = data(case_);
    const CaseGraph built = checks::build_graph(case_, in);
    Program program = compile(*built.graph, built.results());
    const std::vector<Tensor> first = checks::run(program, in.inputs);
    report(checks::bit_difference(checks::run(program, in.inputs), first), "second run: ");
    const CaseGraph again = checks::build_graph(case_, in);
    Program other = compile(*again.graph, again.results());
    report(checks::bit_difference(checks::run(other, in.inputs), first), "second program: ");
  }

  void passes() {
    const CaseData in = data(case_);
    for (const InputForm form : {InputForm::fed, InputForm::copied, InputForm::constant}) {
      const char* how = form == InputForm::fed ? "fed" : form == InputForm::copied ? "copied" : "constant";
      const CaseGraph built = checks::build_graph(case_, in, form);
      const auto bound = form == InputForm::constant ? std::span<const Tensor>() : std::span<const Tensor>(in.inputs);
      Program program = compile(*built.graph, built.results());
      const std::vector<Tensor> expected = checks::run(program, bound);
      for (const Variant& variant : option_variants()) {
        Program other = compile(*built.graph, built.results(), variant.options);
        const std::vector<Tensor> got = checks::run(other, bound);
        report(variant.same_bits ? checks::bit_difference(got, expected)
                                 : checks::difference(got, expected, case_.value_tolerance),
               fmt::format("{}, inputs {}: ", variant.name, how));
      }
    }
  }

  void threads() {
    OpCase large = case_;
    if (!case_.bench_inputs.empty() && !options_.data) large.inputs = case_.bench_inputs;
    std::int64_t elements = 0;
    for (const CaseInput& input : large.inputs) elements += input.type.shape.elements();
    if (elements > kMostElements) large.inputs = case_.inputs;
    const CaseData in = data(large);
    std::vector<std::vector<Tensor>> results;
    const ThreadsRestored restored;
    for (const int count : {1, 2}) {
      set_num_threads(count);
      const CaseGraph built = checks::build_graph(large, in);
      Program program = compile(*built.graph, built.results());
      results.push_back(checks::run(program, in.inputs));
    }
    report(checks::difference(results[1], results[0], 20 * case_.value_tolerance), "two threads against one: ");
  }

  const OpCase& case_;
  const CheckOptions& options_;
  OpCheck check_ = OpCheck::values;
  std::vector<std::string> problems_;
};

}  // namespace

std::string_view to_string(OpCheck check) {
  switch (check) {
    case OpCheck::values:
      return "values";
    case OpCheck::gradients:
      return "gradients";
    case OpCheck::second_order:
      return "gradients of gradients";
    case OpCheck::determinism:
      return "determinism";
    case OpCheck::passes:
      return "passes";
    case OpCheck::threads:
      return "threads";
  }
  return "?";
}

std::vector<std::string> check_op(const OpCase& op_case, const CheckOptions& options) {
  return Checker(op_case, options).run();
}

std::string check_gradients(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt,
                            std::span<const std::vector<double>> gradients, double tolerance, std::uint64_t seed) {
  return check_gradients(terms, inputs, wrt, gradients, tolerance, seed, numbered_names(inputs.size()));
}

namespace {

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
  const FlatArrays gradients = doubles(backward.run(bindings));
  const Terms terms = [&](std::span<const Tensor> inputs) {
    std::vector<Binding> moved;
    for (std::size_t i = 0; i < inputs_end; ++i) moved.push_back({names[i], inputs[i]});
    variables.set(inputs.subspan(inputs_end));
    return std::vector<double>{static_cast<double>(forward.run(moved)[0].item())};
  };
  return check_gradients(terms, tensors, places, gradients, tolerance, seed, names);
}

}  // namespace eddy
