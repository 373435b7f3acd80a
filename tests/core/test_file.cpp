// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <stdexcept>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "tests/core/temporary_folder.h"

namespace {

bool modes_are_refused = false;

}  // namespace

/// Stands before the one of the C library, for the library's calls too.
extern "C" int fchmod(int descriptor, mode_t mode) noexcept {
  if (!modes_are_refused) return static_cast<int>(::syscall(SYS_fchmod, descriptor, mode));
  errno = EPERM;
  return -1;
}

namespace eddy {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

/// What `action` throws in a process that may write files of `bytes` bytes only, as on a disk that is full then.
std::string with_limited_files(rlim_t bytes, const std::function<void()>& action) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = message_of(action);
    ::_exit(::write(ends[1], message.data(), message.size()) < 0);
  }
  ::close(ends[1]);
  std::string message(1000, ' ');
  message.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], message.data(), message.size()))));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return message;
}

TEST_CASE("a file is written, replaced and read back") {
  const TemporaryFolder folder;
  const auto path = folder / "a.bin";
  std::string text(3'000'000, 'x');
  text[1000] = '\0';
  write_atomically(path, "old");
  write_atomically(path, text);
  CHECK(read_file(path) == text);
  CHECK(MappedFile(path).text() == text);
  const InputFile file(path);
  CHECK(file.size() == text.size());
  std::string part(4, ' ');
  file.read_at(998, std::as_writable_bytes(std::span(part)));
  CHECK(part == std::string("xx\0x", 4));
  CHECK(folder.files() == 1);
}

TEST_CASE("an empty file is read as empty") {
  const TemporaryFolder folder;
  write_atomically(folder / "e", "");
  CHECK(read_file(folder / "e").empty());
  CHECK(MappedFile(folder / "e").bytes().empty());
}

TEST_CASE("a failure while writing leaves the old file and nothing else") {
  for (const TemporaryKind kind : {TemporaryKind::unnamed_if_possible, TemporaryKind::named}) {
    const TemporaryFolder folder;
    const auto path = folder / "a";
    write_atomically(path, "old");
    const auto interrupted = [&] {
      AtomicFile file(path, kind);
      file.write("half of the new");
      throw std::runtime_error("the source broke");
    };
    CHECK_THROWS_AS(interrupted(), std::runtime_error);
    CHECK(read_file(path) == "old");
    CHECK(folder.files() == 1);
    {
      AtomicFile file(path, kind);
      file.write("new");
      file.commit();
      CHECK_THROWS_AS(file.write("more"), DataError);
      CHECK_THROWS_AS(file.commit(), DataError);
    }
    CHECK(read_file(path) == "new");
    CHECK(folder.files() == 1);
  }
}

TEST_CASE("a process killed before the rename leaves the old file whole") {
  for (const TemporaryKind kind : {TemporaryKind::unnamed_if_possible, TemporaryKind::named}) {
    const TemporaryFolder folder;
    const auto path = folder / "a";
    write_atomically(path, "old");
    const pid_t child = ::fork();
    if (child == 0) {
      AtomicFile file(path, kind);
      file.write("half of the new");
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(read_file(path) == "old");
    // The next writer is not disturbed by what a killed one left.
    write_atomically(path, "new");
    CHECK(read_file(path) == "new");
  }
}

TEST_CASE("the folder vanishing between writing and renaming is an error, not a crash") {
  for (const TemporaryKind kind : {TemporaryKind::unnamed_if_possible, TemporaryKind::named}) {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "sub");
    AtomicFile file(folder / "sub/a", kind);
    file.write("x");
    std::filesystem::remove_all(folder / "sub");
    CHECK_THROWS_AS(file.commit(), DataError);
    CHECK(folder.files() == 0);
  }
}

TEST_CASE("a target that turns into a folder is an error and leaves nothing") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  file.write("x");
  std::filesystem::create_directory(folder / "a");
  CHECK_THROWS_AS(file.commit(), DataError);
  CHECK(folder.files() == 1);
}

TEST_CASE("a device is refused before anything is replaced") {
  if (!std::filesystem::exists("/dev/full")) {
    MESSAGE("skipped: there is no /dev/full");
    return;
  }
  CHECK(message_of([] { write_atomically("/dev/full", "x"); }).find("/dev/full: is no regular file") == 0);
  CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("a pipe is no file to be read at any place, and is not waited for") {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(message_of([&] { InputFile file(pipe); }).find("is no regular file") != std::string::npos);
}

TEST_CASE("a file that does not fit leaves the old one and nothing else") {
  const TemporaryFolder folder;
  const auto path = folder / "a";
  write_atomically(path, "old");
  const std::string error = with_limited_files(8, [&] { write_atomically(path, "123456789"); });
  CHECK(error == path.string() + ": cannot be written: File too large");
  CHECK(read_file(path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("symbolic links are followed") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "store");
  write_atomically(folder / "store/a", "old");
  std::filesystem::create_symlink("store/a", folder / "latest");
  std::filesystem::create_symlink("store/b", folder / "next");
  write_atomically(folder / "latest", "new");
  write_atomically(folder / "next", "first");
  CHECK(std::filesystem::is_symlink(folder / "latest"));
  CHECK(read_file(folder / "store/a") == "new");
  CHECK(read_file(folder / "store/b") == "first");
  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK_THROWS_AS(write_atomically(folder / "loop", "x"), DataError);
}

TEST_CASE("new files get the modes of ordinary files") {
  const TemporaryFolder folder;
  for (const TemporaryKind kind : {TemporaryKind::unnamed_if_possible, TemporaryKind::named}) {
    AtomicFile file(folder / "a", kind);
    file.commit();
    spit(folder / "b", "");
    CHECK(std::filesystem::status(folder / "a").permissions() == std::filesystem::status(folder / "b").permissions());
  }
}

TEST_CASE("a file that is replaced keeps its mode") {
  const TemporaryFolder folder;
  for (const auto mode : {std::filesystem::perms{0600}, std::filesystem::perms{0664}}) {
    write_atomically(folder / "model", "old");
    std::filesystem::permissions(folder / "model", mode);
    write_atomically(folder / "model", "new");
    CHECK(std::filesystem::status(folder / "model").permissions() == mode);
  }
}

TEST_CASE("where the mode cannot be kept the old file stands, and a new one of the same mode may replace it") {
  const TemporaryFolder folder;
  write_atomically(folder / "plain", "old");
  write_atomically(folder / "secret", "old");
  std::filesystem::permissions(folder / "secret", std::filesystem::perms{0600});
  modes_are_refused = true;
  const std::string plain = message_of([&] { write_atomically(folder / "plain", "new"); });
  const std::string secret = message_of([&] { write_atomically(folder / "secret", "new"); });
  modes_are_refused = false;
  CHECK(plain == "no error");
  CHECK(secret == (folder / "secret").string() +
                      ": is not replaced, as the new file cannot have its permissions: Operation not permitted");
  CHECK(slurp(folder / "plain") == "new");
  CHECK(slurp(folder / "secret") == "old");
}

TEST_CASE("errors name the file and the reason") {
  const TemporaryFolder folder;
  const auto missing = folder / "missing";
  for (const auto& action : std::initializer_list<std::function<void()>>{
           [&] { read_file(missing); }, [&] { const InputFile file(missing); }, [&] { const MappedFile file(missing); },
           [&] { write_atomically(folder / "missing/file", "x"); }}) {
    const std::string message = message_of(action);
    CHECK(message.find("missing") != std::string::npos);
    CHECK(message.find("No such file or directory") != std::string::npos);
  }
  for (const auto& action : std::initializer_list<std::function<void()>>{
           [&] { read_file(folder.path()); }, [&] { const InputFile file(folder.path()); },
           [&] { const MappedFile file(folder.path()); }, [&] { write_atomically(folder.path(), "x"); }}) {
    CHECK(message_of(action).find("Is a directory") != std::string::npos);
  }
}

TEST_CASE("an output is locked once at a time, and the lock leaves nothing behind") {
  const TemporaryFolder folder;
  const auto model = folder / "m.safetensors";
  {
    const OutputLock lock = OutputLock::of_file(model);
    CHECK_THROWS_WITH_AS(OutputLock::of_file(model), doctest::Contains("another run is writing"), UsageError);
    const OutputLock other = OutputLock::of_file(folder / "n.safetensors");
    CHECK(folder.files() == 2);
  }
  CHECK(folder.files() == 0);
  {
    const OutputLock lock = OutputLock::of_folder(folder / "a/b");
    CHECK_THROWS_AS(OutputLock::of_folder(folder / "a/../a/b"), UsageError);
  }
  CHECK(std::filesystem::is_empty(folder / "a/b"));
  CHECK(message_of([&] { OutputLock::of_file(folder / "missing/m"); }).find("missing/m: cannot be written") !=
        std::string::npos);
}

TEST_CASE("a file is locked under whatever link leads to it, be it there or not") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "models");
  std::filesystem::create_symlink("models/m.safetensors", folder / "latest");
  std::filesystem::create_symlink("latest", folder / "link");
  std::filesystem::create_symlink("loop", folder / "loop");
  {
    const OutputLock lock = OutputLock::of_file(folder / "link");
    CHECK_THROWS_AS(OutputLock::of_file(folder / "models/m.safetensors"), UsageError);
    CHECK_THROWS_WITH_AS(OutputLock::of_file(folder / "latest"), doctest::Contains("/latest; wait"), UsageError);
  }
  CHECK_NOTHROW(OutputLock::of_file(folder / "models/m.safetensors"));
  CHECK_THROWS_WITH_AS(OutputLock::of_file(folder / "loop"), doctest::Contains("loop: cannot be written"), DataError);
}

TEST_CASE("the lock of a killed process is taken over") {
  const TemporaryFolder folder;
  const auto model = folder / "m.safetensors";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const OutputLock lock = OutputLock::of_file(model);
    if (::write(ready[1], "x", 1) != 1) ::_exit(3);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_AS(OutputLock::of_file(model), UsageError);
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  ::close(ready[0]);
  ::close(ready[1]);
  CHECK(folder.files() == 1);
  { const OutputLock lock = OutputLock::of_file(model); }
  CHECK(folder.files() == 0);
}

TEST_CASE("what is read is not written, whatever it is called") {
  const TemporaryFolder folder;
  spit(folder / "model", "x");
  std::filesystem::create_symlink(folder / "model", folder / "link");
  std::filesystem::create_hard_link(folder / "model", folder / "other-name");
  for (const char* name : {"model", "link", "other-name", "./model"})
    CHECK_THROWS_WITH_AS(require_no_input("--graph", folder / name, {folder / "none", "", folder / "model"}),
                         doctest::Contains("--graph would replace"), UsageError);
  CHECK_NOTHROW(require_no_input("--graph", folder / "new", {folder / "model", folder / "new"}));
  CHECK_NOTHROW(require_no_input("--graph", "", {folder / "model"}));
}

TEST_CASE("nothing is written into a folder that is read") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "texts/more");
  std::filesystem::create_directory_symlink(folder / "texts/more", folder / "link");
  for (const char* name : {"texts", "texts/", "texts/new", "texts/none/new", "./texts/more/../new", "link/new"})
    CHECK_THROWS_WITH_AS(require_no_input("--report", folder / name, {folder / "texts"}),
                         doctest::Contains("texts, which is read; choose another place"), UsageError);
  // Hidden files are not read.
  for (const char* name : {"new", "texts2", "texts/../new", "none/texts/new", "texts/.cache/eddy", "texts/more/.new"})
    CHECK_NOTHROW(require_no_input("--report", folder / name, {folder / "texts", folder / "texts/"}));
  CHECK_NOTHROW(require_no_input("--report", folder.path(), {folder / "texts"}));
  // A name without a folder lies in the working directory.
  CHECK_THROWS_AS(require_no_input("--output", "no-such-file", {"."}), UsageError);
  CHECK_NOTHROW(require_no_input("--output", "no-such-file", {folder.path()}));
}

TEST_CASE("whether a file can be written is known beforehand") {
  const TemporaryFolder folder;
  CHECK_NOTHROW(require_writable(folder / "new"));
  CHECK(folder.files() == 0);
  spit(folder / "old", "x");
  CHECK_NOTHROW(require_writable(folder / "old"));
  CHECK(message_of([&] { require_writable(""); }).find("cannot be written") != std::string::npos);
  CHECK(message_of([&] { require_writable(folder / "missing/x"); }).find("No such file") != std::string::npos);
  CHECK(message_of([&] { require_writable(folder / "old/x"); }).find("Not a directory") != std::string::npos);
  CHECK(message_of([&] { require_writable(folder.path()); }).find("Is a directory") != std::string::npos);
  CHECK(message_of([&] { require_writable(folder / "new/"); }).find("Is a directory") != std::string::npos);
  CHECK(message_of([&] { require_writable("/dev/null"); }).find("no regular file") != std::string::npos);
}

TEST_CASE("a line that meets the limit of a file's size says so") {
  const TemporaryFolder folder;
  const int file = ::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  CHECK(with_limited_files(8, [&] { append_at_once(file, "123456789\n", "log"); }) ==
        "log: cannot be written, but for 8 of 10 bytes: File too large");
  CHECK(with_limited_files(8, [&] { append_at_once(file, "1\n", "log"); }) == "log: cannot be written: File too large");
  ::close(file);
}

TEST_CASE("reading past the end names the byte") {
  const TemporaryFolder folder;
  spit(folder / "a", "12345");
  const InputFile file(folder / "a");
  std::string out(4, ' ');
  CHECK(message_of([&] { file.read_at(3, std::as_writable_bytes(std::span(out))); }).find("ends at byte 5") !=
        std::string::npos);
}

}  // namespace
}  // namespace eddy
