// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/file_elements.h"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

#include "eddy/core/error.h"

namespace eddy {
namespace {

// Reading straight into tensors assumes that memory is little-endian, as the files are.
static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

struct Half {
  std::uint16_t bits;
};
struct Bfloat16 {
  std::uint16_t bits;
};

float to_float(Bfloat16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. Every value is exact in f32; NaN keeps its payload.
float to_float(Half value) {
  const std::uint32_t sign = (value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1fu;
  const std::uint32_t fraction = value.bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

template <class Stored>
void convert(const std::byte* raw, std::size_t count, std::size_t first, const Tensor& out, std::string_view what) {
  using Value = std::conditional_t<std::integral<Stored>, std::int32_t, float>;
  const std::span<Value> values = out.values<Value>().subspan(first, count);
  for (std::size_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, raw + i * sizeof(Stored), sizeof(Stored));
    if constexpr (std::integral<Stored>) {
      require<DataError>(std::in_range<std::int32_t>(value), "{}: element {} is {}, which does not fit in i32", what,
                         first + i, value);
      values[i] = static_cast<std::int32_t>(value);
    } else if constexpr (std::same_as<Stored, double>) {
      values[i] = static_cast<float>(value);
    } else {
      values[i] = to_float(value);
    }
  }
}

void swap_bytes(std::span<std::byte> bytes, std::size_t size) {
  for (std::size_t i = 0; i < bytes.size(); i += size)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i + size));
}

void convert(FileElement element, const std::byte* raw, std::size_t count, std::size_t first, const Tensor& out,
             std::string_view what) {
  switch (element) {
    case FileElement::i8:
      return convert<std::int8_t>(raw, count, first, out, what);
    case FileElement::u8:
      return convert<std::uint8_t>(raw, count, first, out, what);
    case FileElement::i16:
      return convert<std::int16_t>(raw, count, first, out, what);
    case FileElement::u16:
      return convert<std::uint16_t>(raw, count, first, out, what);
    case FileElement::u32:
      return convert<std::uint32_t>(raw, count, first, out, what);
    case FileElement::i64:
      return convert<std::int64_t>(raw, count, first, out, what);
    case FileElement::u64:
      return convert<std::uint64_t>(raw, count, first, out, what);
    case FileElement::f16:
      return convert<Half>(raw, count, first, out, what);
    case FileElement::bf16:
      return convert<Bfloat16>(raw, count, first, out, what);
    case FileElement::f64:
      return convert<double>(raw, count, first, out, what);
    case FileElement::boolean:
    case FileElement::i32:
    case FileElement::f32:
      return;  // read in place
  }
}

}  // namespace

std::size_t size_of(FileElement element) {
  switch (element) {
    case FileElement::boolean:
    case FileElement::i8:
    case FileElement::u8:
      return 1;
    case FileElement::i16:
    case FileElement::u16:
    case FileElement::f16:
    case FileElement::bf16:
      return 2;
    case FileElement::i32:
    case FileElement::u32:
    case FileElement::f32:
      return 4;
    case FileElement::i64:
    case FileElement::u64:
    case FileElement::f64:
      return 8;
  }
  return 0;
}

DType dtype_of(FileElement element) {
  switch (element) {
    case FileElement::boolean:
      return boolean;
    case FileElement::f16:
    case FileElement::bf16:
    case FileElement::f32:
    case FileElement::f64:
      return f32;
    default:
      return i32;
  }
}

bool is_converted(FileElement element) {
  return element != FileElement::boolean && element != FileElement::i32 && element != FileElement::f32;
}

Shape checked_shape(std::span<const std::uint64_t> dims, std::string_view what) {
  require<DataError>(dims.size() <= Shape::kMaxRank, "{}: has {} axes, but at most {} are supported", what, dims.size(),
                     Shape::kMaxRank);
  std::uint64_t elements = 1;
  std::array<std::int64_t, Shape::kMaxRank> sizes{};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    // Zeros are left out, so that no order of multiplication overflows; 2^48 elements are beyond any memory.
    const bool overflow = dims[i] != 0 && __builtin_mul_overflow(elements, dims[i], &elements);
    require<DataError>(!overflow && elements <= std::uint64_t{1} << 48, "{}: its shape [{}] is too large", what,
                       fmt::join(dims, ","));
    sizes[i] = static_cast<std::int64_t>(dims[i]);
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), dims.size()));
}

void read_elements(const ByteSource& source, FileElement element, bool big_endian, const Tensor& out,
                   std::string_view what) {
  const auto count = static_cast<std::size_t>(out.elements());
  const std::size_t size = size_of(element);
  if (!is_converted(element)) {
    const std::span<std::byte> bytes(static_cast<std::byte*>(out.data()), out.bytes());
    source(bytes);
    if (big_endian) swap_bytes(bytes, size);
    if (element != FileElement::boolean) return;
    const auto bad = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
    if (bad == bytes.end()) return;
    const int found = std::to_integer<int>(*bad);
    const auto position = bad - bytes.begin();
    std::fill(bytes.begin(), bytes.end(), std::byte{0});  // no invalid bool may stay behind
    fail<DataError>("{}: element {} is {}, but a boolean must be 0 or 1", what, position, found);
  }
  std::vector<std::byte> piece(std::min(count * size, kPieceBytes));
  for (std::size_t first = 0; first < count;) {
    const std::size_t now = std::min(count - first, kPieceBytes / size);
    const std::span<std::byte> raw(piece.data(), now * size);
    source(raw);
    if (big_endian) swap_bytes(raw, size);
    convert(element, raw.data(), now, first, out, what);
    first += now;
  }
}

}  // namespace eddy
