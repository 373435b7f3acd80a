// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/report_table.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cmath>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/unicode.h"

namespace eddy {
namespace {

std::size_t character_width(UChar32 c) {
  switch (u_charType(c)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_FORMAT_CHAR:
    case U_CONTROL_CHAR:
      return 0;
    default:
      break;
  }
  const int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_FULLWIDTH || width == U_EA_WIDE ? 2 : 1;
}

std::string number_text(double value, int decimals) {
  return std::isfinite(value) ? with_thousands(fmt::format("{:.{}f}", value, decimals)) : "–";
}

/// Line breaks and control characters would break a table.
std::string one_line(std::string_view text) {
  std::string line = repaired_utf8(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return line;
}

}  // namespace

void check_table(const Table& table) {
  for (std::size_t r = 0; r < table.rows.size(); ++r)
    require<UsageError>(table.rows[r].size() == table.columns.size(), "row {} of table '{}' has {} for {}", r + 1,
                        table.title, counted(std::ssize(table.rows[r]), "cell"),
                        counted(std::ssize(table.columns), "column"));
}

std::string cell_text(const TableCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return one_line(*text);
  const auto& measure = std::get<Measure>(cell);
  std::string text = number_text(measure.mean, measure.decimals);
  if (measure.spread && std::isfinite(measure.mean)) text += " ± " + number_text(*measure.spread, measure.decimals);
  return text;
}

std::vector<bool> numeric_columns(const Table& table) {
  check_table(table);
  std::vector<bool> numeric(table.columns.size(), false);
  for (std::size_t c = 0; c < numeric.size(); ++c) {
    bool has_text = false;
    for (const auto& row : table.rows) {
      const auto* text = std::get_if<std::string>(&row[c]);
      if (text == nullptr) numeric[c] = true;
      if (text != nullptr && !text->empty()) has_text = true;
    }
    if (has_text) numeric[c] = false;
  }
  return numeric;
}

std::string markdown_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : one_line(text)) {
    if (std::string_view("\\`*_[]<>|#").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  const auto length = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < length;) {
    UChar32 c = 0;
    U8_NEXT(text.data(), i, length, c);
    width += c < 0 ? 1 : character_width(c);
  }
  return width;
}

std::string to_text(const Table& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  std::vector<std::vector<std::string>> lines;
  lines.emplace_back();
  for (const std::string& column : table.columns) lines.back().push_back(one_line(column));
  for (const auto& row : table.rows) {
    lines.emplace_back();
    for (const TableCell& cell : row) lines.back().push_back(cell_text(cell));
  }
  std::vector<std::size_t> widths(table.columns.size(), 0);
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], display_width(line[c]));
  std::string text = table.title.empty() ? "" : one_line(table.title) + "\n";
  for (std::size_t l = 0; l < lines.size(); ++l) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      const std::string padding(widths[c] - display_width(lines[l][c]), ' ');
      line += (c > 0 ? "  " : "") + (numeric[c] ? padding + lines[l][c] : lines[l][c] + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (l > 0) continue;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      text += c > 0 ? "  " : "";
      for (std::size_t i = 0; i < widths[c]; ++i) text += "─";
    }
    text += "\n";
  }
  return text;
}

std::string to_markdown(const Table& table) {
  const std::vector<bool> numeric = numeric_columns(table);
  std::string header = "|";
  std::string rule = "|";
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    header += fmt::format(" {} |", markdown_escaped(table.columns[c]));
    rule += numeric[c] ? " ---: |" : " --- |";
  }
  std::string text = header + "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const TableCell& cell : row) text += fmt::format(" {} |", markdown_escaped(cell_text(cell)));
    text += "\n";
  }
  return text;
}

}  // namespace eddy
