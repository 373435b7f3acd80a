// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/experiments/command_lines.h"
#include "eddy/experiments/command_outputs.h"
#include "eddy/experiments/command_seq2seq.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/seq2seq_report.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

struct TranslateCommand {
  std::string model;
  std::vector<std::string> files;
  std::string heat_map;
  bool json = false;
  std::optional<TextEncoding> encoding;
  TranslatorOptions search;
};

std::string joined(const TokenText& words) { return fmt::format("{}", fmt::join(words, " ")); }

class LineTranslator {
 public:
  LineTranslator(const TranslateCommand& command, const LoadedSeq2Seq& loaded)
      : command_(command), translator_(loaded, command.search), tokenizer_(tokenizer_of(loaded.model.config.data)) {}

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

  bool drawn() const { return drawn_; }

 private:
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
    write_atomically(command_.heat_map, attention_picture(translator_, source, translation));
    drawn_ = true;
  }

  const TranslateCommand& command_;
  Translator translator_;
  Tokenizer tokenizer_;
  bool drawn_ = false;
};

/// Before anything is computed.
void check_heat_map(const TranslateCommand& command) {
  std::vector<std::filesystem::path> inputs = {command.model};
  for (const std::string& file : command.files) inputs.emplace_back(file == "-" ? "/dev/stdin" : file);
  if (command.files.empty()) inputs.emplace_back("/dev/stdin");
  check_outputs({{"--heat-map", command.heat_map, "an SVG picture", kSvgBeginning}}, inputs);
}

int translate(const TranslateCommand& command) {
  check_heat_map(command);
  const LoadedSeq2Seq loaded = load_seq2seq(command.model);
  LineTranslator translator(command, loaded);
  answer_lines({.files = command.files,
                .encoding = command.encoding.value_or(loaded.model.config.data.encoding),
                .most = static_cast<std::size_t>(command.search.batch_size),
                .label = "translate"},
               [&](const std::vector<std::string>& texts) { translator.answer(texts); });
  require<DataError>(command.heat_map.empty() || translator.drawn(),
                     "{} is not written: there was no text with words to draw", command.heat_map);
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
  add_computing_flags(*app);
  return {app, [app, command] {
            check_decoding_flags(*app, command->search);
            return translate(*command);
          }};
}

}  // namespace eddy
