// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// Pure functions, safe to call concurrently; a LineDecoder is for one thread.
namespace eddy {

/// How the bytes of a text file are to be read. `utf8` passes them on as they are (the tokenizer then repairs or
/// refuses what is invalid), `utf8_strict` throws, `latin1` converts, `utf8_or_latin1` converts a text that is not
/// UTF-8 throughout: of a table a field, of a file of lines a line.
enum class TextEncoding { utf8, utf8_strict, latin1, utf8_or_latin1 };

/// True when every byte is below 0x80.
bool is_ascii(std::string_view text);

/// Byte offset of the first ill-formed UTF-8 sequence, or npos.
std::size_t find_invalid_utf8(std::string_view text);

/// Appends `text` to `out` with each ill-formed sequence (its longest valid beginning, as Unicode recommends) made
/// U+FFFD. Returns the number of replacements.
std::size_t append_repaired_utf8(std::string_view text, std::string& out);
/// The text itself so repaired.
std::string repaired_utf8(std::string_view text);

/// Bytes 0x00-0xFF are code points U+0000-U+00FF.
std::string latin1_to_utf8(std::string_view text);

/// DataError when the beginning of the file `name` is that of UTF-16 text, or holds zero bytes as that and binary files
/// do: none of the encodings can read it.
void require_byte_text(std::string_view beginning, std::string_view name);

/// DataError naming `name` where the contents of a file hold no line feed, but carriage returns that cut them.
void require_line_feeds(std::string_view contents, std::string_view name);

/// The beginning of a text without a byte-order mark, which no text in latin1 begins with either.
std::string_view without_mark(std::string_view text);

/// Converts a piece of a text that stands for itself, as a field of a table, where latin1 and utf8_or_latin1 need it.
void decode_piece(std::string& text, TextEncoding encoding);

/// DataError naming `name`, the line and the byte where the contents of a file are not UTF-8.
void require_utf8(std::string_view contents, std::string_view name);

/// Brings the contents of a file to UTF-8 and takes a byte-order mark away. Throws as require_utf8() for utf8_strict.
std::string decode_text(std::string contents, TextEncoding encoding, std::string_view name);

/// The same for a text that comes line by line, without the lines' ends (a '\r' is taken off too). `utf8_or_latin1` is
/// decided for each line alone. One thread at a time.
class LineDecoder {
 public:
  LineDecoder(TextEncoding encoding, std::string name) : encoding_(encoding), name_(std::move(name)) {}

  /// The next line in UTF-8; a view into `line`, or into the decoder until the next call.
  std::string_view decode(std::string_view line);
  /// How many there were.
  std::int64_t lines() const { return lines_; }

 private:
  TextEncoding encoding_;
  std::string name_;
  std::string converted_;
  std::int64_t lines_ = 0;
};

}  // namespace eddy
