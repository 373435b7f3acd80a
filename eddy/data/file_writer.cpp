// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "eddy/core/error.h"

namespace eddy {

namespace {

/// A temporary file, deleted unless it has been renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
    // Exclusive creation with an ordinary mode, which mkstemp cannot give; a name left by a dead process is passed by.
    for (int attempt = 0; descriptor_ < 0; ++attempt) {
      name_ = fmt::format("{}.{}.{}", target.string(), ::getpid(), attempt);
      descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && (errno != EEXIST || attempt == 1000)) give_up("no temporary file can be made beside it");
    }
  }
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), 1 << 30));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) give_up("cannot be written");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  void rename() {
    if (::fsync(descriptor_) != 0) give_up("cannot be flushed to disk");
    const int closing = ::close(descriptor_);
    descriptor_ = -1;
    if (closing != 0) give_up("cannot be closed");
    if (::rename(name_.c_str(), target_.c_str()) != 0) give_up("cannot be renamed to its place");
    renamed_ = true;
    // The new name is safe only when the directory is on disk too; some file systems cannot do that, which is no loss.
    const std::filesystem::path parent = target_.has_parent_path() ? target_.parent_path() : ".";
    const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return;
    ::fsync(directory);
    ::close(directory);
  }

 private:
  [[noreturn]] void give_up(const char* what) const {
    fail<DataError>("{}: {}: {}", target_.string(), what, std::strerror(errno));
  }

  std::filesystem::path target_;
  std::string name_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

}  // namespace

void write_file_whole(const std::filesystem::path& path, std::initializer_list<std::span<const std::byte>> parts) {
  TemporaryFile file(path);
  for (const std::span<const std::byte> part : parts) file.write(part);
  file.rename();
}

}  // namespace eddy
