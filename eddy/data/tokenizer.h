// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace eddy {

/// What a token is. `word`: segments of Unicode UAX #29 (words, numbers and punctuation marks; no white space, and no
/// format characters that nobody sees, such as soft hyphens).
/// `alphanumeric`: runs of letters, digits (numbers of all kinds) and underscores, with the marks upon them; all else
/// only separates, as where a program splits at the regular expression \W+. `whitespace`: what stands between ASCII
/// white space, for text that is tokenised already. `code_point` and `grapheme` (a user-perceived character): every
/// character, white space too.
enum class TokenUnit { word, alphanumeric, whitespace, code_point, grapheme };

/// Ill-formed UTF-8: each sequence becomes U+FFFD and is counted, or the text is refused.
enum class InvalidUtf8 { replace, error };

struct TokenizerOptions {
  TokenUnit unit = TokenUnit::word;
  bool lower_case = true;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::replace;
};

/// Cuts UTF-8 text, which is brought into Unicode's composed form (NFC) first, into tokens by ICU's root-locale rules.
/// Keeps its buffers between calls, so one tokenizer serves one thread; make another for another thread.
class Tokenizer {
 public:
  explicit Tokenizer(const TokenizerOptions& options = {});
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Calls `sink(std::string_view token)` on each token; the view lives until `sink` returns.
  /// Throws DataError with the byte offset for ill-formed UTF-8 when InvalidUtf8::error.
  template <class Sink>
  void for_each(std::string_view text, Sink&& sink) {
    using Callable = std::remove_reference_t<Sink>;
    run(
        text, [](void* context, std::string_view token) { (*static_cast<Callable*>(context))(token); },
        const_cast<void*>(static_cast<const void*>(&sink)));
  }

  std::vector<std::string> tokenize(std::string_view text);

  /// Ill-formed sequences replaced so far.
  std::int64_t invalid_sequences() const;
  const TokenizerOptions& options() const;

 private:
  using RawSink = void (*)(void* context, std::string_view token);
  void run(std::string_view text, RawSink sink, void* context);

  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eddy
