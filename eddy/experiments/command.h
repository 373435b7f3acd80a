// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace eddy {

/// A subcommand of the program: its flags, and what it does once they are parsed. Returns the exit status.
struct Command {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

/// What the user typed, quoted so that a shell reads it back.
struct CommandLine {
  std::string text;
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

/// --threads, which every command has. Applied as soon as the flags are parsed.
void add_thread_flag(CLI::App& app);

}  // namespace eddy
