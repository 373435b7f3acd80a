// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/random_bits.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/ops/random_bits.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Words = hn::ScalableTag<std::uint32_t>;
using Longs = hn::ScalableTag<std::uint64_t>;
using WordVec = hn::Vec<Words>;
using LongVec = hn::Vec<Longs>;
using Floats = hn::ScalableTag<float>;
using FloatVec = hn::Vec<Floats>;

constexpr std::int64_t kLanes = HWY_LANES(std::uint64_t);
/// Numbers of one call of `blocks`.
constexpr std::int64_t kChunk = 4 * kLanes;

#if HWY_TARGET == HWY_SCALAR
class Blocks {
 public:
  explicit Blocks(const RandomSource& source) : source_(source) {}
  HWY_INLINE void operator()(std::uint32_t index, std::uint32_t* out) const {
    std::ranges::copy(source_.block(index), out);
  }

 private:
  RandomSource source_;
};
#else
HWY_INLINE LongVec word_in_long(std::uint32_t word) { return hn::Set(Longs(), word); }

/// 32 x 32 → 64 bits on the low half of each long.
HWY_INLINE LongVec wide_product(LongVec a, std::uint32_t b) {
  return hn::MulEven(hn::BitCast(Words(), a), hn::Set(Words(), b));
}

/// The high half of each long in the low one; what is above is rubbish.
HWY_INLINE LongVec high_half(LongVec x) { return hn::BitCast(Longs(), hn::Shuffle2301(hn::BitCast(Words(), x))); }

/// Low halves of `even` and of `odd`, side by side.
HWY_INLINE LongVec pair(LongVec even, LongVec odd) {
  return hn::BitCast(Longs(), hn::OddEven(hn::BitCast(Words(), high_half(odd)), hn::BitCast(Words(), even)));
}

/// Block of each lane: such that interleaving neighbouring lanes leaves the numbers in order.
struct BlockOrder {
  alignas(64) std::uint64_t of_lane[kLanes];
  constexpr BlockOrder() : of_lane() {
    for (std::int64_t i = 0; i < kLanes; ++i)
      of_lane[i] = static_cast<std::uint64_t>(i % 2 == 0 ? i / 2 : (kLanes + i) / 2);
  }
};

/// Philox blocks, one per long: words are kept in the low halves, with rubbish above.
class Blocks {
 public:
  explicit Blocks(const RandomSource& source) : source_(source) {
    std::uint32_t k0 = source.seed[0], k1 = source.seed[1];
    for (RoundKey& key : keys_) {
      key = {k0, k1};
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
  }

  /// Blocks index … index + lanes - 1: kChunk numbers.
  HWY_INLINE void operator()(std::uint32_t index, std::uint32_t* out) const {
    static constexpr BlockOrder kOrder;
    LongVec c0 = hn::Add(hn::Load(Longs(), kOrder.of_lane), word_in_long(index));
    LongVec c1 = word_in_long(source_.stream);
    LongVec c2 = word_in_long(source_.step[0]);
    LongVec c3 = word_in_long(source_.step[1]);
    for (const RoundKey& key : keys_) {
      const LongVec a = wide_product(c0, 0xD2511F53u);
      const LongVec b = wide_product(c2, 0xCD9E8D57u);
      c0 = hn::Xor(hn::Xor(high_half(b), c1), hn::Set(Longs(), key.k0));
      c2 = hn::Xor(hn::Xor(high_half(a), c3), hn::Set(Longs(), key.k1));
      c1 = b;
      c3 = a;
    }
    const LongVec first = pair(c0, c1), second = pair(c2, c3);
    hn::Store(hn::BitCast(Words(), hn::InterleaveLower(Longs(), first, second)), Words(), out);
    hn::Store(hn::BitCast(Words(), hn::InterleaveUpper(Longs(), first, second)), Words(), out + kChunk / 2);
  }

 private:
  /// Longs, which a vector is filled with in passing.
  struct RoundKey {
    std::uint64_t k0, k1;
  };
  RandomSource source_;
  std::array<RoundKey, 10> keys_;
};
#endif

/// Where numbers go: to `out`.
struct Plain {
  float* out;
  HWY_INLINE void vector(FloatVec x, std::int64_t at) const { hn::StoreU(x, Floats(), out + at); }
  void few(const float* x, std::int64_t at, std::int64_t n) const { std::copy_n(x, n, out + at); }
};

/// To `out` times `by`.
struct Times {
  const float* by;
  float* out;
  HWY_INLINE void vector(FloatVec x, std::int64_t at) const {
    hn::StoreU(hn::Mul(hn::LoadU(Floats(), by + at), x), Floats(), out + at);
  }
  void few(const float* x, std::int64_t at, std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) out[at + i] = by[at + i] * x[i];
  }
};

/// Turns words into floats with `convert`, which takes a vector of words, and gives them to `put`.
template <class Convert, class Put>
HWY_INLINE void generate(const Convert& convert, const RandomSource& source, std::int64_t first, const Put& put,
                         std::int64_t n) {
  constexpr std::int64_t kWords = HWY_LANES(std::uint32_t);
  const Blocks blocks(source);
  alignas(64) std::uint32_t words[kChunk];
  for (std::int64_t done = 0; done < n;) {
    const std::int64_t offset = (first + done) % 4;
    blocks(static_cast<std::uint32_t>((first + done) / 4), words);
    const std::int64_t count = std::min(n - done, kChunk - offset);
    if (count == kChunk) {
      for (std::int64_t i = 0; i < kChunk; i += kWords) put.vector(convert(hn::Load(Words(), words + i)), done + i);
    } else {
      alignas(64) float values[kChunk];
      for (std::int64_t i = 0; i < kChunk; i += kWords)
        hn::Store(convert(hn::Load(Words(), words + i)), Floats(), values + i);
      put.few(values + offset, done, count);
    }
    done += count;
  }
}

// Functors, not lambdas: under clang a lambda does not inherit the target's instructions.
struct Multiplier {
  DropoutRate rate;
  HWY_INLINE FloatVec operator()(WordVec words) const {
    // Comparison is signed: flip the sign bits of both sides.
    const hn::ScalableTag<std::int32_t> ints;
    const Floats floats;
    const auto flipped = hn::BitCast(ints, hn::Xor(words, hn::Set(Words(), 0x80000000u)));
    const auto drop = hn::Lt(flipped, hn::Set(ints, static_cast<std::int32_t>(rate.threshold ^ 0x80000000u)));
    return hn::IfThenZeroElse(hn::RebindMask(floats, drop), hn::Set(floats, rate.kept));
  }
};

struct RangeFloat {
  float low, scale, largest;
  HWY_INLINE FloatVec operator()(WordVec words) const {
    const hn::ScalableTag<std::int32_t> ints;
    const Floats floats;
    const auto whole = hn::ConvertTo(floats, hn::BitCast(ints, hn::ShiftRight<8>(words)));
    const auto unit = hn::Mul(whole, hn::Set(floats, 0x1p-24f));
    const auto sum = hn::Add(hn::Mul(unit, hn::Set(floats, scale)), hn::Set(floats, low));
    return hn::Min(sum, hn::Set(floats, largest));
  }
};

void multipliers(const RandomSource& source, std::int64_t first, const DropoutRate& rate, float* out, std::int64_t n) {
  generate(Multiplier{rate}, source, first, Plain{out}, n);
}

void drop(const RandomSource& source, std::int64_t first, const DropoutRate& rate, const float* x, float* out,
          std::int64_t n) {
  generate(Multiplier{rate}, source, first, Times{x, out}, n);
}

void floats(const RandomSource& source, std::int64_t first, float low, float high, float* out, std::int64_t n) {
  // The sum may be rounded up to `high`.
  generate(RangeFloat{low, high - low, std::nextafter(high, low)}, source, first, Plain{out}, n);
}

}  // namespace
}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(multipliers);
HWY_EXPORT(drop);
HWY_EXPORT(floats);

void random_multipliers(const RandomSource& source, std::int64_t first, const DropoutRate& rate, float* out,
                        std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(multipliers)(source, first, rate, out, n);
}

void random_drop(const RandomSource& source, std::int64_t first, const DropoutRate& rate, const float* x, float* out,
                 std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(drop)(source, first, rate, x, out, n);
}

void random_floats(const RandomSource& source, std::int64_t first, float low, float high, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(floats)(source, first, low, high, out, n);
}

}  // namespace eddy
#endif
