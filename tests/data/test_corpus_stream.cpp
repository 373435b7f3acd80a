// SPDX-License-Identifier: Apache-2.0
// Text read and encoded piece by piece: the same as all at once.
#include <sys/resource.h>

#include <algorithm>

#include "eddy/core/random.h"
#include "eddy/data/checksum.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/data/corpus_stream.h"
#include "eddy/data/large_counter.h"
#include "eddy/data/line_stream.h"
#include "eddy/data/text_lines.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::slurp;
using test::TemporaryFolder;

namespace {

DocumentStream stream_of(const std::filesystem::path& path, const TextLinesOptions& options = {}) {
  return [=](const LineVisitor& visit) { for_each_line(path, options, visit); };
}

std::vector<std::pair<std::string, std::string>> streamed(const std::filesystem::path& path,
                                                          const TextLinesOptions& options = {}) {
  std::vector<std::pair<std::string, std::string>> lines;
  for_each_line(path, options, [&](std::string_view text, std::string_view id) { lines.emplace_back(text, id); });
  return lines;
}

/// Lines of random words, some of them blank, some longer than a block of the reader.
std::string random_text(std::uint64_t seed, int lines) {
  Philox random(seed);
  std::string text = "\xEF\xBB\xBF";
  for (int i = 0; i < lines; ++i) {
    const auto words = i % 50 == 7 ? 60000 : uniform_index(random, 12);
    for (std::uint64_t w = 0; w < words; ++w) text += fmt::format("w{} ", uniform_index(random, 300));
    text += i % 3 == 0 ? "\r\n" : "\n";
  }
  return text + "\xC3\xA9nd \xFF without newline";
}

/// While it lives, the process may open no more files than `most`.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t most) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit few{std::min(most, before_.rlim_max), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("lines streamed are the lines read at once") {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", random_text(1, 120));
  for (const TextEncoding encoding : {TextEncoding::utf8, TextEncoding::latin1}) {
    const TextLinesOptions options{.encoding = encoding};
    const Dataset whole = read_text_lines(path, options);
    const auto lines = streamed(path, options);
    REQUIRE(lines.size() == whole.documents.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      REQUIRE(lines[i].first == whole.documents[i].text);
      REQUIRE(lines[i].second == whole.documents[i].id);
    }
  }
  CHECK(contains(error_of<DataError>([&] { streamed(path, {.encoding = TextEncoding::utf8_strict}); }),
                 "a.txt:121: byte 0xff at offset 5 of the line is not UTF-8"));
  CHECK(contains(error_of<DataError>([&] { streamed(folder.path() / "none"); }), "does not exist"));
}

TEST_CASE("each line alone is UTF-8 or Latin-1, and an archive is no text") {
  const TemporaryFolder folder;
  const auto path = folder.write("mixed.txt",
                                 "\xEF\xBB\xBF"
                                 "caf\xC3\xA9\ncaf\xE9\nplain\r\n");
  const auto lines = streamed(path, {.encoding = TextEncoding::utf8_or_latin1});
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].first == "caf\xC3\xA9");
  CHECK(lines[1].first == "caf\xC3\xA9");
  CHECK(lines[2].first == "plain");
  for (const test::Packing packing : {test::Packing::zip, test::Packing::tar, test::Packing::tar_gz}) {
    test::write_archive(folder.path() / "packed", {{"a.txt", "text\n"}}, packing);
    CHECK(contains(error_of<DataError>([&] { streamed(folder.path() / "packed"); }), "packed: is an archive"));
  }
}

TEST_CASE("a folder stands for its files in the order of their names") {
  const TemporaryFolder folder;
  folder.write("tree/b.txt", "three");
  folder.write("tree/a/x", "one\n\ntwo\n");
  const auto lines = streamed(folder.path() / "tree");
  using Lines = std::vector<std::pair<std::string, std::string>>;
  CHECK(lines == Lines{{"one", "a/x:1"}, {"two", "a/x:3"}, {"three", "b.txt:1"}});
}

TEST_CASE("a cache built from a stream is that of the data encoded in memory, byte for byte") {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", random_text(2, 200));
  const Dataset whole = read_text_lines(path);
  for (const OutOfVocabulary unknown : {OutOfVocabulary::unknown, OutOfVocabulary::drop}) {
    EncodeOptions options;
    options.vocabulary = {.min_count = 2, .min_documents = 4, .max_size = 100};
    options.unknown = unknown;
    const DatasetPart part{"train", &whole, true};
    const EncodedDataset encoded = encode_dataset(std::span(&part, 1), options);
    save_cache(folder.path() / "memory", 5, encoded);
    build_cache(folder.path() / "stream", 5, stream_of(path), options);
    CHECK(slurp(folder.path() / "stream") == slurp(folder.path() / "memory"));
    // With a vocabulary from elsewhere.
    Tokenizer tokenizer;
    const Vocabulary known = Vocabulary::from_lists(std::vector<std::string>{"<unk>", "<eos>", "w1", "w2"},
                                                    std::vector<std::int64_t>{0, 0, 1, 1});
    EncodedDataset other{known, {}, {{"train", encode_corpus(whole, tokenizer, known, unknown)}}};
    other.invalid_sequences = tokenizer.invalid_sequences();
    save_cache(folder.path() / "memory", 6, other);
    build_cache(folder.path() / "stream", 6, stream_of(path), options, &known);
    CHECK(slurp(folder.path() / "stream") == slurp(folder.path() / "memory"));
  }
}

TEST_CASE("words counted in runs on disk make the vocabulary of words counted in memory") {
  const TemporaryFolder folder;
  Philox random(9);
  std::vector<std::string> tokens;
  for (int i = 0; i < 5000; ++i) {
    // Rare and common words, equal counts, the special ones.
    const auto number = uniform_index(random, 1 + uniform_index(random, 400));
    tokens.push_back(number == 3 ? "<unk>" : number == 5 ? "<eos>" : fmt::format("w{}", number));
  }
  // Documents of all lengths, some empty, that the runs cut anywhere, or that hold many runs.
  const auto count = [&](auto& counter) {
    Philox lengths(10);
    std::uint64_t left = 0;
    for (const std::string& token : tokens) {
      for (; left == 0; left = uniform_index(lengths, 1 + uniform_index(lengths, 400))) counter.add_document();
      counter.add(token);
      --left;
    }
  };
  TokenCounter plain;
  count(plain);
  for (const int most : {1, 10, 150, 100000}) {
    for (const VocabularyOptions options :
         {VocabularyOptions{}, VocabularyOptions{.min_count = 3, .max_size = 60}, VocabularyOptions{.min_documents = 2},
          VocabularyOptions{.min_documents = 7}, VocabularyOptions{.min_documents = 20, .max_size = 30}}) {
      LargeCounter counter(folder.path(), most);
      count(counter);
      CHECK(counter.vocabulary(options) == Vocabulary(plain, options));
    }
  }
  LargeCounter counter(folder.path(), 1);
  counter.add("a");
  CHECK_THROWS_AS(counter.vocabulary({.min_count = 0}), UsageError);
  CHECK(folder.files() == 0);
}

TEST_CASE("however many runs there are, few files are open") {
  const FewDescriptors limit(200);
  const TemporaryFolder folder;
  TokenCounter plain;
  LargeCounter counter(folder.path(), 1);
  Philox random(12);
  for (int i = 0; i < 5000; ++i) {
    const std::string token = fmt::format("w{}", uniform_index(random, 50));
    plain.add(token);
    counter.add(token);
    if (uniform_index(random, 20) > 0) continue;
    plain.add_document();
    counter.add_document();
  }
  CHECK(counter.vocabulary({.min_documents = 50}) == Vocabulary(plain, {.min_documents = 50}));
}

TEST_CASE("a cache that cannot be written is gone without; bad data are an error at once") {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", "good\nbad \xFF\n");
  int builds = 0;
  std::string heard;
  const auto load = [&](const std::filesystem::path& file, const EncodeOptions& options, TextEncoding encoding) {
    builds = 0;
    heard.clear();
    return load_or_build(
        file, 1,
        [&] {
          ++builds;
          return EncodedDataset{};
        },
        [&](const std::string& message) { heard += message + "\n"; },
        [&] { build_cache(file, 1, stream_of(path, {.encoding = encoding}), options); });
  };
  CHECK(contains(error_of<DataError>([&] { load(folder.path() / "c", {}, TextEncoding::utf8_strict); }), "a.txt:2: "));
  CHECK(builds == 0);
  CHECK(!contains(heard, "going on in memory"));
  const EncodeOptions strict{.tokenizer = {.invalid_utf8 = InvalidUtf8::error}};
  CHECK(contains(error_of<DataError>([&] { load(folder.path() / "c", strict, TextEncoding::utf8); }),
                 "document a.txt:2: byte 0xff"));
  CHECK(builds == 0);
  CHECK(folder.files() == 1);
  // The parent is a file: nothing can be written there.
  load(path / "c", {}, TextEncoding::utf8);
  CHECK(builds == 1);
  CHECK(contains(heard, "cannot be cached: "));
  CHECK(contains(heard, "going on in memory"));
}

TEST_CASE("checksums of pieces are those of the whole") {
  Philox random(3);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(uniform_index(random, 256));
  for (int round = 0; round < 200; ++round) {
    Checksum64 checksum(7);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = std::min<std::size_t>(uniform_index(random, 90), text.size() - at);
      checksum.add(std::as_bytes(std::span(text).subspan(at, piece)));
      at += piece;
    }
    REQUIRE(checksum.value() == checksum64(std::as_bytes(std::span(text)), 7));
  }
}

TEST_CASE("pages of a mapped corpus come back after they were dropped") {
  const TemporaryFolder folder;
  const auto path = folder.write("a.txt", random_text(4, 200));
  build_cache(folder.path() / "c", 5, stream_of(path), {});
  const CacheLoad load = load_cache(folder.path() / "c", 5);
  REQUIRE(load.data.has_value());
  const EncodedCorpus& corpus = load.data->part("train");
  const std::vector<std::int32_t> before(corpus.tokens().begin(), corpus.tokens().end());
  corpus.drop_pages();
  CHECK(std::ranges::equal(before, corpus.tokens()));
  // Replaced, as a newer program would: what is mapped stays.
  build_cache(folder.path() / "c", 6, stream_of(folder.write("b.txt", "short")), {});
  corpus.drop_pages();
  CHECK(std::ranges::equal(before, corpus.tokens()));
}

}  // namespace eddy
