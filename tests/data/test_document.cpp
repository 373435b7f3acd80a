// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "eddy/data/document.h"
#include "eddy/data/split.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

std::vector<std::string> texts(const Dataset& data) {
  std::vector<std::string> result;
  for (const Document& document : data.documents) result.push_back(document.text);
  return result;
}

}  // namespace

TEST_CASE("subsets keep order and label names, and can hide labels") {
  const Dataset data{{{"a", 0, "1"}, {"b", 1, "2"}, {"c", 1, "3"}}, {"x", "y"}};
  const std::vector<std::int32_t> indices = {2, 0};
  CHECK(texts(subset(data, indices)) == std::vector<std::string>{"c", "a"});
  CHECK(subset(data, indices).documents[0].label == 1);
  CHECK(subset(data, indices).label_names == data.label_names);
  CHECK(without_labels(subset(data, indices)).documents[0].label == -1);
  const std::vector<std::int32_t> bad = {3};
  CHECK(contains(error_of<DataError>([&] { subset(data, bad); }), "document 3 asked for, the data set has 3"));
}

TEST_CASE("repeated and shared texts are dropped") {
  Dataset data{{{"a", 0, ""}, {"b", 1, ""}, {"a", 2, ""}, {"c", 3, ""}, {"b", 4, ""}, {"", 5, ""}, {"", 6, ""}}, {}};
  CHECK(drop_repeated(data) == 3);
  CHECK(texts(data) == std::vector<std::string>{"a", "b", "c", ""});
  CHECK(data.documents[0].label == 0);
  CHECK(drop_shared(data, Dataset{{{"c", 0, ""}, {"z", 0, ""}, {"a", 0, ""}}, {}}) == 2);
  CHECK(texts(data) == std::vector<std::string>{"b", ""});
}

TEST_CASE("the split is a partition, in an order fixed by its seed") {
  const Split split = split_off_test(1000, 100, 7), larger = split_off_test(1000, 200, 7);
  CHECK(split.test.size() == 100);
  CHECK(split.train.size() == 900);
  std::set<std::int32_t> all(split.test.begin(), split.test.end());
  all.insert(split.train.begin(), split.train.end());
  CHECK(all.size() == 1000);
  CHECK(*all.begin() == 0);
  CHECK(*all.rbegin() == 999);
  CHECK(std::equal(split.test.begin(), split.test.end(), larger.test.begin()));
  CHECK(split.test != split_off_test(1000, 100, 8).test);
  CHECK(!std::is_sorted(split.test.begin(), split.test.end()));
  CHECK(!std::is_sorted(split.train.begin(), split.train.end()));
  CHECK(split_off_test(10, 10, 7).train.empty());
  CHECK(contains(error_of<DataError>([] { split_off_test(10, 11, 7); }), "11 test documents asked for, there are 10"));
  CHECK_THROWS_AS(split_off_test(10, -1, 7), DataError);
}

}  // namespace eddy
