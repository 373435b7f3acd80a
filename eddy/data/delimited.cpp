// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/delimited.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/source.h"

namespace eddy {

namespace {

/// A record that the text ends in; more of the file may close it.
class UnfinishedRecord : public DataError {
 public:
  using DataError::DataError;
};

/// Cuts the bytes of a table into records of fields, and brings each field to UTF-8; knows the line it is at.
class RecordReader {
 public:
  RecordReader(std::string_view bytes, std::string name, const DelimitedOptions& options)
      : text_(without_mark(bytes)),
        name_(std::move(name)),
        delimiter_(options.delimiter),
        quotes_(options.quotes),
        encoding_(options.encoding) {}

  /// The next record that is not a blank line; false at the end.
  bool next(std::vector<std::string>& fields) {
    while (at_ < text_.size()) {
      record_line_ = line_;
      fields.clear();
      const std::size_t start = at_;
      while (read_field(fields.emplace_back())) {
      }
      const bool blank = fields.size() == 1 && fields[0].empty() && text_[start] != '"';
      if (blank) continue;
      for (std::string& field : fields) decode_piece(field, encoding_);
      return true;
    }
    return false;
  }

  std::int64_t record_line() const { return record_line_; }
  bool at_end() const { return at_ == text_.size(); }

 private:
  /// Reads one field; true when another of the same record follows.
  bool read_field(std::string& field) {
    if (quotes_ && at_ < text_.size() && text_[at_] == '"') {
      read_quoted(field);
    } else {
      const std::size_t start = at_;
      while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n') {
        require<DataError>(!quotes_ || text_[at_] != '"',
                           "{}:{}: quote inside a field that does not begin with one; expected the field in quotes and "
                           "the quote doubled",
                           name_, line_);
        ++at_;
      }
      field.assign(text_.substr(start, at_ - start));
      if (field.ends_with('\r') && (at_ == text_.size() || text_[at_] == '\n')) field.pop_back();
    }
    if (at_ == text_.size()) return false;
    if (text_[at_++] == delimiter_) return true;
    ++line_;
    return false;
  }

  void read_quoted(std::string& field) {
    const std::int64_t opened = line_;
    ++at_;
    while (true) {
      const std::size_t quote = text_.find('"', at_);
      require<UnfinishedRecord>(quote != std::string_view::npos,
                                "{}:{}: quoted field is not closed before the file ends", name_, opened);
      const std::string_view piece = text_.substr(at_, quote - at_);
      line_ += std::count(piece.begin(), piece.end(), '\n');
      field.append(piece);
      at_ = quote + 1;
      if (at_ == text_.size() || text_[at_] != '"') break;
      field.push_back('"');
      ++at_;
    }
    if (text_.substr(at_, 2) == "\r\n" || text_.substr(at_) == "\r") ++at_;
    require<DataError>(at_ == text_.size() || text_[at_] == delimiter_ || text_[at_] == '\n',
                       "{}:{}: found '{}' after a closing quote; expected the delimiter or the end of the line", name_,
                       line_, text_[at_]);
  }

  std::string_view text_;
  std::string name_;
  char delimiter_;
  bool quotes_;
  TextEncoding encoding_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
  std::int64_t record_line_ = 1;
};

std::size_t find_column(const Column& column, const std::vector<std::string>& header, bool has_header,
                        std::size_t columns, const std::string& name) {
  if (const int* index = std::get_if<int>(&column)) {
    require<DataError>(*index >= 0 && static_cast<std::size_t>(*index) < columns,
                       "{}: column {} asked for, the file has {} (counted from 0)", name, *index,
                       counted(static_cast<std::int64_t>(columns), "column"));
    return static_cast<std::size_t>(*index);
  }
  const std::string& wanted = std::get<std::string>(column);
  require<DataError>(has_header, "{}: column \"{}\" asked for by name, but the file is read as one without header",
                     name, wanted);
  const auto found = place_in_header(header, wanted, name);
  require<DataError>(found.has_value(), "{}:1: no column \"{}\"; the header has {}", name, wanted,
                     fmt::join(header, ", "));
  return *found;
}

/// Which fields make a document.
struct ChosenColumns {
  std::size_t count = 0;  ///< of all columns
  std::vector<std::size_t> text;
  std::optional<std::size_t> label;
};

ChosenColumns choose_columns(const std::vector<std::string>& first_record, const DelimitedOptions& options,
                             const std::string& name) {
  const auto place = [&](const Column& column) {
    return find_column(column, first_record, options.header, first_record.size(), name);
  };
  ChosenColumns chosen{.count = first_record.size(), .text = {}, .label = {}};
  for (const Column& column : options.text_columns) chosen.text.push_back(place(column));
  if (options.label_column) chosen.label = place(*options.label_column);
  return chosen;
}

std::string joined_text(const std::vector<std::string>& fields, const std::vector<std::size_t>& columns) {
  std::string text = fields[columns[0]];
  for (std::size_t i = 1; i < columns.size(); ++i) text.append(" ").append(fields[columns[i]]);
  return text;
}

bool is_whole_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::vector<std::string> sorted_labels(const std::map<std::string, int>& found) {
  std::vector<std::string> names;
  for (const auto& [label, count] : found) names.push_back(label);
  if (std::all_of(names.begin(), names.end(), is_whole_number))
    std::stable_sort(names.begin(), names.end(),
                     [](const std::string& a, const std::string& b) { return std::stoll(a) < std::stoll(b); });
  return names;
}

/// Numbers the labels of documents: as given, or as sorted_labels() when all have been seen.
class LabelNumbers {
 public:
  explicit LabelNumbers(const std::vector<std::string>& given) : names_(given) {
    for (const std::string& label : given)
      require<UsageError>(ids_.emplace(label, static_cast<int>(ids_.size())).second, "label \"{}\" is given twice",
                          label);
  }

  /// The next document's, which stands in this line of the file.
  void add(const std::string& label, const std::string& name, std::int64_t line) {
    require<DataError>(!label.empty(), "{}:{}: label is empty", name, line);
    // A model file names its classes in UTF-8.
    require<DataError>(find_invalid_utf8(label) == std::string_view::npos,
                       "{}:{}: label is not UTF-8; try --encoding latin1", name, line);
    const auto found = names_.empty() ? ids_.emplace(label, 0).first : ids_.find(label);
    require<DataError>(found != ids_.end(), "{}:{}: label \"{}\" is not one of the {} known: {}", name, line, label,
                       names_.size(), fmt::join(names_, ", "));
    of_documents_.push_back(found);
  }
  bool contains(const std::string& label) const { return ids_.contains(label); }

  void number(Dataset& data) && {
    if (names_.empty()) {
      names_ = sorted_labels(ids_);
      for (std::size_t i = 0; i < names_.size(); ++i) ids_[names_[i]] = static_cast<int>(i);
    }
    for (std::size_t i = 0; i < of_documents_.size(); ++i) data.documents[i].label = of_documents_[i]->second;
    data.label_names = std::move(names_);
  }

 private:
  std::vector<std::string> names_;
  std::map<std::string, int> ids_;
  std::vector<std::map<std::string, int>::const_iterator> of_documents_;
};

/// What can be no table; `contents` is all of a file, or its beginning with the first record at least.
void require_table(std::string_view contents, const std::string& name) {
  require<DataError>(!looks_like_archive(contents), "{}: is an archive; expected a table, plain or compressed", name);
  require_byte_text(contents, name);
  require_line_feeds(contents, name);
}

}  // namespace

std::optional<std::size_t> place_in_header(const std::vector<std::string>& header, const std::string& column,
                                           const std::string& name) {
  const auto found = std::find(header.begin(), header.end(), column);
  if (found == header.end()) return std::nullopt;
  require<DataError>(std::find(found + 1, header.end(), column) == header.end(),
                     "{}: two columns of the header are called \"{}\"; give the number of the one that is meant", name,
                     column);
  return static_cast<std::size_t>(found - header.begin());
}

DelimitedOptions csv_options() { return {}; }

DelimitedOptions tsv_options() {
  DelimitedOptions options;
  options.delimiter = '\t';
  options.quotes = false;
  return options;
}

Dataset read_delimited(const std::filesystem::path& path, const DelimitedOptions& options) {
  return parse_delimited(read_text_file(path), path.string(), options);
}

Dataset parse_delimited(std::string contents, const std::string& name, const DelimitedOptions& options) {
  require<UsageError>(options.delimiter != '\n' && options.delimiter != '"' && options.delimiter != '\r',
                      "{}: the delimiter cannot be a quote or a line end", name);
  require<UsageError>(!options.text_columns.empty(), "{}: no text column is chosen", name);
  require_table(contents, name);
  if (options.encoding == TextEncoding::utf8_strict) require_utf8(contents, name);
  RecordReader reader(contents, name, options);

  std::vector<std::string> fields;
  require<DataError>(reader.next(fields), "{}: is empty; expected {}", name, options.header ? "a header" : "a record");
  const ChosenColumns columns = choose_columns(fields, options, name);
  const std::vector<std::string> header = options.header ? fields : std::vector<std::string>();
  const std::int64_t header_line = reader.record_line();

  Dataset data;
  LabelNumbers labels(options.label_names);
  const std::string file = std::filesystem::path(name).filename().string();
  for (bool more = options.header ? reader.next(fields) : true; more; more = reader.next(fields)) {
    const std::int64_t line = reader.record_line();
    require<DataError>(fields.size() == columns.count, "{}:{}: record has {}, expected {}", name, line,
                       counted(std::ssize(fields), "column"), columns.count);
    if (columns.label) labels.add(fields[*columns.label], name, line);
    data.documents.push_back({joined_text(fields, columns.text), -1, fmt::format("{}:{}", file, line)});
  }
  require<DataError>(!data.documents.empty(), "{}: holds a header but no record", name);
  if (options.header && columns.label && labels.contains(header[*columns.label]))
    fail<DataError>(
        "{}:{}: is read as the header, but \"{}\" in it is a class; without a header leave --header out, give "
        "--no-header if there is such a flag, or give the file a header",
        name, header_line, header[*columns.label]);
  std::move(labels).number(data);
  return data;
}

namespace {

/// A longer beginning is not searched for the first record.
constexpr std::size_t kLongestBeginning = std::size_t{1} << 24;

/// Whether the beginning of a file holds all that first_record() needs: a whole record, or one that is broken.
bool settles_first_record(std::string_view beginning, const std::string& name, const DelimitedOptions& options) {
  try {
    RecordReader records(beginning, name, options);
    std::vector<std::string> fields;
    return records.next(fields) && !records.at_end();
  } catch (const UnfinishedRecord&) {
    return false;
  } catch (const DataError&) {
    return true;
  }
}

}  // namespace

std::vector<std::string> first_record(std::string_view contents, const std::string& name,
                                      const DelimitedOptions& options) {
  require_table(contents, name);
  RecordReader reader(contents, name, options);
  std::vector<std::string> fields;
  require<DataError>(reader.next(fields), "{}: is empty; expected {}", name, options.header ? "a header" : "a record");
  for (const std::string& field : fields)
    require<DataError>(!options.header || find_invalid_utf8(field) == std::string_view::npos,
                       "{}:{}: name of a column is not UTF-8; try --encoding latin1", name, reader.record_line());
  return fields;
}

std::vector<std::string> read_first_record(const std::filesystem::path& path, const DelimitedOptions& options) {
  std::string beginning;
  BlockReader reader(path);
  for (std::string_view block = reader.next(); !block.empty(); block = reader.next()) {
    beginning += block;
    if (settles_first_record(beginning, path.string(), options)) break;
    require<DataError>(beginning.size() <= kLongestBeginning, "{}: its first record does not end within {} MB{}",
                       path.string(), kLongestBeginning >> 20, options.quotes ? "; is a quote not closed?" : "");
  }
  return first_record(beginning, path.string(), options);
}

}  // namespace eddy
