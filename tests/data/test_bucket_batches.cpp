// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "eddy/core/random.h"
#include "eddy/data/bucket_batches.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

/// Documents of the given lengths: token t of document d is 100 d + 2 + t; labels 0, 1, -1, 0, 1, -1, ...
EncodedCorpus corpus_of(const std::vector<int>& lengths) {
  CorpusArrays arrays;
  for (std::size_t d = 0; d < lengths.size(); ++d) {
    for (int t = 0; t < lengths[d]; ++t) arrays.tokens.push_back(static_cast<std::int32_t>(100 * d) + 2 + t);
    arrays.end_document(d % 3 == 2 ? -1 : static_cast<int>(d % 3), fmt::format("{}", d));
  }
  return EncodedCorpus(std::move(arrays));
}

EncodedCorpus random_corpus(int documents, int longest) {
  Philox random(21);
  std::vector<int> lengths;
  for (int i = 0; i < documents; ++i) lengths.push_back(static_cast<int>(uniform_index(random, longest + 1)));
  return corpus_of(lengths);
}

template <class T>
std::vector<T> column(const Tensor& tensor, std::int64_t row) {
  std::vector<T> values;
  for (std::int64_t t = 0; t < tensor.shape()[0]; ++t)
    values.push_back(tensor.values<T>()[static_cast<std::size_t>(t * tensor.shape()[1] + row)]);
  return values;
}

template <class T>
std::vector<T> flat(const Tensor& tensor) {
  return {tensor.values<T>().begin(), tensor.values<T>().end()};
}

bool same(const Batch& a, const Batch& b) {
  const auto bytes = [](const Tensor& t) {
    const auto* begin = static_cast<const char*>(t.data());
    return begin == nullptr ? std::string() : std::string(begin, t.bytes());
  };
  return a.tokens.shape() == b.tokens.shape() && bytes(a.tokens) == bytes(b.tokens) && bytes(a.mask) == bytes(b.mask) &&
         bytes(a.targets) == bytes(b.targets) && bytes(a.weights) == bytes(b.weights) &&
         bytes(a.labels) == bytes(b.labels) && bytes(a.row_weights) == bytes(b.row_weights) &&
         bytes(a.lengths) == bytes(b.lengths) && a.documents == b.documents && a.real_rows == b.real_rows &&
         a.position == b.position;
}

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

}  // namespace

TEST_CASE("bucket times rise by the growth and end at the longest") {
  const std::vector<std::int64_t> times = bucket_times(400);
  CHECK(times.front() == 8);
  CHECK(times.back() == 400);
  CHECK(times.size() <= 16);
  for (std::size_t i = 1; i < times.size(); ++i) {
    CHECK(times[i] > times[i - 1]);
    CHECK(static_cast<double>(times[i]) <= 1.5 * static_cast<double>(times[i - 1]));
  }
  CHECK(bucket_times(3) == std::vector<std::int64_t>{3});
  CHECK(bucket_times(8) == std::vector<std::int64_t>{8});
  CHECK(bucket_times(5, 1, 1.01) == std::vector<std::int64_t>{1, 2, 3, 4, 5});
  CHECK_THROWS_AS(bucket_times(0), UsageError);
  for (const double growth : {1.0, 1e300, std::numeric_limits<double>::infinity(), std::nan("")})
    CHECK_THROWS_AS(bucket_times(10, 8, growth), UsageError);
}

TEST_CASE("a plain batch is time-major, masked, and filled with empty rows") {
  const EncodedCorpus corpus = corpus_of({2, 3, 0});
  BucketBatches batches(corpus, {.batch_size = 4, .times = {4}, .shuffle = false});
  CHECK(batches.batches_per_epoch() == 1);
  CHECK(batches.documents_per_epoch() == 3);
  const Batch batch = batches.next();
  CHECK(batch.time() == 4);
  CHECK(batch.rows() == 4);
  CHECK(batch.real_rows == 3);
  CHECK(batch.documents == Ints{2, 0, 1, -1});
  CHECK(flat<std::int32_t>(batch.tokens) == Ints{0, 2, 102, 0, 0, 3, 103, 0, 0, 0, 104, 0, 0, 0, 0, 0});
  CHECK(flat<float>(batch.mask) == Floats{0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0});
  CHECK(flat<std::int32_t>(batch.lengths) == Ints{0, 2, 3, 0});
  CHECK(flat<std::int32_t>(batch.labels) == Ints{0, 0, 1, 0});
  CHECK(flat<float>(batch.row_weights) == Floats{0, 1, 1, 0});
  CHECK(batch.token_count == 5);
  CHECK(batch.target_count == 0);
  CHECK(!batch.targets);
  CHECK(batches.position() == BatchPosition{1, 0});
}

TEST_CASE("too long documents keep their last or first tokens") {
  const EncodedCorpus corpus = corpus_of({5});
  const auto first_row = [&](BucketOptions options) {
    options.batch_size = 1;
    options.max_length = 3;
    return BucketBatches(corpus, options).next();
  };
  CHECK(flat<std::int32_t>(first_row({}).tokens) == Ints{4, 5, 6});
  CHECK(flat<std::int32_t>(first_row({.keep = Keep::first}).tokens) == Ints{2, 3, 4});
  CHECK(flat<std::int32_t>(first_row({.append_eos = true}).tokens) == Ints{4, 5, 6, 1});
  // A text cut at its end goes on with its own next token, not with <eos>.
  CHECK(flat<std::int32_t>(first_row({.layout = Layout::language_model, .keep = Keep::first}).targets) ==
        Ints{3, 4, 5});
  CHECK(flat<std::int32_t>(first_row({.layout = Layout::language_model}).targets) == Ints{5, 6, 1});
}

TEST_CASE("what is not read of too long documents is counted") {
  const EncodedCorpus corpus = corpus_of({5, 3, 9, 0});
  const BucketBatches batches(corpus, {.max_length = 3});
  CHECK(batches.cut().documents == 2);
  CHECK(batches.cut().tokens == 8);
  CHECK(batches.cut().to_string(3) == "2 texts cut to 3 tokens (8 tokens not read)");
  CHECK_FALSE(BucketBatches(corpus).cut().any());
  // Of those batched alone: the third has no label to learn.
  CHECK(BucketBatches(corpus, {.layout = Layout::label_gain, .max_length = 4}).cut().to_string(4) ==
        "1 text cut to 4 tokens (1 token not read)");
  CHECK(count_cut(corpus, 3).tokens == 8);
  CHECK(count_cut(corpus, 3, Ints{0, 0, 1}).tokens == 4);
  CHECK_FALSE(count_cut(corpus, 0).any());
  CHECK_THROWS_AS(count_cut(corpus, 3, Ints{4}), DataError);
}

TEST_CASE("layouts fill targets and weights under the mask") {
  const EncodedCorpus corpus = corpus_of({2, 1, 0});
  BucketBatches model(corpus, {.batch_size = 2, .layout = Layout::language_model, .times = {3}, .shuffle = false});
  CHECK(model.left_out() == 1);
  const Batch batch = model.next();
  CHECK(batch.documents == Ints{1, 0});
  CHECK(column<std::int32_t>(batch.tokens, 1) == Ints{2, 3, 0});
  CHECK(column<std::int32_t>(batch.targets, 1) == Ints{3, 1, 0});
  CHECK(column<float>(batch.weights, 1) == Floats{1, 1, 0});
  CHECK(column<float>(batch.mask, 1) == Floats{1, 1, 0});
  CHECK(column<float>(batch.mask, 0) == Floats{1, 0, 0});
  CHECK(batch.token_count == 3);
  CHECK(batch.target_count == 3);

  BucketBatches gain(corpus_of({0, 3, 4}), {.batch_size = 1, .layout = Layout::label_gain, .append_eos = true});
  CHECK(gain.left_out() == 1);  // no label
  const Batch label = gain.next();
  const std::int64_t last = label.lengths.values<std::int32_t>()[0] - 1;
  CHECK(column<float>(label.weights, 0)[0] == 0);
  CHECK(column<float>(label.weights, 0)[static_cast<std::size_t>(last)] == 1);
  CHECK(label.target_count == last);
}

TEST_CASE("an epoch gives every document once, in few shapes, with little waste") {
  const EncodedCorpus corpus = random_corpus(1000, 200);
  BucketBatches batches(corpus, {.batch_size = 16});
  std::set<std::int64_t> shapes;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<std::int32_t> seen;
    std::int64_t tokens = 0;
    std::int64_t slots = 0;
    for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
      const Batch batch = batches.next();
      REQUIRE(batch.position == BatchPosition{epoch, i});
      REQUIRE(batch.rows() == 16);
      shapes.insert(batch.time());
      for (std::int64_t row = 0; row < batch.rows(); ++row) {
        const std::int32_t document = batch.documents[static_cast<std::size_t>(row)];
        REQUIRE((document >= 0) == (row < batch.real_rows));
        const auto mask = column<float>(batch.mask, row);
        const std::int64_t length = std::count(mask.begin(), mask.end(), 1.0f);
        REQUIRE(length == batch.lengths.values<std::int32_t>()[static_cast<std::size_t>(row)]);
        if (document < 0) {
          REQUIRE(length == 0);
          continue;
        }
        seen.push_back(document);
        const auto ids = corpus.document(document);
        REQUIRE(length == static_cast<std::int64_t>(ids.size()));
        const auto row_tokens = column<std::int32_t>(batch.tokens, row);
        REQUIRE(std::equal(ids.begin(), ids.end(), row_tokens.begin()));
      }
      tokens += batch.token_count;
      slots += batch.tokens.elements();
    }
    CHECK(static_cast<double>(tokens) > 0.75 * static_cast<double>(slots));
    CHECK(tokens == corpus.token_count());
    std::sort(seen.begin(), seen.end());
    CHECK(seen.size() == 1000);
    CHECK(std::unique(seen.begin(), seen.end()) == seen.end());
  }
  CHECK(shapes.size() <= batches.times().size());
  CHECK(shapes.size() + 1 >= batches.times().size());
  CHECK(shapes.size() <= 14);
}

TEST_CASE("shuffled, all batches of an epoch but one are whole; in order, each size ends with what is left") {
  const EncodedCorpus corpus = random_corpus(333, 200);
  for (const bool shuffle : {true, false}) {
    BucketBatches batches(corpus, {.batch_size = 16, .shuffle = shuffle});
    std::int64_t whole = 0;
    for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) whole += batches.next().real_rows == 16 ? 1 : 0;
    CHECK((batches.batches_per_epoch() == 21) == shuffle);
    CHECK((whole >= batches.batches_per_epoch() - 1) == shuffle);
  }
}

TEST_CASE("order depends on seed and epoch alone, and resumes bit for bit from anywhere") {
  const EncodedCorpus corpus = random_corpus(300, 60);
  for (const Layout layout : {Layout::plain, Layout::language_model, Layout::label_gain}) {
    BucketBatches first(corpus, {.batch_size = 8, .layout = layout, .seed = 4});
    std::vector<Batch> run;
    for (std::int64_t i = 0; i < 3 * first.batches_per_epoch(); ++i) run.push_back(first.next());
    for (const std::size_t from : {std::size_t{0}, std::size_t{7}, run.size() / 2, run.size() - 1}) {
      BucketBatches second(corpus, {.batch_size = 8, .layout = layout, .seed = 4});
      second.seek(run[from].position);
      bool all = true;
      for (std::size_t i = from; i < run.size(); ++i) all = all && same(second.next(), run[i]);
      CHECK(all);
    }
    const auto order = [](BucketBatches batches, std::int64_t epoch) {
      batches.seek({epoch, 0});
      Ints documents;
      for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
        const Batch batch = batches.next();
        documents.insert(documents.end(), batch.documents.begin(), batch.documents.end());
      }
      return documents;
    };
    const BucketOptions other{.batch_size = 8, .layout = layout, .seed = 5};
    CHECK(order(first, 0) != order(first, 1));
    CHECK(order(first, 0) != order(BucketBatches(corpus, other), 0));
    const BucketOptions fixed{.batch_size = 8, .layout = layout, .shuffle = false};
    CHECK(order(BucketBatches(corpus, fixed), 0) == order(BucketBatches(corpus, fixed), 3));
  }
}

TEST_CASE("the order of one seed is the same on every machine") {
  const EncodedCorpus corpus = corpus_of({3, 3, 3, 3, 3, 3, 3, 3, 20, 20, 20});
  BucketBatches batches(corpus, {.batch_size = 4, .seed = 9});
  Ints documents;
  for (int i = 0; i < 3; ++i) {
    const Batch batch = batches.next();
    documents.insert(documents.end(), batch.documents.begin(), batch.documents.end());
  }
  // From a separate computation of Philox4x32-10 and the Fisher-Yates shuffle.
  CHECK(documents == Ints{6, 7, 4, 1, 5, 0, 3, 2, 10, 8, 9, -1});
}

TEST_CASE("a subset batches only its documents") {
  const EncodedCorpus corpus = corpus_of({1, 2, 3, 4});
  BucketBatches batches(corpus, {.batch_size = 2, .shuffle = false}, Ints{3, 1});
  CHECK(batches.next().documents == Ints{1, 3});
  CHECK(contains(error_of<DataError>([&] { BucketBatches(corpus, {}, Ints{4}); }),
                 "document 4 asked for, the corpus has 4"));
  CHECK(contains(error_of<DataError>([&] { BucketBatches(corpus, {}, Ints{}); }), "no document of 0"));
}

TEST_CASE("a document that is left out needs no bucket") {
  const EncodedCorpus corpus = corpus_of({2, 3, 100});
  const BucketBatches batches(corpus, {.layout = Layout::label_gain, .times = {4}});
  CHECK(batches.documents_per_epoch() == 2);
  CHECK(batches.left_out() == 1);
  CHECK_THROWS_AS(BucketBatches(corpus, {.times = {4}}), DataError);
}

TEST_CASE("bad options and positions are refused with their values") {
  const EncodedCorpus corpus = corpus_of({5, 9});
  CHECK(contains(error_of<UsageError>([&] { BucketBatches(corpus, {.batch_size = 0}); }), "batch size is 0"));
  CHECK(contains(error_of<UsageError>([&] { BucketBatches(corpus, {.max_length = -1}); }), "maximum length is -1"));
  CHECK(contains(error_of<UsageError>([&] { BucketBatches(corpus, {.times = {8, 8}}); }), "bucket time 8 follows 8"));
  CHECK(contains(error_of<DataError>([&] { BucketBatches(corpus, {.times = {8}}); }),
                 "a document needs 9 steps, the largest bucket has 8"));
  BucketBatches batches(corpus);
  CHECK_THROWS_AS(batches.seek({0, batches.batches_per_epoch()}), DataError);
  CHECK_THROWS_AS(batches.seek({-1, 0}), DataError);
  const EncodedCorpus empty = corpus_of({0, 0});
  CHECK(contains(error_of<DataError>([&] { BucketBatches(empty, {.layout = Layout::language_model}); }),
                 "2 with nothing to predict"));
}

}  // namespace eddy
