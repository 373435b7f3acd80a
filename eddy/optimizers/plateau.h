// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "eddy/graph/variable.h"

namespace eddy {

struct PlateauOptions {
  double factor = 0.1;             ///< the learning rate is multiplied by this
  int patience = 10;               ///< reports without improvement that are put up with
  double threshold = 1e-4;         ///< an improvement exceeds this share of the best value's size
  int cooldown = 0;                ///< reports after a reduction that do not count as bad
  double min_scale = 0;            ///< the product of all reductions stays at least this
  bool maximize = false;           ///< the value reported is better when larger
  std::string name = "optimizer";  ///< as in UpdateOptions
};

/// Lowers the learning rate when a validation value stops improving, as PyTorch's ReduceLROnPlateau with a relative
/// threshold. It scales the rate of every program whose optimizer has the same name through the variable
/// "<name>/learning_rate_scale"; its own state lives in the store beside it, so that a resumed run goes on where it
/// was. Keeps these variables alive; not to be used while a program that reads them runs.
class ReduceOnPlateau {
 public:
  /// Throws UsageError for options out of range.
  explicit ReduceOnPlateau(ParameterStore& store, const PlateauOptions& options = {});

  /// Takes the next validation value; true when it lowered the learning rate. A NaN counts as no improvement.
  bool report(double value);
  /// The product of all reductions, 1 at first.
  double scale() const;

 private:
  PlateauOptions options_;
  std::shared_ptr<Variable> scale_, best_, counts_;
};

/// The variable "<name>/learning_rate_scale" f32[], 1 at first.
std::shared_ptr<Variable> learning_rate_scale(ParameterStore& store, const std::string& name);

}  // namespace eddy
