// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "eddy/experiments/report.h"
#include "eddy/experiments/seq2seq_translator.h"

/// Functions keep no state; two threads need a translator each.
namespace eddy {

/// What an encoder-decoder made of pairs that it was measured on.
struct Seq2SeqEvaluation {
  std::string part;          ///< "test" or "validation"
  std::string what;          ///< in words: which pairs, how many of them, how they were decoded
  double loss = 0;           ///< nats per target token, with the full softmax
  std::size_t wordless = 0;  ///< pairs without a word in the source, which are left out
  TranslationScores scores;
};

/// Measures the loss of the chosen pairs and translates their sources; `what` says which they were chosen from.
/// UsageError when there are none, Interrupted after a signal. `progress` shows both passes.
Seq2SeqEvaluation evaluate_seq2seq(const LoadedSeq2Seq& loaded, Translator& translator, const Seq2SeqData& data,
                                   const ChosenSources& chosen, std::string part, std::string what,
                                   ProgressStyle progress = ProgressStyle::quiet);

/// The scores of one evaluation, a measure a row.
Table scores_table(const Seq2SeqEvaluation& evaluation);
/// So many of its translations, evenly from all, each beside a reference.
Table samples_table(const Seq2SeqEvaluation& evaluation, std::int64_t most);
/// What a translation looked at, as SVG. UsageError without attention or source.
std::string attention_picture(const Translator& translator, const TokenText& source, const Translation& translation);

/// What a report of an encoder-decoder tells.
struct Seq2SeqReportFacts {
  std::filesystem::path model;  ///< the file; the log of its training may stand beside it
  std::int64_t parameters = 0;
  Seq2SeqConfig config;       ///< with the data that were measured
  std::int64_t pairs = 0;     ///< in those data
  bool held_out = true;       ///< what was measured was kept from the training; else these are other data
  std::int64_t samples = 10;  ///< translations to show
  std::string command;
};

/// Scores, samples, course of the training where its log is there, attention, configuration, environment.
/// `translator` is that of the evaluation, if there is one.
Report seq2seq_report(const Seq2SeqReportFacts& facts, const Translator& translator,
                      const std::optional<Seq2SeqEvaluation>& evaluation);

}  // namespace eddy
