// SPDX-License-Identifier: Apache-2.0
// `eddy experiment patterns`, for piglatin and adder run by the same code, and textsum: Ctrl-C, going on, bad input.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include "eddy/core/file.h"
#include "program.h"

namespace eddy {
namespace {

std::vector<std::string> patterns(const std::string& output) {
  return {"experiment",      "patterns",
          "--output",        output,
          "--samples",       "800",
          "--length",        "3",
          "--models",        "embedding_rnn",
          "--batch-size",    "32",
          "--learning-rate", "0.02",
          "--hidden-size",   "16",
          "--epochs",        "8",
          "--test",          "100",
          "--validation",    "100",
          "--digits",        "1 2 3"};
}

/// Texts whose headline is their second and last word; most of those words are unknown.
void write_headlines(const TestFolder& folder) {
  std::string content, title;
  for (const std::string city : {"东城", "西城", "南城", "北城"})
    for (const std::string event : {"暴雨", "大火", "地铁"}) {
      content.append("今日 ").append(city).append(" 的 ").append(event).append("\n");
      title.append(city).append(" ").append(event).append("\n");
    }
  folder.write("vocab", "_PAD\n_GO\n_EOS\n_UNK\n今日\n的\n东城\n暴雨\n");
  for (const char* part : {"train", "dev", "test"}) {
    folder.write(fmt::format("content-{}.txt", part), content);
    folder.write(fmt::format("title-{}.txt", part), title);
  }
}

std::vector<std::string> textsum(const TestFolder& folder, const std::string& output,
                                 const std::vector<std::string>& more = {}, const std::string& epochs = "60") {
  std::vector<std::string> arguments = {"experiment", "textsum",   "--data", folder.path(""), "--output",
                                        output,       "--hidden",  "12",     "--embedding",   "12",
                                        "--batch",    "4",         "--lr",   "0.01",          "--attention",
                                        "8",          "--buckets", "4x3",    "8x5",           "--epochs",
                                        epochs,       "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The line that tells the test's figures.
std::string tested(const ProgramResult& result) {
  const std::size_t at = result.out.find("test: ");
  return at == std::string::npos ? "none" : result.out.substr(at, result.out.find('\n', at) - at);
}

}  // namespace

TEST_CASE("a small experiment that was stopped goes on and ends as if it had not been") {
  const TestFolder folder;
  const ProgramResult whole = run_eddy(patterns(folder.path("whole")));
  INFO(whole.err);
  REQUIRE(whole.status == 0);
  CHECK(whole.out.find("3 2 1") != std::string::npos);
  CHECK(folder.has("whole/index.html"));
  const auto interrupt = [&](int process) {
    while (!folder.has("parts/parts/embedding_rnn.safetensors") && kill(process, 0) == 0) usleep(500);
    kill(process, SIGINT);
  };
  // The rate goes by the number of epochs, so this one has an end too; should the signal come after it, once more.
  ProgramResult stopped;
  for (int attempt = 0; attempt < 20 && stopped.status != 130; ++attempt) {
    std::filesystem::remove_all(folder.path("parts"));
    stopped = run_eddy(joined(patterns(folder.path("parts")), {"--force"}), {}, interrupt);
  }
  INFO(stopped.err);
  REQUIRE(stopped.status == 130);
  // As it stands, --force would do away with what is kept.
  CHECK(stopped.err.find("--digits '1 2 3'\n") != std::string::npos);
  CHECK(stopped.err.find("--force") == std::string::npos);
  CHECK(stopped.err.find("Interrupted. What was done is kept") != std::string::npos);
  const ProgramResult rest = run_eddy(patterns(folder.path("parts")));
  REQUIRE(rest.status == 0);
  CHECK(rest.out.find("going on after epoch") != std::string::npos);
  CHECK(tested(rest) == tested(whole));
  CHECK(tested(rest) != "none");
}

TEST_CASE("no experiment writes where another run is writing, or where no folder can be") {
  const TestFolder folder;
  write_headlines(folder);
  const OutputLock lock = OutputLock::of_folder(folder.path("busy"));
  const auto all = [&](const std::string& output) {
    return std::vector<std::vector<std::string>>{
        patterns(output),
        textsum(folder, output),
        {"experiment", "decoders", "--output", output},
        {"experiment", "wordnet", "--data", folder.path(""), "--output", output}};
  };
  for (const auto& arguments : all(folder.path("busy"))) {
    const ProgramResult result = run_eddy(arguments);
    CHECK(result.status == 2);
    CHECK_MESSAGE(result.err.find("another run is writing") != std::string::npos, result.err);
    CHECK(result.out.find("report folder " + folder.path("busy") + "\n") != std::string::npos);
  }
  for (const auto& arguments : all(folder.path("vocab"))) {
    const ProgramResult result = run_eddy(arguments);
    CHECK(result.status == 1);
    CHECK_MESSAGE(result.err.find(folder.path("vocab")) != std::string::npos, result.err);
  }
  // The folder is one, but that of the models cannot be.
  folder.write("labelled.tsv", labelled_lines(60, 1));
  std::filesystem::create_directory(folder.path("taken"));
  folder.write("taken/parts", "");
  for (const Arguments& arguments : {patterns(folder.path("taken")),
                                     Arguments{"experiment", "texts", "--preset", "quick", "--rows", "lstm", "--data",
                                               folder.path("labelled.tsv"), "--output", folder.path("taken")}}) {
    const ProgramResult result = run_eddy(joined(arguments, {"--threads", "1"}));
    CHECK(result.status == 1);
    CHECK_MESSAGE(result.err.find("taken/parts: cannot be made: Not a directory") != std::string::npos, result.err);
    CHECK(result.out.find("epoch 1") == std::string::npos);
  }
  // Without a folder there is nothing to lock, and a mistake in the flags makes none.
  CHECK(succeed({"experiment", "decoders", "--output", "", "--epochs", "1"}).out.find("report") == std::string::npos);
  CHECK(run_eddy({"experiment", "wordnet", "--rows", "nonsense", "--output", folder.path("none")}).status == 2);
  CHECK_FALSE(folder.has("none"));
}

TEST_CASE("textsum runs from data to report, goes on after a signal, and leaves a model that translates") {
  const TestFolder folder;
  write_headlines(folder);
  const std::string output = folder.path("report");
  const auto interrupt = [&](int process) {
    while (!folder.has("report/best.safetensors") && kill(process, 0) == 0) usleep(500);
    kill(process, SIGINT);
  };
  const ProgramResult stopped = run_eddy(textsum(folder, output, {}, "1000000"), {}, interrupt);
  INFO(stopped.err);
  REQUIRE(stopped.status == 130);
  CHECK(stopped.err.find("What was done is kept; this command goes on") != std::string::npos);
  const ProgramResult rest = run_eddy(textsum(folder, output));
  INFO(rest.err);
  REQUIRE(rest.status == 0);
  CHECK(rest.out.find("going on after step") != std::string::npos);
  CHECK(rest.out.find("12 pairs are far too few to learn to write headlines") != std::string::npos);
  CHECK(folder.has("report/index.html"));
  const ProgramResult told =
      run_eddy({"seq2seq", "translate", "-m", output + "/last.safetensors", "--heat-map", folder.path("map.svg")},
               "今日 南城 的 地铁\n");
  INFO(told.err);
  REQUIRE(told.status == 0);
  CHECK(told.out.find("_UNK") == std::string::npos);
  CHECK(folder.read("map.svg").find("今日") != std::string::npos);

  const auto fails = [&](const std::vector<std::string>& more, const std::string& message) {
    const ProgramResult result = run_eddy(textsum(folder, output, more));
    CHECK(result.status != 0);
    CHECK_MESSAGE(result.err.find(message) != std::string::npos, result.err);
  };
  fails({"--layers", "3"}, "is of a run with other options");
  fails({"--preset", "huge"}, "\"huge\" is not one of sample, medium, large");
  fails({"--buckets", "120"}, "is no size such as 120x30");
  fails({"--data", folder.path("nothing")}, "--data");
}

TEST_CASE("bad input to the small experiments is told in a line") {
  const TestFolder folder;
  const auto fails = [&](std::vector<std::string> arguments, const std::string& message) {
    arguments.insert(arguments.begin(), "experiment");
    arguments.insert(arguments.end(), {"--output", folder.path("out")});
    const ProgramResult result = run_eddy(arguments);
    CHECK(result.status != 0);
    CHECK_MESSAGE(result.err.find(message) != std::string::npos, result.err);
  };
  fails({"patterns", "--models", "tree"}, "there is no model \"tree\"");
  fails({"patterns", "--pattern", "shuffled"}, "shuffled");
  fails({"adder", "--sums", "one+two"}, "\"one+two\" is not an addition");
  fails({"piglatin", "--data", folder.path("no-list")}, "does not exist");
  fails({"textsum", "--data", folder.path("no-news")}, "no-news");
  fails({"textsum"}, "--data is required");
  folder.write("words", "okay\nmaster\n");
  fails({"piglatin", "--data", folder.path("words")}, "left for training");
  // The default examples are no words that are too long.
  fails({"piglatin", "--data", folder.path("words"), "--longest", "4"}, "left for training");
  const ProgramResult no_word = run_eddy({"experiment", "piglatin", "--words", "Élan", "--output", folder.path("out")});
  CHECK(no_word.status == 2);
  CHECK(no_word.err.find("\"Élan\" has no Pig Latin") != std::string::npos);
}

}  // namespace eddy
