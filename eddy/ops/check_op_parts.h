// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: what check_op() is made of, for tests that compare with something else.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/program.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace checks {

/// How the inputs of a case enter its graph.
enum class InputForm : std::uint8_t {
  fed,       ///< named inputs
  copied,    ///< copies of named inputs, so that kernels may write over them
  constant,  ///< constants, so that folding computes all
};

/// What a case is tested on: tensors for its inputs, and fixed weights for its f32 outputs.
struct CaseData {
  std::vector<Tensor> inputs;
  std::vector<Tensor> weights;  ///< empty tensor: an output that is no part of the loss
  FlatArrays outputs = {};      ///< expected; without, those of the case's reference
  FlatArrays gradients = {};    ///< expected, by input (empty: none); without, only differences count
};

/// A case as a graph: its outputs and the gradients of the loss sum_i sum(weights[i] * outputs[i]).
struct CaseGraph {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::vector<int> wrt;  ///< the differentiable inputs
  /// By `wrt`; empty when no f32 output with weights depends on such an input.
  std::vector<Gradient> gradients;

  bool differentiable() const { return !gradients.empty(); }
  std::vector<Value> wrt_values() const;
  /// Outputs, then dense gradients (zeros for one that is missing).
  std::vector<Value> results() const;
};

/// Random inputs and weights.
CaseData random_data(const OpCase& op_case, std::uint64_t seed);
CaseGraph build_graph(const OpCase& op_case, const CaseData& data, InputForm form = InputForm::fed);

/// Gradients of sum(weights[k] * gradients[i]) with respect to all differentiable inputs, over those gradients that
/// are not empty, in order; `weights` is filled with random tensors. `first` receives these gradients, dense.
std::vector<Value> second_gradients(const CaseGraph& built, std::uint64_t seed, std::vector<Value>& first,
                                    std::vector<Tensor>& weights);

/// Binds "input0" ... to the inputs; copies of the results.
std::vector<Tensor> run(Program& program, std::span<const Tensor> inputs);

std::vector<double> to_doubles(const Tensor& tensor);
FlatArrays to_doubles(std::span<const Tensor> tensors);
/// Empty when each |got - expected| <= tolerance * (1 + |expected|), else the worst element with both. NaN differs from
/// all but NaN.
std::string difference(std::span<const double> got, std::span<const double> expected, double tolerance);
std::string difference(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance);
/// Empty when every byte is equal, else where the first difference is.
std::string bit_difference(std::span<const Tensor> got, std::span<const Tensor> expected);

}  // namespace checks
}  // namespace eddy
