// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/tensor.h"
#include "eddy/graph/value.h"

namespace eddy {

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
  /// The same in plain double precision. Required unless `golden` is given.
  std::function<FlatArrays(std::span<const std::vector<double>> inputs)> reference = {};
  /// Key in tests/goldens (values and gradients that PyTorch gave in float64), whose inputs replace random ones.
  std::string golden = {};
  /// Shapes the models use; empty: no benchmark.
  std::vector<CaseInput> bench_inputs = {};
  /// Largest |got - expected| / (1 + |expected|).
  double value_tolerance = 1e-5;
  /// Largest error of a directional derivative relative to the size of its terms.
  double gradient_tolerance = 2e-3;
  /// Also check the gradient of the gradient.
  bool second_order = true;
};

/// Registers a case while the library is loaded: `const RegisterOpCase case_tanh{{.name = "tanh", …}};`.
/// A case that cannot be used (no builder, nothing to compare with) is reported by the tests, not here.
struct RegisterOpCase {
  explicit RegisterOpCase(OpCase op_case);
};

/// All registered cases in order of name. Not to be called before main.
std::span<const OpCase> op_cases();

/// A tensor for an input of a case.
Tensor case_tensor(const CaseInput& input, Philox& random);

/// Case of y = f(x), elementwise on f32: inputs in [low, high], a benchmark on [3200,512].
OpCase unary_case(std::string name, std::function<Value(Operand)> build, std::function<double(double)> reference,
                  float low = -2, float high = 2);

/// Case of z = f(x, y) on two f32 inputs with broadcasting ([3,1,5] and [4,5]), a benchmark on two [3200,512].
OpCase binary_case(std::string name, std::function<Value(Operand, Operand)> build,
                   std::function<double(double, double)> reference, float low = -2, float high = 2);

}  // namespace eddy
