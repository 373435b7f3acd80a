// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_run_flags.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/interrupt.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/flat_json.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

const CLI::Validator kCount = CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description("");

/// Whether --overwrite may replace the file: a model, even a damaged one, or nothing of worth.
bool is_model(const fs::path& file) {
  std::error_code error;
  if (file.extension() == ".safetensors" || fs::file_size(file, error) == 0) return true;
  try {
    read_checkpoint_metadata(file);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

void make_folder(std::string_view flag, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  require<DataError>(!error, "{} {}: cannot be made: {}", flag, folder.string(), error.message());
}

/// Keys whose values differ, as "key (old → new)".
std::vector<std::string> differences(const std::string& old_json, const std::string& new_json) {
  const auto old_values = flat_members(nlohmann::ordered_json::parse(old_json));
  const auto new_values = flat_members(nlohmann::ordered_json::parse(new_json));
  // Pointers such as "/model/hidden_size"; of lists of different lengths one has keys that the other lacks.
  std::vector<std::string> keys;
  for (const auto& [key, value] : old_values.items()) keys.push_back(key);
  for (const auto& [key, value] : new_values.items())
    if (!old_values.contains(key)) keys.push_back(key);
  const auto text = [](const auto& values, const std::string& key) {
    return values.contains(key) ? values.at(key).dump() : std::string("none");
  };
  std::vector<std::string> found;
  for (const std::string& key : keys) {
    const std::string from = text(old_values, key);
    const std::string to = text(new_values, key);
    if (from != to) found.push_back(fmt::format("{} ({} → {})", key.substr(1), from, to));
  }
  return found;
}

/// A folder that the run writes must not have the name of a file it writes, nor lie below one.
void require_apart(const char* flag, const fs::path& folder, const fs::path& file) {
  if (folder.empty()) return;
  const fs::path whole = fs::absolute(folder).lexically_normal(), name = fs::absolute(file).lexically_normal();
  require<UsageError>(std::ranges::mismatch(name, whole).in1 != name.end(),
                      "{} {}: is, or lies below, {}, a file that this run writes; choose another folder", flag,
                      folder.string(), file.string());
}

}  // namespace

RunFlags::RunFlags(CLI::App& app, const CommandLine& line) : line_(line) {
  const auto group = [](CLI::Option* option) { return option->group("Output"); };
  group(app.add_option("-o,--output", output,
                       "Model file to write; its checkpoint and log stand beside it (and, where a limit ended "
                       "the run, MODEL.scheduled.safetensors: the best model before that, for a run that goes on)"))
      ->type_name("FILE")
      ->required();
  CLI::Option* going_on = group(app.add_flag(
      "--resume", resume,
      "Go on from the checkpoint of --output, on as many threads, with the same bits as if never stopped"));
  group(app.add_flag("--overwrite", overwrite_,
                     "Start anew where --output or its checkpoint exists; an old model stays until a new one is whole"))
      ->excludes(going_on);
  group(app.add_option("--checkpoint-minutes", checkpoint_minutes_,
                       "Minutes between checkpoints; 0: only at the beginning and at the end"))
      ->check(number_range(0, 1e6))
      ->capture_default_str();
  group(app.add_option("--checkpoint-steps", checkpoint_steps_, "Also a checkpoint after so many steps; 0: not"))
      ->check(kCount)
      ->capture_default_str();
  group(app.add_option("--log-steps", log_steps_, "Steps from line to line of the log; 0: no such lines"))
      ->check(kCount)
      ->capture_default_str();
  group(app.add_option("--report", report_,
                       "Folder for a report of the run when it is done: a page with curves and errors"))
      ->type_name("DIR");
  group(app.add_option("--tensorboard", tensorboard_,
                       "Folder for an event file that TensorBoard reads, with all the log has"))
      ->type_name("DIR");
  group(app.add_flag("--quiet", quiet_, "No progress, no header"));
}

std::vector<fs::path> RunFlags::written() const {
  return {output, checkpoint(), log_path(output), scheduled_path(output)};
}

void RunFlags::claim() {
  require<UsageError>(!output.empty(), "--output is empty; expected the name of a file");
  if (!report_.empty()) check_report_folder(report_);
  for (const fs::path& path : written()) {
    require_writable(path);
    require_apart("--report", report_, path);
    require_apart("--tensorboard", tensorboard_, path);
  }
  // Of the file behind a link, which another run may know by its own name.
  std::error_code error;
  const fs::path file = fs::weakly_canonical(output, error);
  lock_.reset(new OutputLock(OutputLock::of_file(checkpoint_path(error ? fs::path(output) : file))));
  if (resume) {
    require<UsageError>(path_exists(checkpoint()), "there is nothing to resume: {} does not exist",
                        checkpoint().string());
    return;
  }
  for (const fs::path& path : {fs::path(output), checkpoint()}) {
    if (!path_exists(path)) continue;
    require<UsageError>(overwrite_, "{} exists; --resume goes on with it, --overwrite starts anew", path.string());
    require<UsageError>(is_model(path), "{} exists and is no model, so --overwrite does not replace it", path.string());
  }
}

void RunFlags::require_no_input(const std::vector<fs::path>& inputs) const {
  for (const fs::path& path : written()) eddy::require_no_input("--output", path, inputs);
  eddy::require_no_input("--report", report_, inputs);
  eddy::require_no_input("--tensorboard", tensorboard_, inputs);
  if (!tensorboard_.empty()) make_folder("--tensorboard", tensorboard_);
}

void RunFlags::require_unchanged(const std::string& saved, const std::string& wanted) const {
  const std::vector<std::string> changes = differences(saved, wanted);
  require<UsageError>(changes.empty(), "--resume cannot change {}; it goes on with the config of {}",
                      fmt::join(changes, ", "), checkpoint().string());
}

RunSettings RunFlags::settings() const {
  RunSettings settings;
  settings.output = output;
  settings.checkpoint_seconds = 60 * checkpoint_minutes_;
  settings.checkpoint_steps = checkpoint_steps_;
  settings.log_steps = log_steps_;
  settings.tensorboard = tensorboard_;
  if (quiet_) settings.progress = ProgressStyle::quiet;
  return settings;
}

void RunFlags::say(const std::string& message) const {
  if (!quiet_) show_text(stderr, message + "\n");
}

int RunFlags::interrupted(std::int64_t steps) const {
  show_text(stderr, fmt::format("Interrupted after step {}. Everything is saved in {}; to go on:\n  {}{}\n", steps,
                                checkpoint().string(), line_.without("--overwrite"), resume ? "" : " --resume"));
  return 128 + interrupt_signal();
}

int RunFlags::write_report(const std::function<Report()>& make, std::string_view otherwise) const {
  if (report_.empty()) return 0;
  try {
    eddy::write_report(report_, make());
  } catch (const Interrupted&) {
    show_text(stderr, fmt::format("Interrupted before the report was written; {} writes one.\n", otherwise));
    return 128 + interrupt_signal();
  }
  say(fmt::format("The report is {}", (fs::path(report_) / "index.html").string()));
  return 0;
}

}  // namespace eddy
