// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/number_text.h"

namespace eddy {
namespace {

// Linux transfers at most 2 GiB at once.
constexpr std::size_t kLargestTransfer = std::size_t{1} << 30;

[[noreturn]] void fail_with(const std::filesystem::path& path, std::string_view what, int error) {
  fail<DataError>("{}: {}: {}", path.string(), what, std::generic_category().message(error));
}

int open_for_reading(const std::filesystem::path& path, int flags = 0) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (descriptor < 0) fail_with(path, "cannot be opened", errno);
  return descriptor;
}

/// Closes on all ways out.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

struct stat status_of(const std::filesystem::path& path, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail_with(path, "cannot be examined", errno);
  if (S_ISDIR(status.st_mode)) fail_with(path, "cannot be read", EISDIR);
  return status;
}

/// Where a name leads that may be a symbolic link, even one that still points to nothing.
std::filesystem::path behind_links(std::filesystem::path path) {
  const std::filesystem::path given = path;
  std::error_code error;
  for (int hops = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path, error)); ++hops) {
    if (hops == 40) fail_with(given, "cannot be written", ELOOP);
    const std::filesystem::path target = std::filesystem::read_symlink(path, error);
    if (error) fail_with(given, "cannot be resolved", error.value());
    path = path.parent_path() / target;
  }
  return path;
}

/// A name that no other writer of this machine is using; the caller still opens it exclusively.
std::filesystem::path temporary_name(const std::filesystem::path& folder) {
  static std::atomic<unsigned> counter{0};
  return folder / fmt::format(".eddy-{}-{}.tmp", ::getpid(), counter.fetch_add(1));
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(open_for_reading(path));
  const auto expected = static_cast<std::size_t>(std::max<off_t>(status_of(path, file.get()).st_size, 0));
  std::string contents;
  std::size_t used = 0;
  while (true) {
    // One byte more than expected, so that the end is found without a second round.
    if (used == contents.size()) contents.resize(used == 0 ? expected + 1 : std::max<std::size_t>(2 * used, 65536));
    const ssize_t count =
        ::read(file.get(), contents.data() + used, std::min(contents.size() - used, kLargestTransfer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with(path, "cannot be read", errno);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  contents.resize(used);
  return contents;
}

InputFile::InputFile(const std::filesystem::path& path)
    : path_(path), descriptor_(open_for_reading(path, O_NONBLOCK)) {  // a pipe is refused, not waited for
  struct stat status {};
  const int error = ::fstat(descriptor_, &status) != 0 ? errno : 0;
  // The destructor of a half-made object does not run.
  if (error != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    if (error != 0) fail_with(path, "cannot be examined", error);
    fail_with(path, "is no regular file", S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(size_, other.size_);
  return *this;
}

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count =
        ::pread(descriptor_, out.data(), std::min(out.size(), kLargestTransfer), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with(path_, fmt::format("cannot be read at byte {}", offset), errno);
    if (count == 0)
      fail<DataError>("{}: ends at byte {}, {} too early", path_.string(), offset, counted(std::ssize(out), "byte"));
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(open_for_reading(path));
  const struct stat status = status_of(path, file.get());
  if (!S_ISREG(status.st_mode)) fail_with(path, "cannot be mapped", EINVAL);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;  // an empty mapping is not allowed
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) fail_with(path, "cannot be mapped", errno);
  bytes_ = {static_cast<const std::byte*>(address), size};
  // A huge page would bring in two megabytes for one that is read.
  ::madvise(address, size, MADV_NOHUGEPAGE);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::drop_pages() const noexcept {
  // Only a hint: where it fails the pages stay.
  if (!bytes_.empty()) ::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

namespace {

constexpr std::size_t kSpillBlock = std::size_t{1} << 20;

}  // namespace

SpillFile::SpillFile(const std::filesystem::path& folder) : folder_(folder.empty() ? "." : folder) {
  descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor_ < 0) {
    // File systems without nameless files: one that loses its name at once.
    std::string name = (folder_ / "spill-XXXXXX").string();
    descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor_ >= 0) ::unlink(name.c_str());
  }
  if (descriptor_ < 0) fail_with(folder_, "cannot hold a temporary file", errno);
}

SpillFile::~SpillFile() { ::close(descriptor_); }

void SpillFile::append(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kSpillBlock) flush();
}

void SpillFile::end_writing() {
  flush();
  buffer_.shrink_to_fit();
}

void SpillFile::flush() {
  for (std::size_t done = 0; done < buffer_.size();) {
    const ssize_t count =
        ::pwrite(descriptor_, buffer_.data() + done, buffer_.size() - done, static_cast<off_t>(written_ + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_with(folder_, "a temporary file in it cannot be written", count < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(count);
  }
  written_ += buffer_.size();
  buffer_.clear();
}

void SpillFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  flush();
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_with(folder_, "a temporary file in it cannot be read", count < 0 ? errno : EIO);
    out = out.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void SpillFile::for_each_block(const std::function<void(std::span<const std::byte>)>& visit) {
  std::vector<std::byte> block(std::min<std::uint64_t>(size(), kSpillBlock));
  for (std::uint64_t at = 0; at < size(); at += block.size()) {
    block.resize(std::min<std::uint64_t>(block.size(), size() - at));
    read_at(at, block);
    visit(block);
  }
}

void append_at_once(int descriptor, std::string_view bytes, const std::filesystem::path& path) {
  const auto write_some = [&](std::string_view part) {
    ssize_t written = 0;
    do {
      written = ::write(descriptor, part.data(), part.size());
    } while (written < 0 && errno == EINTR);
    return written;
  };
  const ssize_t written = write_some(bytes);
  if (written == static_cast<ssize_t>(bytes.size())) return;
  if (written < 0) fail_with(path, "cannot be written", errno);
  // What hinders the rest is told only by a second try.
  const bool hindered = write_some(bytes.substr(static_cast<std::size_t>(written))) < 0;
  fail_with(path, fmt::format("cannot be written, but for {} of {} bytes", written, bytes.size()),
            hindered ? errno : EIO);
}

AtomicFile::AtomicFile(const std::filesystem::path& path, TemporaryKind kind) : path_(path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  const std::filesystem::file_type type = status.type();
  // Renaming over a device such as /dev/null would replace the device.
  if (type == std::filesystem::file_type::directory) fail_with(path, "cannot be written", EISDIR);
  if (type == std::filesystem::file_type::none) fail_with(path, "cannot be written", error.value());
  require<DataError>(type == std::filesystem::file_type::regular || type == std::filesystem::file_type::not_found,
                     "{}: is no regular file and so cannot be replaced", path.string());
  // The file behind a symbolic link is replaced, not the link.
  path_ = behind_links(path);
  folder_ = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  if (kind == TemporaryKind::named || !open_unnamed()) open_named();
  keep_mode();
}

AtomicFile::~AtomicFile() { discard(); }

bool AtomicFile::open_unnamed() {
  // The descriptor gets its name later by way of /proc.
  if (::access("/proc/self/fd", X_OK) != 0) return false;
  descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  return descriptor_ >= 0;
}

void AtomicFile::open_named() {
  do {
    temporary_ = temporary_name(folder_);
    descriptor_ = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) {
    const int error = errno;
    temporary_.clear();
    fail_with(path_, "cannot be created", error);
  }
}

void AtomicFile::keep_mode() {
  // What only its owner could read stays so. File systems that know no modes have the same for all files.
  struct stat replaced {};
  struct stat made {};
  if (::stat(path_.c_str(), &replaced) != 0) return;
  if (::fstat(descriptor_, &made) == 0 && made.st_mode == replaced.st_mode) return;
  if (::fchmod(descriptor_, replaced.st_mode & 07777) != 0)
    give_up("is not replaced, as the new file cannot have its permissions");
}

void AtomicFile::name_file() {
  const std::string source = fmt::format("/proc/self/fd/{}", descriptor_);
  while (true) {
    const std::filesystem::path name = temporary_name(folder_);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
      return;
    }
    if (errno != EEXIST) give_up("cannot be created");
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  require<DataError>(descriptor_ >= 0, "{}: is written after it was completed", path_.string());
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kLargestTransfer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) give_up("cannot be written");
    size_ += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  require<DataError>(descriptor_ >= 0, "{}: is completed twice", path_.string());
  if (::fsync(descriptor_) != 0) give_up("cannot be flushed to disk");
  if (temporary_.empty()) name_file();
  // Some network file systems report a full disk only here.
  if (::close(std::exchange(descriptor_, -1)) != 0) give_up("cannot be closed");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) give_up("cannot be put in place");
  temporary_.clear();
  // The new name lasts only once the folder is on disk; a folder that may not be read cannot be flushed by us.
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const Descriptor closing(folder);
  if (::fsync(folder) != 0 && errno != EINVAL && errno != ENOTSUP)
    fail_with(path_, "is replaced, but its folder cannot be flushed to disk", errno);
}

void AtomicFile::give_up(std::string_view what) {
  const int error = errno;
  discard();
  fail_with(path_, what, error);
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

OutputLock OutputLock::of_file(const std::filesystem::path& file) {
  // A link and its target are one output.
  const std::filesystem::path target = behind_links(file);
  return {target.parent_path() / fmt::format(".{}.lock", target.filename().string()), file};
}

OutputLock OutputLock::of_folder(const std::filesystem::path& folder) {
  make_folder(folder);
  return {folder / ".eddy.lock", folder};
}

OutputLock::OutputLock(std::filesystem::path lock, const std::filesystem::path& output) : path_(std::move(lock)) {
  for (;;) {
    descriptor_ = ::open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail_with(output, "cannot be written", errno);
    int failed = 0;
    do {
      failed = ::flock(descriptor_, LOCK_EX | LOCK_NB);
    } while (failed != 0 && errno == EINTR);
    if (failed != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor_);
      fail<UsageError>("another run is writing {}; wait for its end or choose another output", output.string());
    }
    // Its last holder may have removed the file between the opening and the locking; then others make a new one.
    if (failed != 0 || has_name()) return;
    ::close(descriptor_);
  }
}

OutputLock::~OutputLock() {
  // While it is locked still, so that nobody else's file is removed.
  if (has_name()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool OutputLock::has_name() const {
  struct stat held {
  }, named{};
  return ::fstat(descriptor_, &held) == 0 && ::stat(path_.c_str(), &named) == 0 && held.st_dev == named.st_dev &&
         held.st_ino == named.st_ino;
}

namespace {

/// Whether `path`, which need not exist, is below the folder. What is hidden there does not count: nobody reads it.
bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
  std::error_code error;
  const auto whole = [&](const std::filesystem::path& name) {
    // Where nothing of a relative path exists, weakly_canonical() leaves it relative.
    return std::filesystem::weakly_canonical(std::filesystem::absolute(name, error), error);
  };
  const std::filesystem::path below = whole(path).lexically_relative(whole(folder));
  // Of canonical paths the one below begins with no "..".
  return !error && !below.empty() && std::ranges::none_of(below, [](const std::filesystem::path& part) {
    return part != "." && part.native().starts_with('.');
  });
}

}  // namespace

void require_no_input(std::string_view what, const std::filesystem::path& output,
                      const std::vector<std::filesystem::path>& inputs) {
  for (const std::filesystem::path& input : inputs) {
    if (output.empty() || input.empty()) continue;
    std::error_code error;
    if (std::filesystem::is_directory(input, error)) {
      require<UsageError>(!lies_in(output, input), "{} {} lies in {}, which is read; choose another place", what,
                          output.string(), input.string());
    } else {
      require<UsageError>(!std::filesystem::equivalent(output, input, error),
                          "{} would replace {}, which is read; choose another name", what, input.string());
    }
  }
}

void require_writable(const std::filesystem::path& output) {
  if (!output.has_filename()) fail_with(output, "cannot be written", output.empty() ? ENOENT : EISDIR);
  std::error_code error;
  const std::filesystem::file_type type = std::filesystem::status(output, error).type();
  if (type == std::filesystem::file_type::directory) fail_with(output, "cannot be written", EISDIR);
  if (type == std::filesystem::file_type::none) fail_with(output, "cannot be written", error.value());
  require<DataError>(type == std::filesystem::file_type::regular || type == std::filesystem::file_type::not_found,
                     "{}: is no regular file and so cannot be replaced", output.string());
  const std::filesystem::path folder = output.has_parent_path() ? output.parent_path() : ".";
  const bool open = ::access(folder.c_str(), W_OK | X_OK) == 0;
  const int problem = open ? 0 : errno;
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_directory(folder, error))
    fail_with(output, "cannot be written", ENOTDIR);
  if (!open) fail_with(output, "cannot be written", problem);
}

void write_atomically(const std::filesystem::path& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span(text)));
}

void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_atomically(const std::filesystem::path& path, const std::function<void(AtomicFile&)>& fill) {
  AtomicFile file(path);
  fill(file);
  file.commit();
}

}  // namespace eddy
