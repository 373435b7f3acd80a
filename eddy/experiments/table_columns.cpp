// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/table_columns.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/unicode.h"

namespace eddy {
namespace {

Column parse_column(const std::string& text) {
  const bool number =
      !text.empty() && text.size() < 7 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (number) return std::stoi(text);
  return text;
}

/// Of the first line of a file, short enough for a message.
std::string quoted(const std::string& field) {
  std::string text = repaired_utf8(field);
  if (text.size() > 30) {
    std::size_t end = 27;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  return fmt::format("\"{}\"", text);
}

}  // namespace

DelimitedOptions table_options(const DataConfig& data, DataFormat format) {
  DelimitedOptions options = format == DataFormat::csv ? csv_options() : tsv_options();
  options.header = data.header;
  options.encoding = data.encoding;
  options.text_columns.clear();
  for (const std::string& column : data.text_columns) options.text_columns.push_back(parse_column(column));
  if (!data.label_column.empty()) options.label_column = parse_column(data.label_column);
  return options;
}

void TableColumns::complete() {
  if (!data_.columns.empty()) check_names();
  for (std::string& column : data_.text_columns) check(column);
  if (!data_.label_column.empty()) check(data_.label_column);
  for (const std::string& column : data_.text_columns)
    require<UsageError>(data_.label_column.empty() || place(column) != place(data_.label_column),
                        "--text-column {} and --label-column {} are one column of {}, which would tell the class",
                        column, data_.label_column, data_.path);
  if (data_.text_columns.empty()) data_.text_columns = {std::to_string(other_column())};
  data_.columns = data_.header ? first_ : std::vector<std::string>();
}

std::string TableColumns::text() const {
  std::string columns;
  for (const std::string& column : data_.text_columns) columns += (columns.empty() ? "" : " and ") + shown(column);
  const std::string file = std::filesystem::path(data_.path).filename().string();
  return fmt::format("{}: texts are column {}{}{}", file, columns,
                     data_.label_column.empty() ? "" : ", classes are column ",
                     data_.label_column.empty() ? "" : shown(data_.label_column));
}

std::string TableColumns::list() const {
  std::string text;
  for (std::size_t i = 0; i < first_.size() && i < 20; ++i)
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", i, quoted(first_[i]));
  return first_.size() > 20 ? text + ", …" : text;
}

std::optional<std::size_t> TableColumns::place(const std::string& column) const {
  const Column parsed = parse_column(column);
  if (const int* number = std::get_if<int>(&parsed)) return static_cast<std::size_t>(*number);
  return data_.header ? place_in_header(first_, column, data_.path) : std::nullopt;
}

std::string TableColumns::shown(const std::string& column) const {
  const auto at = place(column);
  if (!at) return column;
  return data_.header && *at < first_.size() ? fmt::format("{} {}", *at, quoted(first_[*at])) : std::to_string(*at);
}

void TableColumns::check(std::string& column) const {
  if (const auto at = place(column)) {
    require<DataError>(*at < first_.size(), "{}: column {} asked for, the file has {} (counted from 0)", data_.path,
                       *at, counted(std::ssize(first_), "column"));
    return;
  }
  // The name may be that of the training's file, which had a header.
  const auto known = data_.header ? std::nullopt : place_in_header(data_.columns, column, data_.path);
  if (known) {
    column = std::to_string(*known);
    return check(column);
  }
  require<UsageError>(data_.header,
                      "{}: column \"{}\" asked for by name, but the file is read as one without header; give --header "
                      "where its first line names the columns, or the column's number from 0",
                      data_.path, column);
  fail<DataError>(
      "{}: no column \"{}\"; the header has {}{}", data_.path, column, list(),
      data_.columns.empty() ? "" : "; if that is no header, give the file one, or --no-header if there is such a flag");
}

void TableColumns::check_names() const {
  if (!data_.header) return;
  std::vector<std::string> used = data_.text_columns;
  if (!data_.label_column.empty()) used.push_back(data_.label_column);
  for (const std::string& column : used) {
    const Column parsed = parse_column(column);
    const int* number = std::get_if<int>(&parsed);
    if (number == nullptr || static_cast<std::size_t>(*number) >= data_.columns.size()) continue;
    const auto at = static_cast<std::size_t>(*number);
    const std::string& name = data_.columns[at];
    require<DataError>(
        at < first_.size() && first_[at] == name,
        "{}: column {} was {} in the training, but here the header has {}; if that is no header, give the "
        "file one, or --no-header if there is such a flag, else say with --text-column and "
        "--label-column what is meant",
        data_.path, at, quoted(name), list());
  }
}

std::size_t TableColumns::other_column() const {
  const auto label = data_.label_column.empty() ? std::nullopt : place(data_.label_column);
  if (first_.size() == 1 && !label) return 0;
  if (first_.size() == 2 && label) return 1 - *label;
  require<UsageError>(first_.size() > 1, "{}: has one column, which --label-column says is the class; there is no text",
                      data_.path);
  fail<UsageError>("{}: has {} columns; say with --text-column which is the text{}, by its number: {}", data_.path,
                   first_.size(), label ? "" : " (and with --label-column which is the class, if one is wanted)",
                   list());
}

namespace {

std::string header_warning(std::span<const std::int32_t> labels, const std::vector<std::string>& label_names,
                           const DataConfig& config) {
  if (config.header || label_names.size() < 3 || labels.size() < 10) return {};
  const std::int32_t first = labels.front();
  if (first < 0 || std::ranges::count(labels, first) != 1) return {};
  return fmt::format("{}: \"{}\" is the class of the first line alone; if that line names the columns, give --header",
                     config.path, label_names[static_cast<std::size_t>(first)]);
}

/// Without blanks at its ends, and with one space for those within.
std::string with_plain_blanks(const std::string& name) {
  std::string result;
  bool blank = false;
  for (std::int32_t at = 0, size = static_cast<std::int32_t>(name.size()); at < size;) {
    const std::int32_t begin = at;
    UChar32 code_point;
    U8_NEXT(name.data(), at, size, code_point);
    if (code_point >= 0 && u_isUWhiteSpace(code_point)) {
      blank = true;
      continue;
    }
    if (blank && !result.empty()) result += ' ';
    blank = false;
    result.append(name, static_cast<std::size_t>(begin), static_cast<std::size_t>(at - begin));
  }
  return result;
}

std::string blanks_warning(const std::vector<std::string>& label_names, const DataConfig& config) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < label_names.size(); ++i) {
    const auto [before, is_new] = seen.emplace(with_plain_blanks(label_names[i]), i);
    if (!is_new)
      return fmt::format("{}: the classes {:?} and {:?} differ in blanks alone, and are two classes all the same",
                         config.path, label_names[before->second], label_names[i]);
  }
  return {};
}

}  // namespace

std::vector<std::string> class_warnings(std::span<const std::int32_t> labels,
                                        const std::vector<std::string>& label_names, const DataConfig& config) {
  std::vector<std::string> warnings = {header_warning(labels, label_names, config),
                                       blanks_warning(label_names, config)};
  std::erase(warnings, std::string());
  return warnings;
}

}  // namespace eddy
