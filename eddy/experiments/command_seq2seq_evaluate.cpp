// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/data/source.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_lines.h"
#include "eddy/experiments/command_seq2seq.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/seq2seq_report.h"

namespace eddy {
namespace {

const CLI::Validator kCount = CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description("");

struct EvaluateCommand {
  std::string model, data, file, part = "test", report;
  std::optional<std::int64_t> source_column, target_column;
  std::optional<TextEncoding> encoding;
  std::int64_t limit = 0, samples = 10;
  bool json = false;
  std::string line;
  TranslatorOptions search;
};

void print(const EvaluateCommand& command, const Seq2SeqEvaluation& evaluation) {
  if (!command.json) {
    fmt::print("{}\n{}", to_text(scores_table(evaluation)), to_text(samples_table(evaluation, command.samples)));
    return;
  }
  const TranslationScores& scores = evaluation.scores;
  print_json({{"part", evaluation.part},
              {"measured", evaluation.what},
              {"sources", scores.sources.size()},
              {"pairs_without_source_words", evaluation.wordless},
              {"bleu", scores.bleu.score},
              {"precisions", scores.bleu.precisions},
              {"brevity_penalty", scores.bleu.brevity_penalty},
              {"rouge_l_f1", scores.rouge.rouge_l.f1},
              {"exact", scores.exact},
              {"cut_off", scores.unended},
              {"loss", evaluation.loss},
              {"perplexity", std::exp(evaluation.loss)},
              {"seconds", scores.seconds}});
}

/// Whether a folder or an archive holds several files, so that one must be named.
bool holds_several(const std::filesystem::path& path) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  if (!std::filesystem::is_directory(path, error) && !(regular && looks_like_archive(BlockReader(path).next())))
    return false;
  return list_files(path).size() > 1;
}

int evaluate(const EvaluateCommand& command) {
  if (!command.report.empty()) check_report_folder(command.report);
  const LoadedSeq2Seq loaded = load_seq2seq(command.model);
  Seq2SeqConfig config = loaded.model.config;
  if (!command.data.empty()) config.data.path = command.data;
  // Others than those of the training may be named as those were.
  const bool same_name = command.file.empty() && (command.data.empty() || holds_several(command.data));
  if (!same_name) config.data.file = command.file;
  config.data.source_column = command.source_column.value_or(config.data.source_column);
  config.data.target_column = command.target_column.value_or(config.data.target_column);
  config.data.encoding = command.encoding.value_or(config.data.encoding);
  require_no_input("--report", command.report, {pair_source(config.data)});
  const auto [data, has_parts] = load_measured_data(loaded.model, config.data);
  require<UsageError>(has_parts || !command.data.empty() || !command.file.empty(),
                      "{}: these are not the pairs that {} was trained on any more, so its {} part is not known; with "
                      "--data all pairs are taken",
                      config.data.path, command.model, command.part);
  require<UsageError>(has_parts || command.part == "test",
                      "{}: these are not the pairs that {} was trained on, so they have no {} part", config.data.path,
                      command.model, command.part);
  if (!has_parts && absolute_data_path(config.data.path) == absolute_data_path(loaded.model.config.data.path) &&
      config.data.file == loaded.model.config.data.file)
    fmt::print(stderr, "eddy: warning: {} was trained on some of these pairs: no test\n", command.model);
  if (const std::int64_t count = data.pairs.invalid_sequences; count > 0)
    fmt::print(stderr, "{}\n", ill_formed_text(count));
  const ChosenSources chosen =
      choose_sources(data, command.part == "test" ? data.split.test : data.split.validation, command.limit);
  Translator translator(loaded, command.search);
  const Seq2SeqEvaluation evaluation =
      evaluate_seq2seq(loaded, translator, data, chosen, has_parts ? command.part : "all",
                       has_parts ? command.part + " part" : "all of " + config.data.path, ProgressStyle::automatic);
  print(command, evaluation);
  if (command.report.empty()) return 0;
  const Seq2SeqReportFacts facts{.model = command.model,
                                 .parameters = loaded.store->parameter_count(),
                                 .config = config,
                                 .pairs = data.pairs.size(),
                                 .held_out = has_parts,
                                 .samples = command.samples,
                                 .command = command.line};
  write_report(command.report, seq2seq_report(facts, translator, evaluation));
  const std::string page = (std::filesystem::path(command.report) / "index.html").string();
  fmt::print(command.json ? stderr : stdout, "the report is {}\n", page);
  return 0;
}

}  // namespace

Command add_seq2seq_evaluate(CLI::App& group, const CommandLine& line) {
  CLI::App* app = group.add_subcommand("evaluate", "Translate the held-out part and compare with all references");
  auto command = std::make_shared<EvaluateCommand>();
  command->line = line.text;
  app->add_option("-m,--model", command->model, "Model file")->type_name("FILE")->required();
  app->add_option(
      "-d,--data", command->data,
      "TSV file of pairs, or a folder or archive with one: those of the training, if they are elsewhere now, "
      "or others, which are measured whole");
  app->add_option("--file", command->file, "The file in it; without it as in the training, or the only one");
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
  app->add_option("--report", command->report, "Folder for a report with training curves and attention heat maps")
      ->type_name("DIR");
  app->add_flag("--json", command->json, "Print the scores as one JSON object, shares from 0 to 1");
  add_decoding_flags(*app, command->search);
  add_computing_flags(*app);
  return {app, [app, command] {
            check_decoding_flags(*app, command->search);
            return evaluate(*command);
          }};
}

}  // namespace eddy
