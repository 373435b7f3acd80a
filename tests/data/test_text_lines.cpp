// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/delimited.h"
#include "eddy/data/line_stream.h"
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

TEST_CASE("UTF-16 is refused, however it is read, with what to do") {
  const TemporaryFolder folder;
  const std::string hello("h\0i\0\n\0", 6);
  for (const std::string& contents : {"\xFF\xFE" + hello, "\xFE\xFF" + hello, hello, std::string("a\tb\n\0", 5)}) {
    const auto path = folder.write("u.txt", contents);
    const auto refused = [&](auto&& read) {
      const std::string problem = error_of<DataError>(read);
      CHECK(contains(problem, "u.txt: "));
      CHECK(contains(problem, "UTF-16"));
      CHECK(contains(problem, "convert it to UTF-8"));
    };
    for (const TextEncoding encoding : {TextEncoding::utf8, TextEncoding::latin1}) {
      refused([&] { read_text_lines(path, {.encoding = encoding}); });
      refused([&] { for_each_line(path, {.encoding = encoding}, [](std::string_view, std::string_view) {}); });
      DelimitedOptions table = tsv_options();
      table.encoding = encoding;
      refused([&] { read_delimited(path, table); });
      refused([&] { read_first_record(path, table); });
    }
  }
}

TEST_CASE("lines that carriage returns alone end are refused, not read as one") {
  const TemporaryFolder folder;
  for (const std::string contents : {"a\tb\rc\td\r", "a\tb\rc\td", "a\tb\r\rc\td\r\r"}) {
    const auto path = folder.write("mac.txt", contents);
    const auto refused = [&](auto&& read) {
      CHECK(contains(error_of<DataError>(read), "mac.txt: ends its lines with carriage returns alone"));
    };
    refused([&] { read_text_lines(path); });
    refused([&] { for_each_line(path, {}, [](std::string_view, std::string_view) {}); });
    refused([&] { read_delimited(path, tsv_options()); });
    refused([&] { read_first_record(path, tsv_options()); });
  }
  for (const std::string contents : {"a\tb\r\n", "a\tb\r", "a\rb\tc\nd\te\n"})
    CHECK_FALSE(read_text_lines(folder.write("fine.txt", contents)).documents.empty());
}

TEST_CASE("an archive is no table") {
  const TemporaryFolder folder;
  const auto path = folder.write("t.zip", std::string("PK\x03\x04\0\0\0\0 a\tb\n", 14));
  CHECK(contains(error_of<DataError>([&] { read_delimited(path, tsv_options()); }), "is an archive; expected a table"));
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
