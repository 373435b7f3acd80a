// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "eddy/graph/builtin.h"
#include "eddy/graph/user_line.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

Value number(std::string_view op, const Operand& operand, const Value& other) {
  const double scalar = *operand.scalar;
  require_number(op, scalar, other.type(), operand.where);
  switch (other.dtype()) {
    case DType::f32:
      return other.graph().constant(static_cast<float>(scalar), operand.where);
    case DType::i32:
      return other.graph().constant(Tensor::scalar(static_cast<std::int32_t>(scalar)), operand.where);
    case DType::boolean:
      return full(other.graph(), {boolean, {}}, static_cast<float>(scalar), operand.where);
  }
  return {};
}

}  // namespace

void require_number(std::string_view op, double number, const TensorType& type, SourceLocation where) {
  using Limits = std::numeric_limits<std::int32_t>;
  const bool fits =
      type.dtype == f32 ||
      (type.dtype == i32 && std::trunc(number) == number && number >= Limits::min() && number <= Limits::max()) ||
      (type.dtype == boolean && (number == 0 || number == 1));
  require_at(fits, where, op, "the number {} does not go with {}", number, to_string(type));
}

void require_dtype(std::span<const TensorType> inputs, DType dtype) {
  for (const TensorType& type : inputs)
    require<GraphError>(type.dtype == dtype, "takes {}, an argument is {}", to_string(dtype), type);
}

Value value_of(std::string_view op, const Operand& operand) {
  require_at(!operand.scalar, operand.where, op, "needs a value of a graph, not the number {}",
             operand.scalar.value_or(0));
  require_at(static_cast<bool>(operand.value), operand.where, op, "the argument is an empty value");
  return operand.value;
}

std::pair<Value, Value> values_of(std::string_view op, const Operand& a, const Operand& b) {
  require_at(!a.scalar || !b.scalar, a.where, op, "needs a value of a graph, not only the numbers {} and {}",
             a.scalar.value_or(0), b.scalar.value_or(0));
  if (a.scalar) {
    const Value right = value_of(op, b);
    return {number(op, a, right), right};
  }
  const Value left = value_of(op, a);
  return {left, b.scalar ? number(op, b, left) : value_of(op, b)};
}

std::vector<Value> elementwise_over_time(const Op& op, const TimeContext& context) {
  int rank = 0;
  for (std::size_t i = 0; i < context.inputs.size(); ++i)
    rank = std::max(rank, context.in(i).rank() - (context.stepped[i] ? 1 : 0));
  if (rank >= Shape::kMaxRank) return {};
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < context.inputs.size(); ++i)
    inputs.push_back(context.stepped[i] ? with_rank_after_time(context.in(i), rank) : context.in(i));
  return {inputs[0].graph().add(op.clone(), inputs, SourceLocation::current())};
}

std::vector<Value> same_types_over_time(const Op& op, const TimeContext& context) {
  std::vector<Value> inputs;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    const Value& input = context.in(i);
    if (!context.stepped[i] && input.rank() >= Shape::kMaxRank) return {};
    inputs.push_back(context.stepped[i] ? input : broadcast_to(input, input.shape().inserted(0, context.time)));
  }
  return {inputs[0].graph().add(op.clone(), inputs, SourceLocation::current())};
}

Value product(Value a, Value b, Value c) { return a * b * c; }

std::vector<Alias> share_equal_sizes(std::span<const TensorType> inputs, std::span<const TensorType> outputs) {
  std::vector<Alias> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool fits = inputs[i].shape.elements() == outputs[0].shape.elements() &&
                      size_of(inputs[i].dtype) == size_of(outputs[0].dtype);
    if (fits)
      result.push_back(
          {.output = 0, .input = static_cast<int>(i), .kind = Alias::Kind::share, .offset = 0, .elementwise = true});
  }
  return result;
}

}  // namespace eddy
