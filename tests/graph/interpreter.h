// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"

namespace eddy::test {

/// The plainest executor there can be, to compare programs with: node by node in order of creation, each output in
/// memory of its own (views are copied), variables written at the very end.
class Interpreter {
 public:
  Interpreter(const Graph& graph, std::vector<Value> results) : graph_(graph), results_(std::move(results)) {}

  std::vector<Tensor> run(const std::map<std::string, Tensor>& bindings);

 private:
  const Graph& graph_;
  std::vector<Value> results_;
};

}  // namespace eddy::test
