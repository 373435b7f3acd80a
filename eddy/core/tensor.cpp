// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/tensor.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "eddy/core/rounding.h"

namespace eddy {

std::shared_ptr<std::byte> allocate_uninitialised(std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  const bool large = bytes >= kLargePage;
  // Never empty, so that a tensor of no elements still has a valid address. What is left beyond the last large page
  // takes small ones.
  const std::size_t rounded = round_up(std::max<std::size_t>(bytes, 1), kAlignment);
  void* memory = nullptr;
  const bool found = posix_memalign(&memory, large ? kLargePage : kAlignment, rounded) == 0;
  require<MemoryError>(found, "there is no memory for {} bytes", bytes);
  // Large pages spare products most address-translation misses; a refusal is harmless.
  if (large) madvise(memory, rounded / kLargePage * kLargePage, MADV_HUGEPAGE);
  return {static_cast<std::byte*>(memory), [](std::byte* p) { std::free(p); }};
}

std::shared_ptr<std::byte> allocate_aligned(std::size_t bytes) {
  std::shared_ptr<std::byte> memory = allocate_uninitialised(bytes);
  std::memset(memory.get(), 0, bytes);
  return memory;
}

Tensor::Tensor(TensorType type) : type_(type), data_(allocate_aligned(type.bytes())) {}

Tensor Tensor::view(TensorType type, void* data) {
  Tensor result;
  result.type_ = type;
  result.data_ = std::shared_ptr<std::byte>(std::shared_ptr<void>(), static_cast<std::byte*>(data));
  return result;
}

Tensor Tensor::scalar(float value) { return from(std::span<const float>(&value, 1), Shape{}); }
Tensor Tensor::scalar(std::int32_t value) { return from(std::span<const std::int32_t>(&value, 1), Shape{}); }

float Tensor::item() const {
  require<GraphError>(data_ && elements() == 1, "item() needs a tensor of one element, not {}", type_);
  switch (type_.dtype) {
    case DType::f32:
      return values<float>()[0];
    case DType::i32:
      return static_cast<float>(values<std::int32_t>()[0]);
    case DType::boolean:
      return values<bool>()[0] ? 1.0f : 0.0f;
  }
  return 0.0f;
}

Tensor Tensor::clone() const {
  Tensor result(type_);
  result.copy_from(*this);
  return result;
}

Tensor Tensor::view_at(std::size_t offset, const TensorType& type) const {
  require<GraphError>(offset <= bytes() && type.bytes() <= bytes() - offset, "a view {} at byte {} leaves {}", type,
                      offset, type_);
  require<GraphError>(offset % size_of(type.dtype) == 0, "a view {} cannot begin at byte {}, within an element", type,
                      offset);
  Tensor result;
  result.type_ = type;
  result.data_ = std::shared_ptr<std::byte>(data_, data_.get() + offset);
  return result;
}

void Tensor::copy_from(const Tensor& source) const {
  require<GraphError>(source.type() == type_, "cannot copy {} into {}", source.type(), type_);
  if (bytes() == 0) return;
  require<GraphError>(source && *this, "cannot copy an empty tensor, nor into one");
  std::memcpy(data(), source.data(), bytes());
}

}  // namespace eddy
