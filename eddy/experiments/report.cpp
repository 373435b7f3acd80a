// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/report.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"
#include "eddy/experiments/chart_svg.h"
#include "eddy/experiments/flat_json.h"
#include "eddy/experiments/report_table.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

/// Columns of text beyond which a cell is broken into lines.
constexpr std::size_t kLongCell = 60;

constexpr std::string_view kStyle = R"(
:root { color-scheme: light; }
body { font: 16px/1.5 "Noto Sans", "DejaVu Sans", "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a;
  background: #ffffff; max-width: 80rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #dddddd; padding-bottom: .2rem; }
table { border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .35rem .6rem; text-align: left; border-bottom: 1px solid #e3e3e3; white-space: nowrap; }
th { border-bottom: 2px solid #888888; white-space: normal; vertical-align: bottom; }
.number { text-align: right; }
figure { margin: 1.2rem 0; }
figure svg { max-width: 100%; height: auto; }
figcaption { color: #444444; font-size: .9rem; }
pre { background: #f5f5f5; border: 1px solid #e3e3e3; border-radius: 4px; padding: .7rem .9rem; overflow-x: auto;
  font: 13px/1.45 "DejaVu Sans Mono", Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: #444444; }
td.long { white-space: normal; min-width: 18rem; overflow-wrap: anywhere; }
@media (max-width: 45rem) {
  figure { overflow-x: auto; }
  figure svg { max-width: none; }
  td.long { min-width: 14rem; }
}
)";

/// What tells a page of eddy's from others.
constexpr std::string_view kMark = "<meta name=\"generator\" content=\"eddy\">";

Json parsed(const std::string& text, std::string_view what) {
  if (text.empty()) return nullptr;
  try {
    return Json::parse(text);
  } catch (const Json::exception&) {
    fail<UsageError>("the {} of a report must be JSON, not '{}'", what, text.substr(0, 80));
  }
}

std::string dumped(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

std::string pretty(const std::string& text, std::string_view what) { return dumped(parsed(text, what)); }

/// A fence longer than any run of backquotes inside.
std::string fenced(std::string_view text, std::string_view language) {
  std::size_t longest = 2;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  return fmt::format("{}{}\n{}\n{}\n", fence, language, text, fence);
}

std::string table_html(const Table& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  const auto tag = [&](std::string_view name, std::size_t column, std::string_view text) {
    return fmt::format("<{0}{1}>{2}</{0}>", name, numeric[column] ? " class=\"number\"" : " dir=\"auto\"",
                       escape_markup(text));
  };
  std::string html = "<div class=\"wide\"><table>\n<thead><tr>";
  for (std::size_t c = 0; c < table.columns.size(); ++c) html += tag("th", c, table.columns[c]);
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string text = cell_text(row[c]);
      html += display_width(text) > kLongCell
                  ? fmt::format("<td class=\"long\" dir=\"auto\">{}</td>", escape_markup(text))
                  : tag("td", c, text);
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

Json measure_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json numbers_json(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(measure_json(value));
  return list;
}

Json chart_json(const ReportChart& chart) {
  Json json{{"file", chart.name + ".svg"}, {"caption", chart.caption}};
  if (!chart.lines) return json;
  const LineChart& lines = *chart.lines;
  Json series = Json::array();
  for (const ChartSeries& one : lines.series) {
    series.push_back({{"name", one.name}, {"x", numbers_json(one.x)}, {"y", numbers_json(one.y)}});
    if (!one.spread.empty()) series.back()["spread"] = numbers_json(one.spread);
  }
  json["lines"] = {{"title", lines.title}, {"x_label", lines.x_label},         {"y_label", lines.y_label},
                   {"log_y", lines.log_y}, {"y_from_zero", lines.y_from_zero}, {"series", std::move(series)}};
  if (std::isfinite(lines.y_least)) json["lines"]["y_least"] = lines.y_least;
  if (std::isfinite(lines.y_most)) json["lines"]["y_most"] = lines.y_most;
  return json;
}

/// A JSON object as two columns, nested names joined by dots.
Table object_table(std::string title, const Json& object) {
  Table table{.title = std::move(title), .columns = {"what", "here"}, .rows = {}};
  const Json flat = flat_members(object);
  for (const auto& [key, value] : flat.items()) {
    if (key.empty()) continue;  // of an empty object
    std::string name = key.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    table.rows.push_back({name, value.is_string() ? value.get<std::string>() : dumped(value)});
  }
  return table;
}

Json table_json(const Table& table) {
  check_table(table);
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json cells = Json::array();
    for (const TableCell& cell : row) {
      if (const auto* measure = std::get_if<Measure>(&cell)) {
        cells.push_back({{"mean", measure_json(measure->mean)},
                         {"decimals", measure->decimals},
                         {"spread", measure->spread ? measure_json(*measure->spread) : Json(nullptr)}});
      } else {
        cells.push_back(std::get<std::string>(cell));
      }
    }
    rows.push_back(std::move(cells));
  }
  return {{"title", table.title}, {"columns", table.columns}, {"rows", std::move(rows)}};
}

Json tables_json(const std::vector<Table>& tables) {
  Json list = Json::array();
  for (const Table& table : tables) list.push_back(table_json(table));
  return list;
}

/// Whether a report stands in the folder, or as much of one as a kill has left: report.json comes first, index.html
/// last.
bool holds_report(const std::filesystem::path& folder) {
  const std::filesystem::path page = folder / "index.html", data = folder / "report.json";
  if (path_exists(page)) return read_file(page).find(kMark) != std::string::npos;
  if (!path_exists(data)) return false;
  const Json json = Json::parse(read_file(data), nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.contains("title") && json.contains("tables") && json.contains("charts");
}

/// UsageError when one of the files is there but is no report's.
void check_replaced(const std::filesystem::path& folder, const std::vector<std::string>& files) {
  for (const std::string& file : files)
    require<UsageError>(!path_exists(folder / file) || holds_report(folder),
                        "{}: is not of a report of eddy's and would be replaced; choose another folder",
                        (folder / file).string());
}

void check(const Report& report) {
  std::set<std::string_view> names;
  for (const ReportChart& chart : report.charts) {
    const bool plain =
        !chart.name.empty() && chart.name[0] != '.' && std::all_of(chart.name.begin(), chart.name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                 c == '.';
        });
    require<UsageError>(plain, "'{}' cannot be the name of a chart's file", chart.name);
    require<UsageError>(names.insert(chart.name).second, "two charts of the report are named '{}'", chart.name);
  }
}

}  // namespace

ReportChart report_chart(std::string name, LineChart lines, std::string caption) {
  std::string svg = to_svg(lines);
  return {std::move(name), std::move(svg), std::move(caption), std::move(lines)};
}

std::string to_json(const Table& table) { return dumped(table_json(table)); }

std::string to_markdown(const Report& report) {
  std::string text = fmt::format("# {}\n", markdown_escaped(report.title));
  for (const std::string& paragraph : report.summary) text += fmt::format("\n{}\n", markdown_escaped(paragraph));
  if (!report.links.empty()) text += "\n";
  for (const ReportLink& link : report.links)
    text += fmt::format("- [{}](<{}>)\n", markdown_escaped(link.text), link.address);
  const auto add_tables = [&](const std::vector<Table>& tables) {
    for (const Table& table : tables) {
      if (!table.title.empty()) text += fmt::format("\n## {}\n", markdown_escaped(table.title));
      text += "\n" + to_markdown(table);
    }
  };
  add_tables(report.tables);
  for (const ReportChart& chart : report.charts)
    text += fmt::format("\n![{}]({}.svg)\n", markdown_escaped(chart.caption.empty() ? chart.name : chart.caption),
                        chart.name);
  add_tables(report.details);
  if (!report.command.empty()) text += "\n## Command\n\n" + fenced(report.command, "sh");
  if (!report.configuration.empty())
    text += "\n## Configuration\n\n" + fenced(pretty(report.configuration, "configuration"), "json");
  if (!report.environment.empty())
    text += "\n## Environment\n\n" + fenced(pretty(report.environment, "environment"), "json");
  return text;
}

std::string to_json(const Report& report) {
  Json charts = Json::array();
  for (const ReportChart& chart : report.charts) charts.push_back(chart_json(chart));
  Json links = Json::array();
  for (const ReportLink& link : report.links) links.push_back({{"text", link.text}, {"address", link.address}});
  return dumped({{"title", report.title},
                 {"summary", report.summary},
                 {"links", std::move(links)},
                 {"tables", tables_json(report.tables)},
                 {"charts", std::move(charts)},
                 {"details", tables_json(report.details)},
                 {"command", report.command},
                 {"configuration", parsed(report.configuration, "configuration")},
                 {"environment", parsed(report.environment, "environment")}}) +
         "\n";
}

std::string to_html(const Report& report) {
  const std::string title = escape_markup(report.title);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{2}\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
      title, kStyle, kMark);
  for (const std::string& paragraph : report.summary) html += fmt::format("<p>{}</p>\n", escape_markup(paragraph));
  if (!report.links.empty()) html += "<ul>\n";
  for (const ReportLink& link : report.links)
    html += fmt::format("<li><a href=\"{}\">{}</a></li>\n", escape_markup(link.address), escape_markup(link.text));
  if (!report.links.empty()) html += "</ul>\n";
  const auto add_tables = [&](const std::vector<Table>& tables) {
    for (const Table& table : tables) {
      if (!table.title.empty()) html += fmt::format("<h2>{}</h2>\n", escape_markup(table.title));
      html += table_html(table);
    }
  };
  add_tables(report.tables);
  if (!report.charts.empty()) html += "<h2>Charts</h2>\n";
  for (const ReportChart& chart : report.charts) {
    html += "<figure>\n" + chart.svg;
    if (!chart.caption.empty()) html += fmt::format("<figcaption>{}</figcaption>\n", escape_markup(chart.caption));
    html += "</figure>\n";
  }
  add_tables(report.details);
  if (!report.command.empty()) html += fmt::format("<h2>Command</h2>\n<pre>{}</pre>\n", escape_markup(report.command));
  if (!report.environment.empty()) add_tables({object_table("Environment", parsed(report.environment, "environment"))});
  if (!report.configuration.empty()) {
    // Long, and read seldom: folded up.
    html += fmt::format("<h2>Configuration</h2>\n<details><summary>as JSON</summary>\n<pre>{}</pre>\n</details>\n",
                        escape_markup(pretty(report.configuration, "configuration")));
  }
  return html + "</body>\n</html>\n";
}

void check_report_folder(const std::filesystem::path& folder) {
  require<UsageError>(!path_exists(folder / "parts"), "{}: is the folder of an experiment; choose another",
                      folder.string());
  check_experiment_folder(folder);
}

void check_experiment_folder(const std::filesystem::path& folder) {
  std::error_code error;
  // Of the folders that are to be made, the one they would stand in.
  std::filesystem::path there = std::filesystem::absolute(folder, error);
  while (!std::filesystem::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  require<DataError>(std::filesystem::is_directory(there, error), "{}: is no folder, so no report can be written in {}",
                     there.string(), folder.string());
  if (::access(there.c_str(), W_OK | X_OK) != 0) {
    const int why = errno;
    fail<DataError>("{}: cannot be written in: {}", there.string(), std::generic_category().message(why));
  }
  check_replaced(folder, {"index.html", "report.json", "report.md"});
}

void write_report(const std::filesystem::path& folder, const Report& report) {
  check(report);
  std::vector<std::string> files = {"index.html", "report.json", "report.md"};
  for (const ReportChart& chart : report.charts) files.push_back(chart.name + ".svg");
  check_replaced(folder, files);
  const std::string markdown = to_markdown(report);
  const std::string json = to_json(report);
  const std::string html = to_html(report);
  make_folder(folder);
  write_atomically(folder / "report.json", json);
  for (const ReportChart& chart : report.charts) write_atomically(folder / (chart.name + ".svg"), chart.svg);
  write_atomically(folder / "report.md", markdown);
  write_atomically(folder / "index.html", html);
}

}  // namespace eddy
