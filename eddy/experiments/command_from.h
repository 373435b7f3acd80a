// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "eddy/experiments/run_model.h"

/// No state: safe to call concurrently.
namespace eddy {

/// The defaults with architecture, vocabulary and lengths of the pretrained model `from`; dropouts and all else stay.
ModelFile base_on(const std::string& from, const ModelFile& defaults);

/// UsageError unless the flags left `model` the architecture and the tokens of `base`, which is based on a model.
void check_architecture(const ModelFile& base, const ModelFile& model);

/// UsageError when a run that goes on began with another model than `from`; empty: not said.
void check_same_from(const std::string& from, const ModelFile& model);

}  // namespace eddy
