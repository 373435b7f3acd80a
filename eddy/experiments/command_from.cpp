// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_from.h"

#include <filesystem>

#include "eddy/core/error.h"

namespace eddy {
namespace {

/// By name or by what it leads to; the file may be gone by now.
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || std::filesystem::equivalent(a, b, error);
}

bool predicts_words(TrainingTask task) { return task != TrainingTask::classifier && task != TrainingTask::label_gain; }

}  // namespace

ModelFile base_on(const std::string& from, const ModelFile& defaults) {
  const ModelFile pretrained = read_model_file(from);
  ModelFile base = defaults;
  const TextModelConfig& source = pretrained.config.model;
  TextModelConfig& model = base.config.model;
  model.vocabulary_size = source.vocabulary_size;
  model.embedding_size = source.embedding_size;
  model.encoder.cell = source.encoder.cell;
  model.encoder.hidden_size = source.encoder.hidden_size;
  model.encoder.layers = source.encoder.layers;
  model.encoder.reverse = source.encoder.reverse;
  model.encoder.forget_bias = source.encoder.forget_bias;
  model.encoder.clip_cell = source.encoder.clip_cell;
  model.bidirectional = source.bidirectional;
  model.normalize_embeddings = source.normalize_embeddings;
  model.tied_softmax = source.tied_softmax;
  if (predicts_words(base.config.task)) model.adaptive_cutoffs = source.adaptive_cutoffs;
  base.config.max_length = pretrained.config.max_length;
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
  const TextModelConfig& a = base.config.model;
  const TextModelConfig& b = model.config.model;
  const auto same = [&](std::string_view flag, auto from, auto wanted) {
    require<UsageError>(from == wanted, "{} is {}, but {} has {}; leave the flag out", flag, wanted, base.from, from);
  };
  same("--embedding", a.embedding_size, b.embedding_size);
  same("--hidden", a.encoder.hidden_size, b.encoder.hidden_size);
  same("--layers", a.encoder.layers, b.encoder.layers);
  same("--cell", name_of(a.encoder.cell), name_of(b.encoder.cell));
  same("--bidirectional", a.bidirectional, b.bidirectional);
  same("--normalize-embeddings", a.normalize_embeddings, b.normalize_embeddings);
  require<UsageError>(to_json(base.text.text) == to_json(model.text.text),
                      "the flags of group Tokens change how text becomes tokens, but the vocabulary is that of {}",
                      base.from);
}

}  // namespace eddy
