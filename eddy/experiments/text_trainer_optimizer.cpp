// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/text_trainer_optimizer.h"

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

std::unique_ptr<ReduceOnPlateau> make_plateau(const OptimizerSettings& settings, ParameterStore& store) {
  if (settings.schedule.kind != ScheduleKind::plateau) return nullptr;
  return std::make_unique<ReduceOnPlateau>(store,
                                           PlateauOptions{.factor = settings.schedule.decay,
                                                          .patience = static_cast<int>(settings.schedule.patience),
                                                          .min_scale = settings.schedule.floor});
}

}  // namespace eddy
