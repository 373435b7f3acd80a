// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"
#include "tests/data/files.h"

namespace eddy {
namespace {

/// Sentences of two numbers; the translation has them the other way round.
std::string pairs() {
  std::string text;
  const char* english[] = {"one", "two", "three", "four", "five"};
  const char* french[] = {"un", "deux", "trois", "quatre", "cinq"};
  for (int i = 0; i < 100; ++i) {
    const int a = i % 5, b = i / 5 % 5, c = i / 25;
    text += std::string(english[a]) + " " + english[b] + " " + english[c] + "!\t" + french[c] + " " + french[b] + " " +
            french[a] + " !\n";
  }
  return text;
}

Arguments train(const TestFolder& folder, const std::string& output, const Arguments& more = {}) {
  const Arguments all{"seq2seq",
                      "train",
                      "--data",
                      folder.path("pairs.tsv"),
                      "--output",
                      folder.path(output),
                      "--hidden",
                      "24",
                      "--lr",
                      "0.01",
                      "--embedding",
                      "16",
                      "--attention",
                      "16",
                      "--test",
                      "10",
                      "--batch",
                      "16",
                      "--epochs",
                      "20",
                      "--validation",
                      "10",
                      "--softmax-samples",
                      "0",
                      "--min-count",
                      "1",
                      "--threads",
                      "2"};
  return replaced(all, more);
}

std::string without_seconds(const std::string& text) { return text.substr(0, text.find("seconds")); }

/// The sources of the table of samples.
std::vector<std::string> samples(const std::string& text) {
  std::vector<std::string> sources;
  std::istringstream lines(text.substr(text.find("Samples")));
  std::string line;
  for (int i = 0; std::getline(lines, line); ++i)
    if (i >= 3 && !line.empty()) sources.push_back(line.substr(0, line.find("  ")));
  return sources;
}

TEST_CASE("a training of pairs has a report and an event file, and small files keep a tenth for each part") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  Arguments arguments = train(folder, "m.safetensors",
                              {"--epochs", "2", "--validation", "-1", "--test", "-1", "--log-steps", "2", "--report",
                               folder.path("report"), "--tensorboard", folder.path("events")});
  const ProgramResult trained = run_eddy(arguments);
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK(trained.err.find("100 pairs: 80 to train, 10 to validate, 10 to test") != std::string::npos);
  CHECK(trained.err.find("The report is") != std::string::npos);
  const auto report = nlohmann::json::parse(folder.read("report/report.json"));
  CHECK(report.dump().find("validation part, beam 4") != std::string::npos);
  CHECK(report.dump().find("target tokens/s of training") != std::string::npos);
  for (const char* chart : {"loss", "gradient-norm", "learning-rate", "speed", "memory", "attention-1"})
    CHECK_MESSAGE(folder.has("report/" + std::string(chart) + ".svg"), chart);
  CHECK_FALSE(std::filesystem::is_empty(folder.path("events")));

  // Lines of the log are means over their steps, also of a run that was stopped between two of them.
  Arguments pieces = train(folder, "p.safetensors",
                           {"--epochs", "2", "--validation", "-1", "--test", "-1", "--log-steps", "2", "--steps", "3"});
  REQUIRE(run_eddy(pieces).status == 0);
  REQUIRE(run_eddy(replaced(pieces, {"--steps", "10", "--resume"})).status == 0);
  const auto losses = [&](const std::string& log) {
    std::vector<double> values;
    std::istringstream lines(folder.read(log));
    for (std::string line; std::getline(lines, line);)
      if (const auto json = nlohmann::json::parse(line); json.contains("loss")) values.push_back(json["loss"]);
    return values;
  };
  CHECK(losses("m.log.jsonl").size() == 5);
  CHECK(losses("p.log.jsonl") == losses("m.log.jsonl"));
}

TEST_CASE("pairs are trained on, translated, drawn and measured") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  const ProgramResult trained = run_eddy(train(folder, "m.safetensors"));
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK(trained.err.find("100 pairs: 80 to train, 10 to validate, 10 to test") != std::string::npos);
  const std::string model = folder.path("m.safetensors");
  const ProgramResult told =
      run_eddy({"seq2seq", "translate", "-m", model, "--beam", "3", "--heat-map", folder.path("map.svg")},
               "One two three!\n\nfive four one!\n");
  REQUIRE_MESSAGE(told.status == 0, told.err);
  CHECK(std::ranges::count(told.out, '\n') == 3);
  CHECK(told.out.find("\n\n") != std::string::npos);
  CHECK(folder.read("map.svg").find("three") != std::string::npos);
  const ProgramResult listed =
      run_eddy({"seq2seq", "translate", "-m", model, "--best", "2", "--beam", "4", "--json"}, "one two three!\n");
  REQUIRE_MESSAGE(listed.status == 0, listed.err);
  const auto json = nlohmann::json::parse(listed.out);
  CHECK(json["source"] == "one two three!");
  REQUIRE(json["translations"].size() == 2);
  CHECK(json["translations"][0]["score"] >= json["translations"][1]["score"]);
  const Arguments evaluate{"seq2seq", "evaluate", "-m", model, "--beam", "2", "--report", folder.path("report")};
  const ProgramResult measured = run_eddy(evaluate);
  REQUIRE_MESSAGE(measured.status == 0, measured.err);
  CHECK(measured.out.find("BLEU-4") != std::string::npos);
  CHECK(folder.has("report/index.html"));
  CHECK(folder.has("report/attention-1.svg"));
  CHECK(without_seconds(run_eddy(evaluate).out) == without_seconds(measured.out));

  const auto scores =
      nlohmann::json::parse(run_eddy({"seq2seq", "evaluate", "-m", model, "--beam", "2", "--json"}).out);
  CHECK(scores["measured"] == "test part, beam 2");
  CHECK(scores["sources"] == 10);
  CHECK(measured.out.find(fmt::format("{:.2f}", 100 * scores["bleu"].get<double>())) != std::string::npos);
  CHECK(scores["perplexity"].get<double>() == doctest::Approx(std::exp(scores["loss"].get<double>())));

  // The part is translated whole or in even steps, and the loss is that of what is translated.
  const ProgramResult some = run_eddy({"seq2seq", "evaluate", "-m", model, "--beam", "1", "--limit", "5"});
  REQUIRE_MESSAGE(some.status == 0, some.err);
  CHECK(some.out.find("test part, 5 of 10 sources, evenly spaced, beam 1") != std::string::npos);
  const ProgramResult all = run_eddy({"seq2seq", "evaluate", "-m", model, "--beam", "1", "--samples", "10"});
  REQUIRE_MESSAGE(all.status == 0, all.err);
  CHECK(all.out.find("test part, beam 1") != std::string::npos);
  const std::vector<std::string> every = samples(all.out), chosen = samples(some.out);
  REQUIRE(every.size() == 10);
  CHECK(chosen == std::vector<std::string>{every[0], every[2], every[4], every[6], every[8]});

  const ProgramResult again = run_eddy(train(folder, "m.safetensors"));
  CHECK(again.status == 2);
  CHECK(again.err.find("--overwrite") != std::string::npos);
  const ProgramResult changed = run_eddy(train(folder, "m.safetensors", {"--resume", "--dropout", "0.5"}));
  CHECK(changed.status == 2);
  CHECK(changed.err.find("--resume cannot change model/dropout (0.2 → 0.5)") != std::string::npos);
  const ProgramResult undrawn = run_eddy({"seq2seq", "translate", "-m", model, "--heat-map", folder.path("none.svg")});
  CHECK(undrawn.status == 1);
  CHECK(undrawn.err.find("none.svg is not written: there was no text with words to draw") != std::string::npos);
  const ProgramResult wide = run_eddy({"seq2seq", "translate", "-m", model, "--beam", "1", "--best", "2"}, "one\n");
  CHECK(wide.status == 2);
}

TEST_CASE("a model is measured on any pairs: more or fewer than its own, other columns, packed") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  const ProgramResult trained = run_eddy(train(folder, "m.safetensors", {"--steps", "10"}));
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  const std::string model = folder.path("m.safetensors");
  const auto evaluate = [&](const Arguments& more) {
    Arguments all{"seq2seq", "evaluate", "-m", model, "--beam", "1", "--longest", "8"};
    all.insert(all.end(), more.begin(), more.end());
    return run_eddy(all);
  };
  // Fewer sources than the training held out, unknown words, and a text without words.
  folder.write("other.tsv", "7\tone two\tdeux un\n8\tone two\tun deux\n9\tzebra\tz\303\250bre\n");
  const ProgramResult other =
      evaluate({"--data", folder.path("other.tsv"), "--source-column", "1", "--target-column", "2"});
  REQUIRE_MESSAGE(other.status == 0, other.err);
  CHECK(other.out.find("all of " + folder.path("other.tsv") + ", beam 1") != std::string::npos);
  CHECK(samples(other.out).size() == 2);
  CHECK(other.out.find("without a word") == std::string::npos);
  folder.write("wordless.tsv", "one two\tdeux un\n \tvide\n \trien\n");
  const Arguments wordless = {"--data", folder.path("wordless.tsv"), "--report", folder.path("report")};
  const std::string left_out = "pairs left out, without a word in the source";
  const ProgramResult told = evaluate(wordless);
  REQUIRE_MESSAGE(told.status == 0, told.err);
  CHECK_MESSAGE(told.out.find(left_out + "       2\n") != std::string::npos, told.out);
  CHECK(folder.read("report/report.md").find(left_out) != std::string::npos);
  CHECK(evaluate(joined(wordless, {"--json"})).out.find("\"pairs_without_source_words\": 2") != std::string::npos);
  test::write_archive(folder.path("set.tar.xz"), {{"set/train.tsv", pairs() + pairs()}, {"set/new.tsv", "one\tun\n"}},
                      test::Packing::tar_xz);
  const ProgramResult packed = evaluate({"--data", folder.path("set.tar.xz"), "--file", "new.tsv"});
  REQUIRE_MESSAGE(packed.status == 0, packed.err);
  const ProgramResult larger = evaluate({"--data", folder.path("set.tar.xz"), "--file", "train.tsv", "--limit", "20"});
  REQUIRE_MESSAGE(larger.status == 0, larger.err);
  CHECK(larger.out.find("20 of 100 sources, evenly spaced") != std::string::npos);
  const ProgramResult unnamed = evaluate({"--data", folder.path("set.tar.xz")});
  CHECK(unnamed.status == 1);
  CHECK(unnamed.err.find("name the one that is meant; there are set/train.tsv, set/new.tsv") != std::string::npos);
  const ProgramResult part = evaluate({"--data", folder.path("other.tsv"), "--part", "validation"});
  CHECK(part.status == 2);
  CHECK(part.err.find("they have no validation part") != std::string::npos);
  folder.write("pairs.tsv", pairs() + "more\tplus\n");
  const ProgramResult changed = evaluate({});
  CHECK(changed.status == 2);
  CHECK(changed.err.find("not the pairs that " + model + " was trained on any more") != std::string::npos);
}

TEST_CASE("the file of the training is looked for where its folder is now") {
  const TestFolder folder;
  std::filesystem::create_directories(folder.path("two"));
  folder.write("two/a.tsv", pairs());
  folder.write("two/b.tsv", "one\tun\n");
  succeed(train(folder, "m.safetensors", {"--data", folder.path("two"), "--file", "a.tsv", "--steps", "3"}));
  std::filesystem::rename(folder.path("two"), folder.path("moved"));
  const Arguments evaluate{"seq2seq", "evaluate", "-m", folder.path("m.safetensors"), "--beam", "1", "--longest", "8"};
  const ProgramResult moved = succeed(joined(evaluate, {"--data", folder.path("moved")}));
  CHECK(moved.out.find("test part") != std::string::npos);
  // A file that stands alone needs no name.
  std::filesystem::remove(folder.path("moved/a.tsv"));
  succeed(joined(evaluate, {"--data", folder.path("moved")}));
  succeed(joined(evaluate, {"--data", folder.path("moved/b.tsv")}));
}

TEST_CASE("texts are read as in the training: encoding, mark, packing") {
  const TestFolder folder;
  std::string latin1 = pairs();
  for (std::size_t at = 0; (at = latin1.find("three")) != std::string::npos;) latin1.replace(at, 5, "tr\xE9s");
  folder.write("pairs.tsv", latin1);
  succeed(train(folder, "m.safetensors", {"--steps", "5", "--encoding", "latin1", "--quiet"}));
  const std::string model = folder.path("m.safetensors");
  const Arguments translate{"seq2seq", "translate", "-m", model, "--beam", "1", "--longest", "6", "--json"};
  const ProgramResult trained = succeed(translate, "one tr\xE9s two!\nTR\xC9S\n");
  CHECK(trained.err.empty());
  CHECK(nlohmann::json::parse(trained.out.substr(0, trained.out.find('\n')))["source"] == "one tr\xC3\xA9s two!");
  const std::string utf8 = "one tr\xC3\xA9s two!\nTR\xC3\x89S\n";
  CHECK(succeed(translate, utf8).err.find("2 lines read as Latin-1 would be UTF-8, too; --encoding utf8") !=
        std::string::npos);
  for (const std::string mark : {"", "\xEF\xBB\xBF"})
    CHECK(succeed(joined(translate, {"--encoding", "utf8"}), mark + utf8).out == trained.out);
  const ProgramResult strict = run_eddy(joined(translate, {"--encoding", "utf8_strict"}), "one\ntr\xE9s\n");
  CHECK(strict.status == 1);
  CHECK(strict.err.find("standard input:2: byte 0xe9") != std::string::npos);
  test::write_compressed(folder.path("texts.gz"), "one tr\xE9s two!\nTR\xC9S\n", test::Packing::tar_gz);
  CHECK(succeed(joined(translate, {folder.path("texts.gz")})).out == trained.out);
  CHECK(succeed(joined(translate, {"-"}), folder.read("texts.gz")).out == trained.out);

  const Arguments evaluate{"seq2seq", "evaluate", "-m", model, "--beam", "1", "--longest", "6"};
  CHECK(succeed(evaluate).out.find("test part, beam 1") != std::string::npos);
  const ProgramResult other = run_eddy(joined(evaluate, {"--encoding", "utf8"}));
  CHECK(other.status == 2);
  CHECK(other.err.find("not the pairs that") != std::string::npos);
}

TEST_CASE("numbers out of range are refused before anything is read") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  const auto refused = [&](const Arguments& more, const std::string& what) {
    const ProgramResult result = run_eddy(train(folder, "m.safetensors", more));
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find(what) != std::string::npos, result.err);
    CHECK(result.err.size() < 300);
    CHECK_FALSE(folder.has("m.safetensors"));
  };
  refused({"--batch", "4294967297"}, "batch_size is 4294967297, expected 1 to 1048576");
  refused({"--batch", "100000000"}, "batch_size is 100000000, expected 1 to 1048576");
  refused({"--decay", "7", "--schedule", "exponential"}, "decay is 7, expected more than 0 and at most 1");
  refused({"--decay", "-1"}, "decay is -1, expected more than 0 and at most 1");
  refused({"--warm-up", "-3"}, "warm_up_steps is -3, expected 0 to 1000000000");
  refused({"--plateau-patience", "-5"}, "patience is -5, expected 0 to 1000000000");
  refused({"--clip", "-1"}, "clip_norm is -1, expected 0 to 1e+30");
  refused({"--checkpoint-steps", "-1"}, "Value -1 not in range 0 to");
  refused({"--log-steps", "-1"}, "Value -1 not in range 0 to");
}

TEST_CASE("without pairs to validate the last model is kept, and the program says so") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  const ProgramResult trained =
      run_eddy(train(folder, "m.safetensors", {"--validation", "0", "--steps", "3", "--max-target", "3"}));
  REQUIRE_MESSAGE(trained.status == 1, trained.err);
  CHECK(trained.err.find("90 too long") != std::string::npos);
  const ProgramResult again =
      run_eddy(train(folder, "m.safetensors", {"--validation", "0", "--steps", "3", "--overwrite"}));
  REQUIRE_MESSAGE(again.status == 0, again.err);
  CHECK(again.err.find("no pairs to validate, so the last model is kept") != std::string::npos);
  CHECK(again.err.find("left out of the training") == std::string::npos);
  CHECK(folder.has("m.safetensors"));
}

TEST_CASE("pairs that are too long are left out of the training, with a word, and are measured all the same") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  folder.write("long.tsv", "one two three four five one two!\tdeux un cinq quatre trois deux un !\n");
  folder.write("mixed.tsv", folder.read("pairs.tsv") + folder.read("long.tsv"));
  const ProgramResult trained =
      run_eddy(train(folder, "m.safetensors",
                     {"--data", folder.path("mixed.tsv"), "--steps", "5", "--max-source", "4", "--test", "0"}));
  REQUIRE_MESSAGE(trained.status == 0, trained.err);
  CHECK(trained.err.find("pairs left out of the training, longer than --max-source 4 or --max-target 30: 1\n") !=
        std::string::npos);
  const ProgramResult measured = run_eddy(
      {"seq2seq", "evaluate", "-m", folder.path("m.safetensors"), "--data", folder.path("long.tsv"), "--beam", "1"});
  REQUIRE_MESSAGE(measured.status == 0, measured.err);
  CHECK(measured.out.find("perplexity per word") != std::string::npos);
}

TEST_CASE("a training that a signal stops goes on to the same model") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  REQUIRE(run_eddy(train(folder, "whole.safetensors")).status == 0);
  const Arguments arguments = train(folder, "parts.safetensors", {"--checkpoint-steps", "1"});
  const ProgramResult stopped = run_eddy(arguments, {}, [&](int process) {
    while (!folder.has("parts.checkpoint.safetensors")) {
      if (kill(process, 0) != 0) return;
      usleep(1000);
    }
    kill(process, SIGINT);
  });
  CHECK((stopped.status == 130 || stopped.status == 0));
  if (stopped.status == 130) {
    CHECK(stopped.err.find("--resume") != std::string::npos);
    const ProgramResult resumed = run_eddy(train(folder, "parts.safetensors", {"--resume"}));
    REQUIRE_MESSAGE(resumed.status == 0, resumed.err);
  }
  CHECK(folder.read("whole.safetensors") == folder.read("parts.safetensors"));
}

TEST_CASE("more samples than words, asked for by name, are asked for by the run that goes on, too") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  succeed(train(folder, "m.safetensors", {"--softmax-samples", "512", "--steps", "2"}));
  succeed(train(folder, "m.safetensors", {"--softmax-samples", "512", "--steps", "4", "--resume"}));
  const ProgramResult fewer = run_eddy(train(folder, "m.safetensors", {"--softmax-samples", "2", "--resume"}));
  CHECK(fewer.status == 2);
  CHECK_MESSAGE(fewer.err.find("model/softmax_samples (0 → 2)") != std::string::npos, fewer.err);
}

TEST_CASE("epochs of a training that goes on may not lie behind it, and what ended it is told") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs());
  succeed(train(folder, "m.safetensors", {"--epochs", "4"}));
  const ProgramResult behind = run_eddy(train(folder, "m.safetensors", {"--epochs", "2", "--resume"}));
  CHECK(behind.status == 2);
  CHECK_MESSAGE(behind.err.find("--epochs is 2, but 4 have been trained") != std::string::npos, behind.err);
  const ProgramResult same = succeed(train(folder, "m.safetensors", {"--epochs", "4", "--resume"}));
  CHECK_MESSAGE(same.err.find("Done after 4 epochs: step ") != std::string::npos, same.err);
}

TEST_CASE("bad bytes of pairs are told of") {
  const TestFolder folder;
  folder.write("pairs.tsv", pairs() + "one \xE9!\t\xE9 un !\n");
  const ProgramResult trained = succeed(train(folder, "m.safetensors", {"--steps", "2"}));
  CHECK_MESSAGE(trained.err.find("\n2 ill-formed UTF-8 sequences became U+FFFD") != std::string::npos, trained.err);
  const ProgramResult measured = succeed({"seq2seq", "evaluate", "-m", folder.path("m.safetensors"), "--limit", "2"});
  CHECK_MESSAGE(measured.err.find("2 ill-formed UTF-8 sequences became U+FFFD") != std::string::npos, measured.err);
}

TEST_CASE("textsum begun anew and killed goes on with the new run, and nothing of the old one is taken for it") {
  const TestFolder folder;
  write_headlines(folder, "news");
  const auto arguments = [&](const Arguments& more) {
    return joined({"experiment",  "textsum",
                   "--data",      folder.path("news"),
                   "--output",    folder.path("report"),
                   "--hidden",    "8",
                   "--embedding", "8",
                   "--attention", "8",
                   "--layers",    "1",
                   "--longest",   "3",
                   "--threads",   "1",
                   "--measured",  "1"},
                  more);
  };
  succeed(arguments({"--epochs", "3", "--lr", "0.01"}));
  REQUIRE(folder.has("report/last.safetensors"));
  const Arguments anew = {"--force", "--epochs", "1000000", "--lr", "0.5"};
  const ProgramResult killed = run_eddy(arguments(anew), {}, [&](int process) {
    const auto begun = [&] {
      return folder.read("report/best.log.jsonl").find("\"learning_rate\":0.5,") != std::string::npos;
    };
    while (!begun() && kill(process, 0) == 0) usleep(1000);
    kill(process, SIGKILL);
  });
  REQUIRE(killed.status == 128 + SIGKILL);
  CHECK_FALSE(folder.has("report/last.safetensors"));
  succeed(arguments({"--epochs", "3", "--lr", "0.5"}));
  for (const std::string model : {"last", "best"}) {
    const std::string file = folder.path("report/" + model + ".safetensors");
    const auto json = nlohmann::json::parse(succeed({"inspect", "-m", file, "--json"}).out);
    CHECK(json["config"]["optimizer"]["learning_rate"] == 0.5);
    CHECK(json["steps"] <= 3);
  }
}

TEST_CASE("the decoders experiment prints targets and predictions as the original does") {
  const TestFolder folder;
  const ProgramResult done = run_eddy({"experiment", "decoders", "--modes", "3", "peek", "--out", folder.path("r")});
  REQUIRE_MESSAGE(done.status == 0, done.err);
  CHECK(done.out.find("mode 3 (attention)\nTarget output:\n['one', 'two', 'three', 'four', 'five']\nPredict "
                      "output:\n['one', 'two', 'three', 'four', 'five']\n") != std::string::npos);
  CHECK(done.out.find("Current iter_num is:") != std::string::npos);
  CHECK(done.out.find("Vocab size: 51 unique words\nDimension of hidden vectors: 20\nNumber of training stories: "
                      "5\nNumber of test stories: 5\n") != std::string::npos);
  CHECK(folder.has("r/report.json"));
  const ProgramResult wrong = run_eddy({"experiment", "decoders", "--modes", "4"});
  CHECK(wrong.status == 2);
  CHECK(wrong.err.find("basic, feedback, peek, attention") != std::string::npos);
}

}  // namespace
}  // namespace eddy
