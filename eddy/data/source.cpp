// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"

namespace eddy {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = std::size_t{1} << 18;

struct CloseArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchivePointer = std::unique_ptr<archive, CloseArchive>;

std::string archive_message(archive* reader) {
  const char* message = archive_error_string(reader);
  return message != nullptr ? message : "unknown error";
}

ArchivePointer new_reader() {
  ArchivePointer reader(archive_read_new());
  require<DataError>(reader != nullptr, "libarchive: out of memory");
  // Only the filters that are part of libarchive: the others would start programs.
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_lzma(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_lz4(reader.get());
  return reader;
}

void open_reader(archive* reader, const fs::path& path, std::string_view expected) {
  if (archive_read_open_filename(reader, path.c_str(), kBlock) != ARCHIVE_OK)
    fail<DataError>("{}: cannot be read as {}: {}", path.string(), expected, archive_message(reader));
}

std::string read_entry(archive* reader, std::int64_t size_hint, const std::string& where) {
  std::string contents;
  // A damaged header may claim any size: trust it only up to a bound, and grow from there.
  if (size_hint > 0)
    contents.reserve(static_cast<std::size_t>(std::min<std::int64_t>(size_hint, std::int64_t{1} << 26)));
  while (true) {
    const void* block = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(reader, &block, &length, &offset);
    if (status == ARCHIVE_EOF) return contents;
    if (status != ARCHIVE_OK)
      fail<DataError>("{}: reading failed after {}: {}", where, counted(std::ssize(contents), "byte"),
                      archive_message(reader));
    // Blocks of sparse files leave holes, which read as zeros.
    const auto end = static_cast<std::size_t>(offset);
    require<DataError>(end >= contents.size() && end - contents.size() <= (std::size_t{1} << 30),
                       "{}: block at byte {} follows {} bytes", where, offset, contents.size());
    contents.resize(end, '\0');
    contents.append(static_cast<const char*>(block), length);
  }
}

std::string clean_name(std::string_view name) {
  while (name.starts_with("./") || name.starts_with('/')) name.remove_prefix(name.starts_with('/') ? 1 : 2);
  return std::string(name);
}

std::string entry_name(archive_entry* entry, const fs::path& path) {
  const char* name = archive_entry_pathname_utf8(entry);
  if (name == nullptr) name = archive_entry_pathname(entry);
  if (name == nullptr) fail<DataError>("{}: holds a file whose name cannot be read", path.string());
  return clean_name(name);
}

/// Whether a file, or a folder it is in, has a name that begins with a dot. What other programs keep there for
/// themselves, such as .git, .DS_Store or the ._name beside each file of a Mac's archive, is no text.
bool is_hidden(const fs::path& name) {
  return std::ranges::any_of(
      name, [](const fs::path& part) { return part.native().starts_with('.') && part != "." && part != ".."; });
}

/// Calls `body(reader, entry, name, hard_link)` on each regular file and hard link of an archive whose name does not
/// begin with a dot. Of two files of one name, as `tar -r` leaves them, the later would count, which a single pass
/// cannot know: DataError.
template <class Body>
void for_each_entry(const fs::path& path, Body&& body) {
  const ArchivePointer reader = new_reader();
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_gnutar(reader.get());
  archive_read_support_format_zip(reader.get());
  constexpr std::string_view kExpected = "a tar or zip archive";
  open_reader(reader.get(), path, kExpected);
  std::string last = "the beginning";
  std::set<std::string> names;
  while (true) {
    stop_if_interrupted();
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
      fail<DataError>("{}: cannot be read as {} after {}: {}", path.string(), kExpected, last,
                      archive_message(reader.get()));
    last = entry_name(entry, path);
    const bool hard_link = archive_entry_hardlink(entry) != nullptr;
    if ((!hard_link && archive_entry_filetype(entry) != AE_IFREG) || is_hidden(last)) continue;
    require<DataError>(names.insert(last).second,
                       "{}: holds {} twice; unpack it and give the folder, where the later one stands", path.string(),
                       last);
    body(reader.get(), entry, last, hard_link);
  }
}

/// DataError for a link in a folder, `depth` folders below the one that is listed, which leads nowhere or round.
void check_link(const fs::path& link, int depth) {
  std::error_code error;
  const fs::file_status target = fs::status(link, error);
  if (!fs::exists(target)) {
    std::error_code unread;
    fail<DataError>("{}: is a link to {}, which cannot be reached: {}", link.string(),
                    fs::read_symlink(link, unread).string(), error.message());
  }
  if (!fs::is_directory(target)) return;
  fs::path folder = link;
  for (int i = 0; i <= depth; ++i) {
    folder = folder.parent_path();
    require<DataError>(!fs::equivalent(link, folder, error), "{}: is a link to {}, in which it lies", link.string(),
                       folder.string());
  }
}

std::vector<SourceFile> list_directory(const fs::path& root) {
  std::vector<SourceFile> files;
  std::error_code error;
  fs::path opened = root;
  auto it = fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    // An iterator that fails says no more where it was.
    opened = it->path();
    if (is_hidden(it->path().filename())) {
      it.disable_recursion_pending();
      continue;
    }
    std::error_code broken;
    if (it->is_symlink(broken)) check_link(it->path(), it.depth());
    if (!it->is_regular_file(broken)) continue;
    const auto size = it->file_size(broken);
    if (broken) fail<DataError>("{}: size cannot be read: {}", it->path().string(), broken.message());
    files.push_back({it->path().lexically_relative(root).generic_string(), static_cast<std::int64_t>(size)});
  }
  if (error) fail<DataError>("{}: directory cannot be listed: {}", opened.string(), error.message());
  std::sort(files.begin(), files.end(), [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return files;
}

bool is_directory_source(const fs::path& source) {
  std::error_code error;
  const fs::file_status status = fs::status(source, error);
  if (!fs::exists(status))
    fail<DataError>("{}: does not exist; expected a file, a directory or an archive", source.string());
  return fs::is_directory(status);
}

void check_text_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail<DataError>("{}: does not exist; expected a text file", path.string());
  require<DataError>(!fs::is_directory(status), "{}: is a directory; expected a text file", path.string());
}

using std::string_view_literals::operator""sv;

/// The first bytes of what BlockReader unpacks. None holds a line end, so that a line shows whether it is one of them.
constexpr std::array kPackedBeginnings = {
    "\x1F\x8B"sv,         "\xFD\x37zXZ\x00"sv,  "\x28\xB5\x2F\xFD"sv, "\x04\x22\x4D\x18"sv, "BZh1\x31\x41\x59"sv,
    "BZh2\x31\x41\x59"sv, "BZh3\x31\x41\x59"sv, "BZh4\x31\x41\x59"sv, "BZh5\x31\x41\x59"sv, "BZh6\x31\x41\x59"sv,
    "BZh7\x31\x41\x59"sv, "BZh8\x31\x41\x59"sv, "BZh9\x31\x41\x59"sv};

bool is_packed(std::string_view text) {
  return std::ranges::any_of(kPackedBeginnings, [&](std::string_view start) { return text.starts_with(start); });
}

/// Whether more bytes may make it one that is packed.
bool may_become_packed(std::string_view text) {
  return std::ranges::any_of(
      kPackedBeginnings, [&](std::string_view start) { return text.size() < start.size() && start.starts_with(text); });
}

}  // namespace

std::vector<SourceFile> list_files(const fs::path& source) {
  if (is_directory_source(source)) return list_directory(source);
  std::vector<SourceFile> files;
  for_each_entry(source, [&](archive*, archive_entry* entry, const std::string& name, bool) {
    files.push_back({name, archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1});
  });
  return files;
}

void read_files(const fs::path& source, const FileFilter& wanted, const FileVisitor& visit) {
  if (is_directory_source(source)) {
    for (const SourceFile& file : list_directory(source)) {
      stop_if_interrupted();
      if (wanted(file.name)) visit(file.name, read_file(source / file.name));
    }
    return;
  }
  for_each_entry(source, [&](archive* reader, archive_entry* entry, const std::string& name, bool hard_link) {
    if (!wanted(name)) return;
    const std::string where = fmt::format("{}, file {} inside", source.string(), name);
    // A hard link in a tar has no bytes of its own, and those it names have gone by.
    require<DataError>(!hard_link, "{}: is a hard link; expected a file with contents", where);
    const bool sized = archive_entry_size_is_set(entry) != 0;
    std::string contents = read_entry(reader, sized ? archive_entry_size(entry) : -1, where);
    require<DataError>(!sized || static_cast<std::int64_t>(contents.size()) == archive_entry_size(entry),
                       "{}: holds {}, its header says {}", where, counted(std::ssize(contents), "byte"),
                       archive_entry_size(entry));
    visit(name, std::move(contents));
  });
}

std::vector<NamedText> read_named_files(const fs::path& source, std::span<const std::string> names) {
  for (const std::string& name : names)
    require<UsageError>(!name.empty(), "{}: the name of a file in it is empty", source.string());
  const auto meant = [](std::string_view file, const std::string& name) {
    return file == name || (file.ends_with(name) && file[file.size() - name.size() - 1] == '/');
  };
  struct Match {
    NamedText text;
    bool whole = false;  ///< the name is the file's whole name, which wins over those that only end so
    std::string other;   ///< a second file whose name ends so
  };
  std::vector<Match> found(names.size());
  std::string there;
  const FileFilter wanted = [&](std::string_view file) {
    if (there.size() < 300) there += (there.empty() ? "" : ", ") + std::string(file);
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return meant(file, name); });
  };
  read_files(source, wanted, [&](const std::string& file, std::string contents) {
    const std::string place = (source / file).string();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!meant(file, names[i]) || found[i].whole) continue;
      const bool whole = file == names[i];
      if (whole || found[i].text.name.empty()) {
        found[i] = {{place, contents}, whole, {}};
      } else if (found[i].other.empty()) {
        found[i].other = place;
      }
    }
  });
  std::vector<NamedText> texts;
  for (std::size_t i = 0; i < names.size(); ++i) {
    require<DataError>(!found[i].text.name.empty(), "{}: holds no file \"{}\"; there are {}", source.string(), names[i],
                       there.empty() ? "none" : there);
    require<DataError>(found[i].other.empty(), "{}: \"{}\" means two files, {} and {}; give more of the name",
                       source.string(), names[i], found[i].text.name, found[i].other);
    texts.push_back(std::move(found[i].text));
  }
  return texts;
}

std::map<std::string, NamedText> read_files_by_name(const fs::path& source, const FileFilter& wanted) {
  std::map<std::string, NamedText> files;
  read_files(source, wanted, [&](const std::string& name, std::string contents) {
    const std::string file(last_parts(name, 1));
    require<DataError>(files.emplace(file, NamedText{(source / name).string(), std::move(contents)}).second,
                       "{}: holds two files {}", source.string(), file);
  });
  return files;
}

namespace {

/// A text file holds no others; libarchive would only say that it knows no such archive.
void require_no_text_file(const fs::path& source, const std::string& name) {
  if (is_directory_source(source) || !fs::is_regular_file(source)) return;
  BlockReader reader(source);
  const std::string_view beginning = reader.next();
  require<DataError>(
      beginning.empty() || beginning.find('\0') != std::string_view::npos || looks_like_archive(beginning),
      "{}: is a text file, so there is no \"{}\" in it; give the name of a file only with a folder or an "
      "archive",
      source.string(), name);
}

}  // namespace

NamedText read_named_text(const fs::path& source, const std::string& name) {
  if (!name.empty()) {
    require_no_text_file(source, name);
    return std::move(read_named_files(source, std::span(&name, 1)).front());
  }
  std::vector<SourceFile> files;
  if (is_directory_source(source)) {
    files = list_files(source);
  } else {
    NamedText text{source.string(), read_text_file(source)};
    if (text.contents.find('\0') == std::string::npos) return text;
    try {
      files = list_files(source);
    } catch (const DataError& error) {
      fail<DataError>("{}: holds zero bytes, so it is no text, and no archive either: {}", text.name, error.what());
    }
  }
  std::string there;
  for (const SourceFile& file : files)
    if (there.size() < 300) there += (there.empty() ? "" : ", ") + file.name;
  require<DataError>(files.size() == 1, "{}: holds {} files; name the one that is meant; there are {}", source.string(),
                     files.size(), there.empty() ? "none" : there);
  return std::move(read_named_files(source, std::span(&files[0].name, 1)).front());
}

std::string_view last_parts(std::string_view path, int count) {
  while (path.starts_with('/')) path.remove_prefix(1);
  std::size_t at = path.size();
  for (int i = 0; i < count; ++i) {
    if (at == 0) return {};
    const std::size_t slash = path.rfind('/', at - 1);
    at = slash == std::string_view::npos ? 0 : slash;
    if (at == 0) return i + 1 == count ? path : std::string_view();
  }
  return path.substr(at + 1);
}

struct BlockReader::State {
  State(int descriptor, bool owned, std::string name) : descriptor(descriptor), owned(owned), name(std::move(name)) {}
  ~State() {
    packed.reset();  // it reads from the descriptor
    if (owned) ::close(descriptor);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Bytes read into `out`; 0 at the end.
  std::size_t fill(char* out, std::size_t size) {
    // A pipe may be silent for long, and a signal that is waited for does not end read().
    constexpr int kPatience = 200;  // milliseconds
    pollfd source{descriptor, POLLIN, 0};
    for (int ready = 0; ready == 0 || (ready < 0 && errno == EINTR); ready = ::poll(&source, 1, kPatience))
      stop_if_interrupted();
    ssize_t count = 0;
    do {
      count = ::read(descriptor, out, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0) fail<DataError>("{}: cannot be read: {}", name, std::strerror(errno));
    return static_cast<std::size_t>(count);
  }

  /// Reads until the bytes tell whether they are packed.
  void begin() {
    begun = true;
    std::size_t size = 0;
    do {
      const std::size_t count = fill(block.data() + size, block.size() - size);
      size += count;
      if (count == 0) break;
    } while (may_become_packed({block.data(), size}));
    head = {block.data(), size};
    if (!is_packed(head)) return;
    first = std::string(head);
    packed = new_reader();
    archive_read_support_format_raw(packed.get());
    constexpr std::string_view kExpected = "a compressed file";
    archive_entry* entry = nullptr;
    if (archive_read_open(packed.get(), this, nullptr, &State::feed, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(packed.get(), &entry) != ARCHIVE_OK) {
      tell_trouble();
      fail<DataError>("{}: cannot be read as {}: {}", name, kExpected, archive_message(packed.get()));
    }
  }

  /// libarchive's source: the bytes that were looked at, then the rest.
  static la_ssize_t feed(archive* reader, void* data, const void** out) {
    auto& state = *static_cast<State*>(data);
    if (!state.first_fed) {
      state.first_fed = true;
      *out = state.first.data();
      return static_cast<la_ssize_t>(state.first.size());
    }
    state.raw.resize(kBlock);
    *out = state.raw.data();
    try {
      return static_cast<la_ssize_t>(state.fill(state.raw.data(), state.raw.size()));
    } catch (const Error& error) {
      // An exception must not pass through C.
      state.trouble = error.what();
      archive_set_error(reader, EIO, "%s", error.what());
      return -1;
    }
  }

  void tell_trouble() const {
    if (trouble.empty()) return;
    stop_if_interrupted();
    fail<DataError>("{}", trouble);
  }

  std::string_view next() {
    if (!begun) begin();
    if (!packed) {
      if (!std::exchange(head_given, true)) return head;
      return {block.data(), head.empty() ? 0 : fill(block.data(), block.size())};
    }
    const la_ssize_t count = archive_read_data(packed.get(), block.data(), block.size());
    tell_trouble();
    if (count < 0)
      fail<DataError>("{}: reading failed after {}: {}", name, counted(static_cast<std::int64_t>(unpacked), "byte"),
                      archive_message(packed.get()));
    unpacked += count;
    return {block.data(), static_cast<std::size_t>(count)};
  }

  bool would_wait() const {
    if (packed || (begun && !head_given)) return false;
    pollfd request{descriptor, POLLIN, 0};
    return ::poll(&request, 1, 0) == 0;
  }

  int descriptor;
  bool owned;
  std::string name;
  std::vector<char> block = std::vector<char>(kBlock);
  std::string_view head;  ///< the first bytes, in `block`
  bool begun = false, head_given = false;
  ArchivePointer packed;  ///< null where nothing is to be unpacked
  std::string first;      ///< the first packed bytes
  bool first_fed = false;
  std::vector<char> raw;  ///< packed bytes
  std::string trouble;    ///< why the descriptor could not be read
  std::int64_t unpacked = 0;
};

BlockReader::BlockReader(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail<DataError>("{}: cannot be opened: {}", path.string(), std::strerror(errno));
  state_ = std::make_unique<State>(descriptor, true, path.string());
}
BlockReader::BlockReader(int descriptor, std::string name)
    : state_(std::make_unique<State>(descriptor, false, std::move(name))) {}
BlockReader::~BlockReader() = default;
BlockReader::BlockReader(BlockReader&& other) noexcept = default;
BlockReader& BlockReader::operator=(BlockReader&& other) noexcept = default;

std::string_view BlockReader::next() { return state_->next(); }
bool BlockReader::would_wait() { return state_->would_wait(); }

bool looks_like_archive(std::string_view beginning) {
  constexpr std::size_t kTarMark = 257;
  return beginning.starts_with("PK\x03\x04") ||
         (beginning.size() > kTarMark && beginning.substr(kTarMark).starts_with("ustar"));
}

std::string read_text_file(const fs::path& path) {
  std::string contents;
  std::error_code error;
  if (const auto size = fs::file_size(path, error); !error) contents.reserve(size);
  read_text_blocks(path, [&](std::string_view block) { contents += block; });
  return contents;
}

void read_text_blocks(const fs::path& path, const std::function<void(std::string_view)>& visit) {
  check_text_file(path);
  BlockReader reader(path);
  for (std::string_view block = reader.next(); !block.empty(); block = reader.next()) visit(block);
}

}  // namespace eddy
