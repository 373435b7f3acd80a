// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/core/error.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/classification_settings.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/text_trainer.h"
#include "tests/data/files.h"

namespace eddy {

using test::error_of;
using test::TemporaryFolder;

TEST_CASE("every preset of every task holds together with every row") {
  const auto all_rows = parse_rows({"lstm", "lstm-gain", "lm", "lm-gain", "sa", "sa-gain", "sa-joint", "lm-joint", "pa",
                                    "pa-at", "lm-2", "sa-gain-3", "lstm-bi", "lm-at", "lm-vat-2", "lm-2-bi"});
  for (const ClassificationTask& task : classification_tasks())
    for (const Preset preset : {Preset::paper, Preset::cpu, Preset::quick}) {
      const ClassificationOptions options = classification_preset(task.name, preset);
      CHECK(options.source.task == task.name);
      CHECK_FALSE(options.rows.empty());
      // Rows of numbers know neither label gain nor joint training.
      for (const ClassificationRow& row : options.classifier.row_width > 0 ? options.rows : all_rows)
        for (TrainingConfig config :
             {row.classifier(options.classifier), row.classifier(options.classifier_scratch),
              row.classifier(options.classifier_perturbed), row.pretrained(options.language_model),
              parse_row("pa").pretrained(options.pooled_autoencoder)}) {
          config.model.classes = 45;
          for (const std::int64_t words : {60, 5000, 30000}) {
            TrainingConfig fitted = config;
            fit_to_vocabulary(fitted.model, words);
            CHECK(fitted.model.vocabulary_size == words);
            CHECK_NOTHROW(check(fitted));
          }
        }
      CHECK_NOTHROW(check(options.autoencoder));
      // Its features are those of the classifiers.
      CHECK(options.pooled_autoencoder.model.pooling == options.classifier.model.pooling);
      CHECK(options.pooled_autoencoder.model.classifier_hidden_size == options.classifier.model.classifier_hidden_size);
    }
}

TEST_CASE("the paper's preset has the paper's sizes") {
  const ClassificationOptions imdb = classification_preset("imdb", Preset::paper);
  for (const TrainingConfig* config : {&imdb.language_model, &imdb.autoencoder, &imdb.classifier,
                                       &imdb.classifier_scratch, &imdb.classifier_perturbed}) {
    CHECK(config->model.embedding_size == 512);
    CHECK(config->model.encoder.hidden_size == 1024);
    CHECK(config->max_length == 400);
    CHECK(config->keep_last);
  }
  CHECK(imdb.language_model.max_steps == 500000);
  CHECK(imdb.language_model.batch_size == 128);
  CHECK(imdb.classifier.model.classifier_hidden_size == 512);
  CHECK(imdb.classifier.model.classifier_dropout == 0.5f);
  CHECK(imdb.classifier.model.embedding_dropout == 0.8f);
  CHECK(imdb.text.min_count == 2);
  const ClassificationOptions rt = classification_preset("rt", Preset::paper);
  CHECK(rt.classifier.model.embedding_dropout == 0.95f);
  CHECK(rt.classifier.model.word_dropout == 0.5f);
  const ClassificationOptions dbpedia = classification_preset("dbpedia", Preset::paper);
  CHECK(dbpedia.text.unit == TokenUnit::code_point);
  CHECK(dbpedia.classifier.model.encoder.layers == 2);
  CHECK(classification_preset("wordnet", Preset::cpu).seeds.size() == 3);
}

TEST_CASE("rows say what they are, and share the pretraining of their shape") {
  const ClassificationRow row = parse_row("sa-gain-3");
  CHECK(row.name() == "SA-LSTM with linear gain, 3 layers");
  CHECK(row.file_name() == "SA-LSTM-gain-3");
  CHECK(row.pretraining_name() == "SA-3");
  CHECK(row.classifier({}).task == TrainingTask::label_gain);
  CHECK(row.classifier({}).model.encoder.layers == 3);
  CHECK(row.pretrained({}).model.encoder.layers == 3);
  const ClassificationRow vat = parse_row("lm-vat");
  CHECK(vat.name() == "LM-LSTM, virtual adversarial training");
  CHECK(vat.classifier({}).adversarial.kind == Perturbation::virtual_adversarial);
  CHECK(vat.pretraining_name() == "LM");
  const ClassificationRow words = parse_row("lm-words");
  CHECK(words.name() == "LM-LSTM, embeddings alone");
  CHECK(words.classifier({}).transferred == TransferredPart::embedding);
  CHECK(words.pretraining_name() == "LM");
  const ClassificationRow perturbed_words = parse_row("lm-at-words-2");
  CHECK(perturbed_words.name() == "LM-LSTM, adversarial training, embeddings alone, 2 layers");
  CHECK(perturbed_words.file_name() == "LM-LSTM-at-words-2");
  CHECK(perturbed_words.classifier({}).transferred == TransferredPart::embedding);
  CHECK(perturbed_words.classifier({}).adversarial.kind == Perturbation::adversarial);
  const ClassificationRow joint = parse_row("lm-joint");
  CHECK(joint.pretraining_name().empty());
  CHECK(joint.name() == "LM-LSTM, joint training");
  CHECK(joint.classifier({}).joint_task == TrainingTask::language_model);
  const ClassificationRow both = parse_row("lm-sa-gain-2");
  CHECK(both.name() == "SA-LSTM after a language model with linear gain, 2 layers");
  CHECK(both.file_name() == "LM-SA-LSTM-gain-2");
  CHECK(both.pretraining_name() == "LM-SA-2");
  REQUIRE(both.before_pretraining());
  CHECK(both.before_pretraining()->pretraining_name() == parse_row("lm-2").pretraining_name());
  CHECK(both.before_pretraining()->pretrained({}).model.encoder.layers == 2);
  CHECK(!parse_row("sa").before_pretraining());
  const ClassificationRow pooled = parse_row("pa-at-2");
  CHECK(pooled.name() == "PA-LSTM, adversarial training, 2 layers");
  CHECK(pooled.file_name() == "PA-LSTM-at-2");
  CHECK(pooled.pretraining_name() == "PA-2");
  CHECK(parse_row("pa-words").classifier({}).transferred == TransferredPart::embedding);
  CHECK(parse_row("lstm").name() == "LSTM");
  CHECK(parse_row("lm-bi").pretrained({}).model.bidirectional);
  CHECK(parse_row("lm").pretraining_name() == parse_row("lm-gain").pretraining_name());

  const auto problem = [](const char* key) { return error_of<UsageError>([&] { parse_row(key); }); };
  CHECK(problem("gru").find("there is no row \"gru\"") != std::string::npos);
  CHECK(problem("lm-gian").find("\"gian\" is not understood") != std::string::npos);
  for (const char* key : {"lm-", "lm-sa-", "lm-2-"})
    CHECK(problem(key).find("\"-\" is not understood") != std::string::npos);
  CHECK(problem("sa-bi").find("reads in one direction") != std::string::npos);
  CHECK(problem("lm-sa-joint").find("begins with nothing") != std::string::npos);
  CHECK(problem("lm-sa-bi").find("reads in one direction") != std::string::npos);
  CHECK(problem("pa-bi").find("an autoencoder reads in one direction") != std::string::npos);
  CHECK(problem("pa-joint").find("begins with nothing") != std::string::npos);
  CHECK(problem("lstm-words").find("need pretraining") != std::string::npos);
  CHECK(problem("lm-joint-words").find("need pretraining") != std::string::npos);
  CHECK(problem("lstm-joint").find("needs a second task") != std::string::npos);
  CHECK(error_of<UsageError>([] { parse_rows({"lm", "sa", "lm"}); }).find("twice") != std::string::npos);
}

TEST_CASE("settings reach the configs they name, and no others") {
  ClassificationOptions options = classification_preset("imdb", Preset::quick);
  apply_setting(options, "lm.optimizer.learning_rate=0.25");
  apply_setting(options, "classifiers.model.pooling=mean");
  apply_setting(options, "all.batch_size=7");
  CHECK(options.language_model.optimizer.learning_rate == 0.25);
  CHECK(options.autoencoder.optimizer.learning_rate != 0.25);
  CHECK(options.classifier.model.pooling == Pooling::mean);
  CHECK(options.classifier_scratch.model.pooling == Pooling::mean);
  CHECK(options.language_model.model.pooling != Pooling::mean);
  CHECK(options.autoencoder.batch_size == 7);
  apply_setting(options, "pa.epochs=5");
  CHECK(options.pooled_autoencoder.epochs == 5);
  CHECK(options.pooled_autoencoder.batch_size == 7);
  apply_setting(options, "pretrained.adversarial.norm=2");
  apply_setting(options, "perturbed.epochs=9");
  CHECK(options.classifier_perturbed.model.pooling == Pooling::mean);
  for (const TrainingConfig* config : options.classifiers()) {
    CHECK(config->adversarial.norm == (config == &options.classifier_scratch ? 5 : 2));
    CHECK((config->epochs == 9) == (config == &options.classifier_perturbed));
  }
  CHECK(classifier_config(options, parse_row("lm-at")).epochs == 9);
  CHECK(classifier_config(options, parse_row("lm")).epochs != 9);
  CHECK(classifier_config(options, parse_row("lstm-vat")).epochs != 9);
  const auto problem = [&](const char* setting) { return error_of<Error>([&] { apply_setting(options, setting); }); };
  CHECK(problem("lm.epochs").find("expected WHERE.KEY=VALUE") != std::string::npos);
  CHECK(problem("gru.epochs=3").find("\"gru\" is no config") != std::string::npos);
  CHECK(problem("lm.epoch=3").find("epoch") != std::string::npos);
  CHECK(problem("lm.epochs=many").find("epochs") != std::string::npos);
  CHECK(problem("lm.model.word_dropout=2").find("word_dropout") != std::string::npos);
}

TEST_CASE("settings that are none are usage errors, and say so in words") {
  ClassificationOptions options = classification_preset("imdb", Preset::quick);
  for (const char* setting :
       {"lm.=3", "lm..epochs=3", "lm.model.=3", "lm.~=3", "lm.~2=3", "lm.a/b=3", "lm.0=3", "lm.-=3", "lm.model.0.01=3",
        "lm.\xE9=3", "lm.task=\xE9", "lm.epoch=3", "lm.epochs=many", "lm.model=3"}) {
    CAPTURE(setting);
    const std::string problem = error_of<UsageError>([&] { apply_setting(options, setting); });
    CHECK(problem.find("setting \"") != std::string::npos);
    CHECK(problem.find("json.exception") == std::string::npos);
  }
  CHECK(error_of<UsageError>([&] { apply_setting(options, "lm.=3"); }).find("is empty; expected WHERE.KEY=VALUE") !=
        std::string::npos);
  const char* const twice = R"(lm.model={"layers":1,"layers":2})";
  CHECK(error_of<UsageError>([&] { apply_setting(options, twice); }) ==
        fmt::format("setting \"{}\": \"layers\" stands twice, the second time in line 1", twice));
  CHECK_NOTHROW(apply_setting(options, R"(lm.model={"layers":1,"hidden_size":2})"));
}

TEST_CASE("what rows, seeds and data decide is no setting") {
  ClassificationOptions options = classification_preset("imdb", Preset::quick);
  const auto problem = [&](const char* setting) { return error_of<Error>([&] { apply_setting(options, setting); }); };
  CHECK(problem("all.seed=3").find("seed is what --seed and --seeds say") != std::string::npos);
  CHECK(problem("lm.model.bidirectional=true").find("--rows says, with -bi") != std::string::npos);
  CHECK(problem("lm.model={\"hidden_size\":8,\"bidirectional\":true}").find("-bi") != std::string::npos);
  CHECK(problem("lm.model.vocabulary_size=9").find("--vocabulary") != std::string::npos);
  CHECK(problem("scratch.model.classes=9").find("the data says") != std::string::npos);
  CHECK(problem("scratch.task=joint").find("--rows says") != std::string::npos);
  CHECK(problem("all.validation_fraction=0.5").find("the same for all rows") != std::string::npos);
  CHECK(problem("all.validation_by_group=true").find("the data set says") != std::string::npos);
  CHECK(problem("lm.optimizer.schedule.decay_steps=9").find("another schedule.kind before") != std::string::npos);
  apply_setting(options, "lm.optimizer.schedule.kind=exponential");
  apply_setting(options, "lm.optimizer.schedule.decay_steps=9");
  CHECK(options.language_model.optimizer.schedule.decay_steps == 9);
}

TEST_CASE("rows that cannot be trained, or not begin with their pretraining, are told beforehand") {
  const auto problem = [](const char* task, const std::vector<std::string>& rows,
                          const std::vector<const char*>& settings) {
    ClassificationOptions options = classification_preset(task, Preset::quick);
    options.rows = parse_rows(rows);
    for (const char* setting : settings) apply_setting(options, setting);
    return error_of<UsageError>([&] { check_rows(options); });
  };
  const auto all_right = [](const char* task, const std::vector<std::string>& rows,
                            const std::vector<const char*>& settings) {
    ClassificationOptions options = classification_preset(task, Preset::quick);
    options.rows = parse_rows(rows);
    for (const char* setting : settings) apply_setting(options, setting);
    CHECK_NOTHROW(check_rows(options));
  };
  for (const char* row : {"sa-gain", "lm-words", "sa-joint"}) {
    const std::string what = problem("cifar10", {"lstm", "lm", "sa", row}, {});
    CHECK_MESSAGE(what.find(fmt::format("row \"{}\": ", row)) != std::string::npos, what);
    all_right("imdb", {"lstm", "lm", "sa", row}, {});
  }
  const std::string larger = problem("imdb", {"lstm", "lm"}, {"lm.model.hidden_size=1024"});
  CHECK_MESSAGE(larger.find("row \"lm\": lm.model.hidden_size is 1024, but pretrained.model.hidden_size, which begins "
                            "with those weights, is 128") != std::string::npos,
                larger);
  for (const char* setting :
       {"embedding_size=8", "layers=2", "cell=gru", "normalize_embeddings=true", "hidden_size=8"}) {
    const std::string key = std::string("pretrained.model.") + setting;
    CHECK_MESSAGE(problem("imdb", {"lm"}, {key.c_str()}).find("pretrained.model.") != std::string::npos, setting);
  }
  const std::string features = problem("imdb", {"pa"}, {"pretrained.model.pooling=mean"});
  CHECK_MESSAGE(features.find("row \"pa\": pa.model.pooling is last_mean, but pretrained.model.pooling, which begins "
                              "with those weights, is mean") != std::string::npos,
                features);
  CHECK(problem("imdb", {"pa"}, {"pa.model.classifier_hidden_size=9"}).find("classifier_hidden_size is 9") !=
        std::string::npos);
  all_right("imdb", {"pa", "pa-gain", "pa-at", "pa-words"}, {});
  all_right("cifar10", {"pa"}, {"pretraining.epochs=2"});
  // An autoencoder begins with a language model; words alone need no encoder; other rows are not concerned.
  CHECK(problem("imdb", {"lm-sa"}, {"lm.model.layers=2"}).find("but sa.model.layers") != std::string::npos);
  all_right("imdb", {"lm-words"}, {"lm.model.hidden_size=1024"});
  all_right("imdb", {"lstm", "sa"}, {"lm.model.hidden_size=1024"});
  all_right("imdb", {"lstm", "lm"}, {"scratch.model.hidden_size=1024"});
  all_right("imdb", {"lm", "sa"}, {"all.model.hidden_size=1024"});
}

TEST_CASE("a refit goes by no validation loss, and a row's name says how its texts are perturbed") {
  ClassificationOptions options = classification_preset("wordnet", Preset::cpu);
  REQUIRE(options.refit);
  options.rows = parse_rows({"lstm"});
  apply_setting(options, "scratch.optimizer.schedule.kind=plateau");
  const std::string plateau = error_of<UsageError>([&] { check_rows(options); });
  CHECK_MESSAGE(plateau.find("row \"lstm\": scratch.optimizer.schedule.kind is plateau") != std::string::npos, plateau);
  options.refit = false;
  CHECK_NOTHROW(check_rows(options));
  options.rows = parse_rows({"lm-vat"});
  apply_setting(options, "pretrained.adversarial.kind=atvat");
  const std::string kind = error_of<UsageError>([&] { check_rows(options); });
  CHECK_MESSAGE(kind.find("adversarial.kind is set to atvat, but the row's name says vat") != std::string::npos, kind);
  options.rows = parse_rows({"lm"});
  CHECK_NOTHROW(check_rows(options));
}

TEST_CASE("only a language model or a pooled autoencoder is begun with, and neither its sizes nor its words change") {
  const TemporaryFolder folder;
  const auto saved = [&](const std::string& name, const TrainingConfig& config) {
    ParameterStore store(1);
    create_parameters(store, config);
    ModelFile model;
    model.config = config;
    model.text.text.vocabulary_size = 77;
    TokenCounter counter;
    for (int i = 0; i < 28; ++i) counter.add(fmt::format("word{}", i));
    model.text.vocabulary = Vocabulary(counter, {});
    if (config.task == TrainingTask::classifier) model.text.label_names = {"bad", "good"};
    save_model(folder / name, store, model);
    return folder / name;
  };
  TrainingConfig config;
  config.model.vocabulary_size = 30;
  config.model.embedding_size = config.model.encoder.hidden_size = 12;
  config.model.encoder.cell = CellKind::gru;
  config.model.tied_softmax = true;
  const auto lm = saved("lm.safetensors", config);
  config.task = TrainingTask::classifier;
  config.model.classes = 2;
  const auto classifier = saved("classifier.safetensors", config);
  config.task = TrainingTask::pooled_autoencoder;
  config.model.pooling = Pooling::concat;
  config.model.classifier_hidden_size = 9;
  const auto pooled = saved("pooled.safetensors", config);

  ClassificationOptions options = classification_preset("imdb", Preset::quick);
  const std::string kind = error_of<UsageError>([&] { begin_with(options, classifier); });
  CHECK_MESSAGE(kind.find("is a model of task classifier; expected a language model") != std::string::npos, kind);
  CHECK_THROWS_AS(begin_with(options, folder / "none.safetensors"), DataError);

  ClassificationOptions others = options;
  begin_with(others, pooled);
  others.rows = parse_rows({"pa", "pa-at", "lstm", "lm"});
  CHECK_NOTHROW(check_rows(others));
  CHECK(others.pooled_autoencoder.epochs == 0);
  CHECK(others.language_model.epochs > 0);
  CHECK(begins_as_it_is(others, others.rows[0]));
  CHECK_FALSE(begins_as_it_is(others, others.rows[3]));
  for (const TrainingConfig* classifies : others.classifiers()) {
    CHECK(classifies->model.pooling == Pooling::concat);
    CHECK(classifies->model.classifier_hidden_size == 9);
  }
  begin_with(options, lm);
  options.rows = parse_rows({"lm", "lstm", "sa", "lm-sa", "lm-words"});
  CHECK_NOTHROW(check_rows(options));
  CHECK(options.language_model.epochs == 0);
  CHECK(options.autoencoder.model.encoder.cell == CellKind::gru);
  CHECK(options.language_model.model.tied_softmax);
  CHECK(options.language_model.model.softmax_samples == 0);

  const auto problem = [&](const char* row, const auto& change) {
    ClassificationOptions changed = options;
    changed.rows = parse_rows({row});
    change(changed);
    return error_of<UsageError>([&] { check_rows(changed); });
  };
  const std::string layers = problem("lm-2", [](auto&) {});
  CHECK_MESSAGE(layers.find("lm.safetensors.model.layers is 1, but pretrained.model.layers") != std::string::npos,
                layers);
  const std::string directions = problem("lm-bi", [](auto&) {});
  CHECK_MESSAGE(directions.find("bidirectional is false, but pretrained.model.bidirectional") != std::string::npos,
                directions);
  CHECK(problem("lm", [](auto& o) { apply_setting(o, "all.model.cell=lstm"); }).find("cell is gru, but") !=
        std::string::npos);
  // Of words alone its layers are no matter; of an autoencoder the softmax is.
  CHECK(problem("lm-words-2", [](auto&) {}).empty());
  CHECK(problem("lm-sa", [](auto& o) {
          o.autoencoder.model.tied_softmax = false;
        }).find("tied_softmax is true, but sa.model.tied_softmax") != std::string::npos);
  CHECK(problem("lm", [](auto& o) { o.text.vocabulary_size = 78; }).find("leave the flags for that out") !=
        std::string::npos);
}

TEST_CASE("how often a look reads the texts of pretraining goes by how many there are") {
  const auto epochs = [](const char* task, TextAmount amount) {
    return classification_preset(task, Preset::quick, amount).language_model.epochs;
  };
  CHECK(epochs("rt", TextAmount::little) == 6);
  CHECK(epochs("rt", TextAmount::much) == 1);
  CHECK(epochs("texts", TextAmount::middle) == 4);
  CHECK(epochs("imdb", TextAmount::little) == 1);
}

}  // namespace eddy
