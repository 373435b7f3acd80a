// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/environment.h"

#include <fmt/chrono.h>
#include <sys/utsname.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "eddy/core/cpu.h"
#include "eddy/core/math.h"
#include "eddy/core/onednn.h"
#include "eddy/core/precision.h"
#include "eddy/core/threads.h"
#include "eddy/experiments/environment_version.h"

namespace eddy {
namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

std::string system_name() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc);
}

/// Only there products have a precision.
bool runs_on_amx(const nlohmann::ordered_json& facts) {
  return facts.is_object() && facts.contains("vector_target") &&
         facts.at("vector_target").dump().find("AMX") != std::string::npos;
}

}  // namespace

std::string_view eddy_version() { return EDDY_VERSION; }

Environment collect_environment(std::string command, std::optional<std::uint64_t> seed) {
  Environment facts;
  facts.cpu = cpu_capabilities().model;
  facts.vector_target = vector_target();
  facts.precision = name_of(matmul_precision());
  facts.onednn_version = onednn_version();
  facts.onednn_isa = onednn_isa();
  facts.threads = num_threads();
  facts.eddy_version = eddy_version();
  facts.compiler = compiler();
  facts.system = system_name();
  facts.date = date_now();
  facts.command = std::move(command);
  facts.seed = seed;
  return facts;
}

std::string to_json(const Environment& e) {
  nlohmann::ordered_json json{
      {"command", e.command},
      {"date", e.date},
      {"eddy", e.eddy_version},
      {"compiler", e.compiler},
      {"cpu", e.cpu},
      {"threads", e.threads},
      {"vector_target", e.vector_target},
      {"precision", e.precision},
      {"onednn", e.onednn_version},
      {"onednn_isa", e.onednn_isa},
      {"system", e.system},
  };
  if (e.seed) json["seed"] = *e.seed;
  // Arguments may be any bytes; what is not UTF-8 is shown as U+FFFD rather than losing the report.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string arithmetic_facts() {
  return nlohmann::ordered_json{{"eddy", eddy_version()},
                                {"cpu", cpu_capabilities().model},
                                {"threads", num_threads()},
                                {"vector_target", vector_target()},
                                {"precision", name_of(matmul_precision())}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::vector<std::string> changed_arithmetic(std::string_view facts) {
  auto then = nlohmann::ordered_json::parse(facts, nullptr, /*allow_exceptions=*/false);
  // What earlier versions called the same instructions.
  if (then.is_object() && then.value("vector_target", nlohmann::ordered_json()) == "AVX3")
    then["vector_target"] = "AVX-512";
  // They had one precision.
  if (then.is_object() && !then.contains("precision")) then["precision"] = name_of(Precision::highest);
  const auto now = nlohmann::ordered_json::parse(arithmetic_facts());
  std::vector<std::string> changes;
  // Other versions and processors of the same instructions may well give the same bits.
  std::vector<std::string> keys{"threads", "vector_target"};
  if (runs_on_amx(then) || runs_on_amx(now)) keys.emplace_back("precision");
  for (const std::string& key : keys)
    if (then.is_object() && then.contains(key) && then.at(key) != now.at(key))
      changes.push_back(fmt::format("{} ({}, now {})", key, then.at(key).dump(), now.at(key).dump()));
  return changes;
}

std::optional<int> recorded_threads(std::string_view facts) {
  const auto then = nlohmann::ordered_json::parse(facts, nullptr, /*allow_exceptions=*/false);
  if (!then.is_object() || !then.contains("threads") || !then.at("threads").is_number_unsigned()) return {};
  const auto threads = then.at("threads").get<std::uint64_t>();
  return threads >= 1 && threads <= 1024 ? std::optional(static_cast<int>(threads)) : std::nullopt;
}

std::optional<Precision> recorded_precision(std::string_view facts) {
  const auto then = nlohmann::ordered_json::parse(facts, nullptr, /*allow_exceptions=*/false);
  if (!then.is_object() || !then.contains("precision") || !then.at("precision").is_string()) return {};
  return find_precision(then.at("precision").get<std::string>());
}

std::string shell_quoted(std::string_view word) {
  const auto harmless = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:,=+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), harmless)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_command(std::span<const std::string> arguments) {
  std::string command;
  for (const std::string& argument : arguments) {
    std::string word = shell_quoted(argument);
    // Before the first plain word, "a=b" would be an assignment.
    if (command.empty() && word == argument && argument.find('=') != std::string::npos) word = "'" + argument + "'";
    command += (command.empty() ? "" : " ") + word;
  }
  return command;
}

std::string shell_command(int argc, const char* const* argv) {
  return shell_command(std::vector<std::string>(argv, argv + argc));
}

}  // namespace eddy
