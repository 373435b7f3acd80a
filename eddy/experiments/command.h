// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace eddy {

/// A subcommand of the program: its flags, and what it does once they are parsed. Returns the exit status. For the main
/// thread; the program and the line it was made from must outlive it.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

/// What the user typed, quoted so that a shell reads it back.
struct CommandLine {
  std::string text;
  /// The same without a flag that needs no value, also as --flag=true.
  std::string without(std::string_view flag) const;
};

Command add_pretrain_command(CLI::App& program, const CommandLine& line);
Command add_finetune_command(CLI::App& program, const CommandLine& line);
Command add_evaluate_command(CLI::App& program, const CommandLine& line);
Command add_predict_command(CLI::App& program);
Command add_inspect_command(CLI::App& program);
Command add_profile_command(CLI::App& program);
Command add_seq2seq_command(CLI::App& program, const CommandLine& line);
Command add_experiment_command(CLI::App& program, const CommandLine& line);
Command add_report_command(CLI::App& program, const CommandLine& line);

/// --threads and --precision, which every command that computes has. Applied as soon as the flags are parsed.
void add_computing_flags(CLI::App& app);

/// Prints JSON as a result, on one line where `indent` is -1; bytes that are no UTF-8 become U+FFFD.
void print_json(const nlohmann::ordered_json& value, int indent = 2);

}  // namespace eddy
