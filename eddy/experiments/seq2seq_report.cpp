// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/seq2seq_report.h"

#include <fmt/ranges.h>

#include <cmath>

#include "eddy/core/error.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/number_text.h"
#include "eddy/data/split.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/run_report.h"
#include "eddy/experiments/seq2seq_trainer.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

std::string joined(const TokenText& words) { return fmt::format("{}", fmt::join(words, " ")); }

/// Up to three translations whose attention says something: first those of longer sources.
std::vector<std::size_t> worth_a_picture(const TranslationScores& scores) {
  constexpr std::size_t kMost = 3, kLong = 6;
  std::vector<std::size_t> chosen;
  for (const bool longer : {true, false})
    for (std::size_t i = 0; i < scores.translations.size() && chosen.size() < kMost; ++i) {
      const std::size_t words = scores.sources[i].size();
      if (words >= 2 && (words >= kLong) == longer && !scores.translations[i].attention.empty()) chosen.push_back(i);
    }
  return chosen;
}

std::string about(const Seq2SeqEvaluation& evaluation, const Seq2SeqReportFacts& facts) {
  return fmt::format(
      "Measured: {}. {} All targets of a source are its references. Scores are on {}words and punctuation marks, an "
      "unknown word being one that no reference has.",
      evaluation.what,
      facts.held_out ? "These sources were kept from training with all their targets."
                     : "These are not the pairs of the training; whether it has seen some of them is not known.",
      facts.config.data.lower_case ? "lower-cased " : "");
}

/// Nothing when the log is not there.
RunHistory training_history(const fs::path& model) {
  const fs::path log = log_path(model);
  return path_exists(log) ? read_run_history(log) : RunHistory{};
}

}  // namespace

Seq2SeqEvaluation evaluate_seq2seq(const LoadedSeq2Seq& loaded, Translator& translator, const Seq2SeqData& data,
                                   const ChosenSources& chosen, std::string part, std::string what,
                                   ProgressStyle progress) {
  require<UsageError>(chosen.sources > 0, "the {} part is empty", part);
  if (chosen.sources < chosen.of)
    what += fmt::format(", {} of {}, evenly spaced", grouped(static_cast<std::int64_t>(chosen.sources)),
                        counted(static_cast<std::int64_t>(chosen.of), "source"));
  what += fmt::format(", beam {}", translator.options().beam.beam);
  Seq2SeqEvaluation evaluation{
      .part = std::move(part), .what = std::move(what), .loss = 0, .wordless = chosen.wordless, .scores = {}};
  // First, as it takes far less time: should it fail, no translations are lost.
  Seq2SeqEvaluator evaluator(*loaded.store, loaded.model.config);
  evaluator.show_progress(pass_progress(evaluation.part + ": loss", progress));
  translator.show_progress(pass_progress(evaluation.part + ": translations", progress));
  evaluation.loss = evaluator.loss(data.pairs, chosen.pairs);
  evaluation.scores = score_translations(translator, data, chosen.pairs);
  return evaluation;
}

Table scores_table(const Seq2SeqEvaluation& evaluation) {
  const TranslationScores& scores = evaluation.scores;
  Table table{.title = evaluation.what, .columns = {"measure", "value"}, .rows = {}};
  table.rows.push_back({std::string("sources"), exact(static_cast<double>(scores.sources.size()), 0)});
  if (evaluation.wordless > 0)
    table.rows.push_back({std::string("pairs left out, without a word in the source"),
                          exact(static_cast<double>(evaluation.wordless), 0)});
  table.rows.push_back({std::string("BLEU-4"), exact(100 * scores.bleu.score, 2)});
  for (std::size_t n = 0; n < scores.bleu.precisions.size(); ++n)
    table.rows.push_back({fmt::format("precision of {}-grams %", n + 1), exact(100 * scores.bleu.precisions[n], 2)});
  table.rows.push_back({std::string("brevity penalty"), exact(scores.bleu.brevity_penalty, 4)});
  table.rows.push_back({std::string("ROUGE-L f1 %"), exact(100 * scores.rouge.rouge_l.f1, 2)});
  table.rows.push_back({std::string("exactly a reference %"), exact(100 * scores.exact, 2)});
  table.rows.push_back({std::string("cut off %"), exact(100 * scores.unended, 2)});
  table.rows.push_back({std::string("perplexity per word"), exact(std::exp(evaluation.loss), 2)});
  table.rows.push_back({std::string("seconds"), exact(scores.seconds, 1)});
  return table;
}

Table samples_table(const Seq2SeqEvaluation& evaluation, std::int64_t most) {
  const TranslationScores& scores = evaluation.scores;
  Table table{.title = "Samples", .columns = {"source", "translation", "a reference"}, .rows = {}};
  for (const std::size_t i : evenly_spaced(scores.sources.size(), static_cast<std::size_t>(most)))
    table.rows.push_back(
        {joined(scores.sources[i]), joined(scores.translations[i].words), joined(scores.references[i][0])});
  return table;
}

std::string attention_picture(const Translator& translator, const TokenText& source, const Translation& translation) {
  return to_svg(attention_heat_map(translator.attention_of(source, translation)));
}

Report seq2seq_report(const Seq2SeqReportFacts& facts, const Translator& translator,
                      const std::optional<Seq2SeqEvaluation>& evaluation) {
  Report report;
  report.title = "Translations of " + facts.model.filename().string();
  report.summary = {fmt::format("{}: {}.", counted(facts.pairs, "pair"), facts.config.data.path)};
  if (facts.config.model.softmax_samples > 0)
    report.summary.push_back(
        fmt::format("Training goes by a softmax over {}, so its loss is lower than that of validation, "
                    "which has all of them.",
                    counted(facts.config.model.softmax_samples, "sampled word")));
  const RunHistory history = training_history(facts.model);
  report.charts = history_charts(history);
  if (evaluation) {
    report.summary.push_back(about(*evaluation, facts));
    report.tables = {scores_table(*evaluation), samples_table(*evaluation, facts.samples)};
    const TranslationScores& scores = evaluation->scores;
    int drawn = 0;
    for (const std::size_t i : worth_a_picture(scores))
      report.charts.push_back({fmt::format("attention-{}", ++drawn),
                               attention_picture(translator, scores.sources[i], scores.translations[i]),
                               joined(scores.sources[i]) + " → " + joined(scores.translations[i].words)});
  }
  report.tables.push_back(cost_table(facts.parameters, history, "target tokens"));
  report.configuration = to_json(facts.config);
  report.environment = to_json(collect_environment(facts.command, facts.config.seed));
  report.command = facts.command;
  return report;
}

}  // namespace eddy
