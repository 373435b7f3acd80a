// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "eddy/core/tensor.h"

namespace eddy::test {

struct GoldenArray {
  TensorType type;
  std::vector<double> values;
};

/// One case recorded by tests/goldens/record.py. `gradients` are those of sum_i sum(weights[i] * outputs[i]) with
/// respect to each input; one without gradient is empty.
struct Golden {
  std::string name;
  std::vector<GoldenArray> inputs;
  std::vector<GoldenArray> outputs;
  std::vector<GoldenArray> weights;
  std::vector<GoldenArray> gradients;
};

/// All cases of tests/goldens/<group>.json. The working directory of the tests is the root of the source tree.
std::vector<Golden> read_goldens(const std::string& group);
/// The case "group/variant". Throws DataError when there is none.
Golden read_golden(const std::string& name);

}  // namespace eddy::test
