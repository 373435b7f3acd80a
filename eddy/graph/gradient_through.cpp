// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/gradient_through.h"

#include "eddy/core/error.h"
#include "eddy/graph/builtin.h"

namespace eddy {

std::vector<Gradient> gradient_through(const GradientContext& context,
                                       const std::function<std::vector<Value>(std::span<const Value> inputs)>& equal) {
  // Views of the inputs: one input may depend on another, and what passes between them outside the op is not counted.
  std::vector<Value> inputs, wrt;
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    inputs.push_back(context.inputs[i]);
    if (!context.input_needed[i]) continue;
    inputs.back() = after(inputs.back(), {});
    wrt.push_back(inputs.back());
  }
  const std::vector<Value> outputs = equal(inputs);
  std::vector<Seed> seeds;
  for (std::size_t i = 0; i < context.output_gradients.size(); ++i) {
    if (!context.output_gradients[i]) continue;
    require<GraphError>(i < outputs.size() && outputs[i], "output {} has a gradient, but there is no value equal to it",
                        i);
    seeds.push_back({outputs[i], context.output_gradients[i]});
  }
  const std::vector<Gradient> found = backpropagate(seeds, wrt);
  std::vector<Gradient> result(inputs.size());
  for (std::size_t i = 0, next = 0; i < result.size(); ++i)
    if (context.input_needed[i]) result[i] = found[next++];
  return result;
}

}  // namespace eddy
