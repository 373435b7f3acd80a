// SPDX-License-Identifier: Apache-2.0
#include "tests/optimizers/trajectory.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/optimizers/moving_average.h"
#include "tests/support/largest.h"

namespace eddy::test {

const nlohmann::json& golden() {
  static const nlohmann::json data = [] {
    std::ifstream file("tests/goldens/optimizers.json");
    require<DataError>(file.good(), "tests/goldens/optimizers.json cannot be read");
    return nlohmann::json::parse(file);
  }();
  return data;
}

Tensor tensor_of(const nlohmann::json& numbers, const Shape& shape) {
  return Tensor::from(numbers.get<std::vector<float>>(), shape);
}

Tensor indices_of(const nlohmann::json& numbers) {
  const auto values = numbers.get<std::vector<std::int32_t>>();
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

struct Trajectory::Impl {
  Graph graph;
  std::unique_ptr<Program> program;
  std::shared_ptr<Variable> table;
  Form form;
};

Trajectory::Trajectory(ParameterStore& store, const Optimizer& optimizer, Form form, bool average)
    : impl_(std::make_unique<Impl>()) {
  Graph& graph = impl_->graph;
  impl_->form = form;
  const Shape shape{golden()["shape"][0], golden()["shape"][1]};
  const Value table = parameter(graph, store, "table", shape, [&](const Tensor& value, Philox&) {
    value.copy_from(tensor_of(golden()["start"], shape));
  });
  impl_->table = store.find("table");
  Gradient gradient;
  if (form == Form::dense) {
    gradient = graph.input("gradient", f32, shape);
  } else {
    const std::int64_t count = static_cast<std::int64_t>(golden()["indices"][0].size());
    const RowSparse sparse{graph.input("indices", i32, {count}), graph.input("rows", f32, {count, shape[1]})};
    gradient = form == Form::sparse ? Gradient(sparse) : Gradient(Gradient(sparse).dense(table));
  }
  const ParameterGradient pair{table, gradient};
  const Updates updates = apply_gradients(std::span(&pair, 1), store, optimizer);
  const Value step = average ? exponential_moving_average(updates, store, 0.9) : updates.step;
  impl_->program = std::make_unique<Program>(compile(graph, {step, updates.gradient_norm, updates.learning_rate}));
}

Trajectory::~Trajectory() = default;

std::vector<float> Trajectory::step(std::size_t number) {
  std::span<const Tensor> results;
  const Shape& shape = impl_->table->value.shape();
  if (impl_->form == Form::dense) {
    results = impl_->program->run({{"gradient", tensor_of(golden()["gradients"][number], shape)}});
  } else {
    const Tensor indices = indices_of(golden()["indices"][number]);
    results = impl_->program->run(
        {{"indices", indices}, {"rows", tensor_of(golden()["rows"][number], {indices.elements(), shape[1]})}});
  }
  norm_ = results[1].item();
  rate_ = results[2].item();
  const std::span<float> values = impl_->table->value.values<float>();
  return {values.begin(), values.end()};
}

double largest_error(const std::vector<float>& got, const nlohmann::json& expected) {
  double largest = got.size() == expected.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    const double wanted = expected[i].get<double>();
    largest = larger(largest, std::abs(got[i] - wanted) / (1 + std::abs(wanted)));
  }
  return largest;
}

double trajectory_error(const Optimizer& optimizer, Form form, const nlohmann::json& expected) {
  ParameterStore store;
  Trajectory trajectory(store, optimizer, form);
  double largest = 0;
  for (std::size_t step = 0; step < expected.size(); ++step)
    largest = larger(largest, largest_error(trajectory.step(step), expected[step]));
  return largest;
}

}  // namespace eddy::test
