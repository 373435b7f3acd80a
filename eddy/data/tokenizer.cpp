// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/tokenizer.h"

#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/ucasemap.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <limits>

#include "eddy/core/error.h"
#include "eddy/data/ascii_words.h"
#include "eddy/data/unicode.h"

namespace eddy {

namespace {

void check_icu(UErrorCode status, std::string_view what) {
  if (U_FAILURE(status)) fail<DataError>("ICU: {} failed: {}", what, u_errorName(status));
}

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// DataError for a text whose buffers ICU, which counts in 32 bits, could not hold.
void require_length(std::string_view text) {
  constexpr auto kLongest = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max() / 4);
  require<DataError>(text.size() <= kLongest, "text of {} bytes is too long to tokenise; expected at most {}",
                     text.size(), kLongest);
}

struct CodePoint {
  UChar32 value = 0;
  std::size_t end = 0;  ///< where the next one begins
};

/// The character of valid UTF-8 that begins at a byte.
CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  auto next = static_cast<std::int32_t>(at);
  UChar32 value = 0;
  U8_NEXT_UNSAFE(bytes, next, value);
  return {value, static_cast<std::size_t>(next)};
}

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// A break iterator over UTF-8 text.
class Segmenter {
 public:
  explicit Segmenter(bool words) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Locale& root = icu::Locale::getRoot();
    breaks_.reset(words ? icu::BreakIterator::createWordInstance(root, status)
                        : icu::BreakIterator::createCharacterInstance(root, status));
    check_icu(status, "making a break iterator");
  }
  ~Segmenter() { utext_close(&text_); }
  Segmenter(const Segmenter&) = delete;
  Segmenter& operator=(const Segmenter&) = delete;

  /// Calls `body(segment)` on each segment of valid UTF-8.
  template <class Body>
  void for_each(std::string_view text, Body&& body) {
    UErrorCode status = U_ZERO_ERROR;
    utext_openUTF8(&text_, text.data(), static_cast<std::int64_t>(text.size()), &status);
    breaks_->setText(&text_, status);
    check_icu(status, "reading text");
    std::int32_t start = breaks_->first();
    for (std::int32_t end = breaks_->next(); end != icu::BreakIterator::DONE; start = end, end = breaks_->next())
      body(text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start)));
  }

 private:
  std::unique_ptr<icu::BreakIterator> breaks_;
  UText text_ = UTEXT_INITIALIZER;
};

struct CloseCaseMap {
  void operator()(UCaseMap* map) const { ucasemap_close(map); }
};

/// The segment from its first character that is neither white space nor control.
std::string_view without_leading_blanks(std::string_view segment) {
  std::size_t at = 0;
  while (at < segment.size()) {
    const auto [code_point, next] = code_point_at(segment, at);
    if (!u_isUWhiteSpace(code_point) && u_charType(code_point) != U_CONTROL_CHAR) break;
    at = next;
  }
  return segment.substr(at);
}

/// Format characters that nobody sees, such as soft hyphens and marks of direction; not those that make other
/// characters of their neighbours (joiners, the tags of flags).
bool is_invisible(UChar32 code_point) {
  return u_charType(code_point) == U_FORMAT_CHAR &&
         u_hasBinaryProperty(code_point, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) &&
         !u_hasBinaryProperty(code_point, UCHAR_JOIN_CONTROL) && (code_point < 0xE0020 || code_point > 0xE007F);
}

/// Appends a character without what nobody sees. White space of all kinds becomes a blank, as ICU takes a narrow one
/// (U+202F, before French marks) for a part of the word; so does the zero-width one that separates words.
void append_visible(std::string_view character, UChar32 code_point, std::string& out) {
  constexpr UChar32 kZeroWidthSpace = 0x200B;
  if (u_isUWhiteSpace(code_point) || code_point == kZeroWidthSpace)
    out += ' ';
  else if (!is_invisible(code_point))
    out += character;
}

/// Calls `body(run)` on each run of letters, numbers, underscores and marks in valid UTF-8. A mark begins no run:
/// alone, as behind an emoji, it is nobody's letter.
template <class Body>
void for_each_alphanumeric(std::string_view text, Body&& body) {
  std::size_t begin = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto [code_point, next] = code_point_at(text, at);
    const std::uint32_t type = U_MASK(u_charType(code_point));
    const bool begins = code_point == '_' || (type & (U_GC_L_MASK | U_GC_N_MASK)) != 0;
    if (!begins && (begin == at || (type & U_GC_M_MASK) == 0)) {
      if (begin < at) body(text.substr(begin, at - begin));
      begin = next;
    }
    at = next;
  }
  if (begin < at) body(text.substr(begin));
}

/// The same for ASCII.
template <class Body>
void for_each_ascii_alphanumeric(std::string_view text, Body&& body) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    while (at < text.size() && is_ascii_alphanumeric(text[at])) ++at;
    if (begin < at) body(text.substr(begin, at - begin));
    ++at;
  }
}

}  // namespace

class Tokenizer::Impl {
 public:
  explicit Impl(const TokenizerOptions& options)
      : options_(options), segmenter_(options.unit == TokenUnit::word), ascii_words_([this](std::string_view text) {
          int segments = 0;
          segmenter_.for_each(text, [&](std::string_view) { ++segments; });
          return segments == 1;
        }) {
    UErrorCode status = U_ZERO_ERROR;
    case_map_.reset(ucasemap_open("", 0, &status));
    check_icu(status, "making a case map");
    composer_ = icu::Normalizer2::getNFCInstance(status);
    check_icu(status, "making a normaliser");
  }

  void run(std::string_view text, RawSink sink, void* context) {
    require_length(text);
    text_start_ = text.data();
    if (options_.unit == TokenUnit::code_point || options_.unit == TokenUnit::grapheme) {
      run_characters(text, sink, context);
    } else {
      run_chunks(text, sink, context);
    }
  }

  const TokenizerOptions& options() const { return options_; }
  std::int64_t invalid_sequences() const { return invalid_sequences_; }

 private:
  /// No token crosses ASCII white space, so each piece between goes the fast way when it is ASCII, else through ICU.
  void run_chunks(std::string_view text, RawSink sink, void* context) {
    std::size_t at = 0;
    while (true) {
      while (at < text.size() && is_ascii_space(text[at])) ++at;
      if (at == text.size()) return;
      const std::size_t start = at;
      unsigned char bits = 0;
      bool upper = false;
      while (at < text.size() && !is_ascii_space(text[at])) {
        bits |= static_cast<unsigned char>(text[at]);
        upper |= text[at] >= 'A' && text[at] <= 'Z';
        ++at;
      }
      std::string_view chunk = text.substr(start, at - start);
      const bool ascii = bits < 0x80;
      if (!ascii) {
        chunk = normalized(chunk);
      } else if (upper && options_.lower_case) {
        lowered_.resize(chunk.size());
        std::transform(chunk.begin(), chunk.end(), lowered_.begin(), ascii_lower);
        chunk = lowered_;
      }
      if (options_.unit == TokenUnit::whitespace) {
        sink(context, chunk);
      } else if (options_.unit == TokenUnit::alphanumeric) {
        const auto give = [&](std::string_view token) { sink(context, token); };
        if (ascii) {
          for_each_ascii_alphanumeric(chunk, give);
        } else {
          for_each_alphanumeric(chunk, give);
        }
      } else if (ascii) {
        for (std::size_t i = 0; i < chunk.size();) {
          const std::size_t end = ascii_words_.segment_end(chunk, i);
          if (!ascii_words_.is_blank(chunk[i])) sink(context, chunk.substr(i, end - i));
          i = end;
        }
      } else {
        segmenter_.for_each(chunk, [&](std::string_view segment) {
          segment = without_leading_blanks(segment);
          if (!segment.empty()) sink(context, segment);
        });
      }
    }
  }

  void run_characters(std::string_view text, RawSink sink, void* context) {
    const bool ascii = is_ascii(text);
    if (!ascii) {
      text = normalized(text);
    } else if (options_.lower_case) {
      lowered_.resize(text.size());
      std::transform(text.begin(), text.end(), lowered_.begin(), ascii_lower);
      text = lowered_;
    }
    if (options_.unit == TokenUnit::grapheme && !ascii) {
      segmenter_.for_each(text, [&](std::string_view segment) { sink(context, segment); });
      return;
    }
    for (std::size_t at = 0; at < text.size();) {
      std::size_t length = 1;
      if (ascii) {
        // CR LF is the one grapheme of two ASCII characters.
        if (options_.unit == TokenUnit::grapheme && text.substr(at, 2) == "\r\n") length = 2;
      } else {
        const auto lead = static_cast<unsigned char>(text[at]);
        length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
      }
      sink(context, text.substr(at, length));
      at += length;
    }
  }

  /// Valid UTF-8 in composed form, lower case when asked for, of words without what nobody sees; a view of the input or
  /// of a buffer.
  std::string_view normalized(std::string_view text) {
    const std::size_t bad = find_invalid_utf8(text);
    if (bad != std::string_view::npos) {
      if (options_.invalid_utf8 == InvalidUtf8::error)
        fail<DataError>("byte 0x{:02x} at offset {} is not UTF-8", static_cast<unsigned char>(text[bad]),
                        text.data() + bad - text_start_);
      repaired_.clear();
      invalid_sequences_ += static_cast<std::int64_t>(append_repaired_utf8(text, repaired_));
      text = repaired_;
      // One byte may have become three.
      require_length(text);
    }
    if (options_.unit == TokenUnit::word || options_.unit == TokenUnit::alphanumeric) text = visible(text);
    return composed(options_.lower_case ? lowered(text) : text);
  }

  std::string_view visible(std::string_view text) {
    visible_.clear();
    for (std::size_t at = 0; at < text.size();) {
      const auto [code_point, next] = code_point_at(text, at);
      append_visible(text.substr(at, next - at), code_point, visible_);
      at = next;
    }
    return visible_;
  }

  std::string_view composed(std::string_view text) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::StringPiece piece(text.data(), static_cast<std::int32_t>(text.size()));
    if (!composer_->isNormalizedUTF8(piece, status)) {
      composed_.clear();
      icu::StringByteSink<std::string> sink(&composed_);
      composer_->normalizeUTF8(0, piece, sink, nullptr, status);
      text = composed_;
    }
    check_icu(status, "composing");
    return text;
  }

  std::string_view lowered(std::string_view text) {
    if (cased_.size() < text.size() + 16) cased_.resize(2 * text.size() + 16);
    while (true) {
      UErrorCode status = U_ZERO_ERROR;
      const std::int32_t length =
          ucasemap_utf8ToLower(case_map_.get(), cased_.data(), static_cast<std::int32_t>(cased_.size()), text.data(),
                               static_cast<std::int32_t>(text.size()), &status);
      if (status == U_BUFFER_OVERFLOW_ERROR) {
        cased_.resize(static_cast<std::size_t>(length) + 1);
        continue;
      }
      check_icu(status, "lower-casing");
      return std::string_view(cased_).substr(0, static_cast<std::size_t>(length));
    }
  }

  TokenizerOptions options_;
  Segmenter segmenter_;
  AsciiWords ascii_words_;
  std::unique_ptr<UCaseMap, CloseCaseMap> case_map_;
  const icu::Normalizer2* composer_ = nullptr;  ///< ICU's own
  std::string repaired_;
  std::string visible_;
  std::string composed_;
  std::string lowered_;
  /// Output of ICU's case map; only grows, so that it is not cleared for every call.
  std::string cased_;
  const char* text_start_ = nullptr;
  std::int64_t invalid_sequences_ = 0;
};

Tokenizer::Tokenizer(const TokenizerOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

void Tokenizer::run(std::string_view text, RawSink sink, void* context) { impl_->run(text, sink, context); }

std::vector<std::string> Tokenizer::tokenize(std::string_view text) {
  std::vector<std::string> tokens;
  for_each(text, [&](std::string_view token) { tokens.emplace_back(token); });
  return tokens;
}

std::int64_t Tokenizer::invalid_sequences() const { return impl_->invalid_sequences(); }
const TokenizerOptions& Tokenizer::options() const { return impl_->options(); }

}  // namespace eddy
