// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>
#include <sstream>
#include <system_error>
#include <vector>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/command_words.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/progress.h"

namespace eddy {
namespace {

enum ExitStatus { kFailure = 1, kUsage = 2 };

int say_error(std::string message, int status) {
  // One line, whatever a library put into its message.
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::ranges::replace(message, '\n', ' ');
  show_text(stderr, fmt::format("eddy: error: {}\n", message));
  return status;
}

/// A file opened later must not take the place of a standard stream that is closed: what is meant for the stream would
/// go into it. Reading or writing such a stream still fails; what is said on the error stream is lost.
void keep_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    const int mode = descriptor == STDIN_FILENO ? O_WRONLY : descriptor == STDOUT_FILENO ? O_RDONLY : O_RDWR;
    if (open("/dev/null", mode) != descriptor) std::abort();  // the lowest free number is taken
  }
}

constexpr const char* kLostOutput = "the standard output cannot be written";

/// Results that have not arrived are an error.
int finish_output(int status) {
  if (status != 0) return status;
  try {
    flush_results();
  } catch (const DataError& error) {
    return say_error(error.what(), kFailure);
  }
  return status;
}

/// CLI11 takes a number that is too large for the largest there is, and a negative one for a large one where none may
/// be negative. What is no number at all it refuses itself.
std::string number_problem(const std::string& text, bool is_signed) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  errno = 0;
  if (is_signed) {
    std::strtoll(text.c_str(), nullptr, 0);
  } else {
    std::strtoull(text.c_str(), nullptr, 0);
  }
  const bool too_large = errno == ERANGE;
  if (!too_large && (is_signed || text[begin] != '-')) return {};
  return fmt::format("{} is no whole number {}", text,
                     is_signed ? "of at most 63 bits" : "from 0 to 18446744073709551615");
}

/// Looks at the whole numbers of every command.
void check_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options([](CLI::Option*) { return true; }))
    for (const bool is_signed : {false, true})
      if (option->get_type_name().starts_with(is_signed ? "INT" : "UINT"))
        option->check(CLI::Validator([is_signed](std::string& text) { return number_problem(text, is_signed); }, ""));
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) check_numbers(*command);
}

/// A flag that takes one value at a time does not show as one that takes several.
class HelpFormatter : public CLI::Formatter {
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    constexpr std::string_view several = " ...";
    if (const auto at = text.find(several); at != std::string::npos && !option->get_allow_extra_args())
      text.erase(at, several.size());
    return text;
  }
};

/// The exit status of the work, or of its error, which is told.
int with_errors_told(const std::function<int()>& work) {
  try {
    return work();
  } catch (const Interrupted&) {
    say_error("interrupted", kFailure);
    return 128 + interrupt_signal();
  } catch (const UsageError& error) {
    return say_error(error.what(), kUsage);
  } catch (const std::bad_alloc&) {
    return say_error("there is not enough memory for that", kFailure);
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) == 0) return say_error(error.what(), kFailure);
    return say_error(fmt::format("{}: {}", kLostOutput, error.code().message()), kFailure);
  } catch (const std::exception& error) {
    return say_error(error.what(), kFailure);
  }
}

int run_command(const std::vector<Command>& commands) {
  return std::ranges::find_if(commands, [](const Command& command) { return command.app->parsed(); })->run();
}

int run_program(int argc, char** argv) {
  CLI::App app("Text models with recurrent networks: pretrain on plain text, finetune on labels, measure, predict.",
               "eddy");
  app.set_version_flag("--version", fmt::format("eddy {} ({})", eddy_version(), describe_cpu()));
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());
  const CommandLine line{shell_command(argc, argv)};
  const std::vector<Command> commands = {
      add_pretrain_command(app, line), add_finetune_command(app, line),   add_evaluate_command(app, line),
      add_predict_command(app),        add_inspect_command(app),          add_profile_command(app),
      add_seq2seq_command(app, line),  add_experiment_command(app, line), add_report_command(app, line)};
  check_numbers(app);
  try {
    check_command_words(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& answer) {  // the help or the version
    std::ostringstream text;
    const int status = app.exit(answer, text, text);
    fmt::print("{}", text.str());
    return status;
  } catch (const CLI::ParseError& error) {
    // A mistyped flag may be the very one that the parser goes on to miss.
    check_unknown_words(app);
    if (lacks_command(app)) {
      show_text(stderr, app.help());
      fail<UsageError>("no command given; the help above names them");
    }
    fail<UsageError>("{}", error.what());
  } catch (const Error& error) {
    fail<UsageError>("{}", error.what());
  }
  return run_command(commands);
}

}  // namespace
}  // namespace eddy

int main(int argc, char** argv) {
  eddy::keep_standard_streams();
  // A file that grows to the limit of its size is an error that names it, not the program's end.
  const eddy::IgnoredSignal file_size(SIGXFSZ);
  return eddy::finish_output(eddy::with_errors_told([&] { return eddy::run_program(argc, argv); }));
}
