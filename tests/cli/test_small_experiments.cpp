// SPDX-License-Identifier: Apache-2.0
// `eddy experiment patterns`, for piglatin and adder run by the same code: Ctrl-C, going on, and bad input.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

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
  const ProgramResult stopped = run_eddy(patterns(folder.path("parts")), {}, interrupt);
  INFO(stopped.err);
  REQUIRE(stopped.status == 130);
  CHECK(stopped.err.find("Interrupted. Finished epochs are kept") != std::string::npos);
  const ProgramResult rest = run_eddy(patterns(folder.path("parts")));
  REQUIRE(rest.status == 0);
  CHECK(rest.out.find("going on after epoch") != std::string::npos);
  CHECK(tested(rest) == tested(whole));
  CHECK(tested(rest) != "none");
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
  folder.write("words", "okay\nmaster\n");
  fails({"piglatin", "--data", folder.path("words")}, "left for training");
}

}  // namespace eddy
