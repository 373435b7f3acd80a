// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "eddy/core/source_location.h"

namespace eddy {

/// Root of every exception eddy throws. The message is one sentence with the values that matter. Errors own their
/// texts, so that they may be kept and handed to other threads.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A graph cannot be built, differentiated, compiled or run as asked: shapes, dtypes, missing gradients, a kernel that
/// refuses its data. It reads "[op] sentence  (file:line, scope a/b)", without what is not known.
class GraphError : public Error {
 public:
  explicit GraphError(std::string sentence) : GraphError({}, std::move(sentence), {}) {}
  GraphError(std::string_view op, std::string sentence, Origin origin);

  /// The op or the builder function; empty when the error names none.
  const std::string& op() const { return parts_->op; }
  const std::string& sentence() const { return parts_->sentence; }
  /// The user's line; its file is empty when the error names none.
  const Origin& origin() const { return parts_->origin; }

  /// The same error with this op and this line where it names none of its own.
  GraphError within(std::string_view op, const Origin& origin) const;

 private:
  struct Parts {
    std::string op;
    std::string sentence;
    Origin origin;
  };
  std::shared_ptr<const Parts> parts_;  ///< shared, as copies of an exception must not throw
};

/// A file or data set is malformed; the message names the file and the line or byte.
class DataError : public Error {
 public:
  using Error::Error;
};

/// A flag or argument of a program is wrong.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The machine has no memory for what is asked.
class MemoryError : public Error {
 public:
  using Error::Error;
};

/// Throws `E` with a formatted message.
template <class E = Error, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

/// Throws `E` with a formatted message unless `condition` holds. Give it what is to be printed, not its text: text is
/// then made only for an error.
template <class E = Error, class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace eddy
