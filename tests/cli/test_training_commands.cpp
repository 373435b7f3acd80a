// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"

namespace eddy {
namespace {

Arguments pretrain(const TestFolder& folder, const std::string& output) {
  return {"pretrain",
          "--data",
          folder.path("texts.txt"),
          "--output",
          folder.path(output),
          "--hidden",
          "16",
          "--batch",
          "8",
          "--embedding",
          "12",
          "--threads",
          "2",
          "--validation",
          "0.2",
          "--word-dropout",
          "0.1",
          "--log-steps",
          "1"};
}

Arguments finetune(const TestFolder& folder, const std::string& output) {
  return {"finetune",
          "--data",
          folder.path("train.tsv"),
          "--label-column",
          "0",
          "--output",
          folder.path(output),
          "--hidden",
          "24",
          "--batch",
          "16",
          "--embedding",
          "16",
          "--lr",
          "0.01"};
}

std::int64_t lines_of(const std::string& text) { return std::ranges::count(text, '\n'); }

/// A run that ends when it is stopped.
const Arguments kEndless = {"--epochs", "1000000", "--patience", "0"};

/// The limit that lets the stopped run go on for a while.
Arguments limit_after(const TestFolder& folder, const std::string& checkpoint, std::int64_t steps) {
  const ProgramResult shown = succeed({"inspect", "--model", folder.path(checkpoint), "--json"});
  return {"--max-steps", std::to_string(nlohmann::json::parse(shown.out).at("steps").get<std::int64_t>() + steps)};
}

}  // namespace

TEST_CASE("pretrain stopped after 10 steps and resumed gives the model of 20 steps, bit for bit") {
  for (const Arguments& kind : {Arguments{}, Arguments{"--task", "sa"}, Arguments{"--bptt", "6"}}) {
    const TestFolder folder;
    folder.write("texts.txt", text_lines(60, 1));
    const Arguments more = joined(kind, {"--evaluate-every", "5"});
    succeed(joined(joined(pretrain(folder, "whole.safetensors"), more), {"--max-steps", "20"}));
    succeed(joined(joined(pretrain(folder, "parts.safetensors"), more), {"--max-steps", "10"}));
    // The checkpoint knows all flags but the new limit.
    succeed({"pretrain", "--output", folder.path("parts.safetensors"), "--resume", "--max-steps", "20", "--log-steps",
             "1", "--threads", "2"});
    CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
    const std::string log = folder.read("parts.log.jsonl");
    CHECK(lines_of(log) == 24);
    CHECK(lines_of(folder.read("whole.log.jsonl")) == 24);
    std::istringstream entries(log);
    std::int64_t last = 0;
    for (std::string line; std::getline(entries, line);) {
      const auto entry = nlohmann::json::parse(line);
      CHECK(entry["step"].get<std::int64_t>() >= last);
      last = entry["step"].get<std::int64_t>();
    }
    CHECK(last == 20);
  }
}

TEST_CASE("a limit that is no multiple of the interval does not show in the model of a resumed run") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const auto arguments = [&](const std::string& output, const std::string& steps) {
    // A rate at which an early model is the best.
    return replaced(pretrain(folder, output), {"--evaluate-every", "22", "--patience", "0", "--epochs", "1000", "--lr",
                                               "0.2", "--log-steps", "10", "--max-steps", steps});
  };
  const auto summary_is_of = [&](const ProgramResult& result, const std::string& model) {
    const auto json = nlohmann::json::parse(succeed({"inspect", "-m", folder.path(model), "--json"}).out);
    CHECK_MESSAGE(result.err.find(fmt::format(", at step {}\n", json.at("steps").get<int>())) != std::string::npos,
                  result.err);
  };
  summary_is_of(succeed(arguments("whole.safetensors", "80")), "whole.safetensors");
  summary_is_of(succeed(arguments("parts.safetensors", "27")), "parts.safetensors");
  summary_is_of(succeed(joined(arguments("parts.safetensors", "80"), {"--resume"})), "parts.safetensors");
  CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
  CHECK(lines_of(folder.read("whole.log.jsonl")) == lines_of(folder.read("parts.log.jsonl")));
}

TEST_CASE("a run that --overwrite began and a kill ended is the one that goes on; the old model stands until then") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  folder.write("pairs.tsv", [] {
    std::string pairs;
    for (int i = 0; i < 60; ++i) pairs += fmt::format("a{} b{}\tc{} d{}\n", i % 9, i % 7, i % 9, i % 7);
    return pairs;
  }());
  struct Kind {
    Arguments command, few, resumed;
  };
  const Arguments seq2seq = {"seq2seq",      "train", "--data",      folder.path("pairs.tsv"),
                             "--validation", "5",     "--test",      "5",
                             "--min-count",  "1",     "--log-steps", "1"};
  const Arguments lm = {"pretrain",    "--data", folder.path("texts.txt"), "--validation", "0.2", "--patience", "0",
                        "--log-steps", "1"};
  for (const Kind& kind : {Kind{lm, {"--max-steps", "12"}, {"pretrain", "--max-steps", "3"}},
                           Kind{seq2seq, {"--steps", "12"}, {"seq2seq", "train", "--steps", "3"}}}) {
    const Arguments output = {"--output", folder.path("m.safetensors"), "--threads", "1"};
    const Arguments base = joined(kind.command, output);
    succeed(joined(joined(base, {"--hidden", "8", "--lr", "0.001", "--overwrite"}), kind.few));
    const auto first_rate = [&] {
      const std::string log = folder.read("m.log.jsonl");
      const auto entry = nlohmann::json::parse(log.substr(0, log.find('\n')), nullptr, false);
      return entry.is_object() ? entry.at("learning_rate").get<double>() : 0.0;
    };
    const std::string old = folder.read("m.safetensors");
    // No checkpoint but the first and no model: the kill comes once there are lines of the new run.
    const ProgramResult killed =
        run_eddy(joined(base, {"--hidden", "16", "--lr", "0.5", "--overwrite", "--epochs", "1000000",
                               "--checkpoint-minutes", "0", "--evaluate-every", "1000000"}),
                 {}, [&](int process) {
                   while (first_rate() != 0.5 && kill(process, 0) == 0) usleep(1000);
                   kill(process, SIGKILL);
                 });
    CHECK(killed.status == 128 + SIGKILL);
    CHECK(folder.read("m.safetensors") == old);
    succeed(joined(joined(kind.resumed, output), {"--resume", "--log-steps", "1"}));
    const auto json = nlohmann::json::parse(succeed({"inspect", "-m", folder.path("m.safetensors"), "--json"}).out);
    CHECK(json.at("config").at("model").at("hidden_size") == 16);
    std::istringstream log(folder.read("m.log.jsonl"));
    int lines = 0;
    for (std::string line; std::getline(log, line);) {
      const auto entry = nlohmann::json::parse(line);
      CHECK(entry.at("step") <= 3);
      if (!entry.contains("learning_rate")) continue;
      CHECK(entry.at("learning_rate").get<float>() == 0.5F);
      ++lines;
    }
    CHECK(lines == 3);
  }
}

TEST_CASE("finetune resumes bit for bit, from pretrained weights too") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  folder.write("train.tsv", labelled_lines(60, 2));
  succeed(joined(pretrain(folder, "lm.safetensors"), {"--epochs", "1"}));
  const Arguments base = {"finetune",
                          "--data",
                          folder.path("train.tsv"),
                          "--label-column",
                          "0",
                          "--from",
                          folder.path("lm.safetensors"),
                          "--evaluate-every",
                          "4",
                          "--ema",
                          "0.9"};
  const ProgramResult first =
      succeed(joined(base, {"--output", folder.path("whole.safetensors"), "--max-steps", "20"}));
  CHECK(first.err.find("embedding") != std::string::npos);  // the report of what was transferred
  succeed(joined(base, {"--output", folder.path("parts.safetensors"), "--max-steps", "8"}));
  succeed({"finetune", "--output", folder.path("parts.safetensors"), "--resume", "--max-steps", "20"});
  CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
}

TEST_CASE("pretraining goes on with other texts or another task, from a model's weights and words") {
  const TestFolder folder;
  std::string texts;
  for (int i = 0; i < 60; ++i) texts += fmt::format("a{} b{} c{} d e{}\n", i % 7, i % 5, i % 3, i % 11);
  folder.write("texts.txt", texts);
  folder.write("more.txt", texts + "neologism\n");
  succeed(joined(pretrain(folder, "base.safetensors"), {"--epochs", "10", "--lr", "0.01"}));
  const auto first_loss = [&](const std::string& name) {
    const std::string log = folder.read(name + ".log.jsonl");
    return nlohmann::json::parse(log.substr(0, log.find('\n'))).at("loss").get<double>();
  };
  const auto run = [&](const std::string& name, const Arguments& more) {
    return run_eddy(
        joined({"pretrain", "--data", folder.path("more.txt"), "--output", folder.path(name + ".safetensors"),
                "--no-cache", "--evaluate-every", "5", "--log-steps", "1", "--threads", "1"},
               more));
  };
  const Arguments from = {"--from", folder.path("base.safetensors")};
  for (const std::string task : {"lm", "sa"}) {
    const Arguments flags = joined(from, {"--task", task, "--max-steps"});
    const ProgramResult whole = run(task, joined(flags, {"12"}));
    REQUIRE(whole.status == 0);
    CHECK(whole.err.find("softmax") != std::string::npos);  // the report of what was transferred
    REQUIRE(run(task + "-parts", joined(flags, {"5"})).status == 0);
    succeed({"pretrain", "--output", folder.path(task + "-parts.safetensors"), "--resume", "--max-steps", "12",
             "--threads", "1", "--log-steps", "1"});
    CHECK(folder.read(task + ".safetensors") == folder.read(task + "-parts.safetensors"));
    REQUIRE(run(task + "-anew", {"--task", task, "--max-steps", "1"}).status == 0);
    // (A decoder does not begin as a language model does: it has the text's last state.)
    if (task == "lm") CHECK(first_loss(task) < 0.8 * first_loss(task + "-anew"));
    // A word that the model does not know is not added.
    CHECK(folder.read(task + ".safetensors").find("neologism") == std::string::npos);
    CHECK(folder.read(task + "-anew.safetensors").find("neologism") != std::string::npos);
  }
  const auto refused = [&](const ProgramResult& result, const std::string& message) {
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find(message) != std::string::npos, result.err);
  };
  refused(run("no", joined(from, {"--hidden", "32"})), "--hidden is 32, but ");
  refused(run("no", joined(from, {"--min-count", "2"})), "the vocabulary is that of");
  refused(run("base", joined(from, {"--overwrite"})), "base.safetensors");
  refused(run("sa", {"--from", folder.path("sa.safetensors"), "--resume"}), "--resume cannot change --from");
  const ProgramResult none = run("no", {"--from", folder.path("none.safetensors")});
  CHECK(none.status != 0);
  CHECK(none.err.find("none.safetensors") != std::string::npos);
}

TEST_CASE("Ctrl-C saves, exits 130, and the resumed run ends with the bits of an uninterrupted one") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(200, 1));
  const Arguments endless = joined(kEndless, {"--evaluate-every", "50"});
  const auto interrupt = [&](int process) {
    // Training is under way once the log has lines.
    while (lines_of(folder.read("parts.log.jsonl")) < 3 && kill(process, 0) == 0) usleep(1000);
    kill(process, SIGINT);
  };
  const ProgramResult stopped =
      run_eddy(joined(joined(pretrain(folder, "parts.safetensors"), endless), {"--overwrite=true"}), {}, interrupt);
  INFO(stopped.err);
  REQUIRE(stopped.status == 130);
  CHECK(stopped.err.find("--resume") != std::string::npos);
  CHECK(stopped.err.find("--overwrite") == std::string::npos);
  CHECK(stopped.err.find(folder.path("parts.safetensors")) != std::string::npos);
  succeed({"inspect", "--model", folder.path("parts.checkpoint.safetensors"), "--all"});
  const Arguments steps = joined(endless, limit_after(folder, "parts.checkpoint.safetensors", 120));
  succeed(joined(joined(pretrain(folder, "parts.safetensors"), steps), {"--resume"}));
  succeed(joined(pretrain(folder, "whole.safetensors"), steps));
  CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
}

TEST_CASE("Ctrl-C during an evaluation saves at once, and the resumed run begins with it") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(20000, 1));
  // Nearly all texts are for validation: two steps, then an evaluation of two thousand batches.
  const auto arguments = [&](const std::string& output) {
    Arguments words = pretrain(folder, output);
    *std::ranges::find(words, "0.2") = "0.99";
    return joined(joined(words, kEndless), {"--evaluate-every", "2"});
  };
  const auto interrupt = [&](int process) {
    while (lines_of(folder.read("parts.log.jsonl")) < 2 && kill(process, 0) == 0) usleep(1000);
    kill(process, SIGINT);
  };
  const ProgramResult stopped = run_eddy(arguments("parts.safetensors"), {}, interrupt);
  INFO(stopped.err);
  REQUIRE(stopped.status == 130);
  CHECK(stopped.err.find("Interrupted after step") != std::string::npos);
  const Arguments steps = limit_after(folder, "parts.checkpoint.safetensors", 2);
  succeed(joined(joined(arguments("parts.safetensors"), steps), {"--resume"}));
  succeed(joined(arguments("whole.safetensors"), steps));
  CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
}

TEST_CASE("a classifier learns, evaluates without error and predicts in a pipe") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(300, 1));
  folder.write("test.tsv", labelled_lines(100, 2));
  for (const Arguments& kind : {Arguments{}, Arguments{"--linear-gain"}, Arguments{"--joint", "lm"}}) {
    succeed(joined(joined(finetune(folder, "model.safetensors"), kind), {"--overwrite"}));
    const ProgramResult scores = succeed({"evaluate", "--model", folder.path("model.safetensors"), "--data",
                                          folder.path("test.tsv"), "--label-column", "0", "--json"});
    const auto json = nlohmann::json::parse(scores.out);
    CHECK(json["error_rate"] == 0);
    CHECK(json["macro_f1"] == 1);
    CHECK(json["documents"] == 100);
  }
  const std::string model = folder.path("model.safetensors");
  const auto sample = [&](const std::string& seed) {
    const Arguments words = {"evaluate",       "--model", model,    "--data",   folder.path("test.tsv"),
                             "--label-column", "0",       "--json", "--sample", "20",
                             "--seed",         seed};
    return nlohmann::json::parse(succeed(words).out);
  };
  CHECK(sample("1")["documents"] == 20);
  CHECK(sample("1") == sample("1"));
  CHECK(sample("1")["loss"] != sample("2")["loss"]);
  CHECK(succeed({"evaluate", "--model", model, "--data", folder.path("test.tsv"), "--label-column", "0", "--confusion"})
            .out.find("error      0.00 %") != std::string::npos);
  const ProgramResult lines = succeed({"predict", "--model", model}, "the small one barks\na blooms today\n\nit rolls");
  REQUIRE(lines_of(lines.out) == 4);
  CHECK(lines.out.find("animal\t") == 0);
  CHECK(lines.out.find("\nplant\t") != std::string::npos);
  CHECK(lines.out.rfind("stone\t") != std::string::npos);
  const ProgramResult top = succeed({"predict", "--model", model, "--json", "--top", "2", "--batch", "2", "-"},
                                    "one barks here\nodd \xff bytes grows\n");
  std::istringstream entries(top.out);
  std::string line;
  REQUIRE(std::getline(entries, line));
  const auto entry = nlohmann::json::parse(line);
  CHECK(entry["label"] == "animal");
  CHECK(entry["top"].size() == 2);
  CHECK(entry["probability"] > 0.9);
  REQUIRE(std::getline(entries, line));
  CHECK(nlohmann::json::parse(line)["label"] == "plant");
  CHECK(succeed({"predict", "--model", model}, "").out.empty());
}

TEST_CASE("predict answers each line while its input stays open") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(40, 1));
  succeed(joined(finetune(folder, "model.safetensors"), {"--epochs", "1"}));
  const std::string command = std::string(EDDY_PROGRAM) + " predict --model " + folder.path("model.safetensors");
  // A reader that waits for the answer before it asks again: it would hang if answers were held back.
  const std::string script =
      "mkfifo " + folder.path("ask") + " " + folder.path("answer") + " && (" + command + " < " + folder.path("ask") +
      " > " + folder.path("answer") + " &) && exec 3> " + folder.path("ask") + " 4< " + folder.path("answer") +
      " && echo one >&3 && read a <&4 && echo two >&3 && read b <&4 && exec 3>&- && test -n \"$b\"";
  CHECK(std::system(("timeout 60 sh -c '" + script + "'").c_str()) == 0);
}

TEST_CASE("inspect shows parameters, graph, memory and profile") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  succeed(joined(pretrain(folder, "lm.safetensors"), {"--epochs", "1"}));
  const std::string model = folder.path("lm.safetensors");
  const auto json = nlohmann::json::parse(succeed({"inspect", "--model", model, "--json"}).out);
  CHECK(json["config"]["model"]["hidden_size"] == 16);
  CHECK(json["parameters"].size() >= 6);
  CHECK(succeed({"inspect", "--model", model}).out.find("softmax/bias") != std::string::npos);
  for (const std::string mode : {"train", "infer"}) {
    const ProgramResult shown =
        succeed({"inspect", "--model", model, "--mode", mode, "--graph", folder.path("graph.dot"), "--memory",
                 "--profile", "--trace", folder.path("trace.json"), "--time", "20"});
    CHECK(folder.read("graph.dot").find("digraph") == 0);
    CHECK(shown.out.find("GFLOP/s") != std::string::npos);
    CHECK(nlohmann::json::parse(folder.read("trace.json")).size() > 0);
  }
  CHECK(succeed({"inspect", "--model", model, "--graph", "-"}).out.find("embedding") != std::string::npos);
  for (const Arguments& idle : {Arguments{"--mode", "infer"}, {"--time", "20"}, {"--batch", "4"}, {"--seed", "3"}}) {
    const ProgramResult refused = run_eddy(joined({"inspect", "--model", model}, idle));
    CHECK(refused.status == 2);
    CHECK(refused.err.find(idle[0] + " does nothing without --graph") != std::string::npos);
  }
  // Text would make the JSON none.
  for (const Arguments& more : {Arguments{"--memory"}, {"--profile"}, {"--graph", "-"}}) {
    const ProgramResult refused = run_eddy(joined({"inspect", "--model", model, "--json"}, more));
    CHECK(refused.status == 2);
    CHECK(refused.out.empty());
    CHECK(refused.err.find(more[0]) != std::string::npos);
  }
}

TEST_CASE("the second start reads the cache, and other data is refused on resume") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(60, 1));
  const Arguments cache = {"--cache-dir", folder.path("cache")};
  const ProgramResult first = succeed(joined(joined(pretrain(folder, "a.safetensors"), cache), {"--max-steps", "2"}));
  CHECK(first.err.find("building it") != std::string::npos);
  const ProgramResult second = succeed(joined(joined(pretrain(folder, "b.safetensors"), cache), {"--max-steps", "2"}));
  CHECK(second.err.find("building it") == std::string::npos);
  CHECK(folder.read("a.safetensors") == folder.read("b.safetensors"));
  folder.write("texts.txt", text_lines(61, 3));
  const ProgramResult other = run_eddy(joined(joined(pretrain(folder, "a.safetensors"), cache), {"--resume"}));
  CHECK(other.status == 1);
  CHECK(other.err.find("has changed since") != std::string::npos);
}

TEST_CASE("a classifier goes on with classes of the same names and with texts read the same way") {
  const TestFolder folder;
  folder.write("train.tsv", labelled_lines(60, 1));
  const Arguments run = joined(finetune(folder, "m.safetensors"), {"--no-cache", "--quiet", "--max-steps"});
  succeed(joined(run, {"2"}));
  const auto refused = [&](const Arguments& more, int status, const std::string& part) {
    const ProgramResult result = run_eddy(joined(run, joined({"4", "--resume"}, more)));
    CHECK(result.status == status);
    CHECK_MESSAGE(result.err.find(part) != std::string::npos, result.err);
  };
  refused({"--encoding", "latin1"}, 2, "--resume cannot change encoding (\"utf8\" → \"latin1\")");
  refused({"--header"}, 2, "--resume cannot change header");
  // What was guessed may be said, and the texts may stand elsewhere.
  folder.write("moved.tsv", labelled_lines(60, 1));
  succeed(replaced(joined(run, {"3", "--resume", "--format", "tsv"}), {"--data", folder.path("moved.tsv")}));
  std::string renamed = labelled_lines(60, 1);
  for (std::size_t at = 0; (at = renamed.find("animal\t")) != std::string::npos;) renamed.replace(at, 6, "beast");
  folder.write("train.tsv", renamed);
  refused({}, 1, "its classes have other names than those that");
}

}  // namespace eddy
