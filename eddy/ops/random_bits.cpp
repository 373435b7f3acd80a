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

constexpr std::int64_t kLanes = HWY_LANES(std::uint64_t);
/// Numbers of one call of `blocks`.
constexpr std::int64_t kChunk = 4 * kLanes;

HWY_INLINE LongVec word_in_long(std::uint32_t word) { return hn::Set(Longs(), word); }

HWY_INLINE LongVec low_half(LongVec x) { return hn::And(x, hn::Set(Longs(), 0xFFFFFFFFu)); }

/// 32 x 32 → 64 bits on the low half of each long.
HWY_INLINE LongVec wide_product(LongVec a, std::uint32_t b) {
  return hn::MulEven(hn::BitCast(Words(), a), hn::Set(Words(), b));
}

/// Philox blocks index … index + lanes - 1, one per long: words are kept in the low halves, with rubbish above.
HWY_INLINE void blocks(const RandomSource& source, std::uint32_t index, std::uint32_t* out) {
  LongVec c0 = hn::Add(hn::Iota(Longs(), 0), word_in_long(index));
  LongVec c1 = word_in_long(source.stream);
  LongVec c2 = word_in_long(source.step[0]);
  LongVec c3 = word_in_long(source.step[1]);
  std::uint32_t k0 = source.seed[0];
  std::uint32_t k1 = source.seed[1];
  for (int round = 0; round < 10; ++round) {
    const LongVec a = wide_product(c0, 0xD2511F53u);
    const LongVec b = wide_product(c2, 0xCD9E8D57u);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(b), c1), word_in_long(k0));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(a), c3), word_in_long(k1));
    c1 = b;
    c3 = a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  // Pairs of words of a block, then the pairs of even and odd blocks side by side.
  const LongVec first = hn::Or(low_half(c0), hn::ShiftLeft<32>(c1));
  const LongVec second = hn::Or(low_half(c2), hn::ShiftLeft<32>(c3));
  alignas(64) std::uint64_t pairs[2 * kLanes];
  hn::Store(first, Longs(), pairs);
  hn::Store(second, Longs(), pairs + kLanes);
  for (std::int64_t lane = 0; lane < kLanes; ++lane) {
    out[4 * lane] = static_cast<std::uint32_t>(pairs[lane]);
    out[4 * lane + 1] = static_cast<std::uint32_t>(pairs[lane] >> 32);
    out[4 * lane + 2] = static_cast<std::uint32_t>(pairs[kLanes + lane]);
    out[4 * lane + 3] = static_cast<std::uint32_t>(pairs[kLanes + lane] >> 32);
  }
}

/// Turns words into floats with `convert`, which takes a vector of words.
template <class Convert>
HWY_INLINE void generate(const Convert& convert, const RandomSource& source, std::int64_t first, float* out,
                         std::int64_t n) {
  const hn::ScalableTag<float> floats;
  constexpr std::int64_t kWords = HWY_LANES(std::uint32_t);
  alignas(64) std::uint32_t words[kChunk];
  alignas(64) float values[kChunk];
  for (std::int64_t done = 0; done < n;) {
    const std::int64_t offset = (first + done) % 4;
    blocks(source, static_cast<std::uint32_t>((first + done) / 4), words);
    for (std::int64_t i = 0; i < kChunk; i += kWords)
      hn::Store(convert(hn::Load(Words(), words + i)), floats, values + i);
    const std::int64_t count = std::min(n - done, kChunk - offset);
    std::copy_n(values + offset, count, out + done);
    done += count;
  }
}

// Functors, not lambdas: under clang a lambda does not inherit the target's instructions.
struct Multiplier {
  std::uint32_t threshold;
  float kept;
  HWY_INLINE hn::Vec<hn::ScalableTag<float>> operator()(WordVec words) const {
    // Comparison is signed: flip the sign bits of both sides.
    const hn::ScalableTag<std::int32_t> ints;
    const hn::ScalableTag<float> floats;
    const auto flipped = hn::BitCast(ints, hn::Xor(words, hn::Set(Words(), 0x80000000u)));
    const auto drop = hn::Lt(flipped, hn::Set(ints, static_cast<std::int32_t>(threshold ^ 0x80000000u)));
    return hn::IfThenZeroElse(hn::RebindMask(floats, drop), hn::Set(floats, kept));
  }
};

struct UnitFloat {
  float low, scale;
  HWY_INLINE hn::Vec<hn::ScalableTag<float>> operator()(WordVec words) const {
    const hn::ScalableTag<std::int32_t> ints;
    const hn::ScalableTag<float> floats;
    const auto whole = hn::ConvertTo(floats, hn::BitCast(ints, hn::ShiftRight<8>(words)));
    const auto unit = hn::Mul(whole, hn::Set(floats, 0x1p-24f));
    return hn::Add(hn::Mul(unit, hn::Set(floats, scale)), hn::Set(floats, low));
  }
};

void multipliers(const RandomSource& source, std::int64_t first, std::uint32_t threshold, float kept, float* out,
                 std::int64_t n) {
  generate(Multiplier{threshold, kept}, source, first, out, n);
}

void unit_floats(const RandomSource& source, std::int64_t first, float low, float scale, float* out, std::int64_t n) {
  generate(UnitFloat{low, scale}, source, first, out, n);
}

}  // namespace
}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(multipliers);
HWY_EXPORT(unit_floats);

void random_multipliers(const RandomSource& source, std::int64_t first, std::uint32_t threshold, float kept, float* out,
                        std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(multipliers)(source, first, threshold, kept, out, n);
}

void random_floats(const RandomSource& source, std::int64_t first, float low, float scale, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(unit_floats)(source, first, low, scale, out, n);
}

}  // namespace eddy
#endif
