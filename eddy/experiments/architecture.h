// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "eddy/experiments/training_config.h"

namespace eddy {

/// Gives `to` the architecture of `from`, so that it can begin with those weights: all that decides shapes and how they
/// are read, not what is dropped in training.
void take_architecture(const TextModelConfig& from, TextModelConfig& to);

struct ArchitectureDifference {
  std::string_view member;  ///< "hidden_size", …
  std::string from, to;
};

/// The first member whose difference would lose the weights of `from`, wholly or in part, in a model that begins with
/// what is `transferred` of them.
std::optional<ArchitectureDifference> architecture_difference(const TextModelConfig& from, const TextModelConfig& to,
                                                              TransferredPart transferred = TransferredPart::all);

}  // namespace eddy
