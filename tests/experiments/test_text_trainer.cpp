// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "eddy/core/error.h"
#include "eddy/experiments/text_trainer.h"
#include "tests/experiments/captured_stream.h"
#include "toy_corpus.h"

namespace eddy {
namespace {

double mean_loss(TextTrainer& trainer, int steps) {
  double sum = 0;
  for (int i = 0; i < steps; ++i) sum += trainer.step().loss;
  return sum / steps;
}

}  // namespace

TEST_CASE("a language model learns what can be predicted") {
  const EncodedCorpus train = toy_corpus(200, 3, 1);
  const EncodedCorpus test = toy_corpus(60, 3, 2);
  for (const std::int64_t stream_steps : {0, 12}) {
    CAPTURE(stream_steps);
    ParameterStore store(1);
    TrainingConfig config = toy_config(TrainingTask::language_model);
    config.stream_steps = stream_steps;
    TextTrainer trainer(store, config, train);
    const double before = trainer.evaluate(test).loss;
    CHECK(before == doctest::Approx(std::log(40.0)).epsilon(0.1));
    mean_loss(trainer, 200);
    const Evaluation after = trainer.evaluate(test);
    CHECK(after.loss < 0.6 * before);
    CHECK(after.documents == 60);
    CHECK(after.perplexity() == doctest::Approx(std::exp(after.loss)));
    CHECK(trainer.steps() == 200);
  }
}

TEST_CASE("the loss of a stream does not depend on how much is computed at once") {
  ParameterStore store(1);
  TrainingConfig config = toy_config(TrainingTask::language_model);
  config.stream_steps = 12;
  const EncodedCorpus train = toy_corpus(200, 3, 1);
  TextTrainer trainer(store, config, train);
  mean_loss(trainer, 50);
  // One stream, and several of a text that is long enough.
  for (const int texts : {60, 3000}) {
    const EncodedCorpus corpus = toy_corpus(texts, 3, 2);
    config.batch_size = 8;
    const Evaluation before = TextEvaluator(store, config).evaluate(corpus);
    CHECK(before.targets == corpus.token_count() + texts);
    for (const std::int64_t batch : {1, 7, 1024}) {
      config.batch_size = batch;
      CHECK(TextEvaluator(store, config).evaluate(corpus).loss == before.loss);
    }
  }
}

TEST_CASE("an evaluation shows how far it is where that is asked for, and says the same") {
  const EncodedCorpus corpus = toy_corpus(50, 3, 3);
  TrainingConfig streams = toy_config(TrainingTask::language_model);
  streams.stream_steps = 5;
  TrainingConfig cut = toy_config(TrainingTask::classifier);
  cut.max_length = corpus.longest() - 1;
  for (const TrainingConfig& config : {toy_config(TrainingTask::language_model), cut, streams}) {
    ParameterStore store(1);
    TextEvaluator evaluator(store, config);
    const double loss = evaluator.evaluate(corpus).loss;
    CapturedStream capture;
    evaluator.show_progress(capture.slow_pass());
    CHECK(evaluator.evaluate(corpus).loss == loss);
    const std::string text = capture.text();
    CAPTURE(text);
    CHECK(text.starts_with("pass  "));
    CHECK(text.find(" tokens/s  ") != std::string::npos);
    CHECK(text.find(" left\n") != std::string::npos);
    CHECK(text.find(" 100%  ", text.rfind("pass")) != std::string::npos);
    CHECK(text.find("loss") == std::string::npos);
    if (config.stream_steps == 0) CHECK(text.find("pass  50/50 100%") != std::string::npos);
    // By the tokens nothing is left when the last batch is done.
    if (config.stream_steps == 0) CHECK(text.find(" 0.0 s left\n") != std::string::npos);
  }
}

TEST_CASE("an evaluation says what it does not read") {
  const EncodedCorpus corpus = toy_corpus(50, 3, 3);
  ParameterStore store(1);
  for (const TrainingTask task : {TrainingTask::classifier, TrainingTask::language_model}) {
    TrainingConfig config = toy_config(task);
    config.max_length = 0;
    const auto cut_by = [&] { return TextTrainer(store, config, corpus).cut_documents(); };
    CHECK_FALSE(cut_by().any());
    config.max_length = corpus.longest() - 1;
    const CutDocuments cut = cut_by();
    CHECK(cut.any());
    CHECK(cut.documents == cut.tokens);
    const Evaluation scores = TextEvaluator(store, config).evaluate(corpus);
    CHECK(scores.cut.documents == cut.documents);
    CHECK(scores.cut.tokens == cut.tokens);
    config.evaluation_max_length = 0;
    CHECK(cut_by().documents == cut.documents);
    CHECK_FALSE(TextEvaluator(store, config).evaluate(corpus).cut.any());
    config.max_length = 0;
    config.evaluation_max_length = corpus.longest() - 1;
    CHECK(TextEvaluator(store, config).evaluate(corpus).cut.documents == cut.documents);
    if (task == TrainingTask::language_model) CHECK(scores.targets < corpus.token_count() + corpus.size());
    if (task != TrainingTask::language_model) continue;
    config.stream_steps = 8;
    CHECK_FALSE(cut_by().any());
    CHECK_FALSE(TextEvaluator(store, config).evaluate(corpus).cut.any());
  }
}

TEST_CASE("each supervised task learns to classify without error") {
  const EncodedCorpus train = toy_corpus(200, 3, 1);
  const EncodedCorpus test = toy_corpus(60, 3, 2);
  for (const TrainingTask task : {TrainingTask::classifier, TrainingTask::label_gain, TrainingTask::joint}) {
    CAPTURE(to_string(task));
    ParameterStore store(1);
    TrainingConfig config = toy_config(task);
    TextTrainer trainer(store, config, train);
    const double before = trainer.evaluate(test).error_rate;
    mean_loss(trainer, 300);
    CHECK(before > 0.4);
    CHECK(trainer.evaluate(test).error_rate == 0);
  }
}

TEST_CASE("autoencoders and a bidirectional classifier learn") {
  const EncodedCorpus train = toy_corpus(200, 3, 1);
  ParameterStore store(1);
  TextTrainer autoencoder(store, toy_config(TrainingTask::autoencoder), train);
  const double before = mean_loss(autoencoder, 5);
  mean_loss(autoencoder, 200);
  CHECK(autoencoder.evaluate(train).loss < 0.8 * before);

  ParameterStore pooled_store(1);
  TextTrainer pooled(pooled_store, toy_config(TrainingTask::pooled_autoencoder), train);
  const double pooled_before = mean_loss(pooled, 5);
  mean_loss(pooled, 200);
  CHECK(pooled.evaluate(train).loss < 0.6 * pooled_before);

  ParameterStore other(1);
  TrainingConfig config = toy_config(TrainingTask::classifier);
  config.model.bidirectional = true;
  config.model.encoder.cell = CellKind::gru;
  TextTrainer classifier(other, config, train);
  mean_loss(classifier, 200);
  CHECK(classifier.evaluate(train).error_rate == 0);
}

TEST_CASE("predictions come in the order of the documents asked for, whatever the batches") {
  const EncodedCorpus corpus = toy_corpus(50, 3, 3);
  ParameterStore store(4);
  TrainingConfig config = toy_config(TrainingTask::classifier);
  TextTrainer trainer(store, config, corpus);
  mean_loss(trainer, 20);
  const Predictions all = trainer.evaluator().predict(corpus);
  REQUIRE(all.size() == 50);
  const std::vector<std::int32_t> some = {49, 3, 3, 0, 17};
  const Predictions picked = trainer.evaluator().predict(corpus, some);
  REQUIRE(picked.size() == 5);
  for (std::size_t i = 0; i < some.size(); ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(picked.row(static_cast<std::int64_t>(i))[c] == doctest::Approx(all.row(some[i])[c]).epsilon(1e-4));
      sum += static_cast<double>(picked.row(static_cast<std::int64_t>(i))[c]);
    }
    CHECK(sum == doctest::Approx(1).epsilon(1e-5));
  }
}

TEST_CASE("documents without label are passed over, or named when none is left") {
  CorpusArrays arrays;
  arrays.tokens = {3, 4, 5};
  arrays.end_document(-1, "a");
  const EncodedCorpus unlabelled{std::move(arrays)};
  ParameterStore store(1);
  CHECK_THROWS_WITH_AS(TextTrainer(store, toy_config(TrainingTask::classifier), unlabelled),
                       "no document of 1 has a label to learn", DataError);
  const EncodedCorpus labelled = toy_corpus(20, 3, 1);
  TextTrainer trainer(store, toy_config(TrainingTask::classifier), labelled);
  CHECK_THROWS_AS(trainer.evaluate(unlabelled), DataError);
  CHECK(trainer.evaluator().predict(unlabelled).size() == 1);
  TextTrainer model(store, toy_config(TrainingTask::language_model), labelled);
  CHECK_THROWS_AS(model.evaluator().predict(labelled), UsageError);
}

TEST_CASE("averaged weights serve evaluation and leave training alone") {
  const EncodedCorpus corpus = toy_corpus(60, 3, 5);
  ParameterStore plain_store(1), averaged_store(1);
  TrainingConfig config = toy_config(TrainingTask::classifier);
  config.optimizer.catch_up_rows = false;  // as with averages
  TextTrainer plain(plain_store, config, corpus);
  config.optimizer.ema_decay = 0.9;
  TextTrainer averaged(averaged_store, config, corpus);
  for (int i = 0; i < 12; ++i) {
    CHECK(plain.step().loss == averaged.step().loss);
    averaged.evaluate(corpus);
  }
  CHECK(plain.evaluate(corpus).loss != averaged.evaluate(corpus).loss);
  const auto weight = [](const ParameterStore& store) {
    return store.find("classifier/output/w")->value.values<float>()[0];
  };
  averaged.with_averaged_weights([&] { CHECK(weight(averaged_store) != weight(plain_store)); });
  CHECK(weight(averaged_store) == weight(plain_store));
}

TEST_CASE("rows that catch up train and are measured as if all were updated") {
  const EncodedCorpus corpus = toy_corpus(60, 3, 5);
  ParameterStore all_store(1), store(1), looked_at_store(1);
  TrainingConfig config = toy_config(TrainingTask::language_model);
  TextTrainer trainer(store, config, corpus), looked_at(looked_at_store, config, corpus);
  config.optimizer.catch_up_rows = false;
  TextTrainer all(all_store, config, corpus);
  for (int i = 0; i < 40; ++i) {
    const double loss = trainer.step().loss;
    CHECK(loss == doctest::Approx(all.step().loss).epsilon(1e-4));
    CHECK(loss == looked_at.step().loss);
    looked_at.evaluate(corpus);
  }
  CHECK(store.find("optimizer/row_step/embedding") != nullptr);
  CHECK(all_store.find("optimizer/row_step/embedding") == nullptr);
  CHECK(trainer.evaluate(corpus).loss == doctest::Approx(all.evaluate(corpus).loss).epsilon(1e-4));
}

TEST_CASE("a plateau of the validation loss lowers the learning rate") {
  const EncodedCorpus corpus = toy_corpus(30, 3, 5);
  ParameterStore store(1);
  TrainingConfig config = toy_config(TrainingTask::classifier);
  config.optimizer.schedule = {.kind = ScheduleKind::plateau, .decay = 0.5, .patience = 0};
  TextTrainer trainer(store, config, corpus);
  CHECK(trainer.step().learning_rate == doctest::Approx(0.01));
  trainer.report_validation(1.0);
  trainer.report_validation(2.0);
  CHECK(trainer.step().learning_rate == doctest::Approx(0.005));
}

}  // namespace eddy
