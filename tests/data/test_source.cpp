// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <thread>

#include "eddy/core/interrupt.h"
#include "eddy/core/random.h"
#include "eddy/data/source.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::Packing;
using test::TemporaryFolder;

namespace {

std::map<std::string, std::string> read_all(const std::filesystem::path& source) {
  std::map<std::string, std::string> files;
  read_files(
      source, [](std::string_view) { return true; },
      [&](const std::string& name, std::string contents) { files[name] = std::move(contents); });
  return files;
}

std::string random_bytes(std::size_t size, std::uint64_t seed) {
  Philox random(seed);
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(uniform_index(random, 256));
  return bytes;
}

const std::map<std::string, std::string>& some_files() {
  static const std::map<std::string, std::string> files = {
      {"top/a.txt", "alpha"}, {"top/b/c.txt", ""}, {"top/big.bin", random_bytes(300000, 1)}};
  return files;
}

}  // namespace

TEST_CASE("a directory and every kind of archive read alike") {
  const TemporaryFolder folder;
  for (const auto& [name, text] : some_files()) folder.write("tree/" + name, text);
  CHECK(read_all(folder.path() / "tree") == some_files());
  test::NamedTexts entries = {{"top/", ""}};
  for (const auto& [name, text] : some_files()) entries.emplace_back("./" + name, text);
  for (const Packing packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz, Packing::tar_zst, Packing::zip}) {
    CAPTURE(static_cast<int>(packing));
    // The contents decide, not the name.
    const auto path = folder.path() / fmt::format("archive{}", static_cast<int>(packing));
    test::write_archive(path, entries, packing);
    CHECK(read_all(path) == some_files());
  }
}

TEST_CASE("files are listed with sizes, and unwanted ones are not read") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.tar.gz";
  test::write_archive(path, {{"z.txt", "123"}, {"a.txt", "1"}}, Packing::tar_gz);
  const auto listed = list_files(path);
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].name == "z.txt");
  CHECK(listed[0].size == 3);
  CHECK(listed[1].name == "a.txt");
  int visits = 0;
  read_files(
      path, [](std::string_view name) { return name == "a.txt"; },
      [&](const std::string& name, const std::string& contents) {
        ++visits;
        CHECK(name == "a.txt");
        CHECK(contents == "1");
      });
  CHECK(visits == 1);
}

TEST_CASE("hidden files and folders are not read, but a directory itself may be hidden") {
  const TemporaryFolder folder;
  for (const char* name : {"a.txt", "b/c.txt", ".a.txt.swp", ".git/config", ".git/objects/d.txt", "b/.DS_Store"})
    folder.write(std::string(".texts/") + name, "x");
  const auto files = list_files(folder.path() / ".texts");
  REQUIRE(files.size() == 2);
  CHECK(files[0].name == "a.txt");
  CHECK(files[1].name == "b/c.txt");
  CHECK(read_all(folder.path() / ".texts").size() == 2);
  // As a Mac packs a folder.
  for (const Packing packing : {Packing::tar, Packing::zip}) {
    test::write_archive(folder.path() / "packed",
                        {{"./._texts", "\5\26\7"},
                         {"texts/./a.txt", "x"},
                         {"texts/._a.txt", "\5\26\7"},
                         {"__MACOSX/texts/._a.txt", "\5\26\7"},
                         {"texts/.git/config", "x"}},
                        packing);
    CHECK(list_files(folder.path() / "packed").size() == 1);
    CHECK(read_named_text(folder.path() / "packed", "").contents == "x");
  }
}

TEST_CASE("links in a directory are followed, and those that lead nowhere or round are named") {
  const TemporaryFolder folder;
  const auto linked = [&](const char* target, const char* name) {
    std::filesystem::create_symlink(target, folder.path() / name);
  };
  folder.write("texts/a.txt", "a");
  folder.write("other/deep/b.txt", "b");
  linked("../other", "texts/folder");
  linked("../other/deep/b.txt", "texts/file");
  CHECK(read_all(folder.path() / "texts") ==
        std::map<std::string, std::string>{{"a.txt", "a"}, {"file", "b"}, {"folder/deep/b.txt", "b"}});
  linked("nothing", "texts/.hidden");
  CHECK(list_files(folder.path() / "texts").size() == 3);
  const auto problem = [&] { return error_of<DataError>([&] { list_files(folder.path() / "texts"); }); };
  linked("nothing", "texts/gone");
  CHECK(contains(problem(), "texts/gone: is a link to nothing, which cannot be reached: No such file"));
  std::filesystem::remove(folder.path() / "texts/gone");
  linked("loop", "texts/loop");
  CHECK(contains(problem(), "texts/loop: is a link to loop, which cannot be reached: "));
  std::filesystem::remove(folder.path() / "texts/loop");
  // By way of another folder, too.
  linked("../../texts", "other/deep/back");
  CHECK(contains(problem(), "texts/folder/deep/back: is a link to "));
  CHECK(contains(problem(), "texts, in which it lies"));
}

TEST_CASE("a folder that cannot be listed is named") {
  const TemporaryFolder folder;
  folder.write("texts/deep/a.txt", "a");
  // Files may be opened until the outer folder is.
  const int next = ::open("/dev/null", O_RDONLY);
  ::close(next);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit narrow{static_cast<rlim_t>(next) + 1, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &narrow) == 0);
  const std::string message = error_of<DataError>([&] { list_files(folder.path() / "texts"); });
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(contains(message, "texts/deep: directory cannot be listed: Too many open files"));
}

TEST_CASE("names in archives are relative, and a file that stands there twice is refused") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "x.tar";
  test::write_archive(path, {{"/top/a.txt", "a"}, {".//./b.txt", "b"}}, Packing::tar);
  CHECK(read_all(path) == std::map<std::string, std::string>{{"b.txt", "b"}, {"top/a.txt", "a"}});
  CHECK(read_named_text(path, "a.txt").name == path.string() + "/top/a.txt");
  CHECK(last_parts("/a.txt", 1) == "a.txt");
  CHECK(last_parts("/a.txt", 2) == "");
  // As an update by `tar -r` leaves it.
  test::write_archive(path, {{"a.txt", "old"}, {"b.txt", "b"}, {"./a.txt", "new"}}, Packing::tar);
  for (const std::string& message :
       {error_of<DataError>([&] { list_files(path); }), error_of<DataError>([&] { read_all(path); }),
        error_of<DataError>([&] { read_named_text(path, "a.txt"); })})
    CHECK(contains(message, "x.tar: holds a.txt twice; unpack it"));
}

TEST_CASE("a compressed file is read through whatever its name") {
  const TemporaryFolder folder;
  const std::string text = "some text\n" + random_bytes(100000, 2);
  for (const Packing packing : {Packing::tar_gz, Packing::tar_xz, Packing::tar_zst}) {
    const auto path = folder.path() / fmt::format("file{}.txt", static_cast<int>(packing));
    test::write_compressed(path, text, packing);
    CHECK(test::slurp(path) != text);
    CHECK(read_text_file(path) == text);
    // Every cut is seen.
    const std::string bytes = test::slurp(path);
    for (const double part : {0.01, 0.5, 0.999}) {
      CAPTURE(part);
      const auto cut = folder.write("cut", bytes.substr(0, static_cast<std::size_t>(part * bytes.size())));
      CHECK(contains(error_of<DataError>([&] { read_text_file(cut); }), "cut: "));
    }
  }
  CHECK(read_text_file(folder.write("plain", text)) == text);
  CHECK(read_text_file(folder.write("empty", "")).empty());
  CHECK(read_text_file(folder.write("word", "BZh is how bzip2 files begin\n")) == "BZh is how bzip2 files begin\n");
}

TEST_CASE("a pipe is read from its first byte on, packed or not") {
  const TemporaryFolder folder;
  const std::string text = "some text\n" + random_bytes(300000, 5);
  test::write_compressed(folder.path() / "packed", text, Packing::tar_gz);
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& sent : {text, test::slurp(folder.path() / "packed")}) {
    std::thread writer([&] { spit(pipe, sent); });
    std::string read;
    read_text_blocks(pipe, [&](std::string_view block) { read += block; });
    writer.join();
    CHECK(read == text);
  }
}

TEST_CASE("a reader of a pipe gives what is there and says when it would wait") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const auto send = [&](std::string_view text) { REQUIRE(::write(ends[1], text.data(), text.size()) > 0); };
  BlockReader reader(ends[0], "a pipe");
  CHECK(reader.would_wait());
  send("B\n");  // might have become bzip2
  CHECK_FALSE(reader.would_wait());
  CHECK(reader.next() == "B\n");
  CHECK(reader.would_wait());
  send("\x1F\x8B is nothing packed here");
  CHECK(contains(reader.next(), "packed"));
  ::close(ends[1]);
  CHECK_FALSE(reader.would_wait());
  CHECK(reader.next().empty());
  CHECK(reader.next().empty());
  ::close(ends[0]);
  BlockReader closed(ends[0], "a closed one");
  CHECK(contains(error_of<DataError>([&] { closed.next(); }), "a closed one: cannot be read"));
}

TEST_CASE("a signal that is waited for ends reading") {
  const TemporaryFolder folder;
  folder.write("set/a.txt", "one\n");
  write_archive(folder / "set.tar", {{"a.txt", "one\n"}}, Packing::tar);
  const auto read = [](const std::filesystem::path& source) {
    read_files(
        source, [](std::string_view) { return true; }, [](const std::string&, const std::string&) {});
  };
  const auto read_blocks = [&] { read_text_blocks(folder / "set/a.txt", [](std::string_view) {}); };
  const InterruptGuard guard;
  read(folder / "set");
  read_blocks();
  ::raise(SIGTERM);
  CHECK_THROWS_AS(read(folder / "set"), Interrupted);
  CHECK_THROWS_AS(read(folder / "set.tar"), Interrupted);
  CHECK_THROWS_AS(read_blocks(), Interrupted);
  int ends[2];  // a pipe into which nobody writes
  REQUIRE(::pipe(ends) == 0);
  CHECK_THROWS_AS(BlockReader(ends[0], "pipe").next(), Interrupted);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("missing, foreign and cut-off sources are named") {
  const TemporaryFolder folder;
  CHECK(contains(error_of<DataError>([&] { list_files(folder.path() / "nothing"); }), "nothing: does not exist"));
  CHECK(contains(error_of<DataError>([&] { read_text_file(folder.path() / "nothing"); }), "nothing: does not exist"));
  CHECK(contains(error_of<DataError>([&] { read_text_file(folder.path()); }), "is a directory"));
  const auto noise = folder.write("noise.tar", random_bytes(5000, 3));
  CHECK(contains(error_of<DataError>([&] { read_all(noise); }), "noise.tar: cannot be read as a tar or zip archive"));
  const auto empty = folder.write("empty.tar", "");
  CHECK(contains(error_of<DataError>([&] { read_all(empty); }), "empty.tar: "));

  for (const Packing packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz, Packing::tar_zst}) {
    CAPTURE(static_cast<int>(packing));
    const auto whole = folder.path() / "whole";
    test::write_archive(whole, {{"a.txt", "alpha"}, {"big.bin", random_bytes(300000, 4)}}, packing);
    const std::string bytes = test::slurp(whole);
    const auto cut = folder.write("cut", bytes.substr(0, bytes.size() * 2 / 3));
    CHECK(contains(error_of<DataError>([&] { read_all(cut); }), "cut"));
  }
}

TEST_CASE("a hard link inside an archive is refused, not read as empty") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "links.tar";
  archive* writer = archive_write_new();
  archive_write_set_format_ustar(writer);
  REQUIRE(archive_write_open_filename(writer, path.c_str()) == ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "b.txt");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_hardlink(entry, "a.txt");
  REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
  archive_entry_free(entry);
  archive_write_close(writer);
  archive_write_free(writer);
  CHECK(contains(error_of<DataError>([&] { read_all(path); }), "b.txt inside: is a hard link"));
}

}  // namespace eddy
