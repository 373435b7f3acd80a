// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/rules.h"

#include <cmath>

#include "eddy/core/error.h"

namespace eddy {
namespace {

void require_share(std::string_view what, double value) {
  require<UsageError>(value >= 0 && value < 1, "{} must be in [0, 1), it is {}", what, value);
}

void require_amount(std::string_view what, double value) {
  require<UsageError>(value >= 0 && std::isfinite(value), "{} must be finite and not negative, it is {}", what, value);
}

template <class RuleOptions>
Optimizer make(const UpdateRule& rule, const RuleOptions& from, const UpdateOptions& options) {
  Optimizer result{.rule = rule, .learning_rate = from.learning_rate, .clip_norm = from.clip_norm, .options = options};
  result.rule.weight_decay = from.weight_decay;
  require_amount("clip_norm", from.clip_norm);
  require_amount("clip_value", options.clip_value);
  require_amount("weight_decay", from.weight_decay);
  require_share("momentum", rule.momentum);
  require_share("the first smoothing factor", rule.beta1);
  require_share("the second smoothing factor", rule.beta2);
  require_amount("epsilon", rule.epsilon);
  require_amount("rate_decay", rule.rate_decay);
  require_amount("initial_accumulator", rule.initial_accumulator);
  require<UsageError>(from.clip_norm == 0 || options.clip_value == 0,
                      "clip_norm {} and clip_value {} cannot be used together", from.clip_norm, options.clip_value);
  for (const auto& [prefix, factor] : options.rate_multipliers)
    require_amount(fmt::format("the learning-rate multiplier of '{}'", prefix), factor);
  require<UsageError>(!options.name.empty(), "an optimizer needs a name");
  return result;
}

template <class Options>
Optimizer make_adam(UpdateRule::Kind kind, const Options& rule, const UpdateOptions& options) {
  return make({.kind = kind, .beta1 = rule.beta1, .beta2 = rule.beta2, .epsilon = rule.epsilon}, rule, options);
}

}  // namespace

Optimizer sgd(const SgdOptions& rule, const UpdateOptions& options) {
  return make({.kind = UpdateRule::Kind::sgd}, rule, options);
}

Optimizer momentum(const MomentumOptions& rule, const UpdateOptions& options) {
  return make({.kind = UpdateRule::Kind::momentum, .nesterov = rule.nesterov, .momentum = rule.momentum}, rule,
              options);
}

Optimizer rmsprop(const RmspropOptions& rule, const UpdateOptions& options) {
  return make({.kind = UpdateRule::Kind::rmsprop,
               .centered = rule.centered,
               .epsilon_inside_sqrt = rule.epsilon_inside_sqrt,
               .momentum = rule.momentum,
               .beta2 = rule.smoothing,
               .epsilon = rule.epsilon},
              rule, options);
}

Optimizer adagrad(const AdagradOptions& rule, const UpdateOptions& options) {
  return make({.kind = UpdateRule::Kind::adagrad,
               .epsilon = rule.epsilon,
               .rate_decay = rule.rate_decay,
               .initial_accumulator = rule.initial_accumulator},
              rule, options);
}

Optimizer adam(const AdamOptions& rule, const UpdateOptions& options) {
  return make_adam(UpdateRule::Kind::adam, rule, options);
}

Optimizer adamw(const AdamwOptions& rule, const UpdateOptions& options) {
  return make_adam(UpdateRule::Kind::adamw, rule, options);
}

}  // namespace eddy
