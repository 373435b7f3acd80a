// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/tensor.h"
#include "eddy/graph/value.h"

namespace eddy {

/// The size of one axis of one input of a case.
struct CaseAxis {
  int input = 0;
  int axis = 0;
};

/// One input of an op case: its type and how to fill it. f32: uniform in [low, high] on a grid of 2^-12, so that steps
/// of finite differences are exact; i32: integers in [low, high); boolean: random.
struct CaseInput {
  TensorType type;
  float low = -2;
  float high = 2;
  /// False for f32 inputs that the op takes as given: masks, weights, targets.
  bool differentiable = true;
  /// Fixed values instead of random ones, one for each element (lengths, masks, indices that must not repeat).
  std::vector<double> values = {};
  /// f32 in place of [low, high]: multiples of 1/32 around zero in random order, none twice; for functions with a kink
  /// where two elements are equal (max, top_k), which finite differences must not step over.
  bool spread = false;
  /// i32 that count along an axis of another input, whose size takes the place of `high` in inputs_at().
  std::optional<CaseAxis> index_of = {};
};

/// A flat array of doubles for each input or output: row-major, whatever the dtype.
using FlatArrays = std::vector<std::vector<double>>;

/// An op with one choice of options and shapes. Registering it enrols it in the tests of values, gradients, second
/// order, determinism, in-place execution and passes, and, with `bench_inputs`, in the benchmarks.
struct OpCase {
  /// "softmax/axis0": unique; the part before '/' is the op's name.
  std::string name;
  /// Small shapes, for tests. Sizes should differ from axis to axis.
  std::vector<CaseInput> inputs = {};
  std::function<std::vector<Value>(Graph& graph, std::span<const Value> inputs)> build = {};
  /// The same in plain double precision. Required.
  std::function<FlatArrays(std::span<const std::vector<double>> inputs)> reference = {};
  /// Shapes the models use; empty: no benchmark. Every op has them in one case at least.
  std::vector<CaseInput> bench_inputs = {};
  /// Largest |got - expected| / (1 + |expected|).
  double value_tolerance = 1e-5;
  /// Largest error of a directional derivative relative to the size of its terms.
  double gradient_tolerance = 2e-3;
  /// Also check the gradient of the gradient.
  bool second_order = true;
};

/// Registers a case while the library is loaded: `const RegisterOpCase case_tanh{{.name = "tanh", …}};`.
/// A case that cannot be used (no builder, nothing to compare with) is reported by the tests, not here. One thread at a
/// time.
struct RegisterOpCase {
  explicit RegisterOpCase(OpCase op_case);
};

/// All registered cases in order of name. Not to be called before main. Not thread-safe; they live until a case is
/// registered.
std::span<const OpCase> op_cases();

/// A tensor for an input of a case. Owning; random numbers are drawn from `random`. Throws GraphError for fixed values
/// that are not as many.
Tensor case_tensor(const CaseInput& input, Philox& random);

/// The inputs of a case at other shapes: as its bench_inputs (or, without, its inputs) are filled, where fixed values
/// start over when there are too few. Throws UsageError, saying what the case expects, when `types` are not as many or
/// not of the same dtypes.
std::vector<CaseInput> inputs_at(const OpCase& op_case, std::span<const TensorType> types);

/// "f32[3200,512],i32[3200]".
std::string types_text(std::span<const CaseInput> inputs);

/// Reads such a list: types f32, i32 or bool, sizes of at least 1. Throws UsageError saying what is wrong.
std::vector<TensorType> parse_types(std::string_view text);

/// Case of y = f(x), elementwise on f32: inputs in [low, high], a benchmark on [3200,512].
OpCase unary_case(std::string name, std::function<Value(Operand)> build, std::function<double(double)> reference,
                  float low = -2, float high = 2);

/// Case of z = f(x, y) on two f32 inputs with broadcasting ([3,1,5] and [4,5]), a benchmark on two [3200,512].
OpCase binary_case(std::string name, std::function<Value(Operand, Operand)> build,
                   std::function<double(double, double)> reference, float low = -2, float high = 2);

}  // namespace eddy
