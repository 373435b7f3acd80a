// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>

#include "eddy/experiments/command_experiment.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/command_seq2seq.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/sequence_names.h"
#include "eddy/experiments/textsum.h"

namespace eddy {

template <>
struct EnumNames<TextsumPreset> {
  static constexpr std::array<EnumName<TextsumPreset>, 3> list{
      {{TextsumPreset::sample, "sample"}, {TextsumPreset::medium, "medium"}, {TextsumPreset::large, "large"}}};
};

namespace {

using Config = Seq2SeqConfig;

struct TextsumCommand {
  explicit TextsumCommand(CLI::App& app) : flags(app, textsum_config(TextsumPreset::sample)) {}

  FlagSet<Config> flags;
  TextsumPreset preset = TextsumPreset::sample;
  TextsumOptions options;
};

int run(TextsumCommand& command) {
  TextsumOptions& options = command.options;
  options.config = textsum_config(command.preset);
  command.flags.apply(options.config);
  options.config.model.decoder_layers = options.config.model.encoder.layers;
  options.config.data.target_words = options.config.data.source_words;
  command.flags.check_applied(options.config);
  options.search.batch_size = static_cast<int>(options.config.batch_size);
  const TextsumResult result = run_textsum(options);
  fmt::print("\n{}\n{}\n", to_text(textsum_table(result)), to_text(textsum_samples(result)));
  for (const std::string& paragraph : textsum_summary(result)) fmt::print("{}\n\n", paragraph);
  fmt::print("the report is {}\n", (options.output / "index.html").string());
  return 0;
}

/// "120x30" as sizes of a batch.
PairSize parse_size(const std::string& text) {
  const std::size_t x = text.find('x');
  const auto number = [&](const std::string& digits) -> std::int64_t {
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos)
      throw CLI::ValidationError(fmt::format("\"{}\" is no size such as 120x30", text));
    return std::stoll(digits);
  };
  if (x == std::string::npos) number("");
  return {.source = number(text.substr(0, x)), .target = number(text.substr(x + 1))};
}

void add_data_flags(CLI::App& app, TextsumCommand& command) {
  FlagSet<Config>& flags = command.flags;
  flags.begin_group("Data");
  flags
      .value(
          "-d,--data", [](Config & c) -> auto& { return c.data.path; },
          "Folder or archive with vocab, content-train.txt, title-train.txt and the same of dev and test")
      ->required();
  flags.value(
      "--words", [](Config & c) -> auto& { return c.data.source_words; },
      "First words of the vocabulary file to use; 0: all");
  CLI::Option* sizes = app.add_option_function<std::vector<std::string>>(
      "--buckets",
      [&command](const std::vector<std::string>& texts) {
        command.flags.values().sizes.clear();
        for (const std::string& text : texts) command.flags.values().sizes.push_back(parse_size(text));
      },
      "Sizes of the batches: words of a text x words of a headline and its end");
  sizes->default_str("59x29 119x29 199x29")->type_name("SIZE ...");
  flags.remember(
      sizes, [](Config & c) -> auto& { return c.sizes; });
  flags.choice(
      "--too-long", [](auto& c) -> auto& { return c.too_long; }, "What becomes of texts that no bucket holds");
  flags.toggle(
      "--forwards", [](Config & c) -> auto& { return c.reverse_source; }, false, "Read texts first to last");
}

std::function<ExperimentRun()> prepare(CLI::App& app, const CommandLine& line) {
  auto command = std::make_shared<TextsumCommand>(app);
  TextsumOptions& options = command->options;
  options.command = line.text;
  add_choice(
      app, "--preset", command->preset, [&preset = command->preset](TextsumPreset value) { preset = value; },
      "Sizes and training that the flags change");
  app.add_option("-o,--output", options.output, "Folder for the report and the models")->capture_default_str();
  app.add_flag("--force", options.force, "Begin anew where --output holds an earlier run");
  app.add_option("--measured", options.most, "Texts of each part to decode and measure in the end; 0: all")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""))
      ->capture_default_str();
  add_data_flags(app, *command);
  add_pair_model_flags(command->flags);
  command->flags.value(
      "--layers", [](Config & c) -> auto& { return c.model.encoder.layers; }, "Of encoder and decoder");
  command->flags.toggle(
      "--input-feeding", [](Config & c) -> auto& { return c.model.input_feeding; }, true,
      "Attend after each step and read what was found with the next token, as medium and large do");
  add_pair_training_flags(command->flags);
  const int longest = options.search.beam.longest;
  add_search_flags(app, options.search);
  options.search.beam.longest = longest;
  app.get_option("--longest")->default_str(std::to_string(longest));
  app.footer(
      "Defaults shown are those of the preset sample, in which words learn 5 times as fast as the rest; medium and\n"
      "large are deepnlp's, for a corpus of a million texts. The rate falls on plateaus of the training loss.\n"
      "A run that is stopped goes on when the same command is given again; more --epochs go on with a finished one.\n"
      "Example: eddy experiment textsum --data zh-headlines-deepnlp.tar.xz --output report-textsum\n"
      "         eddy seq2seq translate --model report-textsum/last.safetensors --heat-map map.svg < text");
  return [command, &app]() -> ExperimentRun {
    check_decoding_flags(app, command->options.search);
    return {command->options.output, [command] { return run(*command); }};
  };
}

}  // namespace

Experiment textsum_experiment() {
  return {"textsum", "Headlines of news texts: stacked LSTM, attention, beam search, copied unknown words", prepare};
}

}  // namespace eddy
