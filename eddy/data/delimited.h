// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "eddy/data/document.h"
#include "eddy/data/unicode.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

/// A column by its place from 0, or by its name in the header.
using Column = std::variant<int, std::string>;

struct DelimitedOptions {
  char delimiter = ',';
  /// RFC 4180 quotes: a quoted field may hold delimiters, line ends and "" for a quote. Off, quotes are text.
  bool quotes = true;
  bool header = false;
  /// More than one are joined by a space.
  std::vector<Column> text_columns = {0};
  std::optional<Column> label_column = std::nullopt;
  /// Labels in the order of their ids, such as those of the training file when the test file is read. Empty: the
  /// labels found, sorted (by value when all are whole numbers).
  std::vector<std::string> label_names = {};
  TextEncoding encoding = TextEncoding::utf8;
};

/// Where the column stands that a header calls so; none when it has no such name. DataError when two are called so;
/// `name` is the file's.
std::optional<std::size_t> place_in_header(const std::vector<std::string>& header, const std::string& column,
                                           const std::string& name);

/// Comma-separated values with quotes.
DelimitedOptions csv_options();
/// Tab-separated values: no quotes, a quote is text.
DelimitedOptions tsv_options();

/// One document per record of a CSV or TSV file (plain or compressed); ids are "file:line", the line where the record
/// begins. Blank lines are skipped. Throws DataError naming file and line for a record of another number of columns
/// than the first, a broken quote, an empty or unknown label, one that is not UTF-8; for a column that is not there
/// or whose name is that of two; and for a header that is none, as it has a class where the labels are.
Dataset read_delimited(const std::filesystem::path& path, const DelimitedOptions& options);

/// The same for contents that were read already; `name` stands in errors, what follows its last '/' in ids.
Dataset parse_delimited(std::string contents, const std::string& name, const DelimitedOptions& options);

/// The fields of the first record in UTF-8: the names of the columns where there is a header. Of a file no more than
/// its beginning is read. Throws DataError when there is none, or none that ends within 16 MB, or when a name is not
/// UTF-8.
std::vector<std::string> read_first_record(const std::filesystem::path& path, const DelimitedOptions& options);
std::vector<std::string> first_record(std::string_view contents, const std::string& name,
                                      const DelimitedOptions& options);

}  // namespace eddy
