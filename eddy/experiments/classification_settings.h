// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "eddy/experiments/classification.h"

/// No state: what changes is the options that are given.
namespace eddy {

/// Lays one setting "WHERE.KEY=VALUE" over the training configs, such as "lm.epochs=3" or
/// "all.optimizer.learning_rate=1e-3". WHERE: lm, sa, pa, pretraining (these), pretrained, scratch (the classifiers),
/// perturbed (of the pretrained ones the rows -at and -vat), classifiers (all of these) or all; KEY and VALUE as in a
/// config's JSON, but for what rows, seeds or data decide. Throws UsageError or DataError saying what is wrong.
void apply_setting(ClassificationOptions& options, std::string_view setting);

/// Throws UsageError for a setting of configs that no row trains by.
void require_used(const ClassificationOptions& options, std::string_view setting);

/// Lays a language model or pooled autoencoder of `eddy pretrain`, or of an experiment, over the options: its words,
/// and how text becomes tokens; its architecture, for all configs; the softmax, for pretraining; and no more epochs of
/// what made it, so that rows begin with it as it is. With epochs again, they go on from it. Throws DataError for a
/// file that cannot be read, UsageError for a model of another kind.
void begin_with(ClassificationOptions& options, const std::filesystem::path& model);

/// The configs of a row's classifier and of its pretraining, but for what the data decides.
TrainingConfig classifier_config(const ClassificationOptions& options, const ClassificationRow& row);
TrainingConfig pretraining_config(const ClassificationOptions& options, const ClassificationRow& row);

/// Whether the row's pretraining is the model that the options begin with, as it is.
bool begins_as_it_is(const ClassificationOptions& options, const ClassificationRow& row);

/// Throws UsageError naming the row and the setting when one of the rows cannot be trained, or could not take over what
/// it is to begin with.
void check_rows(const ClassificationOptions& options);

}  // namespace eddy
