// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_words.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/error.h"

namespace eddy {
namespace {

/// All there are, given or not.
std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// " of seq2seq train", nothing for the program itself.
std::string of_command(const CLI::App& app) {
  std::string names;
  for (const CLI::App* at = &app; at->get_parent() != nullptr; at = at->get_parent())
    names.insert(0, " " + at->get_name());
  return names.empty() ? "" : " of" + names;
}

/// Characters to insert, to take away and to replace that lead from one to the other (Levenshtein 1966).
std::size_t edits(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t before = row[0]++;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = before + (from[i] == to[j] ? 0 : 1);
      before = row[j + 1];
      row[j + 1] = std::min({replaced, before + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// The flag that may be meant: one that begins so or takes few edits, of a short one two at most, as swapped letters
/// do; empty when there is none.
std::string nearest_flag(const CLI::App& app, std::string_view flag) {
  std::string nearest;
  std::size_t fewest = std::max(flag.size() / 3, std::min<std::size_t>(flag.size() / 2, 2)) + 1;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    for (const std::string& name : option->get_lnames()) {
      const std::size_t found = flag.size() > 1 && name.starts_with(flag) ? 1 : edits(flag, name);
      if (found >= fewest) continue;
      fewest = found;
      nearest = name;
    }
  }
  return nearest;
}

/// How an unknown flag was named, without its value.
std::string_view flag_name(std::string_view word) { return word.substr(0, word.find('=')); }

[[noreturn]] void refuse(const CLI::App& app, const std::vector<std::string>& words) {
  const auto flag = std::ranges::find_if(words, [](const std::string& word) { return word.starts_with('-'); });
  if (flag == words.end()) fail<UsageError>("nothing{} takes the word \"{}\"", of_command(app), words[0]);
  const std::string_view name = flag_name(*flag);
  const std::string nearest = nearest_flag(app, name.substr(std::min(name.find_first_not_of('-'), name.size())));
  fail<UsageError>("there is no flag {}{}{}", name, of_command(app),
                   nearest.empty() ? "" : fmt::format("; did you mean --{}?", nearest));
}

/// The command that the words led to.
const CLI::App& last_parsed(const CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) app = app->get_subcommands()[0];
  return *app;
}

}  // namespace

void check_command_words(const CLI::App& program, int argc, char** argv) {
  const CLI::App* app = &program;
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    const std::vector<const CLI::App*> commands = commands_of(*app);
    if (commands.empty()) return;
    const auto found = std::ranges::find(commands, std::string(argv[i]), &CLI::App::get_name);
    std::vector<std::string> names;
    for (const CLI::App* command : commands) names.push_back(command->get_name());
    require<UsageError>(found != commands.end(), "there is no command \"{}\"{}; expected one of {}", argv[i],
                        of_command(*app), fmt::join(names, ", "));
    app = *found;
  }
}

void check_unknown_words(const CLI::App& program) {
  const CLI::App* app = &program;
  for (;;) {
    std::vector<std::string> words = app->remaining();
    std::erase(words, "--");
    if (!words.empty()) refuse(*app, words);
    if (app->get_subcommands().empty()) return;
    app = app->get_subcommands()[0];
  }
}

bool lacks_command(const CLI::App& program) { return !commands_of(last_parsed(program)).empty(); }

}  // namespace eddy
