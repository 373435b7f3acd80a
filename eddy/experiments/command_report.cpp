// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <filesystem>
#include <memory>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/report_compare.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExamples = R"(Examples:
  eddy finetune --data train.tsv --label-column 0 -o a.safetensors --report reports/a
  eddy finetune --data train.tsv --label-column 0 -o b.safetensors --hidden 512 --report reports/b
  eddy report reports/a reports/b --output reports/a-b
  eddy report runs/imdb/report.json reports/a -o compared --names paper,mine)";

struct ReportCommand {
  std::vector<std::string> reports;
  std::vector<std::string> names;
  std::string output;
};

/// The folder's own name; of report.json that of the folder it stands in.
std::string short_name(const std::string& path) {
  fs::path absolute = fs::absolute(path).lexically_normal();
  if (absolute.filename() == "report.json" || absolute.filename().empty()) absolute = absolute.parent_path();
  return absolute.filename().string();
}

/// Names that tell the runs apart: the short ones where they do, else the paths as they were given.
std::vector<std::string> run_names(const ReportCommand& command) {
  if (!command.names.empty()) {
    require<UsageError>(command.names.size() == command.reports.size(), "--names: {} given for {}; expected one each",
                        counted(std::ssize(command.names), "name"), counted(std::ssize(command.reports), "report"));
    return command.names;
  }
  std::vector<std::string> names;
  for (const std::string& path : command.reports) names.push_back(short_name(path));
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (names[i] == names[j]) return command.reports;
  return names;
}

/// A report that is compared must not become the comparison.
void check_output(const ReportCommand& command) {
  std::error_code error;
  for (const fs::path path : command.reports) {
    const fs::path folder = fs::is_directory(path, error) ? path : fs::absolute(path, error).parent_path();
    require<UsageError>(!fs::equivalent(command.output, folder, error),
                        "--output {} is the folder of one of the reports; choose another folder", command.output);
  }
  check_report_folder(command.output);
}

int compare(const ReportCommand& command, const CommandLine& line) {
  check_output(command);
  const std::vector<std::string> names = run_names(command);
  std::vector<std::pair<std::string, Report>> runs;
  for (std::size_t i = 0; i < names.size(); ++i) runs.emplace_back(names[i], read_report(command.reports[i]));
  Report comparison = compare_reports(runs);
  comparison.environment = to_json(collect_environment(line.text));
  comparison.command = line.text;
  write_report(command.output, comparison);
  for (const Table& table : comparison.tables) fmt::print("{}\n", to_text(table));
  fmt::print("{}\n", to_text(comparison.details.front()));
  fmt::print(stderr, "The page is {}\n", (fs::path(command.output) / "index.html").string());
  return 0;
}

}  // namespace

Command add_report_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app = program.add_subcommand(
      "report", "Compare runs in one page: tables side by side, curves overlaid, differences of configuration");
  app->footer(std::string(kExamples));
  auto command = std::make_shared<ReportCommand>();
  app->add_option("reports", command->reports, "Folders that --report or an experiment wrote, or their report.json")
      ->type_name("DIR")
      ->required();
  app->add_option("-o,--output", command->output, "Folder of the page")->type_name("DIR")->required();
  app->add_option("--names", command->names,
                  "Names of the runs, one each, separated by commas, instead of those of their folders")
      ->delimiter(',')
      ->type_name("NAME")
      ->allow_extra_args(false);
  return {app, [command, line] { return compare(*command, line); }};
}

}  // namespace eddy
