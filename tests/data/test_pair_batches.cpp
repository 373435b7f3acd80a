// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "eddy/core/random.h"
#include "eddy/data/pair_batches.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

TokenSet numbers(int count, const SpecialTokens& specials) {
  std::vector<std::string> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(fmt::format("t{}", i));
  return TokenSet(tokens, specials);
}

/// Pairs of the given lengths; source tokens are 10, 11, ..., target tokens 20, 21, ...
EncodedPairs pairs_of(const std::vector<PairSize>& lengths, const SpecialTokens& specials = {.go = 2, .end = 1},
                      bool complete = false) {
  PairCollector collector(numbers(70, {}), numbers(70, specials));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Ints source;
    Ints target;
    for (int t = 0; t < lengths[i].source; ++t) source.push_back(10 + t);
    for (int t = 0; t < lengths[i].target; ++t) target.push_back(20 + t);
    collector.add(source, target, fmt::format("{}", i));
  }
  return std::move(collector).finish(complete);
}

std::vector<PairSize> random_lengths(int count, int longest) {
  Philox random(7);
  std::vector<PairSize> lengths;
  for (int i = 0; i < count; ++i) {
    const auto source = static_cast<std::int64_t>(uniform_index(random, static_cast<std::uint64_t>(longest))) + 1;
    lengths.push_back(
        {source, std::max<std::int64_t>(1, source + static_cast<std::int64_t>(uniform_index(random, 5)) - 2)});
  }
  return lengths;
}

template <class T>
std::vector<T> column(const Tensor& tensor, std::int64_t row) {
  std::vector<T> values;
  for (std::int64_t t = 0; t < tensor.shape()[0]; ++t)
    values.push_back(tensor.values<T>()[static_cast<std::size_t>(t * tensor.shape()[1] + row)]);
  return values;
}

std::string bytes(const PairBatch& batch) {
  std::string all;
  for (const Tensor* tensor : {&batch.source, &batch.source_mask, &batch.target_in, &batch.target_out,
                               &batch.target_mask, &batch.source_lengths, &batch.target_lengths})
    all += to_string(tensor->shape()) + std::string(static_cast<const char*>(tensor->data()), tensor->bytes());
  for (const std::int32_t pair : batch.pairs) all += fmt::format(" {}", pair);
  return all + fmt::format(" {} {} {}", batch.real_rows, batch.position.epoch, batch.position.index);
}

}  // namespace

TEST_CASE("a pair batch is time-major, shifted by go, ended, masked, and filled with empty rows") {
  const EncodedPairs pairs = pairs_of({{3, 2}, {2, 4}});
  PairBatches batches(pairs, {.batch_size = 3, .shuffle = false});
  CHECK(batches.batches_per_epoch() == 1);
  const PairBatch batch = batches.next();
  CHECK(batch.real_rows == 2);
  CHECK(batch.rows() == 3);
  CHECK(batch.source_time() == 3);
  CHECK(batch.target_time() == 5);
  CHECK(batch.pairs == Ints{1, 0, -1});
  CHECK(column<std::int32_t>(batch.source, 0) == Ints{10, 11, 0});
  CHECK(column<float>(batch.source_mask, 0) == Floats{1, 1, 0});
  CHECK(column<std::int32_t>(batch.target_in, 0) == Ints{2, 20, 21, 22, 23});
  CHECK(column<std::int32_t>(batch.target_out, 0) == Ints{20, 21, 22, 23, 1});
  CHECK(column<float>(batch.target_mask, 0) == Floats{1, 1, 1, 1, 1});
  CHECK(column<std::int32_t>(batch.source, 1) == Ints{10, 11, 12});
  CHECK(column<std::int32_t>(batch.target_in, 1) == Ints{2, 20, 21, 0, 0});
  CHECK(column<std::int32_t>(batch.target_out, 1) == Ints{20, 21, 1, 0, 0});
  CHECK(column<float>(batch.target_mask, 1) == Floats{1, 1, 1, 0, 0});
  CHECK(column<float>(batch.source_mask, 2) == Floats{0, 0, 0});
  CHECK(column<float>(batch.target_mask, 2) == Floats{0, 0, 0, 0, 0});
  CHECK(Ints(batch.source_lengths.values<std::int32_t>().begin(), batch.source_lengths.values<std::int32_t>().end()) ==
        Ints{2, 3, 0});
  CHECK(Ints(batch.target_lengths.values<std::int32_t>().begin(), batch.target_lengths.values<std::int32_t>().end()) ==
        Ints{5, 3, 0});
  CHECK(batch.source_count == 5);
  CHECK(batch.target_count == 8);
}

TEST_CASE("targets of fixed length have no end, padding has its id, sources may be reversed") {
  PairBatches fixed(pairs_of({{2, 3}}, {.pad = 5, .go = -1, .end = -1}), {.batch_size = 2, .shuffle = false});
  const PairBatch plain = fixed.next();
  CHECK(column<std::int32_t>(plain.target_in, 0) == Ints{5, 20, 21});
  CHECK(column<std::int32_t>(plain.target_out, 0) == Ints{20, 21, 22});
  CHECK(column<std::int32_t>(plain.target_out, 1) == Ints{5, 5, 5});
  PairBatches complete(pairs_of({{2, 3}}, {.go = 2, .end = 1}, true), {.batch_size = 1});
  CHECK(column<std::int32_t>(complete.next().target_out, 0) == Ints{20, 21, 22});
  PairBatches reversed(pairs_of({{2, 3}, {4, 3}}), {.batch_size = 2, .reverse_source = true, .shuffle = false});
  const PairBatch batch = reversed.next();
  CHECK(column<std::int32_t>(batch.source, 0) == Ints{11, 10, 0, 0});
  CHECK(column<std::int32_t>(batch.source, 1) == Ints{13, 12, 11, 10});
}

TEST_CASE("every pair comes once an epoch, whole, in a size that holds it") {
  const std::vector<PairSize> lengths = random_lengths(900, 40);
  const EncodedPairs pairs = pairs_of(lengths);
  PairBatches batches(pairs, {.batch_size = 8, .seed = 5});
  CHECK(batches.pairs_per_epoch() == 900);
  std::vector<Ints> orders;
  for (int epoch = 0; epoch < 2; ++epoch) {
    Ints seen;
    std::int64_t steps = 0;
    for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
      const PairBatch batch = batches.next();
      CHECK(batch.position == BatchPosition{epoch, i});
      CHECK(std::count(batches.sizes().begin(), batches.sizes().end(),
                       PairSize{batch.source_time(), batch.target_time()}) == 1);
      for (int row = 0; row < batch.real_rows; ++row) {
        const std::int32_t pair = batch.pairs[static_cast<std::size_t>(row)];
        const PairSize& length = lengths[static_cast<std::size_t>(pair)];
        CHECK(batch.source_lengths.values<std::int32_t>()[static_cast<std::size_t>(row)] == length.source);
        CHECK(batch.target_lengths.values<std::int32_t>()[static_cast<std::size_t>(row)] == length.target + 1);
        seen.push_back(pair);
      }
      steps += batch.source_time() * batch.rows();
    }
    orders.push_back(seen);
    std::sort(seen.begin(), seen.end());
    for (std::int32_t i = 0; i < 900; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
    std::int64_t real = 0;
    for (const PairSize& length : lengths) real += length.source;
    CHECK(static_cast<double>(steps) < 1.5 * static_cast<double>(real));
  }
  CHECK(orders[0] != orders[1]);
}

TEST_CASE("sizes with few pairs join a larger one") {
  std::vector<PairSize> lengths(40, PairSize{6, 6});
  lengths.insert(lengths.end(), 40, PairSize{20, 20});
  lengths.push_back({6, 14});
  const EncodedPairs pairs = pairs_of(lengths);
  const PairBatches joined(pairs, {.batch_size = 8});
  REQUIRE(joined.sizes().size() == 2);
  CHECK(joined.sizes()[1] == PairSize{20, 21});
  const PairBatches separate(pairs, {.batch_size = 8, .fewest_batches = 0});
  CHECK(separate.sizes().size() == 3);
  CHECK(PairBatches(pairs, {.batch_size = 8, .fewest_batches = 100}).sizes().size() == 1);
}

TEST_CASE("given sizes take pairs in their order and leave out what fits none") {
  const EncodedPairs pairs = pairs_of({{5, 3}, {5, 4}, {9, 2}, {11, 2}, {10, 8}, {3, 9}});
  const std::vector<PairSize> sizes{{5, 4}, {10, 6}, {10, 9}};
  PairBatches batches(pairs, {.batch_size = 4, .sizes = sizes, .shuffle = false});
  CHECK(batches.sizes() == sizes);
  CHECK(batches.left_out_long() == 2);
  CHECK(batches.pairs_per_epoch() == 4);
  CHECK(batches.next().pairs == Ints{0, -1, -1, -1});
  CHECK(batches.next().pairs == Ints{1, 2, -1, -1});
  CHECK(batches.next().pairs == Ints{4, -1, -1, -1});
  const PairBatches cut(pairs, {.batch_size = 4, .too_long = TooLong::cut, .sizes = sizes});
  CHECK(cut.left_out_long() == 0);
  CHECK(cut.pairs_per_epoch() == 6);
}

TEST_CASE("a side that is too long is left out or cut, and a cut target does not pretend to end") {
  const EncodedPairs pairs = pairs_of({{4, 4}, {2, 2}});
  PairBatches left(pairs, {.batch_size = 1, .max_source = 3, .shuffle = false});
  CHECK(left.left_out_long() == 1);
  CHECK(left.next().pairs == Ints{1});
  PairBatches cut(pairs,
                  {.batch_size = 2, .max_source = 3, .max_target = 2, .too_long = TooLong::cut, .shuffle = false});
  const PairBatch batch = cut.next();
  CHECK(batch.pairs == Ints{1, 0});
  CHECK(column<std::int32_t>(batch.source, 1) == Ints{10, 11, 12});
  CHECK(column<std::int32_t>(batch.target_in, 1) == Ints{2, 20, 21});
  CHECK(column<std::int32_t>(batch.target_out, 1) == Ints{20, 21, 22});
  CHECK(column<std::int32_t>(batch.target_out, 0) == Ints{20, 21, 1});
}

TEST_CASE("from a saved position the same batches follow, bit for bit, across epochs") {
  const EncodedPairs pairs = pairs_of(random_lengths(100, 20));
  PairBatches first(pairs, {.batch_size = 8, .seed = 11});
  for (std::int64_t i = 0; i < first.batches_per_epoch() + 3; ++i) first.next();
  const BatchPosition saved = first.position();
  PairBatches second(pairs, {.batch_size = 8, .seed = 11});
  second.seek(saved);
  for (std::int64_t i = 0; i < 2 * first.batches_per_epoch(); ++i) CHECK(bytes(first.next()) == bytes(second.next()));
  PairBatches other(pairs, {.batch_size = 8, .seed = 12});
  other.seek(saved);
  second.seek(saved);
  CHECK(bytes(other.next()) != bytes(second.next()));
  CHECK_THROWS_AS(second.seek({0, second.batches_per_epoch()}), DataError);
  CHECK_THROWS_AS(second.seek({-1, 0}), DataError);
}

TEST_CASE("chosen pairs, empty sides and bad options") {
  const EncodedPairs pairs = pairs_of({{3, 3}, {0, 3}, {3, 0}, {2, 2}});
  PairBatches ended(pairs, {.batch_size = 4, .shuffle = false});
  CHECK(ended.left_out_empty() == 1);
  CHECK(ended.next().pairs == Ints{3, 2, 0, -1});
  CHECK(PairBatches(pairs_of({{3, 3}, {3, 0}}, {}), {.batch_size = 1}).left_out_empty() == 1);
  PairBatches chosen(pairs, {.batch_size = 2, .shuffle = false}, Ints{3, 3});
  CHECK(chosen.next().pairs == Ints{3, 3});
  CHECK(contains(error_of<DataError>([&] { PairBatches(pairs, {}, Ints{4}); }), "pair 4 asked for, there are 4"));
  CHECK(contains(error_of<DataError>([&] { PairBatches(pairs, {}, Ints{1}); }),
                 "no pair of 1 can be batched: 1 with an empty side, 0 too long"));
  CHECK_THROWS_AS(PairBatches(pairs, {.batch_size = 0}), UsageError);
  CHECK_THROWS_AS(PairBatches(pairs, {.max_source = -1}), UsageError);
  CHECK_THROWS_AS(PairBatches(pairs, {.sizes = {{0, 3}}}), UsageError);
  CHECK_THROWS_AS(PairBatches(pairs, {.sizes = {{3, 1}}}), UsageError);
}

}  // namespace eddy
