// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eddy/core/threads.h"
#include "eddy/experiments/command.h"

namespace eddy {

std::string CommandLine::without(std::string_view flag) const {
  std::string command = text;
  const std::string word = fmt::format(" {}", flag);
  for (std::size_t at = 0; (at = command.find(word, at)) != std::string::npos;) {
    std::size_t end = at + word.size();
    // A flag may have a value after all: --flag=true.
    if (end < command.size() && command[end] == '=') end = std::min(command.find(' ', end), command.size());
    if (end == command.size() || command[end] == ' ') {
      command.erase(at, end - at);
    } else {
      at = end;
    }
  }
  return command;
}

void print_json(const nlohmann::ordered_json& value, int indent) {
  fmt::print("{}\n", value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void add_thread_flag(CLI::App& app) {
  app.add_option_function<int>(
         "--threads", [](int threads) { set_num_threads(threads); }, "Threads to compute with")
      ->default_str(std::to_string(num_threads()))
      ->type_name("INT");
}

}  // namespace eddy
