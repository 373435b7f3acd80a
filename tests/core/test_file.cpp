// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "tests/core/temporary_folder.h"

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

TEST_CASE("a full disk is reported") {
  if (!std::filesystem::exists("/dev/full")) return;
  // Devices are refused before anything is replaced.
  CHECK(message_of([] { write_atomically("/dev/full", "x"); }).find("/dev/full: is no regular file") == 0);
  CHECK(std::filesystem::is_character_file("/dev/full"));
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
