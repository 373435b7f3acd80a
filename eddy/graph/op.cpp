// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/op.h"

namespace eddy {

std::vector<Gradient> Op::gradient(const GradientContext&) const {
  fail<GraphError>("has no gradient, but a gradient was asked through it");
}

Cost Op::cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost;
  for (const TensorType& type : inputs) cost.bytes += static_cast<double>(type.bytes());
  for (const TensorType& type : outputs) {
    cost.bytes += static_cast<double>(type.bytes());
    cost.flops += static_cast<double>(type.shape.elements());
  }
  return cost;
}

std::vector<Alias> Op::aliases(std::span<const TensorType>, std::span<const TensorType>) const { return {}; }

std::vector<Value> Op::fewer_terms(std::span<const Value>) const { return {}; }

std::vector<Value> Op::simplify(std::span<const Value>) const { return {}; }

std::vector<Value> Op::lower(std::span<const Value>, const std::vector<bool>&, const PassSwitches&) const { return {}; }

std::vector<Value> Op::over_time(const TimeContext&) const { return {}; }

Value Op::summed_over_time(const TimeContext&) const { return {}; }

TileFunction Op::tile(std::span<const TensorType>) const { return nullptr; }

std::optional<Window> Op::input_window(std::span<const TensorType>, int) const { return {}; }

std::optional<Window> Op::output_window(std::span<const TensorType>, int) const { return {}; }

}  // namespace eddy
