// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/corpus_cache.h"

#include <unicode/uversion.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/number_text.h"
#include "eddy/data/checksum.h"
#include "eddy/data/corpus_cache_writer.h"
#include "eddy/data/source.h"

// File: Header, then the payload: a list of arrays, each an i64 count and its elements, filled up to 8 bytes.
// Numbers are little-endian. A change of the layout must change kVersion.

namespace eddy {

static_assert(std::endian::native == std::endian::little, "cache files are little-endian");

namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kMagic = {'E', 'D', 'D', 'Y', 'D', 'A', 'T', 'A'};
constexpr std::uint64_t kVersion = 2;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint64_t version = kVersion;
  std::uint64_t key = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t payload_checksum = 0;
  /// Over the five members before.
  std::uint64_t header_checksum = 0;
};
static_assert(sizeof(Header) == 48);

std::uint64_t header_checksum(const Header& header) {
  return checksum64(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_checksum)));
}

/// Hands out the arrays of a payload in place; DataError past the end.
class PayloadReader {
 public:
  explicit PayloadReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::int64_t number() {
    std::int64_t value = 0;
    std::memcpy(&value, take(sizeof(value)), sizeof(value));
    return value;
  }
  template <class T>
  std::span<const T> array() {
    const std::int64_t count = number();
    require<DataError>(count >= 0 && static_cast<std::uint64_t>(count) <= bytes_.size() / sizeof(T),
                       "an array claims {} elements where {} bytes are left", count, bytes_.size());
    const auto size = static_cast<std::size_t>(count) * sizeof(T);
    const auto* data = reinterpret_cast<const T*>(take(std::min((size + 7) / 8 * 8, bytes_.size())));
    return {data, static_cast<std::size_t>(count)};
  }
  std::string_view text() {
    const auto characters = array<char>();
    return {characters.data(), characters.size()};
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  const std::byte* take(std::size_t size) {
    require<DataError>(size <= bytes_.size(), "{} bytes expected where {} are left", size, bytes_.size());
    const std::byte* data = bytes_.data();
    bytes_ = bytes_.subspan(size);
    return data;
  }
  std::span<const std::byte> bytes_;
};

std::vector<std::string> read_strings(PayloadReader& reader) {
  const std::string_view text = reader.text();
  std::vector<std::string> strings;
  std::size_t begin = 0;
  for (const std::int64_t end : reader.array<std::int64_t>()) {
    require<DataError>(end >= static_cast<std::int64_t>(begin) && end <= static_cast<std::int64_t>(text.size()),
                       "a string ends at byte {} of {}", end, text.size());
    strings.emplace_back(text.substr(begin, static_cast<std::size_t>(end) - begin));
    begin = static_cast<std::size_t>(end);
  }
  return strings;
}

void write_payload(PayloadWriter& writer, const EncodedDataset& data) {
  write_strings(writer, data.vocabulary.tokens());
  writer.array(std::span<const std::int64_t>(data.vocabulary.counts()));
  write_strings(writer, data.label_names);
  writer.number(data.invalid_sequences);
  writer.number(static_cast<std::int64_t>(data.parts.size()));
  for (const EncodedDataset::Part& part : data.parts) {
    writer.text(part.name);
    writer.array(part.corpus.tokens());
    writer.array(part.corpus.offsets());
    writer.array(part.corpus.labels());
    writer.text(part.corpus.id_text());
    writer.array(part.corpus.id_ends());
    writer.array(part.corpus.groups());
  }
}

template <class T>
void check_range(std::span<const T> values, std::int64_t low, std::int64_t high, std::string_view what) {
  bool good = true;
  for (const T value : values) good &= value >= low && value < high;
  require<DataError>(good, "a {} is outside {} to {}", what, low, high - 1);
}

EncodedDataset read_payload(PayloadReader& reader, const std::shared_ptr<const MappedFile>& file) {
  EncodedDataset data;
  const std::vector<std::string> tokens = read_strings(reader);
  data.vocabulary = Vocabulary::from_lists(tokens, reader.array<std::int64_t>());
  data.label_names = read_strings(reader);
  data.invalid_sequences = reader.number();
  // Rows of pixels are no words: their vocabulary holds nothing but the special tokens, and says nothing of them.
  const bool has_words = data.vocabulary.size() > Vocabulary::kSpecials;
  const std::int64_t ids_end = has_words ? data.vocabulary.size() : std::int64_t{INT32_MAX} + 1;
  const std::int64_t parts = reader.number();
  for (std::int64_t i = 0; i < parts; ++i) {
    const std::string name(reader.text());
    const auto ids = reader.array<std::int32_t>();
    const auto offsets = reader.array<std::int64_t>();
    const auto labels = reader.array<std::int32_t>();
    const auto id_text = reader.text();
    const auto id_ends = reader.array<std::int64_t>();
    const auto groups = reader.array<std::int64_t>();
    const EncodedCorpus corpus(file, ids, offsets, labels, id_text, id_ends, groups);
    corpus.scan(ids, [&](auto piece) { check_range(piece, 0, ids_end, "token id"); });
    corpus.scan(labels, [&](auto piece) {
      check_range(piece, -1, static_cast<std::int64_t>(data.label_names.size()), "label");
    });
    data.parts.push_back({name, corpus});
  }
  require<DataError>(reader.at_end(), "bytes are left over after the last part");
  return data;
}

/// The checksum of a file from byte `begin` on, read piece by piece.
std::uint64_t checksum_from(const InputFile& file, std::uint64_t begin) {
  std::vector<std::byte> block(std::size_t{1} << 20);
  Checksum64 checksum;
  for (std::uint64_t at = begin; at < file.size();) {
    const auto piece = std::span(block).first(std::min<std::uint64_t>(block.size(), file.size() - at));
    file.read_at(at, piece);
    checksum.add(piece);
    at += piece.size();
  }
  return checksum.value();
}

}  // namespace

void CacheKey::absorb(std::string_view text) {
  // The length goes in too: "ab" + "c" is not "a" + "bc".
  hash_ = checksum64(std::as_bytes(std::span(text)), hash_ + text.size() + 1);
}

CacheKey& CacheKey::add_source(const fs::path& source) {
  std::error_code error;
  const auto add_file = [&](const fs::path& file) {
    const auto size = fs::file_size(file, error);
    const auto time = error ? fs::file_time_type() : fs::last_write_time(file, error);
    if (error) fail<DataError>("{}: size and time cannot be read: {}", file.string(), error.message());
    absorb(
        fmt::format("{}|{}|{}", fs::absolute(file).lexically_normal().string(), size, time.time_since_epoch().count()));
  };
  const fs::file_status status = fs::status(source, error);
  if (!fs::exists(status)) fail<DataError>("{}: does not exist; expected a file or directory", source.string());
  error.clear();
  if (!fs::is_directory(status)) {
    add_file(source);
    return *this;
  }
  const std::vector<SourceFile> files = list_files(source);
  absorb(fmt::format("directory of {}", files.size()));
  for (const SourceFile& file : files) add_file(source / file.name);
  return *this;
}

CacheKey& CacheKey::add_option(std::string_view name, std::string_view value) {
  absorb(name);
  absorb(value);
  return *this;
}

CacheKey& CacheKey::add_option(std::string_view name, std::int64_t value) {
  return add_option(name, fmt::format("{}", value));
}

CacheKey& CacheKey::add_options(std::string_view name, std::span<const std::string> values) {
  for (const std::string& value : values) add_option(name, value);
  return *this;
}

CacheKey& CacheKey::add_encoding() {
  UVersionInfo version;
  u_getVersion(version);
  std::array<char, U_MAX_VERSION_STRING_LENGTH> icu{};
  u_versionToString(version, icu.data());
  return add_option("encoding", kEncodingVersion).add_option("icu", icu.data());
}

fs::path cache_file(const fs::path& folder, std::string_view name, const CacheKey& key) {
  return folder / fmt::format("{}-{:016x}.cache", name, key.hash());
}

void write_strings(PayloadWriter& writer, std::span<const std::string> strings) {
  std::string text;
  std::vector<std::int64_t> ends;
  for (const std::string& string : strings) {
    text += string;
    ends.push_back(static_cast<std::int64_t>(text.size()));
  }
  writer.text(text);
  writer.array(std::span<const std::int64_t>(ends));
}

void write_cache(const fs::path& path, std::uint64_t key, const std::function<void(PayloadWriter&)>& fill) {
  PayloadWriter sums(nullptr);
  fill(sums);
  Header header;
  header.key = key;
  header.payload_bytes = sums.size();
  header.payload_checksum = sums.checksum();
  header.header_checksum = header_checksum(header);
  write_atomically(path, [&](AtomicFile& file) {
    file.write(std::as_bytes(std::span(&header, 1)));
    PayloadWriter writer(&file);
    fill(writer);
  });
}

void save_cache(const fs::path& path, std::uint64_t key, const EncodedDataset& data) {
  write_cache(path, key, [&](PayloadWriter& writer) { write_payload(writer, data); });
}

CacheLoad load_cache(const fs::path& path, std::uint64_t key) {
  const auto refuse = [](std::string reason) { return CacheLoad{std::nullopt, std::move(reason)}; };
  std::error_code error;
  if (!fs::exists(path, error)) return refuse("does not exist");
  try {
    const InputFile file(path);
    Header header;
    if (file.size() < sizeof(header))
      return refuse(fmt::format("is damaged: it has {}, fewer than a header",
                                counted(static_cast<std::int64_t>(file.size()), "byte")));
    file.read_at(0, std::as_writable_bytes(std::span(&header, 1)));
    if (header.magic != kMagic) return refuse("is damaged, or no data cache: it does not begin with EDDYDATA");
    if (header.version != kVersion)
      return refuse(fmt::format("has version {}, this program writes {}", header.version, kVersion));
    if (header.header_checksum != header_checksum(header))
      return refuse("is damaged: the header does not match its checksum");
    if (header.key != key) return refuse("is stale: it was made from other files or options");
    if (header.payload_bytes != file.size() - sizeof(header))
      return refuse(fmt::format("is damaged: it has {}, its header says {}",
                                counted(static_cast<std::int64_t>(file.size()), "byte"),
                                header.payload_bytes + sizeof(header)));
    if (checksum_from(file, sizeof(header)) != header.payload_checksum)
      return refuse("is damaged: the data do not match their checksum");
    // A cache is only ever replaced as a whole, so that what is mapped stays.
    const auto mapped = std::make_shared<const MappedFile>(path);
    require<DataError>(mapped->bytes().size() == file.size(), "it changes while it is read");
    PayloadReader reader(mapped->bytes().subspan(sizeof(header)));
    return {read_payload(reader, mapped), ""};
  } catch (const Error& problem) {
    return refuse(fmt::format("is damaged: {}", problem.what()));
  }
}

EncodedDataset load_or_build(const fs::path& path, std::uint64_t key, const std::function<EncodedDataset()>& build,
                             const CacheMessage& message, const std::function<void()>& build_file) {
  const auto say = [&](const std::string& text) {
    if (message) message(text);
  };
  CacheLoad cached = load_cache(path, key);
  if (cached.data) return std::move(*cached.data);
  say(fmt::format("cache {} {}; building it", path.string(), cached.reason));
  // Where this fails, so does the writing, which says why.
  std::error_code folder_not_made;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), folder_not_made);
  if (build_file) {
    try {
      build_file();
      cached = load_cache(path, key);
      if (cached.data) return std::move(*cached.data);
      say(fmt::format("cache {} {}; going on in memory", path.string(), cached.reason));
    } catch (const CacheWriteError& problem) {
      say(fmt::format("the data cannot be cached: {}; going on in memory", problem.what()));
    }
  }
  EncodedDataset data = build();
  try {
    save_cache(path, key, data);
  } catch (const DataError& problem) {
    say(fmt::format("the data are not cached: {}", problem.what()));
  }
  return data;
}

}  // namespace eddy
