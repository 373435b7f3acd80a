// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <type_traits>

#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/training_config_names.h"

/// Members of the settings that several configs have, for strict_json.h. Internal to the experiments room. Pure.
namespace eddy {

template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

inline void visit_members(Is<ScheduleSettings> auto& schedule, auto& visit) {
  visit("kind", schedule.kind);
  visit("warm_up_steps", schedule.warm_up_steps);
  visit("decay", schedule.decay);
  visit("decay_steps", schedule.decay_steps);
  visit("floor", schedule.floor);
  visit("patience", schedule.patience);
}

inline void visit_members(Is<OptimizerSettings> auto& optimizer, auto& visit) {
  visit("kind", optimizer.kind);
  visit("learning_rate", optimizer.learning_rate);
  visit("clip_norm", optimizer.clip_norm);
  visit("clip_excluded", optimizer.clip_excluded);
  visit("clip_value", optimizer.clip_value);
  visit("weight_decay", optimizer.weight_decay);
  visit("momentum", optimizer.momentum);
  visit("nesterov", optimizer.nesterov);
  visit("beta1", optimizer.beta1);
  visit("beta2", optimizer.beta2);
  visit("epsilon", optimizer.epsilon);
  visit("lazy_rows", optimizer.lazy_rows);
  visit("catch_up_rows", optimizer.catch_up_rows);
  visit("rate_multipliers", optimizer.rate_multipliers);
  visit("ema_decay", optimizer.ema_decay);
  visit("schedule", optimizer.schedule);
}

/// from_json_text() and check(); what is wrong with the values is a DataError as well.
template <class Config>
void read_config(std::string_view json, std::string_view where, Config& config) {
  from_json_text(json, where, config);
  try {
    check(config);
  } catch (const UsageError& error) {
    fail<DataError>("{}: {}", where, error.what());
  }
}

}  // namespace eddy
