// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>

#include "eddy/core/file.h"
#include "eddy/core/interrupt.h"
#include "eddy/experiments/decoders.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

DecodersOptions quiet() {
  DecodersOptions options;
  options.progress = ProgressStyle::quiet;
  return options;
}

TEST_CASE("all four modes of the original reproduce the five stories, whatever the seed") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    DecodersOptions options = quiet();
    options.seed = seed;
    const DecodersResult result = run_decoders(options);
    REQUIRE(result.runs.size() == 4);
    const std::int64_t parameters[] = {8651, 9071, 10671, 11112};
    for (std::size_t i = 0; i < 4; ++i) {
      const DecoderRun& run = result.runs[i];
      CAPTURE(i);
      CHECK(run.reproduced);
      CHECK(run.epochs < 2000);
      CHECK(run.parameters == parameters[i]);
      CHECK(run.predictions == run.targets);
      CHECK(run.predictions[1] == std::vector<std::string>{"six", "seven", "eight", "nine", "ten"});
      CHECK(run.losses.size() == static_cast<std::size_t>(run.epochs));
    }
  }
}

TEST_CASE("fed tokens, with other cells and a real attention, the stories are learned as well") {
  DecodersOptions options = quiet();
  options.modes = {DecoderMode::feedback, DecoderMode::peek, DecoderMode::attention};
  options.model.feedback = Feedback::token;
  options.model.energy = AttentionEnergy::additive;
  options.model.hand_over_state = true;
  SUBCASE("LSTM") {}
  SUBCASE("GRU") { options.model.encoder.cell = CellKind::gru; }
  for (const DecoderRun& run : run_decoders(options).runs) CHECK(run.reproduced);
}

TEST_CASE("a mode that is given twice is told before any training") {
  DecodersOptions options = quiet();
  options.modes = {DecoderMode::attention, DecoderMode::basic, DecoderMode::attention};
  CHECK_THROWS_WITH_AS(run_decoders(options), doctest::Contains("the mode attention is given twice"), UsageError);
}

TEST_CASE("the same options train the same; the report is written, also of an unfinished training") {
  const TemporaryFolder folder;
  DecodersOptions options = quiet();
  options.modes = {DecoderMode::attention};
  options.epochs = 20;
  options.output = folder.path() / "report";
  const DecodersResult first = run_decoders(options), second = run_decoders(options);
  CHECK(first.runs[0].losses == second.runs[0].losses);
  CHECK(first.runs[0].accuracies == second.runs[0].accuracies);
  CHECK_FALSE(first.runs[0].reproduced);
  CHECK(first.runs[0].losses.back() < first.runs[0].losses.front());
  const std::string report = read_file(options.output / "report.md");
  CHECK(report.find("not in 20") != std::string::npos);
  for (const char* name : {"report.json", "index.html", "accuracy.svg", "loss.svg", "attention.svg"})
    CHECK(std::filesystem::exists(options.output / name));
  CHECK(decoders_listing(first.runs[0]).find("Target output:\n['one', 'two', 'three', 'four', 'five']\n") !=
        std::string::npos);
  options.epochs = 0;
  CHECK_THROWS_AS(run_decoders(options), UsageError);
}

TEST_CASE("a finished report outlives a run that is interrupted") {
  const TemporaryFolder folder;
  DecodersOptions options = quiet();
  options.modes = {DecoderMode::basic};
  options.epochs = 2;
  options.output = folder.path() / "report";
  CHECK(run_decoders(options).reported);
  const std::string report = read_file(options.output / "report.json");
  const InterruptGuard guard;
  ::raise(SIGINT);
  const DecodersResult stopped = run_decoders(options);
  CHECK(stopped.interrupted);
  CHECK_FALSE(stopped.reported);
  CHECK(read_file(options.output / "report.json") == report);
  options.output = folder.path() / "other";
  CHECK(run_decoders(options).reported);
  CHECK(read_file(options.output / "report.md").find("stopped by a signal") != std::string::npos);
}

}  // namespace
}  // namespace eddy
