// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/seq2seq_translator.h"

namespace eddy {

/// Sizes and training of a run. `medium` and `large` have the sizes, the decoder, the batches and the first rates of
/// deepnlp's textsum, for a corpus of a million texts; but rates fall when a loss has not improved for four reports,
/// where it lets them fall after one above the last three, and only embeddings begin uniform. `sample` learns the 132
/// pairs of its sample by heart.
enum class TextsumPreset { sample, medium, large };

/// Headlines of Chinese news with a stacked LSTM and attention: buckets, one vocabulary file for both sides, a source
/// read last to first, sampled softmax and a learning rate that falls on plateaus. The data's path is left empty.
Seq2SeqConfig textsum_config(TextsumPreset preset);

struct TextsumOptions {
  Seq2SeqConfig config = textsum_config(TextsumPreset::sample);
  TranslatorOptions search = {.beam = {.beam = 4, .longest = 40}};
  std::int64_t most = 500;  ///< texts of each part to decode and measure; 0: all
  std::filesystem::path output = "report-textsum";
  bool force = false;  ///< begin anew where an earlier run is
  ProgressStyle progress = ProgressStyle::automatic;
  std::string command;
};

/// How a model does on one part of the corpus.
struct TextsumScores {
  std::string model;  ///< "last", or "best" on the dev part
  std::string part;
  TranslationScores translations;
  double loss = 0;  ///< nats per token of the targets, the full softmax
  /// Means by textsum's own definitions.
  double original_rouge_2 = 0, original_rouge_l = 0, original_bleu_2 = 0;
};

/// One validation.
struct TextsumPoint {
  double step = 0, training_loss = 0, validation_loss = 0;
};

struct TextsumResult {
  std::int64_t parameters = 0, vocabulary = 0;
  std::array<std::int64_t, 3> pairs{};  ///< train, dev, test
  std::int64_t leaked = 0;              ///< dev and test pairs whose text is a training text, too
  Seq2SeqProgress progress;
  std::vector<TextsumPoint> curve;
  std::vector<TextsumScores> scores;  ///< train, dev and test of the last model, then of the best one
  std::vector<ReportChart> heat_maps;
};

/// Trains, or goes on with what `output` holds, into "best.safetensors" and "last.safetensors" there, which
/// `eddy seq2seq translate` reads; then decodes every part and writes the report. Throws Interrupted after a signal
/// with everything kept, UsageError when `output` holds a run of another config. For the main thread: holds an
/// InterruptGuard.
TextsumResult run_textsum(const TextsumOptions& options);

/// What the figures do and do not show, as paragraphs.
std::vector<std::string> textsum_summary(const TextsumResult& result);
/// Model and part: perplexity, ROUGE, BLEU, headlines reproduced.
Table textsum_table(const TextsumResult& result);
/// Texts of every part, held-out ones first, with what both models wrote.
Table textsum_samples(const TextsumResult& result);
void write_textsum_report(const TextsumOptions& options, const TextsumResult& result);

}  // namespace eddy
