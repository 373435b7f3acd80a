// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <cmath>

#include "eddy/core/number_text.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/textsum.h"

namespace eddy {
namespace {

/// Below so many training pairs the figures of held-out texts mean nothing; the original had over a million.
constexpr std::int64_t kFewPairs = 100000;

Measure percent(double share) { return exact(100 * share, 2); }

const TextsumScores* find(const TextsumResult& result, std::string_view model, std::string_view part) {
  for (const TextsumScores& scores : result.scores)
    if (scores.model == model && scores.part == part) return &scores;
  return nullptr;
}

std::string text_of(std::span<const std::string> words, std::size_t most) {
  const std::span shown = words.first(std::min(words.size(), most));
  return fmt::format("{}{}", fmt::join(shown, " "), words.size() > most ? " …" : "");
}

Table original_table(const TextsumResult& result) {
  Table table{.title = "By the definitions of deepnlp's eval.py, to compare with it only",
              .columns = {"model", "part", "ROUGE-2, %", "ROUGE-L, %", "BLEU-2, %"},
              .rows = {}};
  for (const TextsumScores& scores : result.scores)
    table.rows.push_back({scores.model, scores.part, percent(scores.original_rouge_2), percent(scores.original_rouge_l),
                          percent(scores.original_bleu_2)});
  return table;
}

ReportChart loss_chart(const TextsumResult& result, bool sampled) {
  LineChart chart{.title = "Loss", .x_label = "step", .y_label = "nats per word", .series = {}};
  ChartSeries training{.name = sampled ? "training (sampled softmax)" : "training", .x = {}, .y = {}, .spread = {}};
  ChartSeries validation{.name = sampled ? "dev (full softmax)" : "dev", .x = {}, .y = {}, .spread = {}};
  for (const TextsumPoint& point : result.curve) {
    training.x.push_back(point.step);
    training.y.push_back(point.training_loss);
    validation.x.push_back(point.step);
    validation.y.push_back(point.validation_loss);
  }
  chart.series = {std::move(training), std::move(validation)};
  return report_chart("loss", std::move(chart),
                      "Mean training loss since the validation before, and the loss of the dev part.");
}

}  // namespace

std::vector<std::string> textsum_summary(const TextsumResult& result) {
  std::vector<std::string> summary = {fmt::format(
      "Headlines of news: {} training, {} dev and {} test pairs, one vocabulary of {} words, {} parameters, {}. "
      "\"last\" is the model at the end of the training, \"best\" the one with the lowest dev loss. Scores compare "
      "words "
      "with those of the true headline; an unknown word is replaced by the source word that was looked at most.",
      grouped(result.pairs[0]), grouped(result.pairs[1]), grouped(result.pairs[2]), grouped(result.vocabulary),
      grouped(result.parameters), counted(result.progress.steps, "step"))};
  const TextsumScores* learned = find(result, "last", "train");
  if (learned != nullptr) {
    const TranslationScores& scores = learned->translations;
    std::string text = fmt::format(
        "Learned by heart: of {} the last model writes {:.1f} % of the headlines word for word, unknown "
        "words counted as one word (ROUGE-1 {:.1f} %).",
        counted(std::ssize(scores.sources), "training text"), 100 * scores.exact_tokens, 100 * scores.rouge.rouge_1.f1);
    if (const TextsumScores* unseen = find(result, "last", "dev"))
      text += fmt::format(" Of the dev texts {:.1f} % (ROUGE-1 {:.1f} %).", 100 * unseen->translations.exact_tokens,
                          100 * unseen->translations.rouge.rouge_1.f1);
    summary.push_back(text);
  }
  if (result.leaked > 0)
    summary.push_back(fmt::format(
        "{} of the dev and test parts stand{} in the training part, too; the corpus is used as its files are.",
        counted(result.leaked, "text"), result.leaked == 1 ? "s" : ""));
  if (result.pairs[0] < kFewPairs)
    summary.push_back(fmt::format(
        "{} {} far too few to learn to write headlines: the original was trained on more than a million. The "
        "figures of the training part show that the system works and can learn; those of dev and test show no skill "
        "at unseen texts, and are no result to quote.",
        counted(result.pairs[0], "pair"), result.pairs[0] == 1 ? "is" : "are"));
  return summary;
}

Table textsum_table(const TextsumResult& result) {
  Table table{.title = "Headlines",
              .columns = {"model", "part", "texts", "perplexity", "ROUGE-1 %", "ROUGE-2 %", "ROUGE-L %", "BLEU-4 %",
                          "word for word %", "with _UNK %"},
              .rows = {}};
  for (const TextsumScores& scores : result.scores) {
    const TranslationScores& all = scores.translations;
    table.rows.push_back({scores.model, scores.part, exact(static_cast<double>(all.sources.size()), 0),
                          exact(std::exp(scores.loss), 2), percent(all.rouge.rouge_1.f1), percent(all.rouge.rouge_2.f1),
                          percent(all.rouge.rouge_l.f1), percent(all.bleu.score), percent(all.exact),
                          percent(all.exact_tokens)});
  }
  return table;
}

Table textsum_samples(const TextsumResult& result) {
  constexpr std::size_t kWords = 12, kTexts = 4;
  Table table{.title = "Samples", .columns = {"part", "text", "headline", "last", "best"}, .rows = {}};
  for (const char* part : {"test", "dev", "train"}) {
    const TextsumScores* last = find(result, "last", part);
    const TextsumScores* best = find(result, "best", part);
    if (last == nullptr || best == nullptr) continue;
    const TranslationScores& scores = last->translations;
    for (std::size_t i = 0; i < std::min(kTexts, scores.sources.size()); ++i)
      table.rows.push_back({std::string(part), text_of(scores.sources[i], kWords), text_of(scores.references[i][0], 40),
                            text_of(scores.translations[i].words, 40),
                            text_of(best->translations.translations[i].words, 40)});
  }
  return table;
}

void write_textsum_report(const TextsumOptions& options, const TextsumResult& result) {
  Report report;
  report.title = "Headlines by a stacked LSTM with attention";
  report.summary = textsum_summary(result);
  report.tables = {textsum_table(result), original_table(result), textsum_samples(result)};
  if (result.curve.size() > 1) report.charts.push_back(loss_chart(result, options.config.model.softmax_samples > 0));
  report.charts.insert(report.charts.end(), result.heat_maps.begin(), result.heat_maps.end());
  report.configuration = to_json(options.config);
  report.environment = to_json(collect_environment(options.command, options.config.seed));
  report.command = options.command;
  write_report(options.output, report);
}

}  // namespace eddy
