// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

// Internal: part of experiments.

namespace eddy {

/// Whether a setting of a report, such as "/training/model/layers", has the value that it has where nothing is said: in
/// a run on texts, in one on pairs or in a part of an experiment. Pure.
bool is_default_setting(const std::string& pointer, const nlohmann::ordered_json& value);

}  // namespace eddy
