// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "eddy/experiments/chart.h"

/// The results of an experiment as text, Markdown, JSON and one self-contained web page. Texts are UTF-8; what is not
/// is shown as U+FFFD. Pure functions but for write_report.
namespace eddy {

/// A number with its spread, "47.1 ± 0.4"; a number that is not finite is shown as "–" and is null in JSON.
struct Measure {
  double mean = 0;
  std::optional<double> spread{};
  int decimals = 1;

  bool operator==(const Measure&) const = default;
};
/// A number without spread.
inline Measure exact(double value, int decimals) { return {.mean = value, .spread = {}, .decimals = decimals}; }

/// Text, or a number; an empty text is an empty cell.
using TableCell = std::variant<std::string, Measure>;

struct Table {
  std::string title{};
  std::vector<std::string> columns{};
  std::vector<std::vector<TableCell>> rows{};  ///< each as long as `columns`, else UsageError
};

/// Aligned columns for a terminal, numbers to the right; widths count wide and combining characters as terminals do.
std::string to_text(const Table& table);
std::string to_markdown(const Table& table);
/// {"title", "columns", "rows"}; a number is {"mean", "decimals", "spread"}.
std::string to_json(const Table& table);

/// Columns a terminal gives to a UTF-8 text.
std::size_t display_width(std::string_view text);

struct ReportChart {
  std::string name{};  ///< of its file, without ".svg": letters, digits, '-', '_' and '.'
  std::string svg{};
  std::string caption{};
  std::optional<LineChart> lines{};  ///< what `svg` shows, so that reports can be compared; stands in the JSON
};

/// The chart of some curves with its data.
ReportChart report_chart(std::string name, LineChart lines, std::string caption);

struct ReportLink {
  std::string text{};
  std::string address{};  ///< relative to the report's folder
};

struct Report {
  std::string title{};
  std::vector<std::string> summary{};  ///< paragraphs
  std::vector<ReportLink> links{};     ///< to other pages
  std::vector<Table> tables{};
  std::vector<ReportChart> charts{};
  std::vector<Table> details{};  ///< tables after the charts: long, or of use for this report alone
  std::string configuration{};   ///< JSON, or empty
  std::string environment{};     ///< JSON, or empty
  std::string command{};         ///< exact, for a shell
};

std::string to_markdown(const Report& report);
std::string to_json(const Report& report);
std::string to_html(const Report& report);

/// Whether a report may be written there, as far as can be told before it is made: UsageError for an experiment's
/// folder and for one where other files than a report's would be replaced, DataError for one that cannot be made or
/// written.
void check_report_folder(const std::filesystem::path& folder);
/// The same for the experiment itself.
void check_experiment_folder(const std::filesystem::path& folder);

/// Makes the folder where needed and writes report.json, each chart, report.md and, last, index.html, each file whole
/// or not at all. UsageError for bad names or JSON, or where files that are no report's would be replaced, before
/// anything is written.
void write_report(const std::filesystem::path& folder, const Report& report);

/// The report in `path`, a folder of write_report or its report.json; of the charts only those with data, without their
/// SVG. DataError naming the file when it is none.
Report read_report(const std::filesystem::path& path);

}  // namespace eddy
