// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/compare.h"

#include "eddy/ops/binary.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

template <class Derived>
struct CompareOp : OpClass<Derived> {
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape shape = broadcast_shape(inputs);
    require<GraphError>(inputs[0].dtype != boolean, "takes f32 or i32, an argument is {}", inputs[0]);
    return {{boolean, shape}};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return elementwise_over_time(*this, context);
  }
  TileFunction tile(std::span<const TensorType> inputs) const override {
    if (inputs[0].dtype != f32) return nullptr;
    return [](const void* const* in, void* out, std::int64_t n) {
      plain_spans<Derived, float, bool>().both(static_cast<const float*>(in[0]), static_cast<const float*>(in[1]),
                                               static_cast<bool*>(out), n);
    };
  }
  Kernel make_kernel(const KernelContext& context) const override {
    if (context.inputs[0].dtype == i32) return broadcast_kernel(context, plain_spans<Derived, std::int32_t, bool>());
    return broadcast_kernel(context, plain_spans<Derived, float, bool>());
  }
};

struct Equal final : CompareOp<Equal> {
  static constexpr std::string_view kName = "equal";
  template <class T>
  static bool apply(T a, T b) {
    return a == b;
  }
};

struct NotEqual final : CompareOp<NotEqual> {
  static constexpr std::string_view kName = "not_equal";
  template <class T>
  static bool apply(T a, T b) {
    return a != b;
  }
};

struct Less final : CompareOp<Less> {
  static constexpr std::string_view kName = "less";
  template <class T>
  static bool apply(T a, T b) {
    return a < b;
  }
};

struct LessEqual final : CompareOp<LessEqual> {
  static constexpr std::string_view kName = "less_equal";
  template <class T>
  static bool apply(T a, T b) {
    return a <= b;
  }
};

struct Greater final : CompareOp<Greater> {
  static constexpr std::string_view kName = "greater";
  template <class T>
  static bool apply(T a, T b) {
    return a > b;
  }
};

struct GreaterEqual final : CompareOp<GreaterEqual> {
  static constexpr std::string_view kName = "greater_equal";
  template <class T>
  static bool apply(T a, T b) {
    return a >= b;
  }
};

}  // namespace

Value equal(Operand a, Operand b) { return binary_node(Equal{}, a, b); }
Value not_equal(Operand a, Operand b) { return binary_node(NotEqual{}, a, b); }
Value less(Operand a, Operand b) { return binary_node(Less{}, a, b); }
Value less_equal(Operand a, Operand b) { return binary_node(LessEqual{}, a, b); }
Value greater(Operand a, Operand b) { return binary_node(Greater{}, a, b); }
Value greater_equal(Operand a, Operand b) { return binary_node(GreaterEqual{}, a, b); }

namespace {

// f32 inputs take a few values only, so that some are equal.
struct RegisterCompare {
  RegisterCompare(const std::string& name, Value (*build)(Operand, Operand), bool (*reference)(double, double)) {
    const std::vector<double> few{0.5, -1, 2, 0.5, -1, 2, 0.5, 0.5};
    for (const DType dtype : {f32, i32}) {
      OpCase op_case{
          .name = name + "/" + std::string(to_string(dtype)),
          .inputs = {{.type = {dtype, {2, 4}}, .low = 0, .high = 3, .differentiable = false},
                     {.type = {dtype, {2, 1}}, .low = 0, .high = 3, .differentiable = false}},
          .build = [build](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build(x[0], x[1])}; },
          .reference =
              [reference](std::span<const std::vector<double>> x) {
                FlatArrays result{x[0]};
                for (std::size_t i = 0; i < 8; ++i) result[0][i] = reference(x[0][i], x[1][i / 4]) ? 1 : 0;
                return result;
              },
      };
      if (dtype == f32) {
        op_case.inputs[0].values = few;
        op_case.inputs[1].values = {0.5, -1};
        op_case.bench_inputs = {{{f32, {3200, 512}}}, {{f32, {3200, 512}}}};
      }
      const RegisterOpCase registration(std::move(op_case));
    }
  }
};

const RegisterCompare cases_equal("equal", equal, [](double a, double b) { return a == b; });
const RegisterCompare cases_not_equal("not_equal", not_equal, [](double a, double b) { return a != b; });
const RegisterCompare cases_less("less", less, [](double a, double b) { return a < b; });
const RegisterCompare cases_less_equal("less_equal", less_equal, [](double a, double b) { return a <= b; });
const RegisterCompare cases_greater("greater", greater, [](double a, double b) { return a > b; });
const RegisterCompare cases_greater_equal("greater_equal", greater_equal, [](double a, double b) { return a >= b; });

}  // namespace

}  // namespace eddy
