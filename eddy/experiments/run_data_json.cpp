// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/strict_json.h"

namespace eddy {

// Not in an unnamed namespace: the JSON templates find these by argument-dependent lookup.

template <class T, class U>
concept IsData = std::same_as<std::remove_const_t<T>, U>;

void visit_members(IsData<TextConfig> auto& text, auto& visit) {
  visit("unit", text.unit);
  visit("lower_case", text.lower_case);
  visit("drop_unknown", text.drop_unknown);
  visit("min_count", text.min_count);
  visit("min_documents", text.min_documents);
  visit("vocabulary_size", text.vocabulary_size);
}

void visit_members(IsData<DataConfig> auto& data, auto& visit) {
  visit("path", data.path);
  visit("format", data.format);
  visit("text_columns", data.text_columns);
  visit("label_column", data.label_column);
  visit("header", data.header);
  visit("columns", data.columns);
  visit("encoding", data.encoding);
  visit("unlabelled", data.unlabelled);
}

std::string to_json(const DataConfig& config) {
  try {
    return to_json_text(config);
  } catch (const nlohmann::json::exception&) {
    fail<UsageError>("a path or column of the data is not UTF-8");
  }
}
std::string to_json(const TextConfig& config) { return to_json_text(config); }

std::string key_text(const TextConfig& config) {
  auto json = nlohmann::ordered_json::parse(to_json(config));
  if (config.min_documents == 1) json.erase("min_documents");
  return json.dump();
}

DataConfig data_config_from_json(std::string_view json, std::string_view where) {
  DataConfig config;
  from_json_text(json, where, config);
  return config;
}

TextConfig text_config_from_json(std::string_view json, std::string_view where) {
  TextConfig config;
  from_json_text(json, where, config);
  return config;
}

}  // namespace eddy
