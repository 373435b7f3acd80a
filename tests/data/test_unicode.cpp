// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/unicode.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

TEST_CASE("ill-formed UTF-8 is found and repaired") {
  CHECK(find_invalid_utf8("plain") == std::string::npos);
  CHECK(find_invalid_utf8("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") == std::string::npos);
  CHECK(find_invalid_utf8("0123456789\xFF") == 10);
  CHECK(find_invalid_utf8("\xC0\xAF") == 0);            // overlong
  CHECK(find_invalid_utf8("a\xED\xA0\x80") == 1);       // surrogate
  CHECK(find_invalid_utf8("ab\xF4\x90\x80\x80") == 2);  // beyond U+10FFFF
  CHECK(find_invalid_utf8("abc\xE2\x82") == 3);         // cut off
  std::string out = ">";
  CHECK(append_repaired_utf8("a\xFF"
                             "b\xE2\x82"
                             "c\xC3\xA9\xE2\x82",
                             out) == 3);
  CHECK(out ==
        ">a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD"
        "c\xC3\xA9\xEF\xBF\xBD");
  CHECK(find_invalid_utf8(out) == std::string::npos);
}

TEST_CASE("files are brought to UTF-8 by their encoding") {
  CHECK(latin1_to_utf8("caf\xE9\xFF") == "caf\xC3\xA9\xC3\xBF");
  CHECK(decode_text("\xEF\xBB\xBFtext", TextEncoding::utf8, "f") == "text");
  CHECK(decode_text("bad\xFF", TextEncoding::utf8, "f") == "bad\xFF");
  CHECK(decode_text("caf\xE9", TextEncoding::latin1, "f") == "caf\xC3\xA9");
  // The mark is no part of the text, whichever encoding it is in.
  CHECK(decode_text("\xEF\xBB\xBF"
                    "gut\xE9",
                    TextEncoding::utf8_or_latin1, "f") == "gut\xC3\xA9");
  const std::string message =
      error_of<DataError>([] { decode_text("one\ntwo\nth\xE9ree", TextEncoding::utf8_strict, "words.txt"); });
  CHECK(contains(message, "words.txt:3: byte 0xe9 at offset 10"));
  // Offsets are those of the file, which has the mark.
  CHECK(contains(error_of<DataError>([] { decode_text("\xEF\xBB\xBF\xE9", TextEncoding::utf8_strict, "f"); }),
                 "f:1: byte 0xe9 at offset 3"));
}

TEST_CASE("lines are brought to UTF-8 one by one") {
  LineDecoder utf8(TextEncoding::utf8, "f");
  CHECK(utf8.decode("\xEF\xBB\xBFtext\r") == "text");
  CHECK(utf8.decode("\xEF\xBB\xBFtext") == "\xEF\xBB\xBFtext");  // only the first line has a mark
  CHECK(utf8.decode("bad\xFF") == "bad\xFF");
  CHECK(utf8.lines() == 3);
  LineDecoder latin1(TextEncoding::latin1, "f");
  CHECK(latin1.decode("caf\xE9\r") == "caf\xC3\xA9");
  CHECK(latin1.decode("plain") == "plain");
  LineDecoder either(TextEncoding::utf8_or_latin1, "f");
  CHECK(either.decode("\xEF\xBB\xBF"
                      "caf\xE9") == "caf\xC3\xA9");
  CHECK(either.decode("caf\xC3\xA9") == "caf\xC3\xA9");
  LineDecoder marked(TextEncoding::utf8_strict, "f");
  CHECK(contains(error_of<DataError>([&] { marked.decode("\xEF\xBB\xBF\xE9"); }), "f:1: byte 0xe9 at offset 3"));
  LineDecoder strict(TextEncoding::utf8_strict, "words.txt");
  CHECK(strict.decode("caf\xC3\xA9") == "caf\xC3\xA9");
  CHECK(contains(error_of<DataError>([&] { strict.decode("caf\xE9"); }), "words.txt:2: byte 0xe9 at offset 3"));
}

}  // namespace eddy
