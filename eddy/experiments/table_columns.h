// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eddy/data/delimited.h"
#include "eddy/experiments/run_data.h"

namespace eddy {

inline bool is_table(DataFormat format) { return format == DataFormat::tsv || format == DataFormat::csv; }

/// How the table that a config names is read.
DelimitedOptions table_options(const DataConfig& data, DataFormat format);

/// The columns of a table as its first record shows them, and those a config asks for. The config must outlive it. One
/// thread.
class TableColumns {
 public:
  TableColumns(DataConfig& data, std::vector<std::string> first) : data_(data), first_(std::move(first)) {}

  /// Fills in what the config leaves open. Throws UsageError when that cannot be told. DataError for a column that is
  /// not there or has another name than the config says.
  void complete();
  /// "reviews.tsv: texts are column 1, classes are column 0"
  std::string text() const;

 private:
  /// The fields of the first record with their numbers.
  std::string list() const;
  /// The place of a column by number or name; none when the file has no such name.
  std::optional<std::size_t> place(const std::string& column) const;
  std::string shown(const std::string& column) const;
  void check(std::string& column) const;
  /// Columns given by number must be those the training saw.
  void check_names() const;
  /// The text's column where none is given: the only one that can be.
  std::size_t other_column() const;

  DataConfig& data_;
  std::vector<std::string> first_;
};

/// What to say of the classes of a table: where a first line that names the columns was read as a record, which shows
/// as a class of its own, and where two classes differ in blanks alone.
std::vector<std::string> class_warnings(std::span<const std::int32_t> labels,
                                        const std::vector<std::string>& label_names, const DataConfig& config);

}  // namespace eddy
