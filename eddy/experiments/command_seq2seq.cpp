// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_seq2seq.h"

#include <fmt/core.h>

#include <memory>

#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/sequence_names.h"

namespace eddy {

std::filesystem::path pair_source(const PairDataConfig& data) {
  const std::filesystem::path path = data.path;
  std::error_code error;
  return !data.file.empty() && std::filesystem::is_directory(path, error) ? path / data.file : path;
}

void add_search_flags(CLI::App& app, TranslatorOptions& options) {
  BeamOptions& beam = options.beam;
  app.add_option("--beam", beam.beam, "Hypotheses kept; 1 is greedy")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str()
      ->group("Search");
  app.add_option_function<std::string>(
         "--normalisation",
         [&beam](const std::string& name) {
           const auto value = value_of<LengthNormalisation>(name);
           if (!value)
             throw CLI::ValidationError(fmt::format("\"{}\" is not one of {}", name, all_names<LengthNormalisation>()));
           beam.normalisation = *value;
         },
         "What a log-probability is divided by: " + all_names<LengthNormalisation>())
      ->default_str(std::string(name_of(beam.normalisation)))
      ->type_name("NAME")
      ->group("Search");
  app.add_option("--alpha", beam.alpha, "Exponent of the normalisation wu")
      ->check(number_range(0, 10))
      ->capture_default_str()
      ->group("Search");
  app.add_option("--coverage", beam.coverage, "Weight of the penalty for source words not looked at; 0: none")
      ->check(number_range(0, 100))
      ->capture_default_str()
      ->group("Search");
  app.add_option("--no-repeat", beam.no_repeat_ngram, "No n-gram of so many words twice; 0: no rule")
      ->check(CLI::Range(0, 100).description(""))
      ->capture_default_str()
      ->group("Search");
  app.add_option("--repetition-penalty", beam.repetition_penalty, "At least 1; above, words said already cost more")
      ->check(number_range(1, 100))
      ->capture_default_str()
      ->group("Search");
  app.add_option("--longest", beam.longest, "Most words of a translation")
      ->check(CLI::Range(1, 10000).description(""))
      ->capture_default_str()
      ->group("Search");
  app.add_option("--shortest", beam.shortest, "Fewest words of a translation")
      ->check(CLI::Range(0, 10000).description(""))
      ->capture_default_str()
      ->group("Search");
  app.add_flag_callback(
         "--keep-unknown", [&options] { options.replace_unknown = false; },
         "Print <unk>, not the source word that was looked at most")
      ->group("Search");
}

void add_decoding_flags(CLI::App& app, TranslatorOptions& options) {
  add_search_flags(app, options);
  app.add_option("--batch", options.batch_size, "Texts computed at once")
      ->check(CLI::Range(1, 4096).description(""))
      ->capture_default_str()
      ->group("Search");
}

void check_decoding_flags(const CLI::App& app, const TranslatorOptions& options) {
  const FlagNeeds needs(app);
  needs("--normalisation wu", options.beam.normalisation == LengthNormalisation::wu, {"--alpha"});
}

Command add_seq2seq_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app = program.add_subcommand("seq2seq", "Train an encoder-decoder on pairs of texts, translate, measure");
  app->require_subcommand(1);
  app->footer(
      "Example:\n"
      "  eddy seq2seq train --data tatoeba-fra-eng.tar.xz --file tatoeba-fra-eng/fra.txt --output fra.safetensors\n"
      "  echo \"How are you?\" | eddy seq2seq translate --model fra.safetensors");
  const std::vector<Command> commands{add_seq2seq_train(*app, line), add_seq2seq_translate(*app),
                                      add_seq2seq_evaluate(*app, line)};
  return {app, [commands] {
            for (const Command& command : commands)
              if (command.app->parsed()) return command.run();
            return 0;
          }};
}

}  // namespace eddy
