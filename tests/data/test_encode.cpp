// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/encode.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

using Ids = std::vector<std::int32_t>;

Ids ids_of(const EncodedCorpus& corpus, std::int32_t document) {
  const auto ids = corpus.document(document);
  return {ids.begin(), ids.end()};
}

const Dataset kTrain{{{"A b a.", 0, "one"}, {"", 1, "two"}, {"b a", -1, "three"}}, {"x", "y"}};
const Dataset kTest{{{"a new b", 1, "t"}}, {"x", "y"}};

}  // namespace

TEST_CASE("parts are encoded in one vocabulary that test text does not shape") {
  const DatasetPart parts[] = {{"train", &kTrain, true}, {"test", &kTest, false}};
  const EncodedDataset data = encode_dataset(parts);
  CHECK(data.vocabulary.tokens() == std::vector<std::string>{"<unk>", "<eos>", "a", "b", "."});
  CHECK(data.vocabulary.count(Vocabulary::kEndOfSequence) == 3);
  CHECK(data.label_names == kTrain.label_names);
  const EncodedCorpus& train = data.part("train");
  CHECK(train.size() == 3);
  CHECK(train.token_count() == 6);
  CHECK(train.longest() == 4);
  CHECK(ids_of(train, 0) == Ids{2, 3, 2, 4});
  CHECK(ids_of(train, 1).empty());
  CHECK(ids_of(train, 2) == Ids{3, 2});
  CHECK(train.label(2) == -1);
  CHECK(train.id(0) == "one");
  CHECK(train.id(2) == "three");
  CHECK(ids_of(data.part("test"), 0) == Ids{2, 0, 3});
  CHECK(contains(error_of<DataError>([&] { data.part("dev"); }), "no part \"dev\"; it has train, test"));
}

TEST_CASE("out-of-vocabulary tokens can vanish") {
  const DatasetPart parts[] = {{"train", &kTrain, true}, {"test", &kTest, false}};
  const EncodedDataset data = encode_dataset(parts, {.vocabulary = {.min_count = 2}, .unknown = OutOfVocabulary::drop});
  CHECK(ids_of(data.part("train"), 0) == Ids{2, 3, 2});
  CHECK(ids_of(data.part("train"), 2) == Ids{3, 2});
  CHECK(ids_of(data.part("test"), 0) == Ids{2, 3});
}

TEST_CASE("the two ways to encode agree") {
  const DatasetPart parts[] = {{"train", &kTrain, true}, {"test", &kTest, false}};
  for (const OutOfVocabulary unknown : {OutOfVocabulary::unknown, OutOfVocabulary::drop}) {
    const EncodedDataset data = encode_dataset(parts, {.unknown = unknown});
    Tokenizer tokenizer;
    const EncodedCorpus test = encode_corpus(kTest, tokenizer, data.vocabulary, unknown);
    CHECK(ids_of(test, 0) == ids_of(data.part("test"), 0));
    CHECK(encode_text(kTest.documents[0].text, tokenizer, data.vocabulary, unknown) == ids_of(test, 0));
    CHECK(test.label(0) == 1);
    CHECK(test.id(0) == "t");
  }
}

TEST_CASE("parts are encoded in a vocabulary that is there already") {
  const DatasetPart first[] = {{"train", &kTrain, true}};
  const Vocabulary known = encode_dataset(first, {.vocabulary = {.min_count = 2}}).vocabulary;
  const DatasetPart parts[] = {{"train", &kTest, true}, {"test", &kTrain, false}};
  const EncodedDataset data = encode_dataset(parts, {}, &known);
  CHECK(data.vocabulary == known);
  CHECK(data.label_names == kTest.label_names);
  CHECK(ids_of(data.part("train"), 0) == Ids{2, 0, 3});
  CHECK(ids_of(data.part("test"), 0) == Ids{2, 3, 2, 0});
  CHECK(ids_of(encode_dataset(parts, {.unknown = OutOfVocabulary::drop}, &known).part("train"), 0) == Ids{2, 3});
}

TEST_CASE("refused text names its document, differing labels their part") {
  const Dataset bad{{{"fine", 0, "a.txt"}, {"b\xFF", 0, "b.txt"}}, {}};
  const DatasetPart parts[] = {{"train", &bad, true}};
  EncodeOptions options;
  options.tokenizer.invalid_utf8 = InvalidUtf8::error;
  CHECK(
      contains(error_of<DataError>([&] { encode_dataset(parts, options); }), "document b.txt: byte 0xff at offset 1"));
  CHECK(encode_dataset(parts).invalid_sequences == 1);
  const DatasetPart differing[] = {{"train", &kTrain, true}, {"test", &bad, false}};
  CHECK(contains(error_of<DataError>([&] { encode_dataset(differing); }), "part \"test\""));
}

TEST_CASE("labels can be held back from some document on") {
  const DatasetPart parts[] = {{"train", &kTrain, true}};
  EncodedCorpus some;
  {
    const EncodedCorpus all = encode_dataset(parts).part("train");
    some = all.labelled_until(1);
    CHECK(all.label(1) == 1);
  }
  CHECK(some.size() == 3);
  CHECK(some.label(0) == 0);
  CHECK(some.label(1) == -1);
  CHECK(some.label(2) == -1);
  CHECK(some.id(2) == "three");
  CHECK(ids_of(some, 0).size() == 4);
  CHECK(some.labelled_until(7).label(0) == 0);
}

TEST_CASE("a corpus checks its arrays") {
  CHECK(EncodedCorpus().size() == 0);
  CHECK_THROWS_AS(EncodedCorpus(CorpusArrays{{1, 2}, {0, 1}, {0}, "", {0}}), DataError);
  CHECK_THROWS_AS(EncodedCorpus(CorpusArrays{{1, 2}, {0, 3, 2}, {0, 0}, "", {0, 0}}), DataError);
  CHECK_THROWS_AS(EncodedCorpus(CorpusArrays{{1, 2}, {0, 2}, {0, 0}, "", {0, 0}}), DataError);
  CHECK_THROWS_AS(EncodedCorpus(CorpusArrays{{1, 2}, {0, 2}, {0}, "ab", {1}}), DataError);
}

}  // namespace eddy
