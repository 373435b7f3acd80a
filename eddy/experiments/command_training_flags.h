// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/training_config.h"

/// Part of the program `eddy`, for its main thread. The set must outlive the parsing of the app.
namespace eddy {

/// Flags for the members of a TrainingConfig but the task's own.
void add_model_flags(FlagSet<TrainingConfig>& flags);
/// What a classifier sees of a text, and a pooled autoencoder writes it from.
void add_feature_flags(FlagSet<TrainingConfig>& flags);
void add_optimizer_flags(FlagSet<TrainingConfig>& flags);
/// How many texts are read at once, and how much of each.
void add_batch_flags(FlagSet<TrainingConfig>& flags);
void add_limit_flags(FlagSet<TrainingConfig>& flags);
/// Of classifiers.
void add_adversarial_flags(FlagSet<TrainingConfig>& flags);
void add_layer_flags(FlagSet<TrainingConfig>& flags);

/// UsageError for a flag that was given to the command but does nothing with the rest of the config.
void check_given_flags(const CLI::App& app, const TrainingConfig& config);
/// The same for the flags of an optimizer alone.
void check_optimizer_flags(const CLI::App& app, const OptimizerSettings& optimizer);

}  // namespace eddy
