// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "eddy/optimizers/minimize.h"

namespace eddy::test {

/// tests/goldens/optimizers.json: what PyTorch did in float64. The tests run at the root of the source tree.
const nlohmann::json& golden();

Tensor tensor_of(const nlohmann::json& numbers, const Shape& shape);
Tensor indices_of(const nlohmann::json& numbers);

enum class Form { dense, scattered, sparse };

/// One parameter "table" stepped through the golden's gradients, which are inputs of the program: dense ones, or
/// row-sparse ones given as they are or scattered into a dense array.
class Trajectory {
 public:
  Trajectory(ParameterStore& store, const Optimizer& optimizer, Form form, bool average = false);
  ~Trajectory();

  /// Runs the step of that number (from 0) and returns the parameter.
  std::vector<float> step(std::size_t number);
  float gradient_norm() const { return norm_; }
  float learning_rate() const { return rate_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  float norm_ = 0, rate_ = 0;
};

/// Largest |got - expected| / (1 + |expected|).
double largest_error(const std::vector<float>& got, const nlohmann::json& expected);

/// Steps through all steps of `expected` and returns the largest error.
double trajectory_error(const Optimizer& optimizer, Form form, const nlohmann::json& expected);

}  // namespace eddy::test
