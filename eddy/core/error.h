// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace eddy {

/// Root of every exception eddy throws. The message is one sentence with the values that matter.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A graph cannot be built, differentiated or compiled as asked (shapes, dtypes, missing gradients).
class GraphError : public Error {
 public:
  using Error::Error;
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

/// Throws `E` with a formatted message unless `condition` holds; the message is made only then.
template <class E = Error, class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]]
    throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace eddy
