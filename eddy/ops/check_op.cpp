// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/check_op.h"

#include <utility>

#include "eddy/core/number_text.h"
#include "eddy/core/threads.h"
#include "eddy/ops/check_gradients.h"
#include "eddy/ops/check_op_parts.h"

namespace eddy {
namespace {

using checks::CaseData;
using checks::CaseGraph;
using checks::InputForm;

/// Bench inputs of more elements are too large to compare threads with.
constexpr std::int64_t kMostElements = 8'000'000;

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
    const FlatArrays expected = in.outputs.empty() ? case_.reference(checks::to_doubles(in.inputs)) : in.outputs;
    const CaseGraph built = checks::build_graph(case_, in);
    Program program = compile(*built.graph, built.outputs);
    const std::vector<Tensor> got = checks::run(program, in.inputs);
    if (got.size() != expected.size())
      return report(fmt::format("{}, expected {}", counted(std::ssize(got), "output"), expected.size()));
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
    const FlatArrays got = checks::to_doubles(std::span(results).subspan(built.outputs.size()));
    Program forward = compile(*built.graph, built.outputs);
    const Terms terms = [&](std::span<const Tensor> inputs) {
      return weighted_terms(checks::run(forward, inputs), in.weights);
    };
    report(check_gradients(terms, in.inputs, built.wrt, got, case_.gradient_tolerance, options_.seed));
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
    const FlatArrays got = checks::to_doubles(checks::run(program, in.inputs));
    const Terms terms = [&](std::span<const Tensor> inputs) {
      return weighted_terms(checks::run(gradient, inputs), weights);
    };
    report(check_gradients(terms, in.inputs, built.wrt, got, 2 * case_.gradient_tolerance, options_.seed));
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

}  // namespace eddy
