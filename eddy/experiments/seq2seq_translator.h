// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "eddy/experiments/attention_map.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/seq2seq_model.h"
#include "eddy/experiments/text_metrics.h"
#include "eddy/models/sequence_search.h"

namespace eddy {

struct TranslatorOptions {
  /// go, end and banned are the model's.
  BeamOptions beam = {.longest = 60};
  int batch_size = 32;
  /// Put the source word that was looked at most in place of an unknown one (needs attention).
  bool replace_unknown = true;
};

/// One way to put a text.
struct Translation {
  TokenText words;
  std::vector<std::int32_t> tokens;  ///< the same, unknown words not replaced
  double score = 0;
  bool complete = false;  ///< it ended by itself
  /// [steps, source_time], a row per word and one for the end; empty without attention.
  std::vector<float> attention;
  std::int64_t source_time = 0;
};

/// Decodes texts with an encoder-decoder, which must outlive it. Not thread-safe.
class Translator {
 public:
  Translator(const LoadedSeq2Seq& loaded, TranslatorOptions options);

  /// The best translations of each source, best first; a source without words has one that is empty. Texts of similar
  /// length are decoded together; the result does not depend on which. Of a source only read_part() is read.
  std::vector<std::vector<Translation>> translate(std::span<const TokenText> sources);
  /// A source's first words, as many as were trained on, for a model of TooLong::cut; else all of them.
  std::span<const std::string> read_part(const TokenText& source) const;
  /// What a translation looked at, with a row for its end where it has one. UsageError without attention or source.
  AttentionMap attention_of(const TokenText& source, const Translation& translation) const;
  /// Of the calls of translate() to come; at first there is none. The counts are the translator's own.
  void show_progress(ProgressOptions progress) { progress_ = std::move(progress); }
  const Seq2SeqConfig& config() const { return model_.config; }
  const TranslatorOptions& options() const { return options_; }

 private:
  void translate_batch(std::span<const TokenText> sources, std::span<const std::size_t> chosen, std::int64_t time,
                       std::vector<std::vector<Translation>>& results);

  const Seq2SeqModel& model_;
  TranslatorOptions options_;
  ProgressOptions progress_ = no_progress();
  SequenceSearch search_;
};

/// How near a model's translations come to all references.
struct TranslationScores {
  std::vector<TokenText> sources;
  std::vector<References> references;
  std::vector<Translation> translations;
  BleuScore bleu;
  RougeReport rouge;
  double exact = 0;         ///< share of the sources whose translation is one of the references
  double exact_tokens = 0;  ///< the same with all unknown words taken for equal, as the model is taught
  double unended = 0;       ///< share cut off at the longest length
  double seconds = 0;
};

/// Translates each source of the listed pairs once and compares with all its targets. A pair without source words is
/// left out.
TranslationScores score_translations(Translator& translator, const Seq2SeqData& data,
                                     std::span<const std::int32_t> pairs);

/// Pairs of some of the sources, and how many sources that is of how many.
struct ChosenSources {
  std::vector<std::int32_t> pairs;
  std::size_t sources = 0;
  std::size_t of = 0;
  std::size_t wordless = 0;  ///< listed pairs that are left out
};
/// Of the listed pairs those of at most `most` sources (0: all), evenly spaced in the order in which the sources first
/// appear. A pair without source words is left out.
ChosenSources choose_sources(const Seq2SeqData& data, std::span<const std::int32_t> pairs, std::int64_t most);

}  // namespace eddy
