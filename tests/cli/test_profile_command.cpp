// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace eddy {
namespace {

TEST_CASE("profile shows where a training step's time goes, of any model the flags describe") {
  const TestFolder folder;
  for (const std::string task : {"lm", "sa", "classifier"}) {
    CAPTURE(task);
    const ProgramResult shown = succeed({"profile",
                                         "--task",
                                         task,
                                         "--hidden",
                                         "16",
                                         "--embedding",
                                         "12",
                                         "--batch",
                                         "4",
                                         "--time",
                                         "20",
                                         "--vocabulary",
                                         "50",
                                         "--runs",
                                         "2",
                                         "--trace",
                                         folder.path("trace.json"),
                                         "--chart",
                                         folder.path("chart.svg"),
                                         "--program",
                                         folder.path("program.txt")});
    CHECK(shown.out.find("FMA peak") != std::string::npos);
    CHECK(shown.out.find("lstm_recurrence_gradient") != std::string::npos);
    CHECK(shown.out.find("% of peak") != std::string::npos);
    CHECK(nlohmann::json::parse(folder.read("trace.json"))["traceEvents"].size() > 5);
    CHECK(folder.read("chart.svg").find("lstm_recurrence") != std::string::npos);
    CHECK(folder.read("program.txt").find("= lstm_recurrence(") != std::string::npos);
  }
}

TEST_CASE("profile takes texts, configs and model files") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const ProgramResult of_texts = succeed({"profile", "--data", folder.path("texts.txt"), "--no-cache", "--hidden", "16",
                                          "--embedding", "12", "--batch", "8", "--runs", "1"});
  CHECK(of_texts.out.find("made-up") == std::string::npos);
  folder.write("config.json", R"({"task": "autoencoder", "model": {"hidden_size": 24}, "batch_size": 4})");
  CHECK(succeed({"profile", "--config", folder.path("config.json"), "--time", "12", "--runs", "1"})
            .out.find("12 steps × 4 made-up texts") != std::string::npos);
  succeed({"pretrain", "--data", folder.path("texts.txt"), "--no-cache", "--output", folder.path("lm.safetensors"),
           "--hidden", "16", "--max-steps", "2", "--quiet"});
  for (const std::string model : {"lm.safetensors", "lm.checkpoint.safetensors"})
    CHECK(
        succeed({"profile", "--model", folder.path(model), "--runs", "1", "--time", "12"}).out.find("cross_entropy") !=
        std::string::npos);
  const Arguments of_model = {"profile", "--model", folder.path("lm.safetensors")};
  for (const Arguments& other : {Arguments{"--data", folder.path("texts.txt")}, {"--task", "sa"}, {"--hidden", "9"}}) {
    const ProgramResult refused = run_eddy(joined(of_model, other));
    CHECK(refused.status == 2);
    CHECK(refused.err.find("lm.safetensors says what " + other[0] + " says") != std::string::npos);
  }
  CHECK(run_eddy({"profile", "--model", folder.path("texts.txt")}).status == 1);
  CHECK(run_eddy({"profile", "--runs", "0"}).status == 2);
  CHECK(run_eddy({"profile", "--epochs", "3"}).status == 2);
  CHECK(run_eddy({"profile", "--vocabulary", "2"}).err.find("--vocabulary is 2, expected more") != std::string::npos);
  for (const Arguments& idle : {Arguments{"--min-count", "3"}, {"--no-cache"}, {"--encoding", "latin1"}}) {
    const ProgramResult refused = run_eddy(joined({"profile"}, idle));
    CHECK(refused.status == 2);
    CHECK(refused.err.find(idle[0] + " does nothing without --data") != std::string::npos);
  }
  CHECK(run_eddy({"profile", "--data", folder.path("texts.txt"), "--no-cache", "--time", "9"}).status == 2);
}

TEST_CASE("profile looks into the loop of an encoder-decoder") {
  const TestFolder folder;
  std::string pairs;
  for (int i = 0; i < 60; ++i) pairs += "one two three\tuno dos tres\nfour five\tcuatro cinco\nsix seven\tseis siete\n";
  folder.write("pairs.tsv", pairs);
  succeed({"seq2seq",      "train",
           "--data",       folder.path("pairs.tsv"),
           "--output",     folder.path("pairs.safetensors"),
           "--hidden",     "16",
           "--embedding",  "12",
           "--batch",      "8",
           "--steps",      "2",
           "--validation", "1",
           "--min-count",  "1",
           "--test",       "1",
           "--quiet"});
  const ProgramResult shown = succeed(
      {"profile", "--model", folder.path("pairs.safetensors"), "--runs", "1", "--program", folder.path("p.txt")});
  CHECK(shown.out.find("scan/") != std::string::npos);
  CHECK(folder.read("p.txt").find("steps:") != std::string::npos);
  CHECK(run_eddy({"profile", "--model", folder.path("pairs.safetensors"), "--batch", "4"}).status == 2);

  for (const std::string file : {"pairs.safetensors", "pairs.checkpoint.safetensors"}) {
    const ProgramResult summary = succeed({"inspect", "--model", folder.path(file), "--memory", "--profile", "--config",
                                           "--graph", folder.path("g.dot"), "--trace", folder.path("t.json")});
    CHECK(summary.out.find("encoder-decoder (") == 0);
    CHECK(summary.out.find("trained   2 steps") != std::string::npos);
    CHECK(summary.out.find("FMA peak") != std::string::npos);
    CHECK(folder.read("g.dot").find("digraph") != std::string::npos);
    CHECK(nlohmann::json::parse(folder.read("t.json"))["traceEvents"].size() > 5);
  }
  const auto json =
      nlohmann::json::parse(succeed({"inspect", "--model", folder.path("pairs.safetensors"), "--json"}).out);
  CHECK(json["parameters"].size() > 3);
  CHECK(json["config"]["batch_size"] == 8);
  CHECK(json["source_vocabulary"].get<int>() > 3);
  const ProgramResult infer =
      run_eddy({"inspect", "--model", folder.path("pairs.safetensors"), "--mode", "infer", "--memory"});
  CHECK(infer.status == 2);
  CHECK(infer.err.find("of those only the train program is shown") != std::string::npos);
  CHECK(infer.out.empty());
}

}  // namespace
}  // namespace eddy
