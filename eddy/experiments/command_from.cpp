// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_from.h"

#include <algorithm>
#include <filesystem>

#include "eddy/core/error.h"
#include "eddy/experiments/architecture.h"

namespace eddy {
namespace {

/// By name or by what it leads to; the file may be gone by now.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || std::filesystem::equivalent(a, b, error);
}

/// That sets a member of the architecture.
std::string flag_of(std::string_view member) {
  if (member == "embedding_size") return "--embedding";
  if (member == "hidden_size") return "--hidden";
  if (member == "adaptive_cutoffs") return "--adaptive-softmax";
  std::string flag = "--" + std::string(member);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

}  // namespace

ModelFile base_on(const std::string& from, const ModelFile& defaults) {
  const ModelFile pretrained = read_model_file(from);
  require_text_model(from, pretrained.config);
  ModelFile base = defaults;
  const TextModelConfig& source = pretrained.config.model;
  TextModelConfig& model = base.config.model;
  take_architecture(source, model);
  model.tied_softmax = source.tied_softmax;
  if (pretrained.config.task == TrainingTask::pooled_autoencoder) take_features(source, model);
  if (predicts_words(base.config.task)) model.adaptive_cutoffs = source.adaptive_cutoffs;
  base.config.max_length = pretrained.config.max_length;
  base.config.evaluation_max_length = pretrained.config.evaluation_max_length;
  base.config.keep_last = pretrained.config.keep_last;
  base.text = pretrained.text;
  base.text.label_names.clear();
  base.from = from;
  return base;
}

void check_same_from(const std::string& from, const ModelFile& model) {
  require<UsageError>(from.empty() || same_file(from, model.from), "--resume cannot change --from, which is {}",
                      model.from.empty() ? "none" : "\"" + model.from + "\"");
}

void check_architecture(const ModelFile& base, const ModelFile& model) {
  if (const auto difference = architecture_difference(base.config, model.config))
    fail<UsageError>("{} is {}, but {} has {}; leave the flag out", flag_of(difference->member), difference->to,
                     base.from, difference->from);
  require<UsageError>(to_json(base.text.text) == to_json(model.text.text),
                      "the flags of group Tokens change how text becomes tokens, but the vocabulary is that of {}",
                      base.from);
}

}  // namespace eddy
