// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "eddy/graph/program.h"
#include "eddy/ops/op_case.h"
#include "tests/support/golden.h"

namespace eddy::test {

/// How the inputs of a case enter its graph.
enum class InputForm {
  fed,       ///< named inputs
  copied,    ///< copies of named inputs, so that kernels may write over them
  constant,  ///< constants, so that folding computes all
};

/// What a case is tested on: tensors for its inputs, and fixed random weights for its f32 outputs.
struct CaseData {
  std::vector<Tensor> inputs;
  std::vector<Tensor> weights;  ///< empty tensor: an output that is no part of the loss
};

/// A case as a graph: outputs, the loss sum_i sum(weights[i] * outputs[i]), its gradients.
struct CaseGraph {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::vector<int> wrt;  ///< the differentiable inputs
  Value loss;            ///< empty when no f32 output depends on such an input
  std::vector<Gradient> gradients;

  std::vector<Value> wrt_values() const;
  /// Outputs, then dense gradients (zeros for one that is missing).
  std::vector<Value> results() const;
};

CaseData make_data(const OpCase& op_case, std::uint64_t seed);
CaseData make_data(const Golden& golden);
CaseGraph build_graph(const OpCase& op_case, const CaseData& data, InputForm form = InputForm::fed);

/// Binds "input0" ... to the inputs.
std::vector<Tensor> run(Program& program, std::span<const Tensor> inputs);

}  // namespace eddy::test
