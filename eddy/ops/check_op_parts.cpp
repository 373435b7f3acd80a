// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/check_op_parts.h"

#include <cmath>
#include <cstring>

#include "eddy/core/element_type.h"
#include "eddy/core/number_text.h"
#include "eddy/graph/builtin.h"

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

FlatArrays to_doubles(std::span<const Tensor> tensors) {
  FlatArrays arrays;
  for (const Tensor& tensor : tensors) arrays.push_back(to_doubles(tensor));
  return arrays;
}

std::string difference(std::span<const double> got, std::span<const double> expected, double tolerance) {
  if (got.size() != expected.size())
    return fmt::format("{}, expected {}", counted(std::ssize(got), "element"), expected.size());
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
  if (got.size() != expected.size())
    return fmt::format("{}, expected {}", counted(std::ssize(got), "tensor"), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("tensor {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    const std::string found = difference(to_doubles(got[i]), to_doubles(expected[i]), tolerance);
    if (!found.empty()) return fmt::format("tensor {} {}: {}", i, to_string(got[i].type()), found);
  }
  return {};
}

std::string bit_difference(std::span<const Tensor> got, std::span<const Tensor> expected) {
  if (got.size() != expected.size())
    return fmt::format("{}, expected {}", counted(std::ssize(got), "tensor"), expected.size());
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
}  // namespace eddy
