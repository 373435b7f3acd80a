// SPDX-License-Identifier: Apache-2.0
// A recipe of one's own: numbers to Roman numerals, by two models, from data to a report with curves and attention.
// A run that is stopped goes on with the epoch it was in.
#include <eddy/eddy.h>
#include <eddy/experiments/pair_experiment.h>

#include <filesystem>

using namespace eddy;

// --- the pairs ---
std::string roman(int number) {
  constexpr std::pair<int, const char*> digits[] = {{100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"},
                                                    {9, "IX"},  {5, "V"},   {4, "IV"}, {1, "I"}};
  std::string text;
  for (const auto& [value, letters] : digits)
    for (; number >= value; number -= value) text += letters;
  return text;
}

std::vector<TextPair> numerals(int first, int last) {
  std::vector<TextPair> pairs;
  for (int n = first; n <= last; ++n) pairs.push_back({std::to_string(n), roman(n), "number " + std::to_string(n)});
  return pairs;
}

// --- a model to compare ---
PairRow row(const std::string& name, DecoderMode mode, const EncodedPairs& pairs, const EncodedPairs& examples) {
  SequenceToSequenceConfig config;
  config.source_vocabulary = pairs.source_tokens.size();
  config.target_vocabulary = pairs.target_tokens.size();
  config.classes = pairs.target_tokens.classes();
  config.embedding_size = 16;
  config.encoder.hidden_size = 48;
  config.attention_size = 32;
  config.bidirectional = true;
  config.mode = mode;
  return {.model = sequence_model(name, config, pairs.target_tokens.specials().go),
          .pairs = pairs,
          .examples = examples,
          .training = {.epochs = 20, .batch_size = 16, .learning_rate = 1e-2}};
}

int main(int argc, char** argv) {
  // --- the recipe ---
  const EncodedPairs pairs = encode_characters(numerals(1, 399), "0123456789CLXVI");
  const EncodedPairs examples = encode_characters(numerals(94, 99), "0123456789CLXVI");
  PairExperiment experiment;
  experiment.name = "roman";
  experiment.title = "Roman numerals";
  experiment.summary = {"Numbers from 1 to 399, digit by digit, to letters."};
  experiment.data = R"({"first": 1, "last": 399})";  // with the models' configs, what a later run must agree in
  experiment.split = split_by_key(source_keys(pairs), {.validation = 30, .test = 60, .seed = 1});
  experiment.rows = {row("feedback", DecoderMode::feedback, pairs, examples),
                     row("attention", DecoderMode::attention, pairs, examples)};
  experiment.output = argc > 1 ? argv[1] : std::filesystem::temp_directory_path() / "eddy-roman-numerals";
  experiment.force = argc < 2;
  experiment.command = "custom_recipe";
  const std::vector<PairRecord> records = run_pair_experiment(experiment);

  // --- what came of it ---
  const std::string table = to_text(pair_table(experiment, records)) + "\n" + to_text(example_table(records));
  fmt::print("{}\n{}\n", table, (experiment.output / "index.html").string());
  return records.back().token_accuracy > 0.9 ? 0 : 1;
}
