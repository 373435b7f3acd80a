// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/text_trainer_optimizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/optimizers/rules.h"

namespace eddy {
namespace {

Schedule base_schedule(const OptimizerSettings& settings) {
  const ScheduleSettings& schedule = settings.schedule;
  const double rate = settings.learning_rate;
  switch (schedule.kind) {
    case ScheduleKind::exponential:
      return exponential_decay(rate, schedule.decay, schedule.decay_steps, rate * schedule.floor);
    case ScheduleKind::step:
      return step_decay(rate, schedule.decay, schedule.decay_steps, rate * schedule.floor);
    case ScheduleKind::cosine:
      return cosine_decay(rate, schedule.decay_steps, rate * schedule.floor);
    case ScheduleKind::constant:
    case ScheduleKind::plateau:  // a scale that the host sets
      break;
  }
  return rate;
}

}  // namespace

Optimizer make_optimizer(const OptimizerSettings& settings) {
  const Schedule base = base_schedule(settings);
  const Schedule rate = settings.schedule.warm_up_steps > 0 ? warm_up(settings.schedule.warm_up_steps, base) : base;
  const double clip = settings.clip_norm;
  const double decay = settings.weight_decay;
  UpdateOptions options;
  options.clip_value = settings.clip_value;
  options.unclipped = settings.clip_excluded;
  options.rate_multipliers = settings.rate_multipliers;
  options.lazy_rows = settings.lazy_rows;
  options.catch_up_rows = settings.catch_up_rows && settings.ema_decay == 0;
  switch (settings.kind) {
    case OptimizerKind::sgd:
      return sgd({.learning_rate = rate, .clip_norm = clip, .weight_decay = decay}, options);
    case OptimizerKind::momentum:
      return momentum({.learning_rate = rate,
                       .momentum = settings.momentum,
                       .nesterov = settings.nesterov,
                       .clip_norm = clip,
                       .weight_decay = decay},
                      options);
    case OptimizerKind::rmsprop:
      return rmsprop({.learning_rate = rate,
                      .smoothing = settings.beta2,
                      .epsilon = settings.epsilon,
                      .clip_norm = clip,
                      .weight_decay = decay},
                     options);
    case OptimizerKind::adagrad:
      return adagrad({.learning_rate = rate, .epsilon = settings.epsilon, .clip_norm = clip, .weight_decay = decay},
                     options);
    case OptimizerKind::adam:
      return adam({.learning_rate = rate,
                   .beta1 = settings.beta1,
                   .beta2 = settings.beta2,
                   .epsilon = settings.epsilon,
                   .clip_norm = clip,
                   .weight_decay = decay},
                  options);
    case OptimizerKind::adamw:
      break;
  }
  return adamw({.learning_rate = rate,
                .beta1 = settings.beta1,
                .beta2 = settings.beta2,
                .epsilon = settings.epsilon,
                .clip_norm = clip,
                .weight_decay = decay},
               options);
}

void check_parameter_prefixes(const OptimizerSettings& settings, const ParameterStore& store) {
  std::set<std::string> groups;
  for (const auto& variable : store.all())
    if (variable->trainable) groups.insert(variable->name.substr(0, variable->name.find('/')));
  const auto expect = [&](std::string_view option, const std::string& prefix) {
    const bool found = std::ranges::any_of(
        store.all(), [&](const auto& variable) { return variable->trainable && variable->name.starts_with(prefix); });
    require<UsageError>(found, "{} {}: no parameter's name begins so; they begin with {}", option, prefix,
                        fmt::join(groups, ", "));
  };
  for (const std::string& prefix : settings.clip_excluded) expect("clip_excluded", prefix);
  for (const auto& [prefix, factor] : settings.rate_multipliers) expect("rate_multipliers", prefix);
}

std::vector<std::vector<std::string>> layer_groups(const TextModelConfig& model) {
  std::vector<std::vector<std::string>> groups = {{"classifier/", "softmax/"}};
  for (int layer = model.encoder.layers - 1; layer >= 0; --layer)
    groups.push_back({fmt::format("encoder{}/", layer), fmt::format("encoder_reverse{}/", layer)});
  groups.push_back({"embedding"});
  return groups;
}

std::int64_t unfrozen_groups(const TrainingConfig& config, std::int64_t epoch) {
  const auto all = static_cast<std::int64_t>(layer_groups(config.model).size());
  return config.unfreeze_epochs == 0 ? all : std::min(all, 1 + epoch / config.unfreeze_epochs);
}

Optimizer make_optimizer(const TrainingConfig& config, std::int64_t groups, std::int64_t steps_per_epoch) {
  Optimizer optimizer = make_optimizer(config.optimizer);
  UpdateOptions& options = optimizer.options;
  const auto given = [&](const std::string& prefix) {
    return std::ranges::any_of(config.optimizer.rate_multipliers,
                               [&](const auto& entry) { return entry.first == prefix; });
  };
  // Not every model has every group.
  options.allow_unmatched = true;
  const auto layers = layer_groups(config.model);
  for (std::size_t depth = 0; depth < layers.size(); ++depth) {
    const bool learns = static_cast<std::int64_t>(depth) < groups;
    const double factor = learns ? std::pow(config.layer_rate_decay, static_cast<double>(depth)) : 0;
    const std::int64_t first = config.unfreeze_epochs * static_cast<std::int64_t>(depth) * steps_per_epoch;
    for (const std::string& prefix : layers[depth]) {
      // What does not learn yet has no rate of its own either.
      if (!learns) std::erase_if(options.rate_multipliers, [&](const auto& e) { return e.first.starts_with(prefix); });
      if (factor != 1 && (!learns || !given(prefix))) options.rate_multipliers.emplace_back(prefix, factor);
      if (first > 0) options.first_steps.emplace_back(prefix, first);
    }
  }
  return optimizer;
}

Optimizer make_optimizer(const TrainingConfig& config) {
  return make_optimizer(config, static_cast<std::int64_t>(layer_groups(config.model).size()), 1);
}

std::unique_ptr<ReduceOnPlateau> make_plateau(const OptimizerSettings& settings, ParameterStore& store) {
  if (settings.schedule.kind != ScheduleKind::plateau) return nullptr;
  return std::make_unique<ReduceOnPlateau>(store,
                                           PlateauOptions{.factor = settings.schedule.decay,
                                                          .patience = static_cast<int>(settings.schedule.patience),
                                                          .min_scale = settings.schedule.floor});
}

}  // namespace eddy
