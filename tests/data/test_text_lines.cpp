// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/text_lines.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;
using test::TemporaryFolder;

TEST_CASE("each line is a document that knows its place") {
  const TemporaryFolder folder;
  const auto path = folder.write("lines.txt", "\xEF\xBB\xBFone\r\n\n \t\ntwo words\nlast without end");
  const Dataset data = read_text_lines(path, {.label = 3});
  REQUIRE(data.documents.size() == 3);
  CHECK(data.documents[0].text == "one");
  CHECK(data.documents[1].text == "two words");
  CHECK(data.documents[1].id == "lines.txt:4");
  CHECK(data.documents[2].text == "last without end");
  CHECK(data.documents[2].label == 3);
  const Dataset all = read_text_lines(path, {.skip_blank = false});
  REQUIRE(all.documents.size() == 5);
  CHECK(all.documents[1].text.empty());
}

TEST_CASE("lines come out of a compressed file and of Latin-1") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "lines.gz";
  test::write_compressed(path, "caf\xE9\nplain\n", test::Packing::tar_gz);
  const Dataset data = read_text_lines(path, {.encoding = TextEncoding::latin1});
  REQUIRE(data.documents.size() == 2);
  CHECK(data.documents[0].text == "caf\xC3\xA9");
}

TEST_CASE("a file without a document is an error") {
  const TemporaryFolder folder;
  CHECK(contains(error_of<DataError>([&] { read_text_lines(folder.write("e.txt", "")); }), "e.txt: holds no document"));
  CHECK(contains(error_of<DataError>([&] { read_text_lines(folder.write("b.txt", "\n\n")); }), "in 2 lines"));
  CHECK(contains(error_of<DataError>([&] {
                   read_text_lines(folder.write("s.txt", "a\n\xFE\n"), {.encoding = TextEncoding::utf8_strict});
                 }),
                 "s.txt:2: byte 0xfe"));
}

}  // namespace eddy
