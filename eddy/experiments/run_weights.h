// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>

#include "eddy/experiments/checkpoint.h"

/// No state; for the thread that uses the store.
namespace eddy {

/// Reads a file's variables into an empty store; DataError unless `create`, which makes those of the file's config,
/// finds all of them there and of the same shapes.
void load_weights(const std::filesystem::path& path, ParameterStore& store,
                  const std::function<void(ParameterStore& store)>& create);

}  // namespace eddy
