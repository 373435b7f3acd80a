// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "eddy/experiments/training_config.h"

/// Pure functions, safe to call concurrently; the two that take something change `to`.
namespace eddy {

/// Gives `to` the architecture of `from`, so that it can begin with those weights: all that decides shapes and how they
/// are read, not what is dropped in training.
void take_architecture(const TextModelConfig& from, TextModelConfig& to);

/// Gives `to` what a pooled autoencoder made features of: they are those of the classifier that begins with it.
void take_features(const TextModelConfig& from, TextModelConfig& to);

/// Whether a task has a softmax over the vocabulary.
bool predicts_words(TrainingTask task);

struct ArchitectureDifference {
  std::string_view member;  ///< "hidden_size", …
  std::string from, to;
};

/// The first member whose difference would lose weights of `from`, wholly or in part, where `to` begins with what it
/// says is transferred of them.
std::optional<ArchitectureDifference> architecture_difference(const TrainingConfig& from, const TrainingConfig& to);

}  // namespace eddy
