// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/unicode.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "eddy/core/error.h"

namespace eddy {

namespace {

/// Decodes the code point at `at` (negative when ill-formed) and steps over it.
std::int32_t next_code_point(std::string_view text, std::size_t& at) {
  // ICU's macro counts in 32 bits; four bytes are all it looks at.
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data()) + at;
  const auto length = static_cast<std::int32_t>(std::min<std::size_t>(text.size() - at, 4));
  std::int32_t used = 0;
  UChar32 code_point = 0;
  U8_NEXT(bytes, used, length, code_point);
  at += static_cast<std::size_t>(used);
  return code_point;
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

/// Whether a text is to be converted from Latin-1; one of ASCII need not be.
bool is_latin1(std::string_view text, TextEncoding encoding) {
  if (encoding == TextEncoding::latin1) return !is_ascii(text);
  return encoding == TextEncoding::utf8_or_latin1 && find_invalid_utf8(text) != std::string_view::npos;
}

}  // namespace

bool is_ascii(std::string_view text) { return ascii_prefix(text) == text.size(); }

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t at = ascii_prefix(text);
  while (at < text.size()) {
    const std::size_t start = at;
    if (next_code_point(text, at) < 0) return start;
    at += ascii_prefix(text.substr(at));
  }
  return std::string_view::npos;
}

std::size_t append_repaired_utf8(std::string_view text, std::string& out) {
  std::size_t replaced = 0;
  std::size_t at = 0;
  std::size_t copied = 0;
  while (at < text.size()) {
    const std::size_t start = at;
    if (next_code_point(text, at) >= 0) continue;
    out.append(text.substr(copied, start - copied));
    out.append("\xEF\xBF\xBD");
    copied = at;
    ++replaced;
  }
  out.append(text.substr(copied));
  return replaced;
}

std::string repaired_utf8(std::string_view text) {
  std::string repaired;
  append_repaired_utf8(text, repaired);
  return repaired;
}

std::string latin1_to_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 16);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      result.push_back(c);
    } else {
      result.push_back(static_cast<char>(0xC0 | (byte >> 6)));
      result.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
  return result;
}

void require_byte_text(std::string_view beginning, std::string_view name) {
  constexpr std::size_t kLook = std::size_t{1} << 16;
  using namespace std::string_view_literals;
  const bool marked = beginning.starts_with("\xFF\xFE") || beginning.starts_with("\xFE\xFF");
  const bool longer = beginning.starts_with("\xFF\xFE\0\0"sv) || beginning.starts_with("\0\0\xFE\xFF"sv);
  const int bits = longer ? 32 : 16;
  require<DataError>(
      !marked && beginning.substr(0, kLook).find('\0') == std::string_view::npos,
      "{}: {}; convert it to UTF-8, such as by iconv -f UTF-{} -t UTF-8", name,
      marked || longer ? fmt::format("is UTF-{} text", bits) : "holds zero bytes, so it is UTF-16 text or none at all",
      bits);
}

void require_line_feeds(std::string_view contents, std::string_view name) {
  if (contents.find('\n') != std::string_view::npos) return;
  const std::size_t end = contents.find_last_not_of('\r');
  require<DataError>(
      end == std::string_view::npos || contents.substr(0, end).find('\r') == std::string_view::npos,
      "{}: ends its lines with carriage returns alone; expected line feeds, as tr '\\r' '\\n' makes them", name);
}

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

void decode_piece(std::string& text, TextEncoding encoding) {
  if (is_latin1(text, encoding)) text = latin1_to_utf8(text);
}

void require_utf8(std::string_view contents, std::string_view name) {
  const std::size_t bad = find_invalid_utf8(contents);
  if (bad == std::string_view::npos) return;
  const auto line = 1 + std::count(contents.begin(), contents.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
  fail<DataError>("{}:{}: byte 0x{:02x} at offset {} is not UTF-8", name, line,
                  static_cast<unsigned char>(contents[bad]), bad);
}

std::string decode_text(std::string contents, TextEncoding encoding, std::string_view name) {
  if (encoding == TextEncoding::utf8_strict) require_utf8(contents, name);
  contents.erase(0, contents.size() - without_mark(contents).size());
  decode_piece(contents, encoding);
  return contents;
}

std::string_view LineDecoder::decode(std::string_view line) {
  ++lines_;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (encoding_ == TextEncoding::utf8_strict) {
    const std::size_t bad = find_invalid_utf8(line);
    if (bad != std::string_view::npos)
      fail<DataError>("{}:{}: byte 0x{:02x} at offset {} of the line is not UTF-8", name_, lines_,
                      static_cast<unsigned char>(line[bad]), bad);
  }
  if (lines_ == 1) line = without_mark(line);
  if (!is_latin1(line, encoding_)) return line;
  converted_ = latin1_to_utf8(line);
  return converted_;
}

}  // namespace eddy
