// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/plateau.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace eddy {

ReduceOnPlateau::ReduceOnPlateau(ParameterStore& store, const PlateauOptions& options) : options_(options) {
  require<UsageError>(options.factor > 0 && options.factor < 1, "a plateau's factor must be between 0 and 1, it is {}",
                      options.factor);
  // Below 1, so that an infinite best value stays infinite under the margin.
  require<UsageError>(options.threshold >= 0 && options.threshold < 1,
                      "a plateau's threshold must be at least 0 and below 1, it is {}", options.threshold);
  require<UsageError>(options.patience >= 0 && options.cooldown >= 0,
                      "a plateau's patience {} and cooldown {} must not be negative", options.patience,
                      options.cooldown);
  require<UsageError>(options.min_scale >= 0 && options.min_scale <= 1,
                      "a plateau's min_scale must be between 0 and 1, it is {}", options.min_scale);
  const float infinity = std::numeric_limits<float>::infinity();
  scale_ = learning_rate_scale(store, options.name);
  best_ = store.get(options.name + "/plateau_best", {f32, {}}, constant_value(options.maximize ? -infinity : infinity),
                    /*trainable=*/false);
  // Bad reports in a row, and reports of cooldown left.
  counts_ = store.get(options.name + "/plateau_counts", {i32, {2}}, zeros(), /*trainable=*/false);
}

bool ReduceOnPlateau::report(double reported) {
  // As the best one is kept: else rounding could make a value better than itself.
  const double value = static_cast<float>(reported);
  float& best = best_->value.values<float>()[0];
  std::int32_t& bad = counts_->value.values<std::int32_t>()[0];
  std::int32_t& cooldown = counts_->value.values<std::int32_t>()[1];
  // A share of the size of the best value, so that one below zero has to be beaten, too.
  const double margin = std::copysign(options_.threshold, best);
  const bool better = options_.maximize ? value > best * (1 + margin) : value < best * (1 - margin);
  if (better) best = static_cast<float>(value);
  bad = better ? 0 : bad + 1;
  if (cooldown > 0) {
    --cooldown;
    bad = 0;
  }
  if (bad <= options_.patience) return false;
  bad = 0;
  cooldown = options_.cooldown;
  float& scale = scale_->value.values<float>()[0];
  const float before = scale;
  scale = static_cast<float>(std::max(options_.min_scale, scale * options_.factor));
  return scale < before;
}

double ReduceOnPlateau::scale() const { return scale_->value.item(); }

std::shared_ptr<Variable> learning_rate_scale(ParameterStore& store, const std::string& name) {
  return store.get(name + "/learning_rate_scale", {f32, {}}, constant_value(1), /*trainable=*/false);
}

}  // namespace eddy
