// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// Part of the program `eddy`. No state.
namespace eddy {

/// A file of text that a flag names.
struct TextOutput {
  const char* flag = "";
  std::string path;            ///< empty: none is asked for
  const char* what = "";       ///< "an SVG picture"
  std::string_view beginning;  ///< of all such files
};

inline constexpr std::string_view kSvgBeginning = "<svg", kTraceBeginning = "{\n \"displayTimeUnit\"";
/// Of a program as Program::text() and Program::dot() have it.
inline constexpr std::string_view kProgramBeginning = "%", kDotBeginning = "digraph";

/// Before anything is computed: throws UsageError when an output would replace one of what is read, another output or a
/// file of another kind, and DataError when it cannot be written.
void check_outputs(const std::vector<TextOutput>& outputs, const std::vector<std::filesystem::path>& inputs);

}  // namespace eddy
