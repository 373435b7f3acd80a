// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <vector>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/environment.h"

namespace eddy {
namespace {

enum ExitStatus { kFailure = 1, kUsage = 2 };

int say_error(std::string message, int status) {
  // One line, whatever a library put into its message.
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::ranges::replace(message, '\n', ' ');
  fmt::print(stderr, "eddy: error: {}\n", message);
  return status;
}

int run_command(const std::vector<Command>& commands) {
  try {
    for (const Command& command : commands)
      if (command.app->parsed()) return command.run();
  } catch (const UsageError& error) {
    return say_error(error.what(), kUsage);
  } catch (const std::bad_alloc&) {
    return say_error("there is not enough memory for that", kFailure);
  } catch (const std::exception& error) {
    return say_error(error.what(), kFailure);
  }
  return say_error("no command given; see eddy --help", kUsage);
}

int run_program(int argc, char** argv) {
  CLI::App app("Text models with recurrent networks: pretrain on plain text, finetune on labels, measure, predict.",
               "eddy");
  app.set_version_flag("--version", fmt::format("eddy {} ({})", eddy_version(), describe_cpu()));
  app.require_subcommand(1);
  const CommandLine line{shell_command(argc, argv)};
  const std::vector<Command> commands = {
      add_pretrain_command(app, line), add_finetune_command(app, line),   add_evaluate_command(app, line),
      add_predict_command(app),        add_inspect_command(app),          add_profile_command(app),
      add_seq2seq_command(app, line),  add_experiment_command(app, line), add_report_command(app, line)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForVersion& version) {
    return app.exit(version);
  } catch (const CLI::ParseError& error) {
    return say_error(error.what(), kUsage);
  } catch (const Error& error) {
    return say_error(error.what(), kUsage);
  }
  return run_command(commands);
}

}  // namespace
}  // namespace eddy

int main(int argc, char** argv) { return eddy::run_program(argc, argv); }
