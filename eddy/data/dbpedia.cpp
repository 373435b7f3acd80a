// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/dbpedia.h"

#include <algorithm>
#include <string>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/data/delimited.h"
#include "eddy/data/source.h"
#include "eddy/data/text_lines.h"

namespace eddy {
namespace {

bool has_titles(const NamedText& file) {
  DelimitedOptions options = csv_options();
  options.text_columns = {1};
  const Dataset titles = parse_delimited(file.contents, file.name, options);
  return std::any_of(titles.documents.begin(), titles.documents.end(),
                     [](const Document& document) { return !document.text.empty(); });
}

Dataset parse(const NamedText& file, bool titles, const std::vector<std::string>& classes) {
  DelimitedOptions options = csv_options();
  options.text_columns = titles ? std::vector<Column>{1, 2} : std::vector<Column>{2};
  options.label_column = 0;
  for (std::size_t i = 1; i <= classes.size(); ++i) options.label_names.push_back(std::to_string(i));
  Dataset data = parse_delimited(file.contents, file.name, options);
  data.label_names = classes;
  return data;
}

}  // namespace

Dbpedia read_dbpedia(const std::filesystem::path& source) {
  auto files = read_files_by_name(
      source, [](std::string_view name) { return name.ends_with(".csv") || last_parts(name, 1) == "classes.txt"; });
  const auto take = [&](const std::string& name) {
    auto file = files.extract(name);
    require<DataError>(!file.empty(), "{}: holds no file {}; expected classes.txt, train.csv and test.csv",
                       source.string(), name);
    return std::move(file.mapped());
  };
  std::vector<std::string> classes;
  const NamedText names = take("classes.txt");
  for (Document& line : parse_text_lines(names.contents, names.name).documents) classes.push_back(std::move(line.text));
  Dbpedia data;
  const NamedText train = take("train.csv");
  data.titles = has_titles(train);
  data.train = parse(train, data.titles, classes);
  data.test = parse(take("test.csv"), data.titles, classes);
  data.unlabelled.label_names = classes;
  for (const auto& [name, file] : files) append(data.unlabelled, without_labels(parse(file, data.titles, classes)));
  return data;
}

}  // namespace eddy
