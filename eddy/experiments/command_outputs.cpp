// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_outputs.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "eddy/core/error.h"
#include "eddy/core/file.h"

namespace eddy {
namespace {

/// Whether the file holds nothing of worth, or what the flag writes.
bool is_replaceable(const TextOutput& output) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(output.path, error)) return true;
  const InputFile file(output.path);
  std::string beginning(std::min<std::uint64_t>(file.size(), output.beginning.size()), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(beginning)));
  return file.size() == 0 || beginning == output.beginning;
}

/// Names of pictures that are none in SVG.
bool names_another_picture(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::ranges::count(std::array{".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".eps"}, extension) > 0;
}

}  // namespace

void check_outputs(const std::vector<TextOutput>& outputs, const std::vector<std::filesystem::path>& inputs) {
  for (const TextOutput& output : outputs) {
    if (output.path.empty()) continue;
    require_no_input(output.flag, output.path, inputs);
    for (const TextOutput& other : outputs)
      require<UsageError>(&other == &output || other.path != output.path, "{} and {} are one file, {}", output.flag,
                          other.flag, output.path);
    require<UsageError>(output.beginning != kSvgBeginning || !names_another_picture(output.path),
                        "{} {}: would be {}; expected a name that ends in .svg", output.flag, output.path, output.what);
    require_writable(output.path);
    require<UsageError>(is_replaceable(output), "{} {}: exists and is not {}, so it is not replaced", output.flag,
                        output.path, output.what);
  }
}

}  // namespace eddy
