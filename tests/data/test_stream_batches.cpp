// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "eddy/data/stream_batches.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

using Ints = std::vector<std::int32_t>;

EncodedCorpus corpus_of(const std::vector<Ints>& documents) {
  CorpusArrays arrays;
  for (const Ints& document : documents) {
    arrays.tokens.insert(arrays.tokens.end(), document.begin(), document.end());
    arrays.end_document(-1, "");
  }
  return EncodedCorpus(std::move(arrays));
}

Ints flat(const Tensor& tensor) { return {tensor.values<std::int32_t>().begin(), tensor.values<std::int32_t>().end()}; }

/// The inputs and targets of each row of a whole epoch, put together.
std::vector<std::pair<Ints, Ints>> read_streams(StreamBatches& batches, int rows) {
  std::vector<std::pair<Ints, Ints>> streams(static_cast<std::size_t>(rows));
  std::int64_t targets = 0;
  for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    const Batch batch = batches.next();
    REQUIRE(batch.carry_state == (i > 0));
    targets += batch.target_count;
    for (std::int64_t t = 0; t < batch.time(); ++t) {
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto at = static_cast<std::size_t>(t * rows + row);
        const bool real = batch.mask.values<float>()[at] == 1.0f;
        REQUIRE(real == (t < batch.lengths.values<std::int32_t>()[static_cast<std::size_t>(row)]));
        REQUIRE(batch.weights.values<float>()[at] == batch.mask.values<float>()[at]);
        if (!real) continue;
        streams[static_cast<std::size_t>(row)].first.push_back(batch.tokens.values<std::int32_t>()[at]);
        streams[static_cast<std::size_t>(row)].second.push_back(batch.targets.values<std::int32_t>()[at]);
      }
    }
  }
  CHECK(targets == batches.targets_per_epoch());
  return streams;
}

}  // namespace

TEST_CASE("windows of two streams, worked by hand") {
  // The text is 1 | 10 11 12 1 | 20 1 | 1 | 30 31 1, so there are 10 inputs: two streams of 5.
  const EncodedCorpus corpus = corpus_of({{10, 11, 12}, {20}, {}, {30, 31}});
  StreamBatches batches(corpus, {.batch_size = 2, .time = 3, .shuffle = false});
  CHECK(batches.batches_per_epoch() == 2);
  const Batch first = batches.next();
  CHECK(flat(first.tokens) == Ints{1, 20, 10, 1, 11, 1});
  CHECK(flat(first.targets) == Ints{10, 1, 11, 1, 12, 30});
  CHECK(!first.carry_state);
  const Batch second = batches.next();
  CHECK(flat(second.tokens) == Ints{12, 30, 1, 31, 0, 0});
  CHECK(flat(second.targets) == Ints{1, 31, 20, 1, 0, 0});
  CHECK(flat(second.lengths) == Ints{2, 2});
  CHECK(second.carry_state);
  CHECK(!batches.next().carry_state);
}

TEST_CASE("rows go on without a gap and every token is a target once") {
  std::vector<Ints> documents;
  std::map<std::int32_t, int> expected;
  for (int d = 0; d < 57; ++d) {
    documents.emplace_back();
    for (int t = 0; t < d * 7 % 13; ++t) {
      documents.back().push_back(1000 * (d + 1) + t);
      ++expected[documents.back().back()];
    }
    ++expected[1];
  }
  const EncodedCorpus corpus = corpus_of(documents);
  for (const int rows : {1, 3, 8, 500}) {
    for (const std::int64_t time : {1, 5, 64}) {
      CAPTURE(rows);
      CAPTURE(time);
      StreamBatches batches(corpus, {.batch_size = rows, .time = time});
      for (int epoch = 0; epoch < 2; ++epoch) {
        std::map<std::int32_t, int> seen;
        Ints before = {1};
        for (const auto& [inputs, targets] : read_streams(batches, rows)) {
          if (inputs.empty()) continue;
          REQUIRE(std::equal(inputs.begin() + 1, inputs.end(), targets.begin()));
          REQUIRE(inputs.front() == before.back());
          before = targets;
          for (const std::int32_t target : targets) ++seen[target];
        }
        CHECK(seen == expected);
      }
    }
  }
}

TEST_CASE("streams resume from a position and follow their seed") {
  std::vector<Ints> documents;
  for (int d = 0; d < 30; ++d) documents.push_back({10 + d, 50 + d, 90 + d});
  const EncodedCorpus corpus = corpus_of(documents);
  StreamBatches first(corpus, {.batch_size = 4, .time = 5, .seed = 3});
  std::vector<Batch> run;
  for (std::int64_t i = 0; i < 2 * first.batches_per_epoch(); ++i) run.push_back(first.next());
  for (const std::size_t from : {std::size_t{1}, run.size() / 2, run.size() - 1}) {
    StreamBatches second(corpus, {.batch_size = 4, .time = 5, .seed = 3});
    second.seek(run[from].position);
    for (std::size_t i = from; i < run.size(); ++i) {
      const Batch batch = second.next();
      CHECK(flat(batch.tokens) == flat(run[i].tokens));
      CHECK(flat(batch.targets) == flat(run[i].targets));
      CHECK(batch.carry_state == run[i].carry_state);
    }
  }
  CHECK(flat(run[0].tokens) != flat(run[run.size() / 2].tokens));
  StreamBatches other(corpus, {.batch_size = 4, .time = 5, .seed = 4});
  CHECK(flat(other.next().tokens) != flat(run[0].tokens));
}

TEST_CASE("streams refuse bad options and positions") {
  const EncodedCorpus corpus = corpus_of({{5}});
  CHECK_THROWS_AS(StreamBatches(corpus, {.batch_size = 0}), UsageError);
  CHECK_THROWS_AS(StreamBatches(corpus, {.time = 0}), UsageError);
  CHECK(contains(error_of<DataError>([] {
                   const EncodedCorpus none;
                   StreamBatches{none};
                 }),
                 "no document"));
  StreamBatches batches(corpus);
  CHECK_THROWS_AS(batches.seek({0, 1}), DataError);
}

}  // namespace eddy
