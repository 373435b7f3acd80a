// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/amazon_reviews.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/data/entities.h"
#include "eddy/data/source.h"
#include "eddy/data/unicode.h"

namespace eddy {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

}  // namespace

Dataset read_amazon_reviews(const std::filesystem::path& source) {
  constexpr std::string_view kOpen = "<review_text>", kClose = "</review_text>";
  Dataset data;
  read_files(
      source, [](std::string_view name) { return name.ends_with(".review"); },
      [&](const std::string& name, std::string contents) {
        const std::string text = decode_text(std::move(contents), TextEncoding::utf8_or_latin1, name);
        const std::string_view tail = last_parts(name, 2), place = tail.empty() ? std::string_view(name) : tail;
        int number = 0;
        for (std::size_t at = text.find(kOpen); at != std::string::npos; at = text.find(kOpen, at)) {
          const std::size_t begin = at + kOpen.size(), end = text.find(kClose, begin);
          ++number;
          require<DataError>(end != std::string::npos, "{}, file {} inside: review {} has no {}", source.string(), name,
                             number, kClose);
          const std::string review = decode_entities(trimmed(std::string_view(text).substr(begin, end - begin)));
          data.documents.push_back({review, -1, fmt::format("{}:{}", place, number)});
          at = end;
        }
      });
  require<DataError>(!data.documents.empty(), "{}: holds no review; expected files *.review with {}", source.string(),
                     kOpen);
  return data;
}

}  // namespace eddy
