// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/experiments/json_error.h"

/// Structs to JSON and back from one list of members: a struct has `visit_members(value, visitor)`, which calls
/// `visitor(key, member)` for each. An enumeration has names in EnumNames. Internal to the experiments room. No state
/// beyond the objects, each for one thread.
namespace eddy {

template <class E>
struct EnumNames;

/// JSON writes null for a number that is not finite.
inline double number_or_nan(const nlohmann::ordered_json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

/// Writes members into an object, in order.
class JsonWriter {
 public:
  template <class T>
  void operator()(std::string_view key, const T& member) {
    object_[std::string(key)] = to_value(member);
  }
  nlohmann::ordered_json take() { return std::move(object_); }

 private:
  template <class T>
  static nlohmann::ordered_json to_value(const T& member) {
    if constexpr (std::is_enum_v<T>) {
      for (const auto& entry : EnumNames<T>::list)
        if (entry.value == member) return std::string(entry.name);
      return nullptr;
    } else if constexpr (std::same_as<T, float>) {
      // The shortest decimal that reads back as this float: 0.1, not 0.10000000149011612.
      const std::string digits = fmt::format("{}", member);
      double value = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), value);
      return value;
    } else if constexpr (std::same_as<T, std::vector<std::pair<std::string, double>>>) {
      nlohmann::ordered_json pairs = nlohmann::ordered_json::object();
      for (const auto& [name, value] : member) pairs[name] = value;
      return pairs;
    } else if constexpr (requires(JsonWriter & visitor) { visit_members(member, visitor); }) {
      JsonWriter inner;
      visit_members(member, inner);
      return inner.take();
    } else if constexpr (requires(JsonWriter & visitor) { visit_members(member.front(), visitor); }) {
      nlohmann::ordered_json list = nlohmann::ordered_json::array();
      for (const auto& item : member) list.push_back(to_value(item));
      return list;
    } else {
      return member;
    }
  }

  nlohmann::ordered_json object_ = nlohmann::ordered_json::object();
};

/// Reads members from an object; keys it was not asked for are errors in finish(). All errors are DataError.
class JsonReader {
 public:
  /// `where` begins every message, such as "model.safetensors: config".
  JsonReader(nlohmann::ordered_json value, std::string where, std::string path = {})
      : object_(std::move(value)), where_(std::move(where)), path_(std::move(path)) {
    require<DataError>(object_.is_object(), "{}: {} is {}, expected an object", where_,
                       path_.empty() ? std::string("the JSON") : fmt::format("\"{}\"", path_), object_.type_name());
  }

  template <class T>
  void operator()(std::string_view key, T& member) {
    known_.append(known_.empty() ? "" : ", ").append(key);
    const auto found = object_.find(std::string(key));
    if (found == object_.end()) return;
    read(*found, full_name(key), member);
    object_.erase(found);
  }

  void finish() const {
    if (!object_.empty())
      fail<DataError>("{}: unknown key \"{}\", expected one of {}", where_,
                      full_name(std::string_view(object_.begin().key())), known_);
  }

 private:
  using Json = nlohmann::ordered_json;

  std::string full_name(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }
  [[noreturn]] void wrong(const Json& value, const std::string& name, std::string_view expected) const {
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > 60) text = text.substr(0, 60) + "…";
    fail<DataError>("{}: \"{}\" is {}, expected {}", where_, name, text, expected);
  }

  template <class T>
  void read(const Json& value, const std::string& name, T& member) const {
    if constexpr (std::same_as<T, bool>) {
      if (!value.is_boolean()) wrong(value, name, "true or false");
      member = value.get<bool>();
    } else if constexpr (std::integral<T>) {
      read_integer(value, name, member);
    } else if constexpr (std::floating_point<T>) {
      if (!value.is_number() || !std::isfinite(static_cast<T>(value.get<double>()))) wrong(value, name, "a number");
      member = static_cast<T>(value.get<double>());
    } else if constexpr (std::same_as<T, std::string>) {
      if (!value.is_string()) wrong(value, name, "a text");
      member = value.get<std::string>();
    } else if constexpr (std::is_enum_v<T>) {
      read_enum(value, name, member);
    } else if constexpr (std::same_as<T, std::vector<std::pair<std::string, double>>>) {
      if (!value.is_object()) wrong(value, name, "an object of names and numbers");
      member.clear();
      for (const auto& [key, item] : value.items()) read(item, name + "." + key, member.emplace_back(key, 0).second);
    } else if constexpr (requires(JsonReader & visitor) { visit_members(member, visitor); }) {
      JsonReader inner(value, where_, name);
      visit_members(member, inner);
      inner.finish();
    } else {
      if (!value.is_array()) wrong(value, name, "a list");
      member.clear();
      for (std::size_t i = 0; i < value.size(); ++i)
        read(value[i], fmt::format("{}[{}]", name, i), member.emplace_back());
    }
  }

  template <std::integral T>
  void read_integer(const Json& value, const std::string& name, T& member) const {
    const auto expected = [] {
      return fmt::format("a whole number from {} to {}", std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    };
    const bool fits = value.is_number_unsigned()
                          ? std::in_range<T>(value.get<std::uint64_t>())
                          : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
    if (!fits) wrong(value, name, expected());
    member = static_cast<T>(value.is_number_unsigned() ? value.get<std::uint64_t>()
                                                       : static_cast<std::uint64_t>(value.get<std::int64_t>()));
  }

  template <class E>
  void read_enum(const Json& value, const std::string& name, E& member) const {
    std::string known;
    for (const auto& entry : EnumNames<E>::list) {
      if (value.is_string() && value.get<std::string>() == entry.name) {
        member = entry.value;
        return;
      }
      known.append(known.empty() ? "one of " : ", ").append(entry.name);
    }
    wrong(value, name, known);
  }

  Json object_;
  std::string where_, path_;
  std::string known_;  ///< keys that were asked for
};

template <class T>
std::string to_json_text(const T& value, int indent = -1) {
  JsonWriter writer;
  visit_members(value, writer);
  return writer.take().dump(indent);
}

/// DataError, which begins with `where`, for what is no JSON and for a key that an object has twice: which of its
/// values is meant?
nlohmann::ordered_json parse_strictly(std::string_view text, std::string_view where);

/// Members that the text does not have keep the value they have in `value`.
template <class T>
void from_json_text(std::string_view text, std::string_view where, T& value) {
  JsonReader reader(parse_strictly(text, where), std::string(where));
  visit_members(value, reader);
  reader.finish();
}

}  // namespace eddy
