// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "eddy/core/random.h"
#include "eddy/data/checksum.h"
#include "eddy/data/corpus_cache.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

namespace {

EncodedDataset some_data() {
  const Dataset train{{{"a b a.", 0, "one"}, {"", 1, "two"}, {"b \xC3\xA9 a", -1, "", 7}}, {"x", "y"}};
  const Dataset test{{{"a new b", 1, "t"}}, {"x", "y"}};
  const DatasetPart parts[] = {{"train", &train, true}, {"test", &test, false}};
  return encode_dataset(parts);
}

template <class T>
bool equal(std::span<const T> a, std::span<const T> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

bool same(const EncodedDataset& a, const EncodedDataset& b) {
  if (!(a.vocabulary == b.vocabulary) || a.label_names != b.label_names || a.parts.size() != b.parts.size() ||
      a.invalid_sequences != b.invalid_sequences)
    return false;
  for (std::size_t i = 0; i < a.parts.size(); ++i) {
    const EncodedCorpus& x = a.parts[i].corpus;
    const EncodedCorpus& y = b.parts[i].corpus;
    if (a.parts[i].name != b.parts[i].name || !equal(x.tokens(), y.tokens()) || !equal(x.offsets(), y.offsets()) ||
        !equal(x.labels(), y.labels()) || x.id_text() != y.id_text() || !equal(x.id_ends(), y.id_ends()) ||
        !equal(x.groups(), y.groups()))
      return false;
  }
  return true;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("the checksum sees every flipped bit, every cut and every seed") {
  Philox random(5);
  for (std::size_t size : {0u, 1u, 7u, 8u, 31u, 32u, 33u, 100u}) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(uniform_index(random, 256));
    const std::uint64_t sum = checksum64(bytes_of(text));
    CHECK(checksum64(bytes_of(text)) == sum);
    CHECK(checksum64(bytes_of(text), 1) != sum);
    CHECK(checksum64(bytes_of(text + '\0')) != sum);
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      std::string other = text;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
      REQUIRE(checksum64(bytes_of(other)) != sum);
    }
  }
}

TEST_CASE("a cache gives back what was saved, even nothing") {
  const TemporaryFolder folder;
  const EncodedDataset data = some_data();
  save_cache(folder.path() / "c", 42, data);
  const CacheLoad load = load_cache(folder.path() / "c", 42);
  REQUIRE(load.data.has_value());
  CHECK(same(*load.data, data));
  const EncodedCorpus& train = load.data->part("train");
  CHECK(train.group(1) == -1);
  CHECK(train.group(2) == 7);
  CHECK(load.data->part("test").group(0) == -1);
  save_cache(folder.path() / "c", 43, EncodedDataset{{}, {}, {{"none", EncodedCorpus()}}});
  const CacheLoad empty = load_cache(folder.path() / "c", 43);
  REQUIRE(empty.data.has_value());
  CHECK(empty.data->part("none").size() == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a cache of pixels, which are no words of the vocabulary, is read again") {
  const TemporaryFolder folder;
  CorpusArrays image;
  for (const std::int32_t value : {0, 17, 255}) image.tokens.push_back(value);
  image.end_document(0, "image");
  const EncodedDataset data{{}, {"cat"}, {{"train", EncodedCorpus(std::move(image))}}};
  save_cache(folder.path() / "c", 42, data);
  const CacheLoad load = load_cache(folder.path() / "c", 42);
  CHECK(load.reason == "");
  REQUIRE(load.data.has_value());
  CHECK(same(*load.data, data));
}

TEST_CASE("every flipped byte and every cut of a cache is found") {
  const TemporaryFolder folder;
  save_cache(folder.path() / "c", 42, some_data());
  const std::string bytes = test::slurp(folder.path() / "c");
  const auto bad = folder.path() / "bad";
  Philox random(6);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << uniform_index(random, 8)));
    folder.write("bad", flipped);
    const CacheLoad load = load_cache(bad, 42);
    REQUIRE(!load.data.has_value());
    REQUIRE(!load.reason.empty());
    folder.write("bad", bytes.substr(0, at));
    REQUIRE(contains(load_cache(bad, 42).reason, "is damaged"));
  }
  folder.write("bad", bytes + "x");
  CHECK(contains(load_cache(bad, 42).reason, "is damaged"));
  CHECK(load_cache(folder.path() / "c", 41).reason == "is stale: it was made from other files or options");
  CHECK(load_cache(folder.path() / "none", 41).reason == "does not exist");
  CHECK(!load_cache(folder.path(), 41).data.has_value());
}

TEST_CASE("wrong contents under right checksums are refused, not trusted") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "c";
  save_cache(path, 42, some_data());
  const std::string good = test::slurp(path);
  Philox random(8);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    // Any 8-byte number of the payload becomes a wild one; the checksums are made to fit.
    const std::size_t at = 48 + 8 * uniform_index(random, (bytes.size() - 48) / 8);
    const std::uint64_t wild = (std::uint64_t{random()} << 32 | random()) >> uniform_index(random, 64);
    std::memcpy(bytes.data() + at, &wild, 8);
    const std::uint64_t payload = checksum64(bytes_of(bytes).subspan(48));
    std::memcpy(bytes.data() + 32, &payload, 8);
    const std::uint64_t header = checksum64(bytes_of(bytes).first(40));
    std::memcpy(bytes.data() + 40, &header, 8);
    folder.write("c", bytes);
    const CacheLoad load = load_cache(path, 42);
    if (!load.data) {
      REQUIRE(contains(load.reason, "is damaged: "));
      ++refused;
    }
  }
  CHECK(refused > 500);
}

TEST_CASE("the key follows files and options") {
  const TemporaryFolder folder;
  const auto file = folder.write("tree/a.txt", "one");
  folder.write("tree/b.txt", "two");
  const auto key = [&] { return CacheKey().add_source(folder.path() / "tree").add_option("n", 1).hash(); };
  const std::uint64_t before = key();
  CHECK(key() == before);
  CHECK(CacheKey().add_source(folder.path() / "tree").add_option("n", 2).hash() != before);
  CHECK(CacheKey().add_encoding().hash() != CacheKey().hash());
  CHECK(CacheKey().add_encoding().hash() == CacheKey().add_encoding().hash());
  CHECK(CacheKey().add_option("ab", "c").hash() != CacheKey().add_option("a", "bc").hash());
  std::filesystem::last_write_time(file, std::filesystem::last_write_time(file) + std::chrono::seconds(2));
  const std::uint64_t touched = key();
  CHECK(touched != before);
  folder.write("tree/c.txt", "");
  CHECK(key() != touched);
  // What readers pass over is nothing to the key; what they follow is.
  const std::uint64_t with_c = key();
  folder.write("tree/.git/index", "x");
  CHECK(key() == with_c);
  folder.write("other/d.txt", "d");
  std::filesystem::create_symlink("../other", folder.path() / "tree/link");
  const std::uint64_t with_link = key();
  CHECK(with_link != with_c);
  folder.write("other/d.txt", "longer");
  CHECK(key() != with_link);
  CHECK(CacheKey().add_source(file).hash() != CacheKey().add_source(folder.path() / "tree" / "b.txt").hash());
  CHECK(contains(error_of<DataError>([&] { CacheKey().add_source(folder.path() / "none"); }), "none: does not exist"));
}

TEST_CASE("a cache is built once, rebuilt when bad or stale with a word, and never fatal") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "deep" / "cache.bin";
  int builds = 0;
  std::string heard;
  const auto get = [&](std::uint64_t key, const std::filesystem::path& where) {
    heard.clear();
    return load_or_build(
        where, key,
        [&] {
          ++builds;
          return some_data();
        },
        [&](const std::string& message) { heard += message + "\n"; });
  };
  CHECK(same(get(1, path), some_data()));
  CHECK(contains(heard, "cache.bin does not exist; building it"));
  CHECK(same(get(1, path), some_data()));
  CHECK(builds == 1);
  CHECK(heard.empty());
  get(2, path);
  CHECK(builds == 2);
  CHECK(contains(heard, "is stale"));
  std::filesystem::resize_file(path, 100);
  CHECK(same(get(2, path), some_data()));
  CHECK(builds == 3);
  CHECK(contains(heard, "is damaged"));
  get(2, path);
  CHECK(builds == 3);
  // The parent is a file: nothing can be written there.
  CHECK(same(get(1, path / "below"), some_data()));
  CHECK(contains(heard, "the data are not cached: "));
  CHECK_THROWS_AS(load_or_build(folder.path() / "x", 1, []() -> EncodedDataset { fail<DataError>("no"); }), DataError);
}

}  // namespace eddy
