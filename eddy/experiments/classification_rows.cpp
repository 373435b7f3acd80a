// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_rows.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {
namespace {

/// "-2" and "-bi" for two layers and two directions.
std::string shape_suffix(const ClassificationRow& row) {
  std::string suffix;
  if (row.layers > 0) suffix += fmt::format("-{}", row.layers);
  if (row.bidirectional) suffix += "-bi";
  return suffix;
}

std::string base_name(const ClassificationRow& row) {
  if (row.joint) return row.joint_task == TrainingTask::language_model ? "LM-LSTM" : "SA-LSTM";
  switch (row.pretraining) {
    case Pretraining::language_model:
      return "LM-LSTM";
    case Pretraining::autoencoder:
      return "SA-LSTM";
    case Pretraining::pooled_autoencoder:
      return "PA-LSTM";
    case Pretraining::none:
      break;
  }
  return "LSTM";
}

TrainingConfig shaped(const ClassificationRow& row, TrainingConfig config) {
  if (row.layers > 0) config.model.encoder.layers = row.layers;
  config.model.bidirectional = row.bidirectional;
  return config;
}

}  // namespace

std::string ClassificationRow::name() const {
  std::string text = base_name(*this);
  if (after_language_model) text += " after a language model";
  if (gain) text += " with linear gain";
  if (joint) text += ", joint training";
  if (perturbation == Perturbation::adversarial) text += ", adversarial training";
  if (perturbation == Perturbation::virtual_adversarial) text += ", virtual adversarial training";
  if (words) text += ", embeddings alone";
  if (layers > 0) text += ", " + counted(layers, "layer");
  if (bidirectional) text += ", bidirectional";
  return text;
}

std::string ClassificationRow::file_name() const {
  const char* training = gain                                                ? "-gain"
                         : joint                                             ? "-joint"
                         : perturbation == Perturbation::adversarial         ? "-at"
                         : perturbation == Perturbation::virtual_adversarial ? "-vat"
                                                                             : "";
  return (after_language_model ? "LM-" : "") + base_name(*this) + training + (words ? "-words" : "") +
         shape_suffix(*this);
}

std::string ClassificationRow::pretraining_name() const {
  if (pretraining == Pretraining::none) return {};
  const char* what = pretraining == Pretraining::language_model       ? "LM"
                     : pretraining == Pretraining::pooled_autoencoder ? "PA"
                     : after_language_model                           ? "LM-SA"
                                                                      : "SA";
  return what + shape_suffix(*this);
}

std::optional<ClassificationRow> ClassificationRow::before_pretraining() const {
  if (!after_language_model) return {};
  ClassificationRow row;
  row.pretraining = Pretraining::language_model;
  row.layers = layers;
  return row;
}

TrainingConfig ClassificationRow::classifier(TrainingConfig config) const {
  config = shaped(*this, std::move(config));
  if (gain) {
    // Every step is a prediction, so there is nothing to pool.
    config.task = TrainingTask::label_gain;
    config.model.pooling = Pooling::last;
  }
  if (joint) {
    config.task = TrainingTask::joint;
    config.joint_task = joint_task;
  }
  if (words) config.transferred = TransferredPart::embedding;
  if (perturbation != Perturbation::none) config.adversarial.kind = perturbation;
  return config;
}

TrainingConfig ClassificationRow::pretrained(TrainingConfig config) const { return shaped(*this, std::move(config)); }

bool any_begins_with(const std::vector<ClassificationRow>& rows, Pretraining kind) {
  return std::ranges::any_of(rows, [&](const ClassificationRow& row) { return row.begins_with(kind); });
}

ClassificationRow parse_row(std::string_view key) {
  ClassificationRow row;
  row.key = std::string(key);
  std::string_view rest = key;
  // With its dash, but for one that nothing follows.
  const auto drop = [&](std::size_t word) { rest.remove_prefix(rest.size() > word + 1 ? word + 1 : word); };
  const auto take = [&](std::string_view word) {
    if (!rest.starts_with(word) || (rest.size() > word.size() && rest[word.size()] != '-')) return false;
    drop(word.size());
    return true;
  };
  if (take("lm")) {
    row.after_language_model = take("sa");
    row.pretraining = row.after_language_model ? Pretraining::autoencoder : Pretraining::language_model;
  } else if (take("sa")) {
    row.pretraining = Pretraining::autoencoder;
  } else if (take("pa")) {
    row.pretraining = Pretraining::pooled_autoencoder;
  } else {
    require<UsageError>(take("lstm"), "there is no row \"{}\": expected {}", key, kRowGrammar);
  }
  if (take("gain")) {
    row.gain = true;
  } else if (take("joint")) {
    row.joint = true;
  } else if (take("at")) {
    row.perturbation = Perturbation::adversarial;
  } else if (take("vat")) {
    row.perturbation = Perturbation::virtual_adversarial;
  }
  row.words = take("words");
  if (!rest.empty() && rest[0] >= '1' && rest[0] <= '9' && (rest.size() == 1 || rest[1] == '-')) {
    row.layers = rest[0] - '0';
    drop(1);
  }
  row.bidirectional = take("bi");
  require<UsageError>(rest.empty(), "row \"{}\": \"{}\" is not understood; expected {}", key, rest, kRowGrammar);
  if (row.joint) {
    require<UsageError>(row.pretraining != Pretraining::none,
                        "row \"{}\": joint training needs a second task; expected lm-joint or sa-joint", key);
    require<UsageError>(row.pretraining != Pretraining::pooled_autoencoder && !row.after_language_model,
                        "row \"{}\": joint training begins with nothing", key);
    row.joint_task =
        row.pretraining == Pretraining::language_model ? TrainingTask::language_model : TrainingTask::autoencoder;
    row.pretraining = Pretraining::none;
  }
  require<UsageError>(!row.words || row.pretraining != Pretraining::none,
                      "row \"{}\": its words need pretraining; expected lm-words, sa-words or pa-words", key);
  const bool writes = row.pretraining == Pretraining::autoencoder ||
                      row.pretraining == Pretraining::pooled_autoencoder ||
                      (row.joint && row.joint_task == TrainingTask::autoencoder);
  require<UsageError>(!row.bidirectional || !(writes || row.gain),
                      "row \"{}\": {} reads in one direction; -bi goes with lstm and lm", key,
                      row.gain ? "linear gain" : "an autoencoder");
  return row;
}

std::vector<ClassificationRow> parse_rows(const std::vector<std::string>& keys) {
  std::vector<ClassificationRow> rows;
  for (const std::string& key : keys) {
    rows.push_back(parse_row(key));
    const auto same = [&](const ClassificationRow& row) { return row.file_name() == rows.back().file_name(); };
    require<UsageError>(std::none_of(rows.begin(), rows.end() - 1, same), "row \"{}\" is given twice", key);
  }
  return rows;
}

}  // namespace eddy
