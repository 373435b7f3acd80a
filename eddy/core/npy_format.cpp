// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/npy_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "eddy/core/error.h"

namespace eddy {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

/// A parser of the one Python literal a header holds: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class LiteralParser {
 public:
  LiteralParser(std::string_view bytes, std::size_t begin, std::string_view file)
      : text_(bytes), position_(begin), file_(file) {}

  bool take(char c) {
    skip_blanks();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) bad(fmt::format("'{}'", c));
  }

  std::string_view quoted() {
    skip_blanks();
    const char quote = position_ < text_.size() ? text_[position_] : '\0';
    if (quote != '\'' && quote != '"') bad("a quoted text");
    const std::size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) bad("a closing quote");
    const std::string_view result = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return result;
  }

  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(position_).starts_with(word)) {
        position_ += word.size();
        return value;
      }
    }
    bad("True or False");
  }

  std::vector<std::uint64_t> tuple() {
    std::vector<std::uint64_t> result;
    expect('(');
    while (!take(')')) {
      skip_blanks();
      std::uint64_t value = 0;
      const char* begin = text_.data() + position_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
      if (error != std::errc()) bad("a size of the shape");
      position_ += static_cast<std::size_t>(end - begin);
      take('L');  // Python 2 wrote long integers so
      result.push_back(value);
      if (take(',')) continue;
      // Without a comma "(3)" is a number, not a tuple.
      if (result.size() == 1) bad("','");
      expect(')');
      break;
    }
    return result;
  }

  void expect_end() {
    skip_blanks();
    if (position_ != text_.size()) bad("nothing more");
  }

  [[noreturn]] void bad(std::string_view expected) const {
    fail<DataError>("{}: byte {}: {} is expected in the array's header", file_, position_, expected);
  }

 private:
  void skip_blanks() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }

  std::string_view text_;
  std::size_t position_;
  std::string_view file_;
};

struct NamedElement {
  std::string_view name;
  FileElement element;
};
constexpr std::array<NamedElement, 12> kElements{{{"b1", FileElement::boolean},
                                                  {"i1", FileElement::i8},
                                                  {"u1", FileElement::u8},
                                                  {"i2", FileElement::i16},
                                                  {"u2", FileElement::u16},
                                                  {"i4", FileElement::i32},
                                                  {"u4", FileElement::u32},
                                                  {"i8", FileElement::i64},
                                                  {"u8", FileElement::u64},
                                                  {"f2", FileElement::f16},
                                                  {"f4", FileElement::f32},
                                                  {"f8", FileElement::f64}}};

void parse_descr(std::string_view descr, NpyHeader& header, std::string_view file) {
  const bool order_known = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  const std::string_view name = order_known ? descr.substr(1) : "";
  const auto* found =
      std::find_if(kElements.begin(), kElements.end(), [&](const NamedElement& e) { return e.name == name; });
  require<DataError>(found != kElements.end(),
                     "{}: holds elements of type '{}', but only booleans, integers and floating point are read", file,
                     descr.substr(0, 80));
  header.element = found->element;
  header.big_endian = descr[0] == '>';
}

std::string_view descr_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::i32:
      return "<i4";
    case DType::boolean:
      return "|b1";
  }
  return "?";
}

/// The same array with the last axis running fastest.
Tensor to_row_major(const Tensor& columns) {
  Tensor result(columns.type());
  const Shape& shape = columns.shape();
  const std::size_t size = size_of(columns.dtype());
  std::array<std::int64_t, Shape::kMaxRank> index{};
  const auto* from = static_cast<const std::byte*>(columns.data());
  auto* to = static_cast<std::byte*>(result.data());
  for (std::int64_t i = 0, count = columns.elements(); i < count; ++i) {
    std::int64_t row_major = 0;
    for (int axis = 0; axis < shape.rank(); ++axis)
      row_major = row_major * shape[axis] + index[static_cast<std::size_t>(axis)];
    std::memcpy(to + static_cast<std::size_t>(row_major) * size, from + static_cast<std::size_t>(i) * size, size);
    for (int axis = 0; axis < shape.rank() && ++index[static_cast<std::size_t>(axis)] == shape[axis]; ++axis)
      index[static_cast<std::size_t>(axis)] = 0;
  }
  return result;
}

}  // namespace

std::size_t npy_header_length(std::string_view prefix, std::string_view file) {
  require<DataError>(prefix.size() >= 10 && prefix.starts_with(kMagic),
                     "{}: byte 0: is no .npy array, which begins with \\x93NUMPY and its version", file);
  const std::uint32_t version = byte_at(prefix, 6);
  require<DataError>(version >= 1 && version <= 3, "{}: byte 6: has .npy version {}, but 1 to 3 are known", file,
                     version);
  std::size_t length = byte_at(prefix, 8) | byte_at(prefix, 9) << 8;
  if (version == 1) return 10 + length;
  require<DataError>(prefix.size() >= kNpyPrefix, "{}: ends within the length of the array's header", file);
  length |= static_cast<std::size_t>(byte_at(prefix, 10)) << 16 | static_cast<std::size_t>(byte_at(prefix, 11)) << 24;
  require<DataError>(length <= kNpyLargestHeader,
                     "{}: byte 8: the array's header takes {} bytes, but at most {} is sane", file, length,
                     kNpyLargestHeader);
  return 12 + length;
}

NpyHeader parse_npy_header(std::string_view bytes, std::string_view file) {
  NpyHeader header;
  std::optional<std::vector<std::uint64_t>> shape;
  bool has_descr = false;
  bool has_order = false;
  LiteralParser parser(bytes, byte_at(bytes, 6) == 1 ? 10 : 12, file);
  parser.expect('{');
  while (!parser.take('}')) {
    const std::string_view key = parser.quoted();
    parser.expect(':');
    if (key == "descr" && !has_descr) {
      if (parser.take('[')) fail<DataError>("{}: holds records, but only plain arrays are read", file);
      parse_descr(parser.quoted(), header, file);
      has_descr = true;
    } else if (key == "fortran_order" && !has_order) {
      header.column_major = parser.boolean();
      has_order = true;
    } else if (key == "shape" && !shape) {
      shape = parser.tuple();
    } else {
      parser.bad("one each of 'descr', 'fortran_order' and 'shape'");
    }
    if (!parser.take(',')) {
      parser.expect('}');
      break;
    }
  }
  parser.expect_end();
  if (!has_descr || !has_order || !shape) parser.bad("one each of 'descr', 'fortran_order' and 'shape'");
  header.shape = checked_shape(*shape, file);
  header.data_offset = bytes.size();
  header.data_bytes = static_cast<std::uint64_t>(header.shape.elements()) * size_of(header.element);
  return header;
}

std::string make_npy_header(const TensorType& type) {
  std::string sizes;
  for (const std::int64_t size : type.shape) sizes += fmt::format("{}, ", size);
  if (type.shape.rank() > 1) sizes.resize(sizes.size() - 2);
  if (type.shape.rank() == 1) sizes.pop_back();
  std::string literal =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr_of(type.dtype), sizes);
  literal.append(63 - (10 + literal.size()) % 64, ' ');
  literal += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00', static_cast<char>(literal.size() & 0xff), static_cast<char>(literal.size() >> 8)};
  return header + literal;
}

Tensor read_npy_elements(const NpyHeader& header, const ByteSource& source, std::string_view file) {
  Tensor value(dtype_of(header.element), header.shape);
  read_elements(source, header.element, header.big_endian, value, file);
  return header.column_major && header.shape.rank() > 1 ? to_row_major(value) : value;
}

}  // namespace eddy
