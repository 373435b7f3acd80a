// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/rotten_tomatoes.h"

#include <algorithm>
#include <array>
#include <string>

#include "eddy/core/error.h"
#include "eddy/data/source.h"
#include "eddy/data/text_lines.h"

namespace eddy {

Dataset read_rotten_tomatoes(const std::filesystem::path& source) {
  constexpr std::array<std::string_view, 2> kClasses = {"neg", "pos"};
  const auto in_original_folder = [](std::string_view name) {
    return last_parts(name, 2).starts_with("rt-polaritydata/");
  };
  const auto class_of = [&](std::string_view name) {
    const std::string_view file = name.substr(name.rfind('/') + 1);
    return std::find_if(kClasses.begin(), kClasses.end(),
                        [&](std::string_view label) { return file == fmt::format("rt-polarity.{}", label); });
  };
  std::array<NamedText, 2> files;
  read_files(
      source, [&](std::string_view name) { return class_of(name) != kClasses.end(); },
      [&](const std::string& name, std::string contents) {
        NamedText& file = files[static_cast<std::size_t>(class_of(name) - kClasses.begin())];
        if (!file.name.empty() && !in_original_folder(name)) {
          require<DataError>(in_original_folder(file.name), "{}: holds {} and {}; expected one of them",
                             source.string(), file.name, name);
          return;
        }
        file = {name, std::move(contents)};
      });
  Dataset data;
  data.label_names.assign(kClasses.begin(), kClasses.end());
  for (int label = 0; label < 2; ++label) {
    NamedText& file = files[static_cast<std::size_t>(label)];
    require<DataError>(!file.name.empty(), "{}: holds no file rt-polarity.{}", source.string(),
                       kClasses[static_cast<std::size_t>(label)]);
    append(data, parse_text_lines(std::move(file.contents), (source / file.name).string(),
                                  {.encoding = TextEncoding::utf8_or_latin1, .label = label}));
  }
  return data;
}

}  // namespace eddy
