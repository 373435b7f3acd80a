// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/experiments/training_config.h"

/// Pure functions of plain values: safe to call concurrently.
namespace eddy {

enum class Pretraining { none, language_model, autoencoder, pooled_autoencoder };

/// A row of the paper's tables: what the classifier begins with and how it is trained. Written
/// "lstm | lm | sa | lm-sa | pa [-gain | -joint | -at | -vat | -words] [-LAYERS] [-bi]", such as "sa-gain-3".
struct ClassificationRow {
  std::string key = "lstm";
  Pretraining pretraining = Pretraining::none;
  bool after_language_model = false;  ///< the autoencoder begins with the language model's weights
  bool gain = false;                  ///< linear label gain
  int layers = 0;                     ///< 0: those of the config
  bool bidirectional = false;
  /// Both losses at once instead of one after the other: `joint_task` is the unsupervised one.
  bool joint = false;
  TrainingTask joint_task = TrainingTask::autoencoder;
  /// Adversarial or virtual adversarial training (Miyato, Dai & Goodfellow 2017); none: as the config says.
  Perturbation perturbation = Perturbation::none;
  bool words = false;  ///< begins with the pretrained embeddings and a new encoder

  /// "SA-LSTM with linear gain, 3 layers"
  std::string name() const;
  /// "SA-LSTM-gain-3"
  std::string file_name() const;
  /// Of the pretraining that rows with the same layers and directions share: "SA-3"; empty for none.
  std::string pretraining_name() const;
  /// Whether a model of that kind is made for it, or for the model it begins with.
  bool begins_with(Pretraining kind) const {
    return pretraining == kind || (after_language_model && kind == Pretraining::language_model);
  }
  /// What that pretraining begins with, if not afresh.
  std::optional<ClassificationRow> before_pretraining() const;

  /// The config of the classifier, and of the pretraining, with what the row changes.
  TrainingConfig classifier(TrainingConfig config) const;
  TrainingConfig pretrained(TrainingConfig config) const;
};

/// Whether one of the rows does.
bool any_begins_with(const std::vector<ClassificationRow>& rows, Pretraining kind);

/// How a row is written, for help and errors.
inline constexpr std::string_view kRowGrammar =
    "lstm, lm, sa, lm-sa (an autoencoder begun with the language model) or pa (a pooled autoencoder), then -gain, "
    "-joint, -at or -vat, "
    "then -words, then -LAYERS, then -bi, as in \"sa-gain-2\"";

/// Throws UsageError naming what is not understood or cannot be built.
ClassificationRow parse_row(std::string_view key);
std::vector<ClassificationRow> parse_rows(const std::vector<std::string>& keys);

}  // namespace eddy
