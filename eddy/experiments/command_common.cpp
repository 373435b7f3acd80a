// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eddy/core/precision.h"
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

void add_computing_flags(CLI::App& app) {
  app.add_option_function<int>(
         "--threads", [](int threads) { set_num_threads(threads); }, "Threads to compute with")
      ->default_str(std::to_string(num_threads()))
      ->type_name("INT");
  app.add_option_function<std::string>(
         "--precision", [](const std::string& name) { set_matmul_precision(precision_of(name)); },
         "Bits of f32 that matrix products take where AMX makes fewer faster: medium (8), high (16) or highest (all "
         "24)")
      ->default_str(std::string(name_of(matmul_precision())))
      ->type_name("TEXT");
}

}  // namespace eddy
