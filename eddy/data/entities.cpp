// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/entities.h"

#include <unicode/utf8.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace eddy {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kNamed = {
    {{"quot", '"'}, {"apos", '\''}, {"amp", '&'}, {"lt", '<'}, {"gt", '>'}}};
/// Longer than any entity here, "&#x10FFFF;".
constexpr std::size_t kLongest = 10;

std::optional<std::uint32_t> code_point_of(std::string_view name) {
  for (const auto& [known, character] : kNamed)
    if (name == known) return static_cast<std::uint32_t>(character);
  if (!name.starts_with('#')) return std::nullopt;
  name.remove_prefix(1);
  const bool is_hex = name.starts_with('x') || name.starts_with('X');
  if (is_hex) name.remove_prefix(1);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, is_hex ? 16 : 10);
  const bool is_character = number > 0 && number <= 0x10FFFF && (number < 0xD800 || number > 0xDFFF);
  if (error != std::errc() || end != name.data() + name.size() || !is_character) return std::nullopt;
  return number;
}

}  // namespace

std::string decode_entities(std::string_view text) {
  std::string result;
  std::size_t copied = 0;
  for (std::size_t at = text.find('&'); at != std::string_view::npos; at = text.find('&', at + 1)) {
    const std::size_t end = text.substr(at, kLongest).find(';');
    if (end == std::string_view::npos) continue;
    const std::optional<std::uint32_t> code_point = code_point_of(text.substr(at + 1, end - 1));
    if (!code_point) continue;
    result += text.substr(copied, at - copied);
    std::array<char, U8_MAX_LENGTH> bytes{};
    int length = 0;
    U8_APPEND_UNSAFE(bytes.data(), length, *code_point);
    result.append(bytes.data(), static_cast<std::size_t>(length));
    copied = at + end + 1;
    at += end;
  }
  return result += text.substr(copied);
}

}  // namespace eddy
