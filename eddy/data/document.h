// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// Pure functions but for append(), drop_repeated() and drop_shared(), which change `data` in place.
namespace eddy {

/// A text with its class. `label` indexes Dataset::label_names; -1 means none. `id` says where the text came from,
/// such as "train/pos/12_9" or "reviews.csv:7". Texts about one thing, such as a film, share a `group`; -1: not known.
struct Document {
  std::string text;
  int label = -1;
  std::string id;
  std::int64_t group = -1;
};

/// Documents in a fixed order. A plain value.
struct Dataset {
  std::vector<Document> documents;
  std::vector<std::string> label_names;
};

/// The documents at `indices`, in that order, with all label names. Throws DataError for an index out of range.
Dataset subset(const Dataset& data, std::span<const std::int32_t> indices);

/// The documents with every label taken away, so that pretraining cannot see one.
Dataset without_labels(Dataset data);

/// Adds the documents of `more` at the end of `data`; its label names are not looked at.
void append(Dataset& data, Dataset more);

/// Drops documents whose text stands earlier in the data; the first one stays. Returns how many were dropped.
std::size_t drop_repeated(Dataset& data);

/// Drops from `data` the documents whose text is also in `other`. Returns how many were dropped.
std::size_t drop_shared(Dataset& data, const Dataset& other);

}  // namespace eddy
