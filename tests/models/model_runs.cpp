// SPDX-License-Identifier: Apache-2.0
#include "tests/models/model_runs.h"

#include <cmath>

#include "eddy/graph/gradient.h"
#include "tests/support/arrays.h"

namespace eddy::test {

Value FedGraph::feed(const Tensor& tensor) {
  names_.push_back(fmt::format("input{}", names_.size()));
  tensors_.push_back(tensor);
  return graph.input(names_.back(), tensor.dtype(), tensor.shape());
}

std::vector<Binding> FedGraph::bindings() const {
  std::vector<Binding> result;
  for (std::size_t i = 0; i < tensors_.size(); ++i) result.push_back({names_[i], tensors_[i]});
  return result;
}

std::vector<Tensor> FedGraph::run(const std::vector<Value>& results) {
  Program program = compile(graph, results);
  return copies(program.run(bindings()));
}

Tensor mask_of(const std::vector<Ints>& rows, std::size_t time) {
  std::vector<Floats> ones;
  for (const Ints& row : rows) ones.emplace_back(row.size(), 1.0F);
  return columns(ones, 0.0F, time);
}

std::vector<Ints> random_rows(std::initializer_list<std::size_t> lengths, std::int64_t vocabulary, std::uint64_t seed) {
  Philox random(seed);
  std::vector<Ints> rows;
  for (const std::size_t length : lengths) {
    Ints& row = rows.emplace_back(length);
    for (std::int32_t& id : row)
      id = 2 + static_cast<std::int32_t>(uniform_index(random, static_cast<std::uint64_t>(vocabulary - 2)));
  }
  return rows;
}

std::vector<Ints> with_eos(std::vector<Ints> rows) {
  for (Ints& row : rows) row.push_back(kEos);
  return rows;
}

void randomize(const ParameterStore& store, std::uint64_t seed) {
  for (const std::shared_ptr<Variable>& variable : store.all()) {
    if (!variable->trainable) continue;
    Philox random(seed, stable_hash(variable->name));
    variable->value.copy_from(random_tensor(variable->value.type(), random, -0.5F, 0.5F));
  }
}

std::string wrong_bias(const ParameterStore& store, const std::string& layer, std::int64_t gates, double forget_bias) {
  const std::vector<double> bias = to_doubles(store.find(layer + "/bias")->value);
  std::vector<double> expected(bias.size(), 0.0);
  const std::size_t hidden = bias.size() / static_cast<std::size_t>(gates);
  if (gates == 4) std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(hidden), hidden, forget_bias);
  return difference(bias, expected, 0);
}

std::string wrong_gain(const ParameterStore& store, const std::string& layer, std::int64_t gates, double gain) {
  const Tensor w = store.find(layer + "/w_h")->value;
  const std::vector<double> values = to_doubles(w);
  const auto hidden = static_cast<std::size_t>(w.shape()[0]), width = hidden * static_cast<std::size_t>(gates);
  std::vector<double> products, expected;
  for (std::size_t block = 0; block < width; block += hidden)
    for (std::size_t i = 0; i < hidden; ++i)
      for (std::size_t j = 0; j < hidden; ++j) {
        double product = 0;
        for (std::size_t k = 0; k < hidden; ++k)
          product += values[k * width + block + i] * values[k * width + block + j];
        products.push_back(product);
        expected.push_back(i == j ? gain * gain : 0);
      }
  return difference(products, expected, 1e-5);
}

std::vector<std::string> trainable_names(const ParameterStore& store) {
  std::vector<std::string> names;
  for (const std::shared_ptr<Variable>& variable : store.all())
    if (variable->trainable) names.push_back(variable->name);
  return names;
}

Evaluation evaluate(FedGraph& graph, const ParameterStore& store, Value loss) {
  Evaluation result{.loss = 0, .names = trainable_names(store), .gradients = {}};
  std::vector<Value> parameters;
  for (const std::string& name : result.names) parameters.push_back(graph.graph.variable(store.find(name)));
  std::vector<Value> results = dense_gradients(loss, parameters);
  results.insert(results.begin(), loss);
  std::vector<Tensor> tensors = graph.run(results);
  result.loss = tensors[0].item();
  result.gradients.assign(tensors.begin() + 1, tensors.end());
  return result;
}

std::string difference(const Evaluation& got, const Evaluation& expected, double tolerance) {
  if (!(std::abs(got.loss - expected.loss) <= tolerance * (1 + std::abs(expected.loss))))
    return fmt::format("loss is {}, expected {}", got.loss, expected.loss);
  if (got.names != expected.names)
    return fmt::format("gradients of {} parameters, expected {}", got.names.size(), expected.names.size());
  for (std::size_t i = 0; i < got.names.size(); ++i) {
    const std::string found = difference(to_doubles(got.gradients[i]), to_doubles(expected.gradients[i]), tolerance);
    if (!found.empty()) return fmt::format("gradient of {}: {}", got.names[i], found);
  }
  return {};
}

}  // namespace eddy::test
