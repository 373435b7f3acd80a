// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "eddy/experiments/training_config.h"
#include "eddy/graph/variable.h"
#include "eddy/optimizers/optimizer.h"
#include "eddy/optimizers/plateau.h"

namespace eddy {

/// The update rule, schedule, clipping and groups that the settings ask for.
Optimizer make_optimizer(const OptimizerSettings& settings);

/// The host's half of the plateau schedule; nullptr for any other schedule.
std::unique_ptr<ReduceOnPlateau> make_plateau(const OptimizerSettings& settings, ParameterStore& store);

}  // namespace eddy
