// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/cast.h"

#include <cmath>

#include "eddy/core/element_type.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_same_v<To, std::int32_t> && std::is_same_v<From, float>) {
    if (x >= 2147483648.0F) return 2147483647;
    if (x <= -2147483648.0F) return -2147483647 - 1;
    return std::isnan(x) ? 0 : static_cast<std::int32_t>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
Kernel cast_kernel(std::int64_t elements) {
  return {.run = [elements](const KernelArgs& args) {
    const From* x = args.in<From>(0);
    To* y = args.out<To>(0);
    parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = convert<To>(x[i]);
    });
  }};
}

struct Cast final : OpClass<Cast> {
  static constexpr std::string_view kName = "cast";
  DType dtype;
  explicit Cast(DType d) : dtype(d) {}
  static void attributes(auto& op, auto&& visit) { visit("dtype", op.dtype); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    return {{dtype, inputs[0].shape}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.outputs[0].shape.elements();
    return with_element_type(dtype, [&](auto to) {
      return with_element_type(context.inputs[0].dtype,
                               [&](auto from) { return cast_kernel<decltype(to), decltype(from)>(elements); });
    });
  }
};

}  // namespace

Value cast(Operand x, DType dtype) {
  const Value value = value_of(Cast::kName, x);
  return value.dtype() == dtype ? value : unary_node(Cast(dtype), x);
}

namespace {

OpCase cast_case(DType from, DType to, std::vector<double> values, std::vector<double> expected) {
  const auto size = static_cast<std::int64_t>(values.size());
  return {
      .name = "cast/" + std::string(to_string(from)) + "_" + std::string(to_string(to)),
      .inputs = {{.type = {from, {size}}, .differentiable = from == to, .values = std::move(values)}},
      .build = [to](Graph&, std::span<const Value> x) -> std::vector<Value> { return {cast(x[0], to)}; },
      .reference = [expected](std::span<const std::vector<double>>) { return FlatArrays{expected}; },
      .bench_inputs = {{.type = {from, {3200, 512}}, .differentiable = from == to}},
  };
}

const RegisterOpCase case_f32_f32{cast_case(f32, f32, {1.5, -2}, {1.5, -2})};
const RegisterOpCase case_f32_i32{
    cast_case(f32, i32, {1.75, -1.75, 0.5, -0.5, 3e9, -3e9}, {1, -1, 0, 0, 2147483647, -2147483648.0})};
const RegisterOpCase case_f32_bool{cast_case(f32, boolean, {1.5, 0, -0.25}, {1, 0, 1})};
const RegisterOpCase case_i32_f32{cast_case(i32, f32, {7, 0, -3}, {7, 0, -3})};
const RegisterOpCase case_i32_bool{cast_case(i32, boolean, {7, 0, -3}, {1, 0, 1})};
const RegisterOpCase case_bool_f32{cast_case(boolean, f32, {1, 0}, {1, 0})};
const RegisterOpCase case_bool_i32{cast_case(boolean, i32, {1, 0}, {1, 0})};

}  // namespace
}  // namespace eddy
