// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/data/split.h"
#include "eddy/experiments/command_lines.h"
#include "eddy/experiments/command_seq2seq.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/seq2seq_trainer.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

const CLI::Validator kCount = CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description("");

struct TranslateCommand {
  std::string model;
  std::vector<std::string> files;
  std::string heat_map;
  bool json = false;
  std::optional<TextEncoding> encoding;
  TranslatorOptions search;
};

struct EvaluateCommand {
  std::string model, data, file, part = "test", report;
  std::optional<std::int64_t> source_column, target_column;
  std::optional<TextEncoding> encoding;
  std::int64_t limit = 0, samples = 10;
  std::string line;
  TranslatorOptions search;
};

std::string joined(const TokenText& words) { return fmt::format("{}", fmt::join(words, " ")); }

std::string picture(const Translator& translator, const TokenText& source, const Translation& translation) {
  return to_svg(attention_heat_map(translator.attention_of(source, translation)));
}

class LineTranslator {
 public:
  LineTranslator(const TranslateCommand& command, const LoadedSeq2Seq& loaded)
      : command_(command), translator_(loaded, command.search), tokenizer_(tokenizer_of(loaded.model.config.data)) {}

  void read(LineReader lines) {
    std::vector<std::string> texts;
    while (auto line = lines.next()) {
      texts.push_back(std::move(*line));
      if (static_cast<int>(texts.size()) < command_.search.batch_size && !lines.would_wait()) continue;
      answer(texts);
      texts.clear();
    }
    if (!texts.empty()) answer(texts);
  }

  bool drawn() const { return drawn_; }

 private:
  void answer(const std::vector<std::string>& texts) {
    std::vector<TokenText> sources;
    for (const std::string& text : texts) sources.push_back(tokenizer_.tokenize(text));
    const auto translations = translator_.translate(sources);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      print(texts[i], translations[i]);
      draw(sources[i], translations[i][0]);
    }
    flush_results();
  }

  void print(const std::string& text, const std::vector<Translation>& translations) const {
    if (command_.json) {
      Json list = Json::array();
      for (const Translation& one : translations)
        list.push_back({{"text", joined(one.words)}, {"score", one.score}, {"complete", one.complete}});
      print_json({{"source", text}, {"translations", list}}, -1);
      return;
    }
    if (command_.search.beam.best == 1) {
      fmt::print("{}\n", joined(translations[0].words));
      return;
    }
    for (const Translation& one : translations) fmt::print("{:.4f}\t{}\n", one.score, joined(one.words));
    fmt::print("\n");
  }

  /// The first text that can be drawn.
  void draw(const TokenText& source, const Translation& translation) {
    if (command_.heat_map.empty() || drawn_ || source.empty()) return;
    require<UsageError>(!translation.attention.empty(), "{}: has no attention to draw", command_.model);
    write_atomically(command_.heat_map, picture(translator_, source, translation));
    drawn_ = true;
  }

  const TranslateCommand& command_;
  Translator translator_;
  Tokenizer tokenizer_;
  bool drawn_ = false;
};

/// Before anything is computed.
void check_heat_map(const TranslateCommand& command) {
  if (command.heat_map.empty()) return;
  std::vector<std::filesystem::path> inputs(command.files.begin(), command.files.end());
  inputs.emplace_back(command.model);
  require_no_input("--heat-map", command.heat_map, inputs);
  require_writable(command.heat_map);
}

int translate(const TranslateCommand& command) {
  check_heat_map(command);
  const LoadedSeq2Seq loaded = load_seq2seq(command.model);
  LineTranslator translator(command, loaded);
  const TextEncoding encoding = command.encoding.value_or(loaded.model.config.data.encoding);
  read_inputs(command.files, encoding, [&](LineReader lines) { translator.read(std::move(lines)); });
  require<DataError>(command.heat_map.empty() || translator.drawn(),
                     "{} is not written: there was no text with words to draw", command.heat_map);
  return 0;
}

Table scores_table(const std::string& what, const TranslationScores& scores, double loss) {
  Table table{.title = what, .columns = {"measure", "value"}, .rows = {}};
  table.rows.push_back({std::string("sources"), exact(static_cast<double>(scores.sources.size()), 0)});
  table.rows.push_back({std::string("BLEU-4"), exact(100 * scores.bleu.score, 2)});
  for (std::size_t n = 0; n < scores.bleu.precisions.size(); ++n)
    table.rows.push_back({fmt::format("precision of {}-grams %", n + 1), exact(100 * scores.bleu.precisions[n], 2)});
  table.rows.push_back({std::string("brevity penalty"), exact(scores.bleu.brevity_penalty, 4)});
  table.rows.push_back({std::string("ROUGE-L f1 %"), exact(100 * scores.rouge.rouge_l.f1, 2)});
  table.rows.push_back({std::string("exactly a reference %"), exact(100 * scores.exact, 2)});
  table.rows.push_back({std::string("cut off %"), exact(100 * scores.unended, 2)});
  table.rows.push_back({std::string("perplexity per word"), exact(std::exp(loss), 2)});
  table.rows.push_back({std::string("seconds"), exact(scores.seconds, 1)});
  return table;
}

/// Some of the translations, evenly from all.
Table samples_table(const TranslationScores& scores, std::int64_t wanted) {
  Table table{.title = "Samples", .columns = {"source", "translation", "a reference"}, .rows = {}};
  for (const std::size_t i : evenly_spaced(scores.sources.size(), static_cast<std::size_t>(wanted)))
    table.rows.push_back(
        {joined(scores.sources[i]), joined(scores.translations[i].words), joined(scores.references[i][0])});
  return table;
}

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

int evaluate(const EvaluateCommand& command) {
  if (!command.report.empty()) check_report_folder(command.report);
  const LoadedSeq2Seq loaded = load_seq2seq(command.model);
  Seq2SeqConfig config = loaded.model.config;
  if (!command.data.empty()) config.data.path = command.data;
  if (!command.data.empty() || !command.file.empty()) config.data.file = command.file;
  config.data.source_column = command.source_column.value_or(config.data.source_column);
  config.data.target_column = command.target_column.value_or(config.data.target_column);
  config.data.encoding = command.encoding.value_or(config.data.encoding);
  const auto [data, has_parts] = load_measured_data(loaded.model, config.data);
  require<UsageError>(has_parts || !command.data.empty() || !command.file.empty(),
                      "{}: these are not the pairs that {} was trained on any more, so its {} part is not known; with "
                      "--data all pairs are taken",
                      config.data.path, command.model, command.part);
  require<UsageError>(has_parts || command.part == "test",
                      "{}: these are not the pairs that {} was trained on, so they have no {} part", config.data.path,
                      command.model, command.part);
  const auto [part, sources, of] =
      choose_sources(data, command.part == "test" ? data.split.test : data.split.validation, command.limit);
  require<UsageError>(sources > 0, "the {} part is empty", command.part);
  std::string what = has_parts ? command.part + " part" : "all of " + config.data.path;
  if (sources < of) what += fmt::format(", {} of {} sources, evenly spaced", sources, of);
  what += fmt::format(", beam {}", command.search.beam.beam);
  Translator translator(loaded, command.search);
  // First, as it takes far less time: should it fail, no translations are lost.
  const double loss = Seq2SeqEvaluator(*loaded.store, config).loss(data.pairs, part);
  const TranslationScores scores = score_translations(translator, data, part);
  const Table table = scores_table(what, scores, loss);
  const Table samples = samples_table(scores, command.samples);
  fmt::print("{}\n{}", to_text(table), to_text(samples));
  if (command.report.empty()) return 0;
  Report report;
  report.title = "Translations of " + std::filesystem::path(command.model).filename().string();
  report.summary = {
      fmt::format("{} pairs; measured: {}. {} All targets of a source are its references. Scores are on {}words and "
                  "punctuation marks, an unknown word being one that no reference has.",
                  data.pairs.size(), what,
                  has_parts ? "These sources were kept from training with all their targets."
                            : "These are not the pairs of the training; whether it has seen some of them is not known.",
                  config.data.lower_case ? "lower-cased " : "")};
  report.tables = {table, samples};
  for (const std::size_t i : worth_a_picture(scores))
    report.charts.push_back({fmt::format("attention-{}", report.charts.size() + 1),
                             picture(translator, scores.sources[i], scores.translations[i]),
                             joined(scores.sources[i]) + " → " + joined(scores.translations[i].words)});
  report.configuration = to_json(config);
  report.environment = to_json(collect_environment(command.line, config.seed));
  report.command = command.line;
  write_report(command.report, report);
  fmt::print("the report is {}\n", (std::filesystem::path(command.report) / "index.html").string());
  return 0;
}

}  // namespace

Command add_seq2seq_translate(CLI::App& group) {
  CLI::App* app = group.add_subcommand("translate", "Translate texts from standard input or files, one a line");
  auto command = std::make_shared<TranslateCommand>();
  app->add_option("files", command->files, "Files with one text a line; none or \"-\": standard input");
  app->add_option("-m,--model", command->model, "Model file")->type_name("FILE")->required();
  app->add_option("--best", command->search.beam.best, "Translations to print, with their scores when more than one")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  app->add_option("--heat-map", command->heat_map, "SVG file for the attention of the first text")->type_name("FILE");
  app->add_flag("--json", command->json, "Print one JSON object a line");
  add_encoding_flag(*app, command->encoding);
  add_decoding_flags(*app, command->search);
  add_thread_flag(*app);
  return {app, [app, command] {
            check_decoding_flags(*app, command->search);
            return translate(*command);
          }};
}

Command add_seq2seq_evaluate(CLI::App& group, const CommandLine& line) {
  CLI::App* app = group.add_subcommand("evaluate", "Translate the held-out part and compare with all references");
  auto command = std::make_shared<EvaluateCommand>();
  command->line = line.text;
  app->add_option("-m,--model", command->model, "Model file")->type_name("FILE")->required();
  app->add_option(
      "--data", command->data,
      "TSV file of pairs, or a folder or archive with one: those of the training, if they are elsewhere now, "
      "or others, which are measured whole");
  app->add_option("--file", command->file, "The file in it");
  app->add_option("--source-column", command->source_column, "From 0; without it as in the training");
  app->add_option("--target-column", command->target_column, "The same for the targets");
  add_encoding_flag(*app, command->encoding);
  app->add_option("--part", command->part, "test or validation")
      ->check(CLI::IsMember({"test", "validation"}))
      ->capture_default_str();
  app->add_option("--limit", command->limit, "Most sources, evenly spaced over the part; 0: all")
      ->check(kCount)
      ->capture_default_str();
  app->add_option("--samples", command->samples, "Translations to show")->check(kCount)->capture_default_str();
  app->add_option("--report", command->report, "Folder for a report with attention heat maps")->type_name("DIR");
  add_decoding_flags(*app, command->search);
  add_thread_flag(*app);
  return {app, [app, command] {
            check_decoding_flags(*app, command->search);
            return evaluate(*command);
          }};
}

}  // namespace eddy
