// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/default_settings.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "eddy/experiments/flat_json.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/seq2seq_config.h"
#include "eddy/experiments/training_config.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

const std::set<std::string_view> kTrainingParts = {"language_model", "autoencoder",        "pooled_autoencoder",
                                                   "classifier",     "classifier_scratch", "classifier_perturbed"};

Json run_settings() {
  return flat_members(Json{{"training", Json::parse(to_json(TrainingConfig()))},
                           {"data", Json::parse(to_json(DataConfig()))},
                           {"text", Json::parse(to_json(TextConfig()))},
                           {"from", ""}});
}

bool has(const Json& settings, const std::string& pointer, const Json& value) {
  const auto found = settings.find(pointer);
  return found != settings.end() && *found == value;
}

}  // namespace

bool is_default_setting(const std::string& pointer, const Json& value) {
  static const Json run = run_settings();
  static const Json pairs = flat_members(Json::parse(to_json(seq2seq_defaults())));
  if (has(run, pointer, value) || has(pairs, pointer, value)) return true;
  const std::size_t end = pointer.find('/', 1);
  if (end == std::string::npos || !kTrainingParts.contains(std::string_view(pointer).substr(1, end - 1))) return false;
  return has(run, "/training" + pointer.substr(end), value);
}

}  // namespace eddy
