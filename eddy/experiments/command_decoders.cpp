// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "eddy/core/interrupt.h"
#include "eddy/data/number_stories.h"
#include "eddy/experiments/command_experiment.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/decoders.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/sequence_names.h"
#include "eddy/models/decoder_start.h"

namespace eddy {
namespace {

int run(const DecodersOptions& options) {
  const InterruptGuard guard;
  // The lines of the original, which tests on the stories it trains on.
  const EncodedPairs stories = number_stories();
  fmt::print("Vocab size: {} unique words\nDimension of hidden vectors: {}\n", stories.target_tokens.size(),
             options.model.encoder.hidden_size);
  fmt::print("Number of training stories: {0}\nNumber of test stories: {0}\n", stories.size());
  const DecodersResult result = run_decoders(options);
  for (const DecoderRun& one : result.runs)
    fmt::print("\nmode {} ({})\n{}", static_cast<int>(one.mode), name_of(one.mode), decoders_listing(one));
  fmt::print("\n{}", to_text(decoders_table(result)));
  if (!options.output.empty())
    fmt::print("{}{}\n",
               result.reported ? "the report is " : "interrupted; still there is the report of an earlier run, ",
               (options.output / "index.html").string());
  return result.interrupted ? 128 + interrupt_signal() : 0;
}

/// A mode by its number or its name.
DecoderMode parse_mode(const std::string& text) {
  for (const auto& entry : EnumNames<DecoderMode>::list)
    if (text == entry.name || text == std::to_string(static_cast<int>(entry.value))) return entry.value;
  throw CLI::ValidationError(fmt::format("\"{}\" is not one of 0 to 3, {}", text, all_names<DecoderMode>()));
}

std::function<ExperimentRun()> prepare(CLI::App& app, const CommandLine& line) {
  DecodersOptions defaults;
  defaults.output = "report-decoders";
  defaults.command = line.text;
  auto flags = std::make_shared<FlagSet<DecodersOptions>>(app, defaults);
  using Options = DecodersOptions;
  DecodersOptions& options = flags->values();
  app.add_option_function<std::vector<std::string>>(
         "--modes",
         [&options](const std::vector<std::string>& names) {
           options.modes.clear();
           for (const std::string& name : names) options.modes.push_back(parse_mode(name));
         },
         "Modes to train, by number or name: basic 0, feedback 1, peek 2, attention 3")
      ->delimiter(',')
      ->default_str("0 1 2 3");
  flags->choice(
      "--energy", [](auto& o) -> auto& { return o.model.energy; }, "How attention compares");
  flags->choice(
      "--feedback", [](auto& o) -> auto& { return o.model.feedback; }, "What is fed back");
  flags->choice(
      "--cell", [](auto& o) -> auto& { return o.model.encoder.cell; }, "Kind of the recurrent layers");
  app.add_flag("--hand-over", options.model.hand_over_state, "Begin the decoder with the encoder's final states");
  flags
      ->value(
          "--epochs", [](Options & o) -> auto& { return o.epochs; }, "Most epochs of a mode")
      ->check(CLI::Range(1, 1000000).description(""));
  flags
      ->value(
          "--learning-rate,--lr", [](Options & o) -> auto& { return o.learning_rate; }, "Learning rate of RMSProp")
      ->check(number_range(1e-6, 1e3));
  flags
      ->value(
          "--batch", [](Options & o) -> auto& { return o.batch_size; }, "Stories in a batch")
      ->check(CLI::Range(1, 5).description(""));
  flags->value(
      "-o,--out,--output", [](Options & o) -> auto& { return o.output; }, "Folder for the report");
  app.add_option("--seed", options.seed, "Of the weights and the order of the stories")->capture_default_str();
  app.footer(
      "Without flags these are the equations of jacoxu/encoder_decoder: continuous feedback, zero decoder states,\n"
      "linear attention energy. Example: eddy experiment decoders --energy additive --modes attention");
  return [flags, &app]() -> ExperimentRun {
    const std::vector<DecoderMode>& modes = flags->values().modes;
    const auto reads = [](DecoderMode mode) { return mode != DecoderMode::basic; };
    const FlagNeeds needs(app);
    needs("the mode attention", std::ranges::count(modes, DecoderMode::attention) > 0, {"--energy"});
    needs("a mode other than basic", std::ranges::any_of(modes, reads), {"--feedback"});
    for (const DecoderMode mode : modes) {
      SequenceToSequenceConfig model = flags->values().model;
      model.mode = mode;
      require<UsageError>(sees_source(model), "--modes {} with --feedback token needs --hand-over: {}", name_of(mode),
                          kBlindDecoder);
    }
    return {flags->values().output, [flags] { return run(flags->values()); }};
  };
}

}  // namespace

Experiment decoders_experiment() {
  return {"decoders", "The four decoder modes on five number stories, until they are reproduced", prepare};
}

}  // namespace eddy
