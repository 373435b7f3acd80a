// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/checkpoint.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/safetensors.h"
#include "eddy/experiments/environment.h"

namespace eddy {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "eddy checkpoint";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kMorePrefix = "more.";

void require_json(const std::string& text, std::string_view what) {
  require<UsageError>(text.empty() || Json::accept(text), "the {} of a checkpoint must be JSON, not '{}'", what,
                      text.substr(0, 80));
}

std::string dumped(const Json& json, const std::filesystem::path& path) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    fail<DataError>("{}: a token or name is not UTF-8 and cannot be written", path.string());
  }
}

/// A metadata field that holds JSON as `T`.
template <class T>
T parsed(const std::map<std::string, std::string>& fields, const std::string& key, const std::filesystem::path& path) {
  const auto found = fields.find(key);
  if (found == fields.end()) return {};
  try {
    return Json::parse(found->second).get<T>();
  } catch (const Json::exception&) {
    fail<DataError>("{}: metadata '{}' is not of the form a checkpoint has", path.string(), key);
  }
}

std::string text_of(const std::map<std::string, std::string>& fields, const std::string& key) {
  const auto found = fields.find(key);
  return found == fields.end() ? std::string() : found->second;
}

void require_checkpoint(const SafetensorsReader& reader) {
  const auto& fields = reader.metadata();
  require<DataError>(text_of(fields, "format") == kFormat,
                     "{}: is a safetensors file but no eddy checkpoint (its metadata 'format' is '{}')",
                     reader.path().string(), text_of(fields, "format").substr(0, 80));
  require<DataError>(text_of(fields, "format_version") == kVersion,
                     "{}: has checkpoint version '{}', but this eddy reads {}", reader.path().string(),
                     text_of(fields, "format_version").substr(0, 80), kVersion);
}

CheckpointMetadata metadata_of(const SafetensorsReader& reader) {
  const auto& fields = reader.metadata();
  CheckpointMetadata result;
  result.config = text_of(fields, "config");
  result.position = text_of(fields, "position");
  result.random_state = text_of(fields, "random_state");
  result.vocabulary = parsed<std::vector<std::string>>(fields, "vocabulary", reader.path());
  result.vocabulary_counts = parsed<std::vector<std::int64_t>>(fields, "vocabulary_counts", reader.path());
  require<DataError>(result.vocabulary_counts.empty() || result.vocabulary_counts.size() == result.vocabulary.size(),
                     "{}: has {} in its vocabulary, but {}", reader.path().string(),
                     counted(std::ssize(result.vocabulary), "token"),
                     counted(std::ssize(result.vocabulary_counts), "count"));
  const std::string seed = text_of(fields, "seed");
  const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), result.seed);
  require<DataError>(error == std::errc() && end == seed.data() + seed.size(),
                     "{}: metadata 'seed' is '{}', but a whole number is expected", reader.path().string(),
                     seed.substr(0, 80));
  for (const auto& [key, value] : fields)
    if (key.starts_with(kMorePrefix)) result.more.emplace(key.substr(kMorePrefix.size()), value);
  return result;
}

std::vector<CheckpointVariable> variables_of(const SafetensorsReader& reader) {
  const auto fixed = parsed<std::set<std::string>>(reader.metadata(), "not_trainable", reader.path());
  for (const std::string& name : fixed)
    require<DataError>(reader.find(name) != nullptr, "{}: metadata 'not_trainable' names '{}', which the file lacks",
                       reader.path().string(), name.substr(0, 80));
  std::vector<CheckpointVariable> result;
  for (const SafetensorsEntry& entry : reader.entries())
    result.push_back({entry.name, entry.type(), !fixed.contains(entry.name)});
  std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return result;
}

std::string flag_name(bool trainable) { return trainable ? "trainable" : "not trainable"; }

/// One line for each reason why the file does not fit the store.
std::vector<std::string> differences(const std::vector<CheckpointVariable>& saved, const ParameterStore& store,
                                     Restore mode) {
  std::vector<std::string> lines;
  std::set<std::string_view> in_file;
  for (const CheckpointVariable& variable : saved) {
    in_file.insert(variable.name);
    const auto existing = store.find(variable.name);
    if (!existing) {
      if (mode == Restore::exact || store.sealed())
        lines.push_back(fmt::format("'{}' is not in the model{}", variable.name,
                                    mode == Restore::exact ? "" : ", whose store is sealed"));
    } else if (existing->value.type() != variable.type) {
      lines.push_back(fmt::format("'{}' is {} in the file, but {} in the model", variable.name,
                                  to_string(variable.type), to_string(existing->value.type())));
    } else if (existing->trainable != variable.trainable) {
      lines.push_back(fmt::format("'{}' is {} in the file, but {} in the model", variable.name,
                                  flag_name(variable.trainable), flag_name(existing->trainable)));
    }
  }
  for (const auto& variable : store.all())
    if (!in_file.contains(variable->name)) lines.push_back(fmt::format("'{}' is not in the file", variable->name));
  return lines;
}

void save(const std::filesystem::path& path, const ParameterStore& store, const CheckpointMetadata& metadata,
          bool trainable_only) {
  require_json(metadata.config, "configuration");
  require_json(metadata.position, "position");
  require<UsageError>(
      metadata.vocabulary_counts.empty() || metadata.vocabulary_counts.size() == metadata.vocabulary.size(),
      "a vocabulary of {} cannot have {}", counted(std::ssize(metadata.vocabulary), "token"),
      counted(std::ssize(metadata.vocabulary_counts), "count"));
  std::vector<NamedTensor> tensors;
  std::vector<std::string> fixed;
  for (const auto& variable : store.all()) {
    if (trainable_only && !variable->trainable) continue;
    tensors.push_back({variable->name, variable->value});
    if (!variable->trainable) fixed.push_back(variable->name);
  }
  std::map<std::string, std::string> fields{{"format", std::string(kFormat)},
                                            {"format_version", std::string(kVersion)},
                                            {"seed", std::to_string(store.seed())},
                                            {"arithmetic", arithmetic_facts()},
                                            {"not_trainable", dumped(fixed, path)}};
  if (!metadata.config.empty()) fields["config"] = metadata.config;
  if (!metadata.position.empty()) fields["position"] = metadata.position;
  if (!metadata.random_state.empty()) fields["random_state"] = metadata.random_state;
  if (!metadata.vocabulary.empty()) fields["vocabulary"] = dumped(metadata.vocabulary, path);
  if (!metadata.vocabulary_counts.empty()) fields["vocabulary_counts"] = dumped(metadata.vocabulary_counts, path);
  for (const auto& [key, value] : metadata.more) fields[std::string(kMorePrefix) + key] = value;
  write_safetensors(path, tensors, fields);
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const ParameterStore& store,
                     const CheckpointMetadata& metadata) {
  save(path, store, metadata, /*trainable_only=*/false);
}

void save_weights(const std::filesystem::path& path, const ParameterStore& store, const CheckpointMetadata& metadata) {
  save(path, store, metadata, /*trainable_only=*/true);
}

CheckpointMetadata read_checkpoint_metadata(const std::filesystem::path& path) {
  const SafetensorsReader reader(path);
  require_checkpoint(reader);
  return metadata_of(reader);
}

std::string read_checkpoint_arithmetic(const std::filesystem::path& path) {
  const SafetensorsReader reader(path);
  require_checkpoint(reader);
  return text_of(reader.metadata(), "arithmetic");
}

std::vector<CheckpointVariable> read_checkpoint_variables(const std::filesystem::path& path) {
  const SafetensorsReader reader(path);
  require_checkpoint(reader);
  return variables_of(reader);
}

std::vector<CheckpointVariable> read_safetensors_variables(const std::filesystem::path& path) {
  const SafetensorsReader reader(path);
  if (text_of(reader.metadata(), "format") == kFormat) require_checkpoint(reader);
  return variables_of(reader);
}

CheckpointMetadata load_checkpoint(const std::filesystem::path& path, ParameterStore& store, Restore mode) {
  const SafetensorsReader reader(path);
  require_checkpoint(reader);
  CheckpointMetadata metadata = metadata_of(reader);
  const std::vector<CheckpointVariable> saved = variables_of(reader);
  const std::vector<std::string> lines = differences(saved, store, mode);
  require<DataError>(lines.empty(), "{}: does not fit the model: {}", path.string(), fmt::join(lines, "; "));
  // What the store lacks, and what may hold an element that is no i32 or boolean, is read before anything changes.
  std::map<std::string_view, Tensor> read;
  for (const CheckpointVariable& variable : saved) {
    require<DataError>(!variable.name.empty(), "{}: holds a tensor without a name", path.string());
    if (!store.find(variable.name) || variable.type.dtype != f32)
      read.emplace(variable.name, reader.read(variable.name));
  }
  for (const CheckpointVariable& variable : saved) {
    const auto existing = store.find(variable.name);
    const auto before = read.find(variable.name);
    if (existing && before == read.end()) {
      reader.read_into(variable.name, existing->value);
    } else if (existing) {
      existing->value.copy_from(before->second);
    } else {
      store.get(
          variable.name, variable.type, [&](const Tensor& fresh, Philox&) { fresh.copy_from(before->second); },
          variable.trainable);
    }
  }
  return metadata;
}

}  // namespace eddy
