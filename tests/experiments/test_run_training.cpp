// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "eddy/core/file.h"
#include "eddy/core/interrupt.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/run_training.h"
#include "toy_corpus.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / fmt::format("eddy_run_training_{}", ::getpid());
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

std::vector<std::int32_t> range(std::int32_t begin, std::int32_t end) {
  std::vector<std::int32_t> documents(static_cast<std::size_t>(end - begin));
  std::iota(documents.begin(), documents.end(), begin);
  return documents;
}

/// The lines of a run's log without what depends on time and machine.
std::vector<std::string> timeless_log(const fs::path& output) {
  std::vector<std::string> lines;
  std::istringstream log(read_file(log_path(output)));
  for (std::string line; std::getline(log, line);) {
    auto entry = nlohmann::ordered_json::parse(line);
    for (const char* key : {"seconds", "tokens_per_second", "resident_mb"}) entry.erase(key);
    lines.push_back(entry.dump());
  }
  return lines;
}

/// Runs of a toy classifier: 5 steps an epoch, 20 in all; the learning rate follows every evaluation.
class ToyRun {
 public:
  ToyRun(const fs::path& folder, const std::string& name, std::int64_t evaluation_interval) {
    TrainingConfig& config = model.config;
    config = toy_config(TrainingTask::classifier);
    config.optimizer.schedule = {.kind = ScheduleKind::plateau, .decay = 0.5, .patience = 0};
    config.max_steps = 20;
    config.epochs = 1000;
    config.evaluation_interval = evaluation_interval;
    std::vector<std::string> words = {"<unk>", "<eos>"};
    for (int i = 2; i < 40; ++i) words.push_back(fmt::format("word{}", i));
    model.text.vocabulary = Vocabulary::from_lists(words, std::vector<std::int64_t>(words.size(), 1));
    model.text.label_names = {"a", "b", "c"};
    settings.output = folder / (name + ".safetensors");
    settings.progress = ProgressStyle::quiet;
  }

  /// So many steps by hand, up to where an evaluation is due, as a run leaves them in its checkpoint.
  void step_without_evaluation(int steps) {
    ParameterStore store(model.config.seed);
    TextTrainer trainer(store, model.config, corpus, train);
    for (int i = 0; i < steps; ++i) {
      ++model.progress.steps;
      model.progress.tokens += trainer.step().tokens;
    }
    model.progress.position = trainer.position();
    save_run(checkpoint(), store, model);
  }

  /// From the checkpoint when there is one, to a limit that may be another.
  RunOutcome run(std::int64_t max_steps = 20) {
    ParameterStore store(model.config.seed);
    if (fs::exists(checkpoint())) {
      model = read_model_file(checkpoint());
      load_checkpoint(checkpoint(), store);
    }
    model.config.max_steps = max_steps;
    TextTrainer trainer(store, model.config, corpus, train);
    trainer.seek(model.progress.position);
    return run_training(trainer, corpus, validation, model, settings);
  }

  /// With a fresh store, though there is a checkpoint, as --overwrite does.
  RunOutcome run_anew(const std::function<void(ParameterStore&)>& prepare = {}) {
    ParameterStore store(model.config.seed);
    create_parameters(store, model.config);
    if (prepare) prepare(store);
    TextTrainer trainer(store, model.config, corpus, train);
    return run_training(trainer, corpus, validation, model, settings);
  }

  fs::path checkpoint() const { return checkpoint_path(settings.output); }

  EncodedCorpus corpus = toy_corpus(60, 3, 9);
  std::vector<std::int32_t> train = range(0, 40), validation = range(40, 60);
  ModelFile model;
  RunSettings settings;
};

}  // namespace

TEST_CASE("an evaluation that a signal kept from happening comes first when the run goes on") {
  for (const std::int64_t interval : {0, 4}) {  // 0: at the end of each epoch
    CAPTURE(interval);
    const TemporaryFolder folder;
    ToyRun whole(folder.path, "whole", interval);
    CHECK(whole.run().reason == StopReason::steps);

    ToyRun cut(folder.path, "cut", interval);
    cut.step_without_evaluation(interval == 0 ? 5 : 4);
    {
      const InterruptGuard guard;
      ::raise(SIGINT);
      CHECK(cut.run().reason == StopReason::interrupt);
    }
    CHECK_FALSE(fs::exists(cut.settings.output));
    const RunProgress saved = read_model_file(cut.checkpoint()).progress;
    CHECK(saved.validation.evaluations == 0);
    CHECK(saved.validation.evaluated_step == -1);
    CHECK(saved.steps == (interval == 0 ? 5 : 4));
    CHECK(cut.run().reason == StopReason::steps);
    CHECK(read_file(cut.settings.output) == read_file(whole.settings.output));
    CHECK(read_model_file(cut.checkpoint()).progress.validation.evaluations ==
          read_model_file(whole.checkpoint()).progress.validation.evaluations);
  }
}

TEST_CASE("of classifiers with equal errors the later one is kept where that is asked for, else that of smaller loss") {
  for (const bool later : {false, true}) {
    CAPTURE(later);
    const TemporaryFolder folder;
    ToyRun toy(folder.path, "toy", 5);
    // Nothing is learned, so that neither error nor loss changes.
    toy.model.config.optimizer.learning_rate = 0;
    toy.settings.of_equals_the_later = later;
    CHECK(toy.run().best_step == (later ? 20 : 5));
  }
}

TEST_CASE("going on with a finished run changes nothing") {
  for (const std::int64_t interval : {5, 7}) {  // with 7 only the end of the run asks for its last evaluation
    CAPTURE(interval);
    const TemporaryFolder folder;
    ToyRun toy(folder.path, "toy", interval);
    CHECK(toy.run().reason == StopReason::steps);
    const std::string model = read_file(toy.settings.output);
    CHECK(toy.run().reason == StopReason::steps);
    CHECK(read_file(toy.settings.output) == model);
  }
}

TEST_CASE("a run stopped at any step and gone on with has the model and the log of one never stopped") {
  const TemporaryFolder folder;
  // Large, so that the best model is an early one.
  const auto make = [&](const std::string& name) {
    ToyRun toy(folder.path, name, 6);
    toy.model.config.optimizer.learning_rate = 0.3;
    toy.model.config.optimizer.schedule.kind = ScheduleKind::constant;
    toy.settings.log_steps = 4;
    return toy;
  };
  ToyRun whole = make("whole");
  whole.run();
  int kept = 0;
  for (int limit = 1; limit < 20; ++limit) {
    CAPTURE(limit);
    ToyRun parts = make(fmt::format("parts-{}", limit));
    const RunOutcome first = parts.run(limit);
    REQUIRE(first.best);
    CHECK(read_model_file(parts.settings.output).progress.steps == first.best_step);
    kept += fs::exists(scheduled_path(parts.settings.output)) ? 1 : 0;
    const RunOutcome second = parts.run();
    CHECK(read_model_file(parts.settings.output).progress.steps == second.best_step);
    CHECK(read_file(parts.settings.output) == read_file(whole.settings.output));
    CHECK(timeless_log(parts.settings.output) == timeless_log(whole.settings.output));
  }
  CHECK(kept > 0);
}

TEST_CASE("of a run that goes on, the output is the best model that was due, until there is a better one") {
  const TemporaryFolder folder;
  ToyRun toy(folder.path, "toy", 6);
  CHECK(toy.run(10).best_step == 10);
  CHECK(fs::exists(scheduled_path(toy.settings.output)));
  {
    const InterruptGuard guard;
    ::raise(SIGINT);
    const RunOutcome outcome = toy.run();
    CHECK(outcome.reason == StopReason::interrupt);
    CHECK(outcome.best_step == 6);
  }
  CHECK(read_model_file(toy.settings.output).progress.steps == 6);
  CHECK_FALSE(fs::exists(scheduled_path(toy.settings.output)));
  // Nothing was due yet.
  ToyRun early(folder.path, "early", 6);
  CHECK(early.run(3).best_step == 3);
  const InterruptGuard guard;
  ::raise(SIGINT);
  CHECK_FALSE(early.run().best);
}

TEST_CASE("of the run before, one that begins anew leaves the model until it has its own, through a link too") {
  const TemporaryFolder folder;
  ToyRun toy(folder.path, "toy", 6);
  toy.run(8);
  const std::string old = read_file(toy.settings.output);
  fs::rename(toy.settings.output, folder.path / "elsewhere.safetensors");
  fs::create_symlink(folder.path / "elsewhere.safetensors", toy.settings.output);
  ToyRun fresh(folder.path, "toy", 6);
  {
    const InterruptGuard guard;
    ::raise(SIGINT);
    CHECK(fresh.run_anew().reason == StopReason::interrupt);
  }
  CHECK(read_model_file(fresh.checkpoint()).progress.steps == 0);
  CHECK(read_file(log_path(fresh.settings.output)).empty());
  CHECK(read_file(fresh.settings.output) == old);
  CHECK_FALSE(fs::exists(scheduled_path(fresh.settings.output)));
  const RunOutcome outcome = fresh.run();
  CHECK(fs::is_symlink(fresh.settings.output));
  CHECK(read_model_file(fresh.settings.output).progress.steps == outcome.best_step);
}

TEST_CASE("a run that goes on without its best model, or with another in its place, says so and chooses anew") {
  const TemporaryFolder folder;
  const auto make = [&] {
    ToyRun toy(folder.path, "toy", 6);
    toy.model.config.optimizer.learning_rate = 0.3;  // the best model is an early one
    toy.model.config.optimizer.schedule.kind = ScheduleKind::constant;
    return toy;
  };
  ToyRun toy = make();
  const RunOutcome whole = toy.run(18);
  REQUIRE(whole.best_step < 18);
  const std::string best = read_file(toy.settings.output), checkpoint = read_file(toy.checkpoint());
  const auto spoiled = [&](const std::function<void()>& spoil) {
    write_atomically(toy.settings.output, best);
    write_atomically(toy.checkpoint(), checkpoint);
    spoil();
    ToyRun again = make();
    CHECK_FALSE(again.run(18).best);
    CHECK(read_model_file(again.settings.output).progress.steps == 18);
    CHECK(again.run(24).best_step == 24);
    CHECK(read_model_file(again.settings.output).progress.steps == 24);
  };
  spoiled([&] { fs::remove(toy.settings.output); });
  spoiled([&] { write_atomically(toy.settings.output, best.substr(0, best.size() / 2)); });
  spoiled([&] {
    ToyRun other = make();
    other.settings.output = folder.path / "other.safetensors";
    other.run(5);
    fs::rename(other.settings.output, toy.settings.output);
  });
  // As a kill between the output and its checkpoint leaves it.
  write_atomically(toy.checkpoint(), checkpoint);
  ToyRun later = make();
  later.settings.output = folder.path / "later.safetensors";
  later.train = range(0, 30);
  later.run(30);
  fs::rename(later.settings.output, toy.settings.output);
  REQUIRE(read_model_file(toy.settings.output).progress.steps > 18);
  CHECK(make().run(18).best_step == whole.best_step);
}

TEST_CASE("weights that a step has made infinite take the place of none in a file") {
  const TemporaryFolder folder;
  ToyRun toy(folder.path, "toy", 6);
  toy.run(8);
  const std::string before = read_file(toy.settings.output);
  ToyRun broken(folder.path, "toy", 6);
  broken.validation.clear();
  broken.model.config.optimizer.kind = OptimizerKind::sgd;
  broken.model.config.optimizer.learning_rate = 1e3;
  broken.model.config.optimizer.weight_decay = 1e6;
  broken.model.config.optimizer.clip_norm = 0;
  broken.model.config.optimizer.schedule.kind = ScheduleKind::constant;
  CHECK_THROWS_WITH_AS(broken.run_anew(), doctest::Contains("after step 20 weight '"), Error);
  CHECK(read_file(toy.settings.output) == before);
  CHECK(read_model_file(broken.checkpoint()).progress.steps == 0);
}

TEST_CASE("a run in which every step is skipped is an error, and its weights are no model") {
  const TemporaryFolder folder;
  ToyRun toy(folder.path, "toy", 100);
  toy.run(8);
  const std::string before = read_file(toy.settings.output);
  // Large enough for every norm of a gradient to overflow.
  const auto enlarge = [](ParameterStore& store) {
    for (float& weight : store.find("classifier/output/w")->value.values<float>()) weight *= 1e30F;
  };
  {
    // Of one that goes on, the steps before count.
    ParameterStore store(1);
    load_checkpoint(toy.checkpoint(), store);
    enlarge(store);
    save_run(toy.checkpoint(), store, read_model_file(toy.checkpoint()));
    CHECK(toy.run(12).progress.steps == 12);
  }
  write_atomically(toy.settings.output, before);
  toy.model.progress = {};
  CHECK_THROWS_WITH_AS(toy.run_anew(enlarge), doctest::Contains("not finite in any of 12 steps"), Error);
  CHECK(read_file(toy.settings.output) == before);
  const auto spoil = [](ParameterStore& store) {
    store.find("classifier/output/b")->value.values<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  };
  CHECK_THROWS_WITH_AS(toy.run_anew(spoil), doctest::Contains("weight 'classifier/output/b' is nan"), Error);

  ParameterStore store(1);
  create_parameters(store, toy.model.config);
  spoil(store);
  save_model(toy.settings.output, store, toy.model);
  CHECK_THROWS_WITH_AS(load_model(toy.settings.output),
                       doctest::Contains("weight 'classifier/output/b' is nan at element 1"), DataError);
}

TEST_CASE("a signal ends evaluations and predictions between two batches") {
  const EncodedCorpus corpus = toy_corpus(40, 3, 1);
  TrainingConfig streams = toy_config(TrainingTask::language_model);
  streams.stream_steps = 5;
  for (const TrainingConfig& config :
       {toy_config(TrainingTask::classifier), toy_config(TrainingTask::language_model), streams}) {
    ParameterStore store(1);
    TextEvaluator evaluator(store, config);
    {
      const InterruptGuard guard;
      const double loss = evaluator.evaluate(corpus).loss;
      CHECK(evaluator.evaluate(corpus).loss == loss);
      ::raise(SIGINT);
      CHECK_THROWS_AS(evaluator.evaluate(corpus), Interrupted);
      if (is_classification(config.task)) CHECK_THROWS_AS(evaluator.predict(corpus), Interrupted);
    }
    CHECK(evaluator.evaluate(corpus).targets > 0);  // the signal was the guard's business
  }
}

}  // namespace eddy
