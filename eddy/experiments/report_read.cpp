// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/experiments/json_error.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/strict_json.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

std::vector<double> numbers(const Json& json) {
  std::vector<double> values;
  for (const Json& value : json) values.push_back(number_or_nan(value));
  return values;
}

TableCell cell(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  Measure measure{.mean = number_or_nan(json.at("mean")), .spread = {}, .decimals = json.value("decimals", 1)};
  if (!json.at("spread").is_null()) measure.spread = json.at("spread").get<double>();
  return measure;
}

std::vector<Table> tables(const Json& json) {
  std::vector<Table> list;
  for (const Json& one : json) {
    Table table{.title = one.at("title").get<std::string>(),
                .columns = one.at("columns").get<std::vector<std::string>>(),
                .rows = {}};
    for (const Json& cells : one.at("rows")) {
      table.rows.emplace_back();
      for (const Json& value : cells) table.rows.back().push_back(cell(value));
    }
    list.push_back(std::move(table));
  }
  return list;
}

LineChart line_chart(const Json& json) {
  LineChart chart{.title = json.at("title").get<std::string>(),
                  .x_label = json.at("x_label").get<std::string>(),
                  .y_label = json.at("y_label").get<std::string>(),
                  .series = {},
                  .log_y = json.at("log_y").get<bool>(),
                  .y_from_zero = json.at("y_from_zero").get<bool>(),
                  .y_least = json.value("y_least", -std::numeric_limits<double>::infinity()),
                  .y_most = json.value("y_most", std::numeric_limits<double>::infinity())};
  for (const Json& one : json.at("series"))
    chart.series.push_back({.name = one.at("name").get<std::string>(),
                            .x = numbers(one.at("x")),
                            .y = numbers(one.at("y")),
                            .spread = one.contains("spread") ? numbers(one.at("spread")) : std::vector<double>()});
  return chart;
}

/// The text of a member that is any JSON; empty for null.
std::string member_text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found == json.end() || found->is_null() ? std::string() : found->dump();
}

Report report_from(const Json& json) {
  Report report;
  report.title = json.at("title").get<std::string>();
  report.summary = json.at("summary").get<std::vector<std::string>>();
  if (json.contains("links"))
    for (const Json& link : json.at("links"))
      report.links.push_back({link.at("text").get<std::string>(), link.at("address").get<std::string>()});
  report.tables = tables(json.at("tables"));
  for (const Json& chart : json.at("charts")) {
    if (!chart.contains("lines")) continue;
    std::string name = chart.at("file").get<std::string>();
    if (name.ends_with(".svg")) name.resize(name.size() - 4);
    report.charts.push_back(
        {std::move(name), {}, chart.at("caption").get<std::string>(), line_chart(chart.at("lines"))});
  }
  if (json.contains("details")) report.details = tables(json.at("details"));
  report.configuration = member_text(json, "configuration");
  report.environment = member_text(json, "environment");
  report.command = json.at("command").get<std::string>();
  return report;
}

}  // namespace

Report read_report(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::path file = std::filesystem::is_directory(path, error) ? path / "report.json" : path;
  require<DataError>(std::filesystem::exists(file, error), "{}: does not exist; expected the folder of a report",
                     file.string());
  try {
    return report_from(Json::parse(read_file(file)));
  } catch (const Json::exception& problem) {
    fail<DataError>("{}: is not the report.json of a report: {}", file.string(), json_problem(problem));
  }
}

}  // namespace eddy
