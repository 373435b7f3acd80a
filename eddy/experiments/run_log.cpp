// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"

namespace eddy {
namespace {

/// The lines up to the end; a line that is no JSON, such as one a full disk cut short, goes too.
std::string kept_lines(const std::string& text, const RunLog::End& end) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("step") || !entry["step"].is_number_integer()) continue;
    const std::int64_t last = entry.contains("validation_loss") ? end.validation : end.training;
    if (entry["step"].get<std::int64_t>() <= last) kept.append(line).append("\n");
  }
  return kept;
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& path, const End& end) : path_(path) {
  write_atomically(path, path_exists(path) ? kept_lines(read_file(path), end) : std::string());
  descriptor_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) fail<DataError>("{}: cannot be opened to append: {}", path.string(), std::strerror(errno));
}

RunLog::~RunLog() { close(descriptor_); }

void RunLog::write(std::int64_t step, const std::vector<Field>& fields) {
  nlohmann::ordered_json entry = {{"step", step}};
  for (const auto& [name, value] : fields) {
    const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
    if (whole) {
      entry[std::string(name)] = static_cast<std::int64_t>(value);
    } else {
      entry[std::string(name)] = value;
    }
  }
  append_at_once(descriptor_, entry.dump() + "\n", path_);
}

}  // namespace eddy
