// SPDX-License-Identifier: Apache-2.0
// SIGKILL at random moments, again and again: nothing is left half done, and the end is that of a run never killed.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eddy/core/random.h"
#include "eddy/experiments/checkpoint.h"
#include "program.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
constexpr int kKills = 12;
/// Runs that must have been killed, of those. What an experiment trains has an end, which late ones may find.
constexpr int kFewestKills = 3;
constexpr int kKilled = 128 + SIGKILL;

/// Runs the program and kills it up to two milliseconds after `ready`, unless it ends before.
ProgramResult run_and_kill(const Arguments& arguments, Philox& random, const std::function<bool()>& ready) {
  const auto pause = static_cast<useconds_t>(uniform_index(random, 2000));
  return run_eddy(arguments, {}, [&](int process) {
    siginfo_t ended{};
    // WNOWAIT leaves the ended process to be waited for by run_eddy.
    while (!ready() && waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0)
      usleep(500);
    usleep(pause);
    kill(process, SIGKILL);
  });
}

/// Checkpoints and records under the folder, with when they were written.
std::map<std::string, fs::file_time_type> kept_in(const fs::path& folder) {
  std::map<std::string, fs::file_time_type> kept;
  std::error_code error;  // files come and go meanwhile
  for (fs::directory_iterator entry(folder, error); entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const fs::file_time_type time = fs::last_write_time(entry->path(), error);
    if (!error && (name.ends_with(".checkpoint.safetensors") || name.ends_with(".json"))) kept[name] = time;
  }
  return kept;
}

/// True once the folder was seen with a new checkpoint or record for the given time.
std::function<bool()> after_new_files(const fs::path& folder, std::uint64_t times) {
  return [folder, times, before = kept_in(folder)]() mutable {
    auto now = kept_in(folder);
    const bool fresh = std::ranges::any_of(now, [&](const auto& file) {
      const auto found = before.find(file.first);
      return found == before.end() || found->second != file.second;
    });
    before = std::move(now);
    times -= fresh ? 1 : 0;
    return times == 0;
  };
}

std::int64_t lines_of(const std::string& text) { return std::ranges::count(text, '\n'); }

/// Every file under the folder is whole: models and checkpoints, logs and records, whatever stands there by then.
void check_whole(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const fs::path& path = entry.path();
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (path.extension() == ".safetensors") {
      CHECK_NOTHROW(read_checkpoint_metadata(path));
      ParameterStore store(1);
      CHECK_NOTHROW(load_checkpoint(path, store));
    } else if (path.extension() == ".jsonl") {
      std::istringstream lines(text.str());
      for (std::string line; std::getline(lines, line);)
        CHECK_MESSAGE(nlohmann::json::accept(line), path.string(), ": ", line);
    } else if (path.extension() == ".json") {
      CHECK_MESSAGE(nlohmann::json::accept(text.str()), path.string());
    }
  }
}

/// A record without its times.
nlohmann::json timeless(const std::string& text) {
  nlohmann::json json = nlohmann::json::parse(text);
  json["record"].erase("seconds");
  json["record"].erase("tokens_per_second");
  return json;
}

}  // namespace

TEST_CASE("pretrain killed at random moments and resumed ends with the bits of a run never killed") {
  const TestFolder folder;
  folder.write("texts.txt", text_lines(200, 1));
  const auto pretrain = [&](const std::string& output) {
    return Arguments{"pretrain",
                     "--data",
                     folder.path("texts.txt"),
                     "--hidden",
                     "16",
                     "--embedding",
                     "12",
                     "--batch",
                     "8",
                     "--word-dropout",
                     "0.1",
                     "--epochs",
                     "1000000",
                     "--patience",
                     "0",
                     "--evaluate-every",
                     "40",
                     "--checkpoint-steps",
                     "7",
                     "--log-steps",
                     "1",
                     "--quiet",
                     "--threads",
                     "1",
                     "--output",
                     folder.path(output)};
  };
  fs::create_directories(folder.path("whole"));
  fs::create_directories(folder.path("killed"));
  const auto go_on = [&] {
    Arguments words = pretrain("killed/lm.safetensors");
    words.push_back(folder.has("killed/lm.checkpoint.safetensors") ? "--resume" : "--overwrite");
    return words;
  };
  Philox random(11);
  for (int i = 0; i < kKills; ++i) {
    const std::int64_t steps =
        lines_of(folder.read("killed/lm.log.jsonl")) + 1 + static_cast<std::int64_t>(uniform_index(random, 60));
    const auto ready = [&] { return lines_of(folder.read("killed/lm.log.jsonl")) >= steps; };
    const ProgramResult result = run_and_kill(go_on(), random, ready);
    REQUIRE_MESSAGE(result.status == kKilled, result.err);
    check_whole(folder.path("killed"));
  }
  // Without the kills it would never have ended; now it may, a little later, and so may the other one.
  const Arguments limit = {"--max-steps", std::to_string(lines_of(folder.read("killed/lm.log.jsonl")) + 100)};
  const ProgramResult last = run_eddy(joined(go_on(), limit));
  REQUIRE_MESSAGE(last.status == 0, last.err);
  const ProgramResult whole = run_eddy(joined(pretrain("whole/lm.safetensors"), limit));
  REQUIRE_MESSAGE(whole.status == 0, whole.err);
  CHECK(folder.read("killed/lm.safetensors") == folder.read("whole/lm.safetensors"));
}

TEST_CASE("an experiment killed at random moments ends with the models and the figures of one never killed") {
  const TestFolder folder;
  fs::create_directories(folder.path("data"));
  folder.write("data/rt-polarity.neg", text_lines(150, 1));
  folder.write("data/rt-polarity.pos", text_lines(150, 2));
  const auto experiment = [&](const std::string& output) {
    return Arguments{"experiment",
                     "rt",
                     "--data",
                     folder.path("data"),
                     "--preset",
                     "quick",
                     "--test",
                     "50",
                     "--hidden",
                     "16",
                     "--embedding",
                     "12",
                     "--epochs",
                     "60",
                     "--rows",
                     "lstm,sa-gain",
                     "--threads",
                     "1",
                     "--checkpoint-minutes",
                     "0.0001",
                     "--output",
                     folder.path(output)};
  };
  const ProgramResult whole = run_eddy(experiment("whole"));
  REQUIRE_MESSAGE(whole.status == 0, whole.err);
  Philox random(12);
  int killed = 0;
  for (int i = 0; i < kKills; ++i) {
    const auto ready = after_new_files(folder.path("killed/parts"), 1 + uniform_index(random, 6));
    const ProgramResult result = run_and_kill(experiment("killed"), random, ready);
    REQUIRE_MESSAGE((result.status == kKilled || result.status == 0), result.err);
    killed += result.status == kKilled ? 1 : 0;
    check_whole(folder.path("killed"));
  }
  CHECK(killed >= kFewestKills);
  const ProgramResult last = run_eddy(experiment("killed"));
  REQUIRE_MESSAGE(last.status == 0, last.err);
  int models = 0;
  for (const auto& entry : fs::directory_iterator(folder.path("whole/parts"))) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".safetensors")) {
      ++models;
      CHECK_MESSAGE(folder.read("killed/parts/" + name) == folder.read("whole/parts/" + name), name);
    }
    if (name.ends_with(".json"))
      CHECK_MESSAGE(timeless(folder.read("killed/parts/" + name)) == timeless(folder.read("whole/parts/" + name)),
                    name);
  }
  CHECK(models == 3);
  CHECK(folder.has("killed/index.html"));
}

}  // namespace eddy
