// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/document.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "eddy/core/error.h"

namespace eddy {

Dataset subset(const Dataset& data, std::span<const std::int32_t> indices) {
  Dataset result{{}, data.label_names};
  result.documents.reserve(indices.size());
  for (const std::int32_t index : indices) {
    require<DataError>(index >= 0 && static_cast<std::size_t>(index) < data.documents.size(),
                       "document {} asked for, the data set has {}", index, data.documents.size());
    result.documents.push_back(data.documents[static_cast<std::size_t>(index)]);
  }
  return result;
}

Dataset without_labels(Dataset data) {
  for (Document& document : data.documents) document.label = -1;
  return data;
}

void append(Dataset& data, Dataset more) { std::ranges::move(more.documents, std::back_inserter(data.documents)); }

std::size_t drop_repeated(Dataset& data) {
  // The set holds views, so the kept documents are gathered elsewhere and nothing it looks at moves meanwhile.
  std::unordered_set<std::string_view> seen;
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < data.documents.size(); ++i)
    if (seen.insert(data.documents[i].text).second) kept.push_back(i);
  const std::size_t dropped = data.documents.size() - kept.size();
  std::vector<Document> documents;
  documents.reserve(kept.size());
  for (const std::size_t i : kept) documents.push_back(std::move(data.documents[i]));
  data.documents = std::move(documents);
  return dropped;
}

std::size_t drop_shared(Dataset& data, const Dataset& other) {
  std::unordered_set<std::string_view> texts;
  for (const Document& document : other.documents) texts.insert(document.text);
  return std::erase_if(data.documents, [&](const Document& document) { return texts.contains(document.text); });
}

}  // namespace eddy
