// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/experiments/training_config_names.h"

/// Part of the program `eddy`, for its main thread. The app must outlive what refers to it.
namespace eddy {

/// As CLI::Range, which lets NaN through. The help says nothing of it.
inline CLI::Validator number_range(double low, double high) {
  const auto problem = [low, high](const std::string& text) {
    double value = 0;
    const bool inside = CLI::detail::lexical_cast(text, value) && value >= low && value <= high;
    return inside ? std::string() : fmt::format("Value {} not in range {} to {}", text, low, high);
  };
  return CLI::Validator(problem, "");
}

/// An option whose values are the names in EnumNames; `set` is called with the one that is given.
template <class E, class Set>
CLI::Option* add_choice(CLI::App& app, const std::string& names, E otherwise, Set set, const std::string& help) {
  const auto parse = [set](const std::string& text) {
    const auto value = value_of<E>(text);
    if (!value) throw CLI::ValidationError(fmt::format("\"{}\" is not one of {}", text, all_names<E>()));
    set(*value);
  };
  return app.add_option_function<std::string>(names, parse, help + ": " + all_names<E>())
      ->default_str(std::string(name_of(otherwise)))
      ->type_name("NAME");
}

/// UsageError for flags that were given to the command but do nothing, as what they need is not `met`.
class FlagNeeds {
 public:
  explicit FlagNeeds(const CLI::App& app) : app_(app) {}

  void operator()(std::string_view what, bool met, std::initializer_list<const char*> flags) const {
    for (const char* flag : flags) {
      const CLI::Option* option = app_.get_option_no_throw(flag);
      require<UsageError>(met || option == nullptr || option->count() == 0, "{} does nothing without {}", flag, what);
    }
  }

 private:
  const CLI::App& app_;
};

/// Flags for the members of a config. It remembers which flags were given, so that they can be laid over a config from
/// elsewhere, such as a checkpoint. CLI11 holds addresses into it: it neither moves nor copies.
template <class Config>
class FlagSet {
 public:
  FlagSet(CLI::App& app, Config defaults) : app_(app), defaults_(std::move(defaults)), values_(defaults_) {}
  FlagSet(const FlagSet&) = delete;
  FlagSet& operator=(const FlagSet&) = delete;

  /// `at` maps a config to its member.
  template <class At>
  CLI::Option* value(const std::string& names, At at, const std::string& help) {
    CLI::Option* option = app_.add_option(names, at(values_), help)->capture_default_str();
    remember(option, at);
    return option;
  }

  /// A flag that sets a bool member to `on`.
  template <class At>
  CLI::Option* toggle(const std::string& names, At at, bool on, const std::string& help) {
    CLI::Option* option = app_.add_flag_callback(
        names, [this, at, on] { at(values_) = on; }, help);
    remember(option, at);
    return option;
  }

  /// An enumeration by the names in EnumNames.
  template <class At>
  CLI::Option* choice(const std::string& names, At at, const std::string& help) {
    CLI::Option* option = add_choice(
        app_, names, at(values_), [this, at](auto value) { at(values_) = value; }, help);
    remember(option, at);
    return option;
  }

  /// Counts a flag of another making among those of the set.
  template <class At>
  void remember(CLI::Option* option, At at) {
    option->group(group_);
    given_.emplace_back(option, [at](Config& from, Config& to) { at(to) = at(from); });
  }

  /// Lays the flags that were given over `target`.
  void apply(Config& target) {
    for (const auto& [option, copy] : given_)
      if (option->count() > 0) copy(values_, target);
  }

  /// check() of a config with the flags applied. Its UsageError, which knows keys only, begins with the flags without
  /// any of which there would be none.
  void check_applied(const Config& config) {
    const std::string problem = problem_of(config);
    if (problem.empty()) return;
    std::string flags;
    for (const auto& [option, copy] : given_) {
      if (option->count() == 0) continue;
      Config without = config;
      copy(defaults_, without);
      if (problem_of(without).empty()) flags += (flags.empty() ? "" : ", ") + option->get_name();
    }
    fail<UsageError>("{}{}{}", flags, flags.empty() ? "" : ": ", problem);
  }

  /// Heading of the flags to come in the help.
  void begin_group(const std::string& name) { group_ = name; }

  /// The value every flag had or was given.
  Config& values() { return values_; }

 private:
  static std::string problem_of(const Config& config) {
    try {
      check(config);
      return {};
    } catch (const UsageError& error) {
      return error.what();
    }
  }

  CLI::App& app_;
  Config defaults_, values_;
  std::string group_ = "Options";
  std::vector<std::pair<CLI::Option*, std::function<void(Config&, Config&)>>> given_;
};

}  // namespace eddy
