// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/precision.h"

namespace eddy {

/// What a result depends on besides its configuration.
struct Environment {
  std::string cpu{};
  std::string vector_target{};  ///< of eddy's own kernels
  std::string precision{};      ///< of matrix products
  std::string onednn_version{};
  std::string onednn_isa{};
  int threads = 0;
  std::string eddy_version{};
  std::string compiler{};
  std::string system{};  ///< kernel and machine
  std::string date{};    ///< UTC, "2026-01-31T12:34:56Z"
  std::string command{};
  std::optional<std::uint64_t> seed{};
};

/// Facts of this process now.
Environment collect_environment(std::string command = {}, std::optional<std::uint64_t> seed = std::nullopt);

/// A JSON object.
std::string to_json(const Environment& environment);

/// What the bits of a training depend on beside its settings and data, of this process now: a JSON object.
std::string arithmetic_facts();
/// What of it is another now, as "threads (2, now 1)"; nothing for a text of a version that did not know the fact.
std::vector<std::string> changed_arithmetic(std::string_view facts);

/// The threads that such a text tells of; nothing where it tells of no number of threads there can be.
std::optional<int> recorded_threads(std::string_view facts);
/// The precision of its products, likewise.
std::optional<Precision> recorded_precision(std::string_view facts);

/// `0.1.0`
std::string_view eddy_version();

/// The word as a POSIX shell reads it back: bare where harmless, else in single quotes.
std::string shell_quoted(std::string_view word);
/// A command a shell runs with exactly these arguments.
std::string shell_command(std::span<const std::string> arguments);
std::string shell_command(int argc, const char* const* argv);

}  // namespace eddy
