// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/safetensors.h"
#include "eddy/experiments/checkpoint.h"

namespace eddy {
namespace {

std::string target_name(const std::string& source, const TransferOptions& options) {
  if (const auto exact = options.names.find(source); exact != options.names.end()) return exact->second;
  const PrefixRule* longest = nullptr;
  for (const PrefixRule& rule : options.prefixes)
    if (source.starts_with(rule.from) && (longest == nullptr || rule.from.size() > longest->from.size()))
      longest = &rule;
  return longest == nullptr ? source : longest->to + source.substr(longest->from.size());
}

bool wanted(const std::string& target, const TransferOptions& options) {
  return options.only.empty() ||
         std::ranges::any_of(options.only, [&](const std::string& prefix) { return target.starts_with(prefix); });
}

using CopyInto = std::function<void(const std::string& source, const Tensor& target)>;

TransferReport transfer_variables(const std::vector<CheckpointVariable>& sources, ParameterStore& to,
                                  const TransferOptions& options, const CopyInto& copy) {
  std::map<std::string, const CheckpointVariable*> by_target;
  for (const CheckpointVariable& source : sources) {
    if (options.trainable_only && !source.trainable) continue;
    if (!wanted(target_name(source.name, options), options)) continue;
    const auto [place, fresh] = by_target.emplace(target_name(source.name, options), &source);
    require<UsageError>(fresh, "both '{}' and '{}' would be transferred to '{}'", place->second->name, source.name,
                        place->first);
  }
  TransferReport report;
  for (const auto& target : to.all()) {
    if ((options.trainable_only && !target->trainable) || !wanted(target->name, options)) continue;
    const auto found = by_target.find(target->name);
    if (found == by_target.end()) {
      report.missing_in_source.push_back(target->name);
      continue;
    }
    const CheckpointVariable& source = *found->second;
    const bool fits = source.type == target->value.type();
    (fits ? report.transferred : report.mismatches)
        .push_back({source.name, target->name, source.type, target->value.type()});
    if (fits) copy(source.name, target->value);
    by_target.erase(found);
  }
  for (const auto& [name, source] : by_target) report.unused_in_source.push_back(source->name);
  std::sort(report.unused_in_source.begin(), report.unused_in_source.end());
  return report;
}

}  // namespace

TransferReport transfer(const ParameterStore& from, ParameterStore& to, const TransferOptions& options) {
  std::vector<CheckpointVariable> sources;
  for (const auto& variable : from.all())
    sources.push_back({variable->name, variable->value.type(), variable->trainable});
  return transfer_variables(sources, to, options, [&](const std::string& source, const Tensor& target) {
    const Tensor value = from.find(source)->value;
    if (value.data() != target.data()) target.copy_from(value);
  });
}

TransferReport transfer(const std::filesystem::path& file, ParameterStore& to, const TransferOptions& options) {
  const std::vector<CheckpointVariable> sources = read_safetensors_variables(file);
  const SafetensorsReader reader(file);
  return transfer_variables(sources, to, options,
                            [&](const std::string& source, const Tensor& target) { reader.read_into(source, target); });
}

std::string to_string(const TransferReport& report) {
  struct Row {
    std::string name, type, fate;
  };
  std::vector<Row> rows;
  for (const auto& pair : report.transferred) {
    const std::string origin = pair.source == pair.target ? "" : fmt::format(" from {}", pair.source);
    rows.push_back({pair.target, to_string(pair.target_type), "transferred" + origin});
  }
  for (const auto& pair : report.mismatches)
    rows.push_back({pair.target, to_string(pair.target_type),
                    fmt::format("kept: {} is {} in the source", pair.source, to_string(pair.source_type))});
  for (const auto& name : report.missing_in_source) rows.push_back({name, "", "kept: not in the source"});
  for (const auto& name : report.unused_in_source) rows.push_back({name, "", "unused: only in the source"});
  std::size_t name_width = 0;
  std::size_t type_width = 0;
  for (const Row& row : rows) {
    name_width = std::max(name_width, row.name.size());
    type_width = std::max(type_width, row.type.size());
  }
  std::string text;
  for (const Row& row : rows)
    text += fmt::format("  {:<{}}  {:<{}}  {}\n", row.name, name_width, row.type, type_width, row.fate);
  std::int64_t values = 0;
  for (const auto& pair : report.transferred) values += pair.target_type.shape.elements();
  return text + fmt::format("{} transferred ({}), {} not in the source, {} of another type, {} unused\n",
                            report.transferred.size(), counted(values, "value"), report.missing_in_source.size(),
                            report.mismatches.size(), report.unused_in_source.size());
}

}  // namespace eddy
