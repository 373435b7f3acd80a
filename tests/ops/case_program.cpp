// SPDX-License-Identifier: Apache-2.0
#include "tests/ops/case_program.h"

#include "tests/support/arrays.h"

namespace eddy::test {

CaseData make_data(const Golden& golden) {
  CaseData data;
  for (const GoldenArray& input : golden.inputs) data.inputs.push_back(from_doubles(input.type, input.values));
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    data.outputs.push_back(golden.outputs[i].values);
    data.weights.push_back(golden.outputs[i].type.dtype == f32
                               ? from_doubles(golden.weights[i].type, golden.weights[i].values)
                               : Tensor());
  }
  for (const GoldenArray& gradient : golden.gradients) data.gradients.push_back(gradient.values);
  return data;
}

std::vector<std::string> problems_of(const OpCase& op_case, OpCheck check) {
  return check_op(op_case, {.checks = {check}});
}

}  // namespace eddy::test
