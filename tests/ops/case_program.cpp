// SPDX-License-Identifier: Apache-2.0
#include "tests/ops/case_program.h"

#include "eddy/graph/builtin.h"
#include "tests/support/arrays.h"
#include "tests/support/probe_ops.h"

namespace eddy::test {
namespace {

const std::array<std::string, 16> kInputNames{"input0",  "input1",  "input2",  "input3", "input4",  "input5",
                                              "input6",  "input7",  "input8",  "input9", "input10", "input11",
                                              "input12", "input13", "input14", "input15"};

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

}  // namespace

std::vector<Value> CaseGraph::wrt_values() const {
  std::vector<Value> values;
  for (const int i : wrt) values.push_back(inputs[static_cast<std::size_t>(i)]);
  return values;
}

std::vector<Value> CaseGraph::results() const {
  std::vector<Value> results = outputs;
  if (!loss) return results;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    const Value like = inputs[static_cast<std::size_t>(wrt[i])];
    results.push_back(gradients[i].empty() ? full(*graph, like.type(), 0.0f) : gradients[i].dense(like));
  }
  return results;
}

CaseData make_data(const OpCase& op_case, std::uint64_t seed) {
  if (!op_case.golden.empty()) return make_data(read_golden(op_case.golden));
  Philox random(seed, stable_hash(op_case.name));
  CaseData data;
  for (const CaseInput& input : op_case.inputs) data.inputs.push_back(case_tensor(input, random));
  Graph graph;
  std::vector<Value> inputs;
  for (const Tensor& tensor : data.inputs) inputs.push_back(graph.constant(tensor));
  for (const Value& output : op_case.build(graph, inputs))
    data.weights.push_back(output.dtype() == f32 ? random_tensor(output.type(), random) : Tensor());
  return data;
}

CaseData make_data(const Golden& golden) {
  CaseData data;
  for (const GoldenArray& input : golden.inputs) data.inputs.push_back(from_doubles(input.type, input.values));
  for (std::size_t i = 0; i < golden.outputs.size(); ++i)
    data.weights.push_back(golden.outputs[i].type.dtype == f32
                               ? from_doubles(golden.weights[i].type, golden.weights[i].values)
                               : Tensor());
  return data;
}

CaseGraph build_graph(const OpCase& op_case, const CaseData& data, InputForm form) {
  CaseGraph result;
  Graph& graph = *result.graph;
  for (std::size_t i = 0; i < data.inputs.size(); ++i) {
    result.inputs.push_back(make_input(graph, kInputNames.at(i), data.inputs[i], form));
    const bool differentiable = i >= op_case.inputs.size() || op_case.inputs[i].differentiable;
    if (differentiable && data.inputs[i].dtype() == f32) result.wrt.push_back(static_cast<int>(i));
  }
  result.outputs = op_case.build(graph, result.inputs);
  const std::vector<Value> wrt = result.wrt_values();
  std::vector<Value> terms;
  for (std::size_t i = 0; i < result.outputs.size(); ++i) {
    if (!data.weights.at(i) || !depends_on(graph, result.outputs[i], wrt)) continue;
    terms.push_back(weighted_sum(result.outputs[i], graph.constant(data.weights[i])));
  }
  if (terms.empty()) return result;
  result.loss = add_n(terms);
  result.gradients = gradients(result.loss, wrt);
  return result;
}

std::vector<Tensor> run(Program& program, std::span<const Tensor> inputs) {
  std::vector<Binding> bindings;
  for (std::size_t i = 0; i < inputs.size(); ++i) bindings.push_back({kInputNames.at(i), inputs[i]});
  return copies(program.run(bindings));
}

}  // namespace eddy::test
