// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/variable.h"
#include "eddy/optimizers/minimize.h"

namespace eddy {

struct MovingAverageOptions {
  /// Uses min(decay, (1 + step) / (10 + step)), as TensorFlow does when given the step, so that early averages forget
  /// the initial weights.
  bool warm_up = false;
};

/// Keeps average = decay * average + (1 - decay) * parameter of every parameter that `updates` changes, in variables
/// "ema/<parameter>" that start as copies of the parameters as they are when this is built: pretrained weights are to
/// be in the store by then. The averages move in the same run as the updates, after them, and stay put in a skipped
/// step. The result is the step, tied to updates and averages: ask for it in compile() in place of `updates`. Throws
/// GraphError unless 0 <= decay < 1, and for tables whose rows catch_up_rows leaves behind.
Value exponential_moving_average(const Updates& updates, ParameterStore& store, double decay,
                                 const MovingAverageOptions& options = {},
                                 SourceLocation where = SourceLocation::current());

/// While it lives, the parameters hold their averages, for evaluation: contents are swapped, addresses stay, and all
/// programs see it. Do not train, save or make another one meanwhile: a second would swap them
/// back. The store must outlive it. Throws UsageError without averages.
class AveragedWeights {
 public:
  explicit AveragedWeights(ParameterStore& store);
  ~AveragedWeights() { swap(); }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  void swap() noexcept;

  std::vector<std::pair<std::shared_ptr<Variable>, std::shared_ptr<Variable>>> pairs_;
};

}  // namespace eddy
