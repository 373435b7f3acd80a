// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eddy/graph/op.h"
#include "eddy/graph/variable.h"

namespace eddy {

// The ops that graphs, autodiff and compilation themselves need. The first three are leaves: they hold data and never
// run.

struct InputOp final : OpClass<InputOp> {
  static constexpr std::string_view kName = "input";
  std::string label;
  TensorType type;
  InputOp(std::string l, TensorType t) : label(std::move(l)), type(t) {}
  static void attributes(auto& op, auto&& visit) { visit("label", op.label); }
  std::vector<TensorType> infer(std::span<const TensorType>) const override { return {type}; }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
  Cost cost(std::span<const TensorType>, std::span<const TensorType>) const override { return {}; }
};

struct ConstantOp final : OpClass<ConstantOp> {
  static constexpr std::string_view kName = "constant";
  Tensor tensor;
  explicit ConstantOp(Tensor t) : tensor(std::move(t)) {}
  static void attributes(auto& op, auto&& visit) { visit("value", op.tensor); }
  std::vector<TensorType> infer(std::span<const TensorType>) const override { return {tensor.type()}; }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
  Cost cost(std::span<const TensorType>, std::span<const TensorType>) const override { return {}; }
};

struct VariableOp final : OpClass<VariableOp> {
  static constexpr std::string_view kName = "variable";
  std::shared_ptr<Variable> variable;
  explicit VariableOp(std::shared_ptr<Variable> v) : variable(std::move(v)) {}
  static void attributes(auto& op, auto&& visit) { visit("name", op.variable->name); }
  std::vector<TensorType> infer(std::span<const TensorType>) const override { return {variable->value.type()}; }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
  Cost cost(std::span<const TensorType>, std::span<const TensorType>) const override { return {}; }
};

/// The tensor of a constant, or nullptr when `value` is not one. It lives as long as the graph.
const Tensor* constant_of(Value value);
/// Whether `value` is a constant whose every element is `number`.
bool is_constant(Value value, float number);
/// The variable behind a value, or nullptr. It lives as long as the graph.
const Variable* variable_of(Value value);

/// Sum of values of one type; of a single one, itself. All f32; GraphError without any or for types that differ.
Value add_n(const std::vector<Value>& values, SourceLocation where = SourceLocation::current());

/// `base` with `rows` f32[indices…, …] added at `indices` i32[any shape]; repeated indices add up, negative ones are
/// ignored. An empty `base` means zeros of `shape`. Gradient: of base itself, of rows the gathered rows. Indices beyond
/// `shape` are an error at run time.
Value scatter_add(Value base, const Shape& shape, Value indices, Value rows,
                  SourceLocation where = SourceLocation::current());

/// Rows `indices` i32[any shape] of `table` [n, …]: [indices…, …]. A negative index gives a row of zeros. The gradient
/// with respect to the table is row-sparse. Indices beyond the table are an error at run time.
Value gather_rows(Operand table, Operand indices);

/// A copy of `value`, with memory of its own. Any dtype.
Value copy_of(Value value, SourceLocation where = SourceLocation::current());

/// Zeros, or any number, of a type: filled at run time, never stored. Cut off for i32, and GraphError where that holds
/// no such number; for booleans anything but 0 is true.
Value full(Graph& graph, const TensorType& type, double number, SourceLocation where = SourceLocation::current());

/// `value`, available only once `others` have run: ties updates to a result. A view; no gradient flows to `others`.
Value after(Value value, const std::vector<Value>& others, SourceLocation where = SourceLocation::current());

/// Writes `value` into the variable behind `target` at the end of its readers; the result is the new value. Both of one
/// type, else GraphError; one for a target that is no variable comes from compile(). No gradient.
Value assign(Value target, Operand value);

}  // namespace eddy
