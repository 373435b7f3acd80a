// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/report_compare.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "eddy/core/error.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;
using Runs = std::vector<std::pair<std::string, Report>>;

/// Facts of the environment that differ between any two runs and say nothing.
const std::set<std::string> kAlwaysDifferent = {"/date", "/command"};

std::vector<Table> joined_tables(const Runs& runs) {
  std::vector<Table> joined;
  for (const auto& [name, report] : runs) {
    for (const Table& table : report.tables) {
      std::vector<std::string> columns = table.columns;
      columns.insert(columns.begin(), "run");
      auto same = std::ranges::find_if(joined, [&](const Table& other) { return other.columns == columns; });
      if (same == joined.end())
        same = joined.insert(joined.end(), {.title = table.title, .columns = columns, .rows = {}});
      for (std::vector<TableCell> row : table.rows) {
        row.insert(row.begin(), name);
        same->rows.push_back(std::move(row));
      }
    }
  }
  return joined;
}

std::vector<ReportChart> overlaid_charts(const Runs& runs) {
  std::vector<ReportChart> overlaid;
  for (const auto& [name, report] : runs) {
    for (const ReportChart& chart : report.charts) {
      if (!chart.lines) continue;
      auto same = std::ranges::find(overlaid, chart.name, &ReportChart::name);
      if (same == overlaid.end()) {
        same = overlaid.insert(overlaid.end(), {chart.name, {}, chart.caption, chart.lines});
        same->lines->series.clear();
      }
      for (ChartSeries series : chart.lines->series) {
        series.name = series.name.empty() ? name : fmt::format("{}: {}", name, series.name);
        same->lines->series.push_back(std::move(series));
      }
    }
  }
  for (ReportChart& chart : overlaid) chart.svg = to_svg(*chart.lines);
  return overlaid;
}

/// One row for each member of the JSON objects that two runs have differently.
Table differences(const std::string& title, const Runs& runs, std::string Report::*member) {
  Table table{.title = title, .columns = {"setting"}, .rows = {}};
  std::vector<Json> objects;
  std::vector<std::string> keys;
  for (const auto& [name, report] : runs) {
    table.columns.push_back(name);
    const std::string& text = report.*member;
    objects.push_back(text.empty() ? Json::object() : Json::parse(text).flatten());
    for (const auto& [key, value] : objects.back().items())
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    if (kAlwaysDifferent.contains(key)) continue;
    std::vector<std::string> values;
    for (const Json& object : objects) {
      const auto found = object.find(key);
      values.push_back(found == object.end() ? "–" : found->is_string() ? found->get<std::string>() : found->dump());
    }
    if (std::ranges::all_of(values, [&](const std::string& value) { return value == values.front(); })) continue;
    std::string name = key.substr(1);
    std::ranges::replace(name, '/', '.');
    std::vector<TableCell> row{name};
    row.insert(row.end(), values.begin(), values.end());
    table.rows.push_back(std::move(row));
  }
  if (table.rows.empty()) {
    table.rows.emplace_back(table.columns.size(), std::string());
    table.rows.front().front() = std::string("no differences");
  }
  return table;
}

}  // namespace

Report compare_reports(const Runs& runs) {
  require<UsageError>(runs.size() >= 2, "{} report{} given, expected two or more to compare", runs.size(),
                      runs.size() == 1 ? " is" : "s are");
  std::set<std::string_view> names;
  for (const auto& [name, report] : runs)
    require<UsageError>(names.insert(name).second, "two runs to compare are named \"{}\"", name);
  Report comparison;
  comparison.title = fmt::format("{} runs compared", runs.size());
  for (const auto& [name, report] : runs) comparison.summary.push_back(fmt::format("{}: {}", name, report.title));
  comparison.tables = joined_tables(runs);
  comparison.charts = overlaid_charts(runs);
  comparison.details = {differences("Configuration where it differs", runs, &Report::configuration),
                        differences("Environment where it differs", runs, &Report::environment)};
  Table commands{.title = "Commands", .columns = {"run", "command"}, .rows = {}};
  for (const auto& [name, report] : runs) commands.rows.push_back({name, report.command});
  comparison.details.push_back(std::move(commands));
  return comparison;
}

}  // namespace eddy
