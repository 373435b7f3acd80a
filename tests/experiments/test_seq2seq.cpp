// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <csignal>
#include <cstring>

#include "eddy/core/interrupt.h"
#include "eddy/core/random.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/run_history.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/seq2seq_trainer.h"
#include "eddy/experiments/seq2seq_translator.h"
#include "tests/core/temporary_folder.h"
#include "tests/experiments/captured_stream.h"

namespace eddy {
namespace {

/// A language whose sentences are translated word by word and turned round.
void write_pairs(const std::filesystem::path& path) {
  constexpr std::array<const char*, 6> words = {"ant", "bee", "cat", "dog", "elk", "fox"};
  std::string text;
  Philox random(3);
  for (int i = 0; i < 900; ++i) {
    const std::uint64_t length = 1 + uniform_index(random, 4);
    std::string source, target;
    for (std::uint64_t k = 0; k < length; ++k) {
      const std::string word = words[uniform_index(random, words.size())];
      source += (k > 0 ? " " : "") + word;
      target = "le" + word + (k > 0 ? " " : "") + target;
    }
    text += source + ".\t" + target + ".\n";
  }
  spit(path, text);
}

Seq2SeqConfig small_config(const std::filesystem::path& pairs) {
  Seq2SeqConfig config = seq2seq_defaults();
  config.data.path = pairs.string();
  config.data.validation = config.data.test = 40;
  config.model.embedding_size = 16;
  config.model.encoder.hidden_size = 24;
  config.model.attention_size = 16;
  config.model.dropout = 0.05F;
  config.model.softmax_samples = 0;
  config.optimizer.learning_rate = 0.01;
  config.batch_size = 16;
  config.epochs = 15;
  return config;
}

Seq2SeqModel fresh_model(const Seq2SeqConfig& config, const Seq2SeqData& data) {
  Seq2SeqModel model{.config = config,
                     .source_tokens = data.pairs.source_tokens,
                     .target_tokens = data.pairs.target_tokens,
                     .progress = {}};
  model.config.model.source_vocabulary = model.source_tokens.size();
  model.config.model.target_vocabulary = model.target_tokens.size();
  model.config.model.classes = model.target_tokens.classes();
  return model;
}

RunSettings quiet(const std::filesystem::path& output) {
  RunSettings settings;
  settings.output = output;
  settings.progress = ProgressStyle::quiet;
  return settings;
}

TEST_CASE("a model learns to turn sentences round, is saved, and translates held-out ones with every search") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  const Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  const Seq2SeqData data = load_seq2seq_data(config);
  Seq2SeqModel model = fresh_model(config, data);
  ParameterStore store(config.seed);
  CHECK(run_seq2seq(store, data, model, quiet(folder / "model.safetensors")) == StopReason::epochs);
  CHECK(model.progress.validation.has_best);
  const LoadedSeq2Seq loaded = load_seq2seq(folder / "model.safetensors");
  CHECK(loaded.model.target_tokens == model.target_tokens);
  CHECK(to_json(loaded.model.config) == to_json(model.config));
  // The parts are found again from the file alone, with the model's words.
  const Seq2SeqData again = load_seq2seq_data(loaded.model.config, &loaded.model);
  CHECK(again.split.test == data.split.test);
  CHECK(again.fingerprint == data.fingerprint);
  for (const int beam : {1, 4}) {
    Translator translator(loaded, {.beam = {.beam = beam, .longest = 10}});
    const TranslationScores scores = score_translations(translator, again, again.split.test);
    CHECK(scores.sources.size() == 40);
    CHECK(scores.bleu.score > 0.9);
    CHECK(scores.exact > 0.8);
    CHECK(scores.unended == 0);
    CHECK(score_translations(translator, again, choose_sources(again, again.split.test, 7).pairs).sources.size() == 7);
  }
}

TEST_CASE(
    "translations do not depend on what is decoded beside them; unknown words are copied; nothing stays nothing") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.epochs = 3;
  const Seq2SeqData data = load_seq2seq_data(config);
  Seq2SeqModel model = fresh_model(config, data);
  ParameterStore store(config.seed);
  run_seq2seq(store, data, model, quiet(folder / "model.safetensors"));
  const LoadedSeq2Seq loaded = load_seq2seq(folder / "model.safetensors");
  Translator translator(loaded, {.beam = {.beam = 3, .best = 2, .longest = 8}, .batch_size = 4});
  const std::vector<TokenText> sources = {
      {"dog", "cat", "."}, {}, {"ant", "."}, {"zebra", "elk", "."}, {"fox", "fox", "fox", "bee", "."}, {"cat", "."}};
  const auto all = translator.translate(sources);
  REQUIRE(all.size() == sources.size());
  CHECK(all[1][0].words.empty());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto alone = translator.translate(std::span(&sources[i], 1));
    REQUIRE(alone[0].size() == all[i].size());
    for (std::size_t k = 0; k < alone[0].size(); ++k) CHECK(alone[0][k].words == all[i][k].words);
    if (all[i].size() == 2 && all[i][0].complete == all[i][1].complete) CHECK(all[i][0].score >= all[i][1].score);
    for (const std::string& word : all[i][0].words) CHECK(word != "<unk>");
  }
}

TEST_CASE("a training stopped and resumed has the bits of one that ran through") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.epochs = 2;
  config.own_share = 0.3;
  config.own_share_steps = 20;
  config.model.softmax_samples = 5;
  const Seq2SeqData data = load_seq2seq_data(config);
  const auto through = folder / "through.safetensors", stopped = folder / "stopped.safetensors";
  {
    Seq2SeqModel model = fresh_model(config, data);
    ParameterStore store(config.seed);
    run_seq2seq(store, data, model, quiet(through));
  }
  {
    Seq2SeqModel model = fresh_model(config, data);
    model.config.max_steps = 63;
    ParameterStore store(config.seed);
    CHECK(run_seq2seq(store, data, model, quiet(stopped)) == StopReason::steps);
  }
  {
    Seq2SeqModel model = read_seq2seq(checkpoint_path(stopped));
    CHECK(model.progress.steps == 63);
    model.config.max_steps = 0;
    ParameterStore store(config.seed);
    load_checkpoint(checkpoint_path(stopped), store);
    CHECK(run_seq2seq(store, data, model, quiet(stopped)) == StopReason::epochs);
  }
  ParameterStore a, b;
  load_checkpoint(checkpoint_path(through), a);
  load_checkpoint(checkpoint_path(stopped), b);
  REQUIRE(a.all().size() == b.all().size());
  for (const auto& variable : a.all()) {
    CAPTURE(variable->name);
    const auto other = b.find(variable->name);
    REQUIRE(other);
    REQUIRE(other->value.type() == variable->value.type());
    CHECK(std::memcmp(variable->value.data(), other->value.data(), variable->value.bytes()) == 0);
  }
  CHECK(slurp(through) == slurp(stopped));
}

TEST_CASE("a training stopped between two validations and resumed has the model of one that ran through") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.evaluation_steps = 6;
  config.optimizer.learning_rate = 1;  // large, so that the best model is an early one
  const Seq2SeqData data = load_seq2seq_data(config);
  const auto run = [&](const std::filesystem::path& output, std::int64_t steps) {
    Seq2SeqModel model = fresh_model(config, data);
    ParameterStore store(config.seed);
    if (std::filesystem::exists(checkpoint_path(output))) {
      model = read_seq2seq(checkpoint_path(output));
      load_checkpoint(checkpoint_path(output), store);
    }
    model.config.max_steps = steps;
    CHECK(run_seq2seq(store, data, model, quiet(output)) == StopReason::steps);
    CHECK(read_seq2seq(output).progress.steps == model.progress.validation.best_step);
  };
  const auto validations = [](const std::filesystem::path& output) {
    std::vector<std::pair<std::int64_t, double>> found;
    for (const auto& point : read_run_history(log_path(output)).validation) found.emplace_back(point.step, point.loss);
    return found;
  };
  const auto through = folder / "through.safetensors";
  run(through, 20);
  for (const std::int64_t limit : {3, 8, 12, 13, 17}) {
    CAPTURE(limit);
    const auto stopped = folder / fmt::format("stopped-{}.safetensors", limit);
    run(stopped, limit);
    run(stopped, 20);
    CHECK(slurp(through) == slurp(stopped));
    CHECK(validations(through) == validations(stopped));
  }
}

TEST_CASE("plateaus are seen in the validation loss, or in that of training where that is asked for") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.epochs = 1;
  config.optimizer.schedule.kind = ScheduleKind::plateau;
  for (const bool validates : {true, false})
    for (const bool on_training : {false, true}) {
      CAPTURE(validates);
      CAPTURE(on_training);
      config.data.validation = validates ? 40 : 0;
      config.plateau_on_training = on_training;
      const Seq2SeqData data = load_seq2seq_data(config);
      Seq2SeqModel model = fresh_model(config, data);
      ParameterStore store(config.seed);
      const auto output = folder / fmt::format("{}{}.safetensors", validates, on_training);
      run_seq2seq(store, data, model, quiet(output));
      const double seen = static_cast<double>(store.find("optimizer/plateau_best")->value.item());
      // The loss is falling, so that the mean of the epoch's steps is above what is validated after them.
      if (on_training && validates) CHECK(seen > 1.01 * model.progress.validation.best_loss);
      if (on_training && !validates) CHECK(std::isfinite(seen));
      if (!on_training && validates) CHECK(seen == doctest::Approx(model.progress.validation.best_loss));
      if (!on_training && !validates) CHECK(std::isinf(seen));
    }
}

TEST_CASE("a training stops after validations without a lower loss, stopped before or not") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.evaluation_steps = 2;
  config.patience = 3;
  config.epochs = 1000;
  config.optimizer.learning_rate = 1;  // large, so that losses rise soon
  const Seq2SeqData data = load_seq2seq_data(config);
  const auto through = folder / "through.safetensors", stopped = folder / "stopped.safetensors";
  Seq2SeqModel model = fresh_model(config, data);
  {
    ParameterStore store(config.seed);
    CHECK(run_seq2seq(store, data, model, quiet(through)) == StopReason::patience);
  }
  CHECK(model.progress.validation.bad_evaluations == 3);
  CHECK(model.progress.steps == model.progress.validation.best_step + 6);
  CHECK(read_seq2seq(through).progress.steps == model.progress.validation.best_step);
  for (std::int64_t limit = model.progress.steps - 5; limit <= model.progress.steps; ++limit) {
    Seq2SeqModel part = fresh_model(config, data);
    part.config.max_steps = limit;
    ParameterStore store(config.seed);
    run_seq2seq(store, data, part, quiet(stopped));
    part = read_seq2seq(checkpoint_path(stopped));
    part.config.max_steps = 0;
    ParameterStore again(config.seed);
    load_checkpoint(checkpoint_path(stopped), again);
    CHECK(run_seq2seq(again, data, part, quiet(stopped)) == StopReason::patience);
    CHECK(part.progress.steps == model.progress.steps);
    CHECK(slurp(stopped) == slurp(through));
  }
}

TEST_CASE("an evaluation that a signal ends is done anew by the run that goes on, to the same model") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.epochs = 1;
  const Seq2SeqData data = load_seq2seq_data(config);
  const auto through = folder / "through.safetensors", stopped = folder / "stopped.safetensors";
  {
    Seq2SeqModel model = fresh_model(config, data);
    ParameterStore store(config.seed);
    run_seq2seq(store, data, model, quiet(through));
  }
  {
    Seq2SeqModel model = fresh_model(config, data);
    ParameterStore store(config.seed);
    Seq2SeqTrainer trainer(store, model.config, data.pairs, data.split.train);
    do {
      model.progress.tokens += trainer.step().tokens;
      ++model.progress.steps;
    } while (trainer.position().index != 0);
    model.progress.position = trainer.position();
    const InterruptGuard guard;
    raise(SIGINT);
    CHECK_THROWS_AS(trainer.evaluator().loss(data.pairs, data.split.validation), Interrupted);
    CHECK(run_seq2seq(store, data, model, quiet(stopped)) == StopReason::interrupt);
    CHECK_FALSE(model.progress.validation.has_best);
    CHECK_FALSE(std::filesystem::exists(stopped));
  }
  Seq2SeqModel model = read_seq2seq(checkpoint_path(stopped));
  ParameterStore store(config.seed);
  load_checkpoint(checkpoint_path(stopped), store);
  CHECK(run_seq2seq(store, data, model, quiet(stopped)) == StopReason::epochs);
  CHECK(slurp(through) == slurp(stopped));
}

TEST_CASE("pairs are measured that are too long to be trained on") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  const Seq2SeqData data = load_seq2seq_data(config);
  config.max_source = config.max_target = 1;
  Seq2SeqModel model = fresh_model(config, data);
  ParameterStore store(config.seed);
  CHECK_THROWS_AS(Seq2SeqTrainer(store, model.config, data.pairs, data.split.train), DataError);
  const double loss = Seq2SeqEvaluator(store, model.config).loss(data.pairs, data.split.test);
  CHECK(loss == doctest::Approx(std::log(static_cast<double>(model.target_tokens.size()))).epsilon(0.2));
  // The limits change nothing, and sizes cut what they do not hold.
  model.config.max_source = model.config.max_target = 0;
  CHECK(Seq2SeqEvaluator(store, model.config).loss(data.pairs, data.split.test) == loss);
  model.config.sizes = {{.source = 2, .target = 2}};
  CHECK(std::isfinite(Seq2SeqEvaluator(store, model.config).loss(data.pairs, data.split.test)));
}

TEST_CASE("measuring and translating show how far they are where that is asked for") {
  const TemporaryFolder folder;
  write_pairs(folder / "pairs.tsv");
  const Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  const Seq2SeqData data = load_seq2seq_data(config);
  const LoadedSeq2Seq loaded{.model = fresh_model(config, data),
                             .store = std::make_unique<ParameterStore>(config.seed)};
  Seq2SeqEvaluator evaluator(*loaded.store, loaded.model.config);
  Translator translator(loaded, {.beam = {.beam = 2, .longest = 4}, .batch_size = 2});
  CapturedStream measured, translated;
  evaluator.show_progress(measured.slow_pass());
  translator.show_progress(translated.slow_pass());
  evaluator.loss(data.pairs, data.split.test);
  translator.translate(std::vector<TokenText>{{"dog"}, {}, {"cat", "dog"}, {"elk", "."}, {"fox"}});
  CHECK(measured.text().find(" 100%  ") != std::string::npos);
  CHECK(translated.text().find("pass  5/5 100%  ") != std::string::npos);
  CHECK(translated.text().find(" source words/s  0.0 s left\n") != std::string::npos);
}

TEST_CASE("words of too few sources or targets are unknown") {
  const TemporaryFolder folder;
  spit(folder / "pairs.tsv", "ant ant bee\tle le un\nbee\tle la la\n");
  Seq2SeqConfig config = small_config(folder / "pairs.tsv");
  config.data.validation = config.data.test = 0;
  config.data.min_count = 2;
  CHECK(load_seq2seq_data(config).pairs.source_tokens.size() == 5);  // <unk>, <eos>, ant, bee, <go>
  config.data.min_documents = 2;
  const EncodedPairs pairs = load_seq2seq_data(config).pairs;
  CHECK(pairs.source_tokens.tokens() == std::vector<std::string>{"<unk>", "<eos>", "bee", "<go>"});
  CHECK(pairs.target_tokens.tokens() == std::vector<std::string>{"<unk>", "<eos>", "le", "<go>"});
}

TEST_CASE("configs go to JSON and back; what is out of range is named") {
  Seq2SeqConfig config = seq2seq_defaults();
  config.model.energy = AttentionEnergy::general;
  config.model.mode = DecoderMode::peek;
  config.optimizer.clip_norm = 2;
  config.own_share = 0.25;
  config.data.min_documents = 3;
  config.data.encoding = TextEncoding::latin1;
  CHECK(to_json(seq2seq_config_from_json(to_json(config), "test")) == to_json(config));
  const auto message = [](Seq2SeqConfig wrong) {
    try {
      check(wrong);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  Seq2SeqConfig wrong = config;
  wrong.own_share = 1.5;
  CHECK(message(wrong) == "own_share is 1.5, expected 0 to 1");
  wrong = config;
  wrong.data.min_documents = 0;
  CHECK(message(wrong) == "min_documents is 0, expected 1 to 1000000000");
  wrong = config;
  wrong.batch_size = 0;
  CHECK(message(wrong) == "batch_size is 0, expected 1 to 1048576");
  wrong.batch_size = (std::int64_t{1} << 32) + 1;
  CHECK(message(wrong) == "batch_size is 4294967297, expected 1 to 1048576");
  wrong = config;
  wrong.optimizer.schedule = {.kind = ScheduleKind::exponential, .decay = 7};
  CHECK(message(wrong) == "decay is 7, expected more than 0 and at most 1");
  wrong.optimizer.schedule = {.warm_up_steps = -3};
  CHECK(message(wrong) == "warm_up_steps is -3, expected 0 to 1000000000");
  wrong.optimizer.schedule = {.patience = -5};
  CHECK(message(wrong) == "schedule patience is -5, expected 0 to 1000000000");
  wrong = config;
  wrong.model.dropout = std::nanf("");
  CHECK(message(wrong) == "dropout is nan, expected 0 to less than 1");
  wrong = config;
  wrong.sizes = {{.source = 10, .target = 0}};
  CHECK(message(wrong) == "the target side of a batch is 0, expected 1 to 1048576");
  CHECK_THROWS_AS(seq2seq_config_from_json(R"({"model": {"mode": "sideways"}})", "test"), DataError);
  const TemporaryFolder folder;
  ParameterStore store;
  save_checkpoint(folder / "other.safetensors", store);
  CHECK_THROWS_AS(load_seq2seq(folder / "other.safetensors"), DataError);
}

}  // namespace
}  // namespace eddy
