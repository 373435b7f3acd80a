// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "eddy/experiments/training_config.h"
#include "eddy/graph/variable.h"
#include "eddy/optimizers/optimizer.h"
#include "eddy/optimizers/plateau.h"

/// Pure but for make_plateau(), which makes variables in `store`. Results are the caller's.
namespace eddy {

/// The update rule, schedule, clipping and groups that the settings ask for.
Optimizer make_optimizer(const OptimizerSettings& settings);

/// Throws UsageError for a prefix of names in clip_excluded or rate_multipliers that fits none of these parameters: a
/// slip of the pen, and what it should have frozen would be trained.
void check_parameter_prefixes(const OptimizerSettings& settings, const ParameterStore& store);

/// The groups of a model's parameters from top to bottom, as prefixes of their names: classifier and softmax, the
/// encoder's layers from the last to the first, the embedding.
std::vector<std::vector<std::string>> layer_groups(const TextModelConfig& model);

/// Groups that learn in an epoch (see TrainingConfig::unfreeze_epochs).
std::int64_t unfrozen_groups(const TrainingConfig& config, std::int64_t epoch);

/// The same for a whole config: rates fall from layer to layer, and only the first `groups` of layer_groups() learn,
/// each from the step at which it was unfrozen.
Optimizer make_optimizer(const TrainingConfig& config, std::int64_t groups, std::int64_t steps_per_epoch);

/// The same once all groups learn.
Optimizer make_optimizer(const TrainingConfig& config);

/// The host's half of the plateau schedule; nullptr for any other schedule.
std::unique_ptr<ReduceOnPlateau> make_plateau(const OptimizerSettings& settings, ParameterStore& store);

}  // namespace eddy
