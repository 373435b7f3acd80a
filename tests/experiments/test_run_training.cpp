// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>

#include "eddy/core/file.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/progress_interrupt.h"
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

  /// From the checkpoint when there is one.
  RunOutcome run() {
    ParameterStore store(model.config.seed);
    if (fs::exists(checkpoint())) {
      model = read_model_file(checkpoint());
      load_checkpoint(checkpoint(), store);
    }
    TextTrainer trainer(store, model.config, corpus, train);
    trainer.seek(model.progress.position);
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
    CHECK(saved.evaluations == 0);
    CHECK(saved.evaluated_step == -1);
    CHECK(saved.steps == (interval == 0 ? 5 : 4));
    CHECK(cut.run().reason == StopReason::steps);
    CHECK(read_file(cut.settings.output) == read_file(whole.settings.output));
    CHECK(read_model_file(cut.checkpoint()).progress.evaluations ==
          read_model_file(whole.checkpoint()).progress.evaluations);
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
