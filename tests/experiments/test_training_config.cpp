// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "eddy/core/error.h"
#include "eddy/core/random.h"
#include "eddy/experiments/training_config.h"

namespace eddy {

TEST_CASE("a config survives JSON") {
  TrainingConfig config;
  config.task = TrainingTask::joint;
  config.joint_task = TrainingTask::autoencoder;
  config.joint_weight = 0.1;
  config.model.encoder.cell = CellKind::gru;
  config.model.word_dropout = 0.1f;
  config.model.classes = 45;
  config.optimizer.kind = OptimizerKind::momentum;
  config.optimizer.clip_excluded = {"embedding", "softmax/"};
  config.optimizer.rate_multipliers = {{"encoder", 0.1}, {"classifier", 2}};
  config.optimizer.schedule.kind = ScheduleKind::cosine;
  config.seed = 18446744073709551615u;
  const std::string json = to_json(config);
  const TrainingConfig back = training_config_from_json(json, "test");
  CHECK(to_json(back) == json);
  CHECK(back.seed == config.seed);
  CHECK(back.model.word_dropout == 0.1f);
  CHECK(back.optimizer.rate_multipliers == config.optimizer.rate_multipliers);
  CHECK(json.find("0.10000000149") == std::string::npos);
}

TEST_CASE("members that are not there keep their default") {
  const TrainingConfig config = training_config_from_json(R"({"batch_size": 7})", "test");
  CHECK(config.batch_size == 7);
  CHECK(config.max_length == TrainingConfig().max_length);
}

TEST_CASE("a wrong config names the key") {
  const auto message = [](const std::string& json) -> std::string {
    try {
      training_config_from_json(json, "my.json");
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  };
  const std::string misspelt = message(R"({"batchsize": 7})");
  CHECK(misspelt.starts_with("my.json: unknown key \"batchsize\", expected one of "));
  CHECK(misspelt.find(", batch_size, ") != std::string::npos);
  const std::string inner = message(R"({"model": {"hidden": 7}})");
  CHECK(inner.starts_with("my.json: unknown key \"model.hidden\", expected one of "));
  CHECK(inner.find("hidden_size, ") != std::string::npos);
  CHECK(message(R"({"batch_size": "7"})") ==
        "my.json: \"batch_size\" is \"7\", expected a whole number from -9223372036854775808 to 9223372036854775807");
  CHECK(message(R"({"batch_size": 7.5})").find("whole number") != std::string::npos);
  CHECK(message(R"({"batch_size": 0})") == "my.json: batch_size is 0, expected 1 to 1048576");
  CHECK(message(R"({"task": "lm"})") ==
        "my.json: \"task\" is \"lm\", expected one of language_model, autoencoder, pooled_autoencoder, "
        "classifier, label_gain, joint");
  CHECK(message(R"({"keep_last": 1})") == "my.json: \"keep_last\" is 1, expected true or false");
  CHECK(message(R"({"optimizer": []})") == "my.json: \"optimizer\" is array, expected an object");
  CHECK(message(R"({"optimizer": {"clip_excluded": [1]}})") ==
        "my.json: \"optimizer.clip_excluded[0]\" is 1, expected a text");
  CHECK(message(R"({"model": {"word_dropout": 1e300}})").find("word_dropout") != std::string::npos);
  CHECK(message("[]") == "my.json: the JSON is array, expected an object");
  CHECK(message("{").find("my.json: not valid JSON") == 0);
  CHECK(message(R"({"task": "autoencoder", "model": {"bidirectional": true}})").find("bidirectional") !=
        std::string::npos);
}

TEST_CASE("a key that stands twice is refused, with its line") {
  const auto message = [](const std::string& json) -> std::string {
    try {
      training_config_from_json(json, "my.json");
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(message("{\"batch_size\": 7, \"batch_size\": 8}") ==
        "my.json: \"batch_size\" stands twice, the second time in line 1");
  CHECK(message("{\n  \"model\": {\n    \"layers\": 1,\n    \"hidden_size\": 7,\n    \"layers\": 1\n  }\n}") ==
        "my.json: \"model.layers\" stands twice, the second time in line 5");
  CHECK(message(R"({"model": {}, "batch_size": 7, "model": {"layers": 2}})").find("\"model\" stands twice") !=
        std::string::npos);
  // Two objects may have the same keys.
  CHECK(
      message(R"({"optimizer": {"kind": "adam", "schedule": {"kind": "plateau"}}, "adversarial": {"kind": "none"}})") ==
      "no error");
}

TEST_CASE("label_gain learns and tests the same states") {
  TrainingConfig config;
  config.task = TrainingTask::label_gain;
  CHECK_NOTHROW(check(config));
  for (const Pooling pooling : {Pooling::mean, Pooling::last_mean, Pooling::concat}) {
    config.model.pooling = pooling;
    CHECK_THROWS_WITH_AS(check(config), doctest::Contains("expected last"), UsageError);
  }
  config.task = TrainingTask::classifier;
  CHECK_NOTHROW(check(config));
}

TEST_CASE("damaged config text never does more than throw DataError") {
  const std::string good = to_json(TrainingConfig());
  Philox random(1);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bad = good;
    for (std::uint64_t n = 1 + uniform_index(random, 3); n > 0; --n)
      bad[uniform_index(random, bad.size())] = static_cast<char>(uniform_index(random, 256));
    if (uniform_index(random, 4) == 0) bad.resize(uniform_index(random, bad.size()));
    try {
      training_config_from_json(bad, "test");
    } catch (const DataError&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

}  // namespace eddy
