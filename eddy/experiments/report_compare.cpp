// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/report_compare.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/default_settings.h"
#include "eddy/experiments/flat_json.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;
using Runs = std::vector<std::pair<std::string, Report>>;

/// Facts of the environment that differ between any two runs and say nothing.
const std::set<std::string> kAlwaysDifferent = {"/date", "/command"};

/// What each run says of one thing, such as a title.
using Said = std::vector<std::pair<std::string, std::string>>;

bool agree(const Said& said) {
  return std::ranges::all_of(said, [&](const auto& one) { return one.second == said.front().second; });
}

/// Said once where all agree, else each with its run.
std::string joined(const Said& said) {
  if (agree(said)) return said.front().second;
  std::string text;
  for (const auto& [run, words] : said) {
    const char* before = text.empty() ? "" : text.ends_with('.') ? " " : "; ";
    text += fmt::format("{}{}: {}", before, run, words);
  }
  return text;
}

struct JoinedTable {
  Table table;
  Said titles;
};

/// What all of so many runs say in the same words, such as rows from the literature, stands once, below the others.
void join_shared_rows(std::size_t runs, Table& table) {
  using Cells = std::vector<TableCell>;
  const auto without_run = [](const Cells& row) { return Cells(row.begin() + 1, row.end()); };
  std::vector<Cells> own, shared;
  for (const Cells& row : table.rows) {
    const Cells said = without_run(row);
    std::set<std::string> sayers;
    for (const Cells& other : table.rows)
      if (without_run(other) == said) sayers.insert(std::get<std::string>(other.front()));
    if (sayers.size() != runs) {
      own.push_back(row);
    } else if (std::ranges::none_of(shared, [&](const Cells& other) { return without_run(other) == said; })) {
      shared.push_back(row);
      shared.back().front() = std::string("all");
    }
  }
  own.insert(own.end(), shared.begin(), shared.end());
  table.rows = std::move(own);
}

/// Beside those of the same title, which runs of other kinds have with other columns.
std::vector<JoinedTable>::iterator place_of(const std::string& title, std::vector<JoinedTable>& tables) {
  const auto titled = [&](const JoinedTable& other) {
    return std::ranges::find(other.titles, title, &Said::value_type::second) != other.titles.end();
  };
  const auto last = std::find_if(tables.rbegin(), tables.rend(), titled);
  return last == tables.rend() ? tables.end() : last.base();
}

std::vector<Table> joined_tables(const Runs& runs) {
  std::vector<JoinedTable> joined_ones;
  for (const auto& run : runs) {
    for (const Table& table : run.second.tables) {
      std::vector<std::string> columns = table.columns;
      columns.insert(columns.begin(), "run");
      // Of tables with these columns the one of the same title, else one that the run has no other in.
      const auto titled = [&](const JoinedTable& other) {
        return other.table.columns == columns &&
               std::ranges::find(other.titles, table.title, &Said::value_type::second) != other.titles.end();
      };
      const auto without = [&](const JoinedTable& other) {
        return other.table.columns == columns &&
               std::ranges::find(other.titles, run.first, &Said::value_type::first) == other.titles.end();
      };
      auto same = std::ranges::find_if(joined_ones, titled);
      if (same == joined_ones.end()) same = std::ranges::find_if(joined_ones, without);
      if (same == joined_ones.end())
        same = joined_ones.insert(place_of(table.title, joined_ones), {{.columns = columns}, {}});
      same->titles.emplace_back(run.first, table.title);
      for (std::vector<TableCell> row : table.rows) {
        row.insert(row.begin(), run.first);
        same->table.rows.push_back(std::move(row));
      }
    }
  }
  std::vector<Table> tables;
  for (JoinedTable& one : joined_ones) {
    one.table.title = joined(one.titles);
    join_shared_rows(runs.size(), one.table);
    tables.push_back(std::move(one.table));
  }
  return tables;
}

struct OverlaidChart {
  std::string name;  ///< in the runs' reports
  LineChart lines;
  Said titles, x_labels, captions;
};

std::vector<ReportChart> overlaid_charts(const Runs& runs) {
  std::vector<OverlaidChart> overlaid;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    const auto& [name, report] = runs[run];
    for (const ReportChart& chart : report.charts) {
      if (!chart.lines) continue;
      const LineChart& lines = *chart.lines;
      auto same = std::ranges::find_if(overlaid, [&](const OverlaidChart& other) {
        return other.name == chart.name && other.lines.y_label == lines.y_label && other.lines.log_y == lines.log_y;
      });
      if (same == overlaid.end()) {
        same = overlaid.insert(overlaid.end(), {chart.name, lines, {}, {}, {}});
        same->lines.series.clear();
      }
      same->lines.y_from_zero = same->lines.y_from_zero && lines.y_from_zero;
      same->lines.y_least = std::min(same->lines.y_least, lines.y_least);
      same->lines.y_most = std::max(same->lines.y_most, lines.y_most);
      same->titles.emplace_back(name, lines.title);
      same->x_labels.emplace_back(name, lines.x_label);
      same->captions.emplace_back(name, chart.caption);
      int dash = 0;
      for (ChartSeries series : lines.series) {
        // A run has one colour in all charts, while there are enough of them.
        if (runs.size() <= kMostColors && lines.series.size() <= kMostDashes) {
          series.color = static_cast<int>(run);
          series.dash = dash++;
        }
        series.name = series.name.empty() ? name : fmt::format("{}: {}", name, series.name);
        same->lines.series.push_back(std::move(series));
      }
    }
  }
  std::vector<ReportChart> charts;
  std::set<std::string> names;
  for (OverlaidChart& chart : overlaid) {
    std::string file = chart.name;
    for (int i = 2; !names.insert(file).second; ++i) file = fmt::format("{}-{}", chart.name, i);
    chart.lines.title = agree(chart.titles) ? chart.titles.front().second : chart.name;
    chart.lines.x_label = joined(chart.x_labels);
    std::string caption = joined(chart.captions);
    if (!agree(chart.titles)) caption = fmt::format("{}. {}", joined(chart.titles), caption);
    charts.push_back(report_chart(std::move(file), std::move(chart.lines), std::move(caption)));
  }
  return charts;
}

/// Whether the runs that have the member, which need not be all, have it differently, or as somebody chose it.
bool is_told(const std::string& key, const std::vector<const Json*>& values) {
  const Json* first = *std::ranges::find_if(values, [](const Json* value) { return value != nullptr; });
  const auto lacks = [](const Json* value) { return value == nullptr; };
  if (std::ranges::any_of(values, [&](const Json* value) { return value != nullptr && *value != *first; })) return true;
  return std::ranges::any_of(values, lacks) && !is_default_setting(key, *first);
}

/// One row for each member of the JSON objects that two runs have differently. What some lack, as runs of other kinds
/// do, is told where it is not the default.
Table differences(const std::string& title, const Runs& runs, std::string Report::*member) {
  Table table{.title = title, .columns = {"setting"}, .rows = {}};
  std::vector<Json> objects;
  std::vector<std::string> keys;
  for (const auto& [name, report] : runs) {
    table.columns.push_back(name);
    const std::string& text = report.*member;
    objects.push_back(text.empty() ? Json::object() : flat_members(Json::parse(text)));
    for (const auto& [key, value] : objects.back().items())
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    if (key.empty() || kAlwaysDifferent.contains(key)) continue;  // an empty object has the one key ""
    std::vector<const Json*> values;
    for (const Json& object : objects) {
      const auto found = object.find(key);
      values.push_back(found == object.end() ? nullptr : &*found);
    }
    if (!is_told(key, values)) continue;
    std::string name = key.substr(1);
    std::ranges::replace(name, '/', '.');
    std::vector<TableCell> row{name};
    for (const Json* value : values)
      row.push_back(value == nullptr ? "–" : value->is_string() ? value->get<std::string>() : value->dump());
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
  comparison.title = fmt::format("{} compared", counted(std::ssize(runs), "run"));
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
