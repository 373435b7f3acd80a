// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/textsum.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/data/headlines.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/run_history.h"
#include "eddy/experiments/seq2seq_trainer.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// Heat maps are of texts whose words can be read as labels.
constexpr std::size_t kLongestPicture = 64;

struct Part {
  const char* name;
  const std::vector<std::int32_t>& pairs;
};

class TextsumRun {
 public:
  explicit TextsumRun(const TextsumOptions& options)
      : options_(options), best_(options.output / "best.safetensors"), last_(options.output / "last.safetensors") {}

  TextsumResult run() {
    const InterruptGuard guard;
    check(options_.config);
    Seq2SeqModel model{.config = options_.config, .source_tokens = {}, .target_tokens = {}, .progress = {}};
    data_ = load_seq2seq_data(model.config);
    fit_to_data(model, data_);
    const bool going_on = !options_.force && path_exists(checkpoint_path(best_));
    if (going_on) model = resumed(model);
    ParameterStore store(model.config.seed);
    if (going_on) load_checkpoint(checkpoint_path(best_), store);
    create_parameters(store, model.config.model);
    result_.parameters = store.parameter_count();
    result_.vocabulary = model.target_tokens.size();
    result_.pairs = {std::ssize(data_.split.train), std::ssize(data_.split.validation), std::ssize(data_.split.test)};
    count_leaked();
    announce(model);
    if (model.progress.position.epoch < model.config.epochs || !is_saved(model)) train(store, model);
    result_.progress = model.progress;
    read_curve();
    measure("last", last_);
    measure("best", best_);
    write_textsum_report(options_, result_);
    return std::move(result_);
  }

 private:
  Seq2SeqModel resumed(const Seq2SeqModel& wanted) const {
    const fs::path checkpoint = checkpoint_path(best_);
    Seq2SeqModel model = read_seq2seq(checkpoint);
    // Limits and where the data are may change.
    Seq2SeqConfig same = model.config;
    same.data.path = wanted.config.data.path;
    same.epochs = wanted.config.epochs;
    same.max_steps = wanted.config.max_steps;
    same.max_seconds = wanted.config.max_seconds;
    require<UsageError>(to_json(same) == to_json(wanted.config),
                        "{} is of a run with other options; repeat them, give another --output, or begin anew with "
                        "--force",
                        checkpoint.string());
    require<DataError>(model.progress.data_fingerprint == data_.fingerprint,
                       "{}: these are not the texts that {} was trained on", wanted.config.data.path,
                       checkpoint.string());
    model.config = wanted.config;
    return model;
  }

  void count_leaked() {
    const auto key = [&](std::int32_t pair) -> const std::string& {
      return data_.keys[static_cast<std::size_t>(pair)];
    };
    std::unordered_set<std::string_view> trained;
    for (const std::int32_t pair : data_.split.train) trained.insert(key(pair));
    for (const auto* part : {&data_.split.validation, &data_.split.test})
      result_.leaked += std::ranges::count_if(*part, [&](std::int32_t pair) { return trained.contains(key(pair)); });
  }

  void announce(const Seq2SeqModel& model) const {
    fmt::print("{}: {} to train, {} dev, {} test; one vocabulary of {} words; {} parameters\n",
               counted(data_.pairs.size(), "pair"), grouped(result_.pairs[0]), grouped(result_.pairs[1]),
               grouped(result_.pairs[2]), grouped(result_.vocabulary), grouped(result_.parameters));
    if (model.progress.steps > 0) fmt::print("going on after step {}\n", grouped(model.progress.steps));
    std::fflush(stdout);
  }

  /// A kill may have come between the last checkpoint and the saving of its model.
  bool is_saved(const Seq2SeqModel& model) const {
    return path_exists(last_) && read_seq2seq(last_).progress.steps == model.progress.steps;
  }

  void train(ParameterStore& store, Seq2SeqModel& model) {
    make_folder(options_.output);
    // Of a run before, which with as many steps could not be told from this one's.
    if (model.progress.steps == 0) remove_file(last_);
    RunSettings settings;
    settings.output = best_;
    settings.progress = options_.progress;
    const StopReason reason = run_seq2seq(store, data_, model, settings);
    if (reason == StopReason::interrupt) throw Interrupted(fmt::format("stopped after step {}", model.progress.steps));
    save_seq2seq(last_, store, model, false);
  }

  void read_curve() {
    for (const RunHistory::Validation& point : read_run_history(log_path(best_)).validation)
      if (std::isfinite(point.loss))
        result_.curve.push_back({.step = static_cast<double>(point.step),
                                 .training_loss = point.training_loss,
                                 .validation_loss = point.loss});
  }

  void measure(const std::string& name, const fs::path& file) {
    const LoadedSeq2Seq loaded = load_seq2seq(file);
    Translator translator(loaded, options_.search);
    Seq2SeqEvaluator evaluator(*loaded.store, loaded.model.config);
    for (const Part& part :
         {Part{"train", data_.split.train}, {"dev", data_.split.validation}, {"test", data_.split.test}}) {
      stop_if_interrupted();
      if (part.pairs.empty()) continue;
      fmt::print("{} model: decoding the {} part\n", name, part.name);
      std::fflush(stdout);
      TextsumScores scores{.model = name, .part = part.name, .translations = {}};
      const std::vector<std::int32_t> measured = choose_sources(data_, part.pairs, options_.most).pairs;
      evaluator.show_progress(pass_progress(fmt::format("{}: loss", part.name), options_.progress));
      translator.show_progress(pass_progress(fmt::format("{}: translations", part.name), options_.progress));
      scores.loss = evaluator.loss(data_.pairs, measured);
      scores.translations = score_translations(translator, data_, measured);
      by_original_definitions(scores);
      if (name == "last") draw(translator, scores);
      result_.scores.push_back(std::move(scores));
    }
  }

  static void by_original_definitions(TextsumScores& scores) {
    const TranslationScores& all = scores.translations;
    const auto count = static_cast<double>(all.translations.size());
    for (std::size_t i = 0; i < all.translations.size(); ++i) {
      const TokenText& text = all.translations[i].words;
      if (text.empty()) continue;
      scores.original_rouge_2 += textsum_rouge_n(text, all.references[i]) / count;
      scores.original_rouge_l += textsum_rouge_l(text, all.references[i]) / count;
      scores.original_bleu_2 += textsum_bleu(text, all.references[i]) / count;
    }
  }

  /// The first texts of a part that are short enough: two of train and dev each, four of test.
  void draw(const Translator& translator, const TextsumScores& scores) {
    const TranslationScores& all = scores.translations;
    const int wanted = scores.part == "test" ? 4 : 2;
    int drawn = 0;
    for (std::size_t i = 0; i < all.sources.size() && drawn < wanted; ++i) {
      const std::size_t words = all.sources[i].size();
      if (words < 8 || words > kLongestPicture || all.translations[i].attention.empty()) continue;
      AttentionMap map = translator.attention_of(all.sources[i], all.translations[i]);
      map.title = fmt::format("{} text {}", scores.part, i + 1);
      result_.heat_maps.push_back(
          {.name = fmt::format("attention-{}-{}", scores.part, ++drawn),
           .svg = to_svg(attention_heat_map(map)),
           .caption = fmt::format("What the last model looked at (columns) for each word it wrote (rows): text {} of "
                                  "the {} part.",
                                  i + 1, scores.part)});
    }
  }

  const TextsumOptions& options_;
  fs::path best_, last_;
  Seq2SeqData data_;
  TextsumResult result_;
};

}  // namespace

Seq2SeqConfig textsum_config(TextsumPreset preset) {
  Seq2SeqConfig config;
  config.data.layout = PairLayout::headlines;
  config.data.unit = TokenUnit::whitespace;
  config.data.lower_case = false;
  config.data.zero_digits = true;
  config.data.source_words = config.data.target_words = 50000;
  config.sizes = headline_sizes();
  config.max_source = config.max_target = 0;
  config.too_long = TooLong::cut;
  config.reverse_source = true;
  config.plateau_on_training = true;
  config.model.embedding_range = 0.04F;
  config.model.softmax_samples = 4096;
  config.optimizer.clip_norm = 5;
  config.optimizer.lazy_rows = true;
  config.optimizer.schedule = {.kind = ScheduleKind::plateau, .decay = 0.99, .patience = 3};
  const auto widths = [&](std::int64_t width, int layers) {
    config.model.embedding_size = config.model.encoder.hidden_size = config.model.attention_size = width;
    config.model.encoder.layers = config.model.decoder_layers = layers;
  };
  if (preset == TextsumPreset::sample) {
    widths(128, 2);
    config.model.embedding_range = 0.1F;
    // The first 200 words say enough to tell the texts apart, in less than half the time.
    config.sizes = {{59, 29}, {119, 29}, {199, 29}};
    config.batch_size = 16;
    config.epochs = 70;
    config.optimizer.kind = OptimizerKind::adam;
    config.optimizer.learning_rate = 2e-3;
    // Most words stand once in the corpus, so that each pass moves their rows by one step.
    config.optimizer.rate_multipliers = {{"source/table", 5}, {"target/table", 5}, {"softmax/table", 5}};
    config.optimizer.schedule.decay = 0.5;
    config.optimizer.schedule.patience = 8;
    return config;
  }
  const bool large = preset == TextsumPreset::large;
  widths(large ? 256 : 64, large ? 4 : 2);
  if (!large) {
    config.model.softmax_samples = 2048;
    config.data.source_words = config.data.target_words = 10000;
  }
  config.model.input_feeding = true;
  config.batch_size = 64;
  config.epochs = 10;
  config.evaluation_steps = 1000;
  config.too_long = TooLong::leave_out;
  config.optimizer.kind = OptimizerKind::sgd;
  config.optimizer.learning_rate = large ? 1.0 : 0.5;
  return config;
}

TextsumResult run_textsum(const TextsumOptions& options) { return TextsumRun(options).run(); }

}  // namespace eddy
