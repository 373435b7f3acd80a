// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/pair_recipes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "eddy/core/number_text.h"
#include "eddy/data/additions.h"
#include "eddy/experiments/distinct.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

/// What suits one model.
struct Sizes {
  std::int64_t epochs;
  std::int64_t hidden_size;
  int batch_size;
  double learning_rate;
};

/// The recipe's sizes, but for what the options say.
Sizes chosen(const PairRecipeOptions& options, Sizes sizes) {
  if (options.epochs > 0) sizes.epochs = options.epochs;
  if (options.hidden_size > 0) sizes.hidden_size = options.hidden_size;
  if (options.batch_size > 0) sizes.batch_size = options.batch_size;
  if (options.learning_rate > 0) sizes.learning_rate = options.learning_rate;
  return sizes;
}

PairTrainingOptions training_of(const PairRecipeOptions& options, const Sizes& sizes) {
  return {.epochs = sizes.epochs,
          .batch_size = sizes.batch_size,
          .learning_rate = sizes.learning_rate,
          .seed = options.seed};
}

PairExperiment begin(const PairRecipeOptions& options, const std::string& name, std::span<const std::string> keys,
                     Json data) {
  require<UsageError>(!options.models.empty(), "the experiment {} needs at least one model", name);
  check_distinct("the model", options.models);
  PairExperiment experiment;
  experiment.name = name;
  experiment.split = split_by_key(keys, {.validation = options.validation, .test = options.test, .seed = options.seed});
  data["pairs"] = keys.size();
  data["validation"] = options.validation;
  data["test"] = options.test;
  data["seed"] = options.seed;
  // Pairs may come from a file, so their number alone does not tell them apart.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string& key : keys)
    for (const char c : key + '\n') hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  data["hash"] = fmt::format("{:016x}", hash);
  // A path may be any bytes, and tells less than the hash.
  experiment.data = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  experiment.output = options.output;
  experiment.force = options.force;
  experiment.command = options.command;
  return experiment;
}

[[noreturn]] void unknown_model(const std::string& name, const char* known) {
  fail<UsageError>("there is no model \"{}\"; expected {}", name, known);
}

/// `config` without its sizes.
PairRow token_row(const PairRecipeOptions& options, const std::string& name, EncodedPairs pairs, EncodedPairs examples,
                  SequenceToSequenceConfig config, const Sizes& sizes) {
  const TokenSet& target = pairs.target_tokens;
  config.source_vocabulary = pairs.source_tokens.size();
  config.target_vocabulary = target.size();
  config.classes = target.classes();
  config.embedding_size = 32;
  config.encoder.hidden_size = sizes.hidden_size;
  config.attention_size = sizes.hidden_size;
  PairModel model = sequence_model(name, config, target.specials().go);
  return {std::move(model), std::move(pairs), std::move(examples), training_of(options, sizes)};
}

/// Words or sums, with both models that read them.
struct CharacterTask {
  std::span<const TextPair> pairs, examples;
  std::string_view alphabet;
  CharacterFrame frame;  ///< of "context", as are its loss and sizes
  FrameLoss loss;
  Sizes context, attention;
};

PairRow character_row(const PairRecipeOptions& options, const std::string& name, const CharacterTask& task) {
  if (name == "attention")
    return token_row(options, name, encode_characters(task.pairs, task.alphabet),
                     encode_characters(task.examples, task.alphabet), {.bidirectional = true},
                     chosen(options, task.attention));
  if (name != "context") unknown_model(name, "context or attention");
  const Sizes sizes = chosen(options, task.context);
  EncodedPairs encoded = encode_characters(task.pairs, task.alphabet, task.frame);
  PairModel model = repeated_context_model(name,
                                           {.characters = encoded.target_tokens.size(),
                                            .target_length = task.frame.target_length,
                                            .hidden_size = sizes.hidden_size},
                                           task.loss);
  return {std::move(model), std::move(encoded), encode_characters(task.examples, task.alphabet, task.frame),
          training_of(options, sizes)};
}

std::vector<std::int32_t> digits_of(const std::string& text) {
  std::vector<std::int32_t> digits;
  for (const char c : text) {
    if (c == ' ' || c == ',') continue;
    require<UsageError>(c >= '0' && c <= '9', "\"{}\" is not a sequence of digits", text);
    digits.push_back(c - '0');
  }
  require<UsageError>(!digits.empty(), "an example has no digits");
  return digits;
}

/// 12 and 34 of "12+34".
std::pair<int, int> summands_of(const std::string& sum) {
  const std::size_t plus = sum.find('+');
  const auto is_number = [](const std::string& part) {
    return !part.empty() && part.size() <= 4 && part.find_first_not_of("0123456789") == std::string::npos;
  };
  require<UsageError>(plus != std::string::npos && is_number(sum.substr(0, plus)) && is_number(sum.substr(plus + 1)),
                      "\"{}\" is not an addition such as 12+34", sum);
  return {std::stoi(sum.substr(0, plus)), std::stoi(sum.substr(plus + 1))};
}

}  // namespace

PairExperiment make_piglatin(const PigLatinOptions& options) {
  // The frames of "context" hold no longer words.
  const bool framed = std::ranges::count(options.common.models, "context") > 0;
  for (const std::string& word : options.examples) {
    require<UsageError>(!word.empty() && std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; }),
                        "\"{}\" has no Pig Latin; expected a word of the letters a to z", word);
    require<UsageError>(!framed || std::ssize(word) <= options.list.longest,
                        "\"{}\" has {} letters; expected {} at most, as the words that are trained on", word,
                        word.size(), options.list.longest);
  }
  const std::vector<std::string> words = read_word_list(options.words, options.file, options.list);
  const std::vector<TextPair> pairs = pig_latin_pairs(words), examples = pig_latin_pairs(options.examples);
  PairExperiment experiment = begin(
      options.common, "piglatin", words,
      {{"words", options.words.string()}, {"shortest", options.list.shortest}, {"longest", options.list.longest}});
  experiment.title = "Pig Latin";
  experiment.summary = {fmt::format(
      "{} words of {} to {} letters, split at random. A word that begins with a vowel gets \"yay\"; in others the "
      "consonants before the first vowel go to the end, with \"ay\". \"context\" squeezes the word into one vector "
      "that a second GRU reads at every step, and is trained on squared errors of one-hot characters; \"attention\" "
      "reads its last character and what it attends to. Every word counts as right only when all of it is.",
      grouped(static_cast<std::int64_t>(words.size())), options.list.shortest, options.list.longest)};
  // With words of up to 16 letters the frame of the original.
  const CharacterTask task{
      .pairs = pairs,
      .examples = examples,
      .alphabet = kPigLatinCharacters,
      .frame = {.source_length = options.list.longest + 2, .target_length = options.list.longest + 4},
      .loss = FrameLoss::squared_error,
      .context = {.epochs = 20, .hidden_size = 128, .batch_size = 64, .learning_rate = 5e-3},
      .attention = {.epochs = 4, .hidden_size = 96, .batch_size = 128, .learning_rate = 3e-3}};
  for (const std::string& model : options.common.models)
    experiment.rows.push_back(character_row(options.common, model, task));
  return experiment;
}

PairExperiment make_adder(const AdderOptions& options) {
  const std::vector<TextPair> pairs = additions(options.below);
  std::vector<TextPair> examples;
  const auto add = [&](const std::string& text, bool given) {
    const auto [first, second] = summands_of(text);
    const bool is_learned = std::max(first, second) < options.below;
    require<UsageError>(is_learned || !given, "\"{}\" has a summand beyond those learned, which are below {}", text,
                        options.below);
    if (is_learned) examples.push_back({text, std::to_string(first + second), text});
  };
  for (const std::string& text : options.examples) add(text, true);
  if (options.examples.empty())
    for (const char* text : {"12+34", "34+12", "99+99", "0+0", "7+8", "50+49"}) add(text, false);
  const std::vector<std::string> keys = addition_keys(pairs);
  PairExperiment experiment = begin(options.common, "adder", keys, {{"below", options.below}});
  experiment.title = "Adding numbers character by character";
  experiment.summary = {fmt::format(
      "All sums of two numbers below {}, split at random such that a sum and the same one the other way round are in "
      "one part. \"context\" reads a frame of {} characters into one vector that a second GRU reads at every step; "
      "\"attention\" reads its last character and what it attends to. A sum counts as right only when all of it is.",
      options.below, kAdditionFrame.source_length)};
  const CharacterTask task{.pairs = pairs,
                           .examples = examples,
                           .alphabet = kAdditionCharacters,
                           .frame = kAdditionFrame,
                           .loss = FrameLoss::cross_entropy,
                           .context = {.epochs = 100, .hidden_size = 128, .batch_size = 64, .learning_rate = 4e-3},
                           .attention = {.epochs = 50, .hidden_size = 64, .batch_size = 128, .learning_rate = 3e-3}};
  for (const std::string& model : options.common.models)
    experiment.rows.push_back(character_row(options.common, model, task));
  return experiment;
}

PairExperiment make_patterns(const PatternsOptions& options) {
  const EncodedPairs pairs = digit_patterns({.pattern = options.pattern,
                                             .samples = options.samples,
                                             .input_length = options.input_length,
                                             .output_length = options.output_length,
                                             .seed = options.common.seed});
  PairCollector collector(pairs.source_tokens, pairs.target_tokens);
  for (const std::string& text : options.examples) {
    const std::vector<std::int32_t> digits = digits_of(text);
    std::vector<std::int32_t> pattern = apply_pattern(options.pattern, digits);
    if (options.output_length > 0)
      pattern.resize(std::min(pattern.size(), static_cast<std::size_t>(options.output_length)));
    collector.add(digits, pattern, text);
  }
  const EncodedPairs examples = std::move(collector).finish(true);
  const std::vector<std::string> keys = source_keys(pairs);
  PairExperiment experiment = begin(options.common, "patterns", keys,
                                    {{"pattern", to_string(options.pattern)},
                                     {"input_length", options.input_length},
                                     {"output_length", options.output_length}});
  experiment.title = fmt::format("Digits, {}", to_string(options.pattern));
  experiment.separator = " ";
  experiment.summary = {fmt::format(
      "{} sequences of {} random digits 0 to 9 and their pattern \"{}\", split at random. \"embedding_rnn\" begins "
      "with the encoder's state and reads its last digit; \"embedding_attention\" also reads what it attends to; "
      "\"legacy_attention\" attends after each step, as TensorFlow's first decoders did. "
      "Examples of other lengths show what the models make of lengths they were not trained on.",
      grouped(options.samples), options.input_length, to_string(options.pattern))};
  for (const std::string& model : options.common.models) {
    const bool legacy = model == "legacy_attention";
    const bool attends = legacy || model == "embedding_attention";
    if (!attends && model != "embedding_rnn")
      unknown_model(model, "embedding_rnn, embedding_attention or legacy_attention");
    experiment.rows.push_back(token_row(
        options.common, model, pairs, examples,
        {.mode = attends ? DecoderMode::attention : DecoderMode::feedback, .input_feeding = legacy},
        chosen(
            options.common,
            {.epochs = attends ? 4 : 5, .hidden_size = attends ? 64 : 128, .batch_size = 128, .learning_rate = 3e-3})));
  }
  return experiment;
}

}  // namespace eddy
