// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/rnn_steps.h"

#include "eddy/core/rounding.h"
#include "eddy/core/simd_targets.h"
#include "eddy/core/tile_product.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/rnn_steps.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/gemm_kernel-inl.h"
// clang-format on

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

/// Deeper products are done in passes, so that the panel in use stays in the second-level cache.
constexpr std::int64_t kDepthBlock = 1024;

/// Up to kLanes neighbouring units of a row: whole vectors, or a masked end.
struct Lanes {
  int count;
  hn::Mask<Floats> mask;
  explicit HWY_INLINE Lanes(std::int64_t left)
      : count(static_cast<int>(std::min<std::int64_t>(left, kLanes))),
        mask(hn::FirstN(Floats(), static_cast<std::size_t>(count))) {}
  HWY_INLINE FloatVec load(const float* from) const {
    return count == kLanes ? hn::LoadU(Floats(), from) : hn::MaskedLoad(mask, Floats(), from);
  }
  HWY_INLINE FloatVec load_or_zero(const float* from, std::int64_t at) const {
    return from == nullptr ? hn::Zero(Floats()) : load(from + at);
  }
  HWY_INLINE void store(FloatVec x, float* to) const {
    if (count == kLanes) {
      hn::StoreU(x, Floats(), to);
    } else {
      hn::BlendedStore(x, mask, Floats(), to);
    }
  }
};

HWY_INLINE FloatVec gate(bool hard, FloatVec x) { return hard ? hard_sigmoid_full(x) : sigmoid_gate(x); }

/// dy times the derivative of a gate with output y.
HWY_INLINE FloatVec gate_gradient(bool hard, FloatVec dy, FloatVec y) {
  const FloatVec one = splat(1.0F), zero = hn::Zero(Floats());
  if (hard) return hn::IfThenElseZero(hn::And(hn::Gt(y, zero), hn::Lt(y, one)), hn::Mul(dy, splat(0.2F)));
  return hn::Mul(dy, hn::Mul(y, hn::Sub(one, y)));
}

HWY_INLINE FloatVec tanh_gradient(FloatVec dy, FloatVec y) { return hn::Mul(dy, hn::NegMulAdd(y, y, splat(1.0F))); }

// --- products -------------------------------------------------------------------------------------------------------

/// The panels of `width` units of a range in their order.
class PanelOrder {
 public:
  PanelOrder(UnitRange units, std::int64_t width)
      : units_(units), width_(width), count_((units.end - units.begin + width - 1) / width) {}
  std::int64_t count() const { return count_; }
  /// The first unit of the panel that is `index`-th in turn; the one after the last is the last, where the next step
  /// turns.
  std::int64_t unit(std::int64_t index) const {
    index = std::min(index, count_ - 1);
    return units_.begin + width_ * (units_.descending ? count_ - 1 - index : index);
  }

 private:
  UnitRange units_;
  std::int64_t width_, count_;
};

template <int kRows, int kVecs>
HWY_INLINE void product_part(std::int64_t depth, const float* const* rows, const float* panel, int panel_vecs,
                             Ahead ahead, float* out) {
  FloatVec acc[kRows][kVecs];
  clear_tile<kRows, kVecs>(acc);
  multiply_rows<kRows, kVecs>(depth, rows, panel, static_cast<std::ptrdiff_t>(panel_vecs) * kLanes, ahead, acc);
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r) {
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) hn::StoreU(acc[r][v], Floats(), out + (r * panel_vecs + v) * kLanes);
  }
}

/// out[r][gate][lane] = sum_k rows[r][k] * panel[k][gate][lane]
template <int kRows, int kGates>
HWY_NOINLINE void gate_product_rows(std::int64_t depth, const float* const* rows, const float* panel, Ahead ahead,
                                    float* out) {
  if constexpr (kGates <= kTileVecs) {
    product_part<kRows, kGates>(depth, rows, panel, kGates, ahead, out);
  } else {
    product_part<kRows, kTileVecs>(depth, rows, panel, kGates, ahead, out);
    product_part<kRows, kGates - kTileVecs>(depth, rows, panel + kTileVecs * kLanes, kGates, ahead,
                                            out + kTileVecs * kLanes);
  }
}

template <int kGates>
void gate_product(std::int64_t count, std::int64_t depth, const float* const* rows, const float* panel, Ahead ahead,
                  float* out) {
  switch (count) {
    case 1:
      return gate_product_rows<1, kGates>(depth, rows, panel, ahead, out);
    case 2:
      return gate_product_rows<2, kGates>(depth, rows, panel, ahead, out);
    case 3:
      return gate_product_rows<3, kGates>(depth, rows, panel, ahead, out);
    case 4:
      return gate_product_rows<4, kGates>(depth, rows, panel, ahead, out);
    case 5:
      return gate_product_rows<5, kGates>(depth, rows, panel, ahead, out);
    default:
      return gate_product_rows<6, kGates>(depth, rows, panel, ahead, out);
  }
}

template <int kRows, int kVecs>
HWY_NOINLINE void plain_tile(std::int64_t depth, const float* const* rows, const float* panel, const float* bias,
                             bool accumulate, Ahead ahead, float* const* out, int last_lanes) {
  FloatVec acc[kRows][kVecs];
  clear_tile<kRows, kVecs>(acc);
  multiply_rows<kRows, kVecs>(depth, rows, panel, kVecs * kLanes, ahead, acc);
  const auto mask = hn::FirstN(Floats(), static_cast<std::size_t>(last_lanes));
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r)
    store_row<true>(acc[r], out[r], mask, accumulate, [&](FloatVec x, int v) HWY_ATTR {
      return bias != nullptr ? hn::Add(x, load_part<kVecs, true>(bias, v, mask)) : x;
    });
}

template <int kVecs>
void plain_rows(std::int64_t count, std::int64_t depth, const float* const* rows, const float* panel, const float* bias,
                bool accumulate, Ahead ahead, float* const* out, int last_lanes) {
  switch (count) {
    case 1:
      return plain_tile<1, kVecs>(depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
    case 2:
      return plain_tile<2, kVecs>(depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
    case 3:
      return plain_tile<3, kVecs>(depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
    case 4:
      return plain_tile<4, kVecs>(depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
    case 5:
      return plain_tile<5, kVecs>(depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
    default:
      return plain_tile<6, kVecs>(depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
  }
}

void plain_panel(int vecs, std::int64_t count, std::int64_t depth, const float* const* rows, const float* panel,
                 const float* bias, bool accumulate, Ahead ahead, float* const* out, int last_lanes) {
  switch (vecs) {
    case 1:
      return plain_rows<1>(count, depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
#if HWY_TARGET == HWY_AVX3
    case 2:
      return plain_rows<2>(count, depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
    case 3:
      return plain_rows<3>(count, depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
#endif
    default:
      return plain_rows<kTileVecs>(count, depth, rows, panel, bias, accumulate, ahead, out, last_lanes);
  }
}

/// With kParts, packed operands are those of tile_product.h; 0 stands for vectors.
template <int kParts>
std::int64_t gate_panel_floats(std::int64_t hidden, int gates) {
  if constexpr (kParts > 0) return tiles::packed_floats(round_up(hidden, tiles::kLines) * gates, hidden, kParts);
  return round_up(round_up(hidden, kLanes) * gates * hidden, 16);
}

template <int kParts>
std::int64_t plain_panel_floats(std::int64_t depth, std::int64_t columns) {
  if constexpr (kParts > 0) return tiles::packed_floats(columns, depth, kParts);
  return round_up(round_up(columns, kLanes) * depth, 16);
}

/// Gates are the tiles of a panel.
template <int kParts>
void pack_gate_tiles(const float* w_h, std::int64_t hidden, std::int64_t ld, int gates, UnitRange units,
                     float* packed) {
  for (std::int64_t unit = units.begin; unit < units.end; unit += tiles::kLines) {
    float* panel = packed + tiles::packed_floats(unit * gates, hidden, kParts);
    for (int g = 0; g < gates; ++g)
      tiles::pack_tile(tiles::Side::right, {w_h + g * hidden + unit, ld, /*terms_first=*/true},
                       std::min(hidden - unit, tiles::kLines), hidden, kParts, g % 2, std::min(2, gates - g / 2 * 2),
                       panel + tiles::packed_floats(g / 2 * tiles::kGroup, hidden, kParts));
  }
}

template <int kParts>
void pack_gates(const float* w_h, std::int64_t hidden, std::int64_t ld, int gates, UnitRange units, float* packed) {
  if constexpr (kParts > 0) return pack_gate_tiles<kParts>(w_h, hidden, ld, gates, units, packed);
  for (std::int64_t unit = units.begin; unit < units.end; unit += kLanes) {
    float* out = packed + unit * gates * hidden;
    const Lanes lanes(hidden - unit);
    for (std::int64_t k = 0; k < hidden; ++k)
      for (int g = 0; g < gates; ++g, out += kLanes)
        hn::StoreU(lanes.load(w_h + k * ld + g * hidden + unit), Floats(), out);
  }
}

template <int kParts>
void pack_plain(const float* w, std::int64_t ld, bool transposed, std::int64_t depth, UnitRange units, float* packed) {
  if constexpr (kParts > 0) {
    if (units.begin < units.end)
      tiles::pack(tiles::Side::right, {w + units.begin * (transposed ? ld : 1), ld, !transposed},
                  units.end - units.begin, depth, kParts, packed + tiles::packed_floats(units.begin, depth, kParts));
    return;
  }
  for (std::int64_t unit = units.begin; unit < units.end; unit += kTileCols) {
    const std::int64_t left = std::min<std::int64_t>(units.end - unit, kTileCols), width = round_up(left, kLanes);
    float* out = packed + unit * depth;
    if (transposed) {
      pack_panel_transposed(w + unit * ld, ld, depth, left, static_cast<int>(width), out);
      continue;
    }
    for (std::int64_t k = 0; k < depth; ++k) std::copy_n(w + k * ld + unit, left, out + k * width);
    for (std::int64_t k = 0; k < depth; ++k) std::fill(out + k * width + left, out + (k + 1) * width, 0.0F);
  }
}

/// Packs the rows, which all panels share.
template <int kParts>
const float* pack_rows(const float* a, std::int64_t lda, std::int64_t depth, ActiveRows rows) {
  float* packed = tiles::thread_scratch(tiles::packed_floats(rows.count, depth, kParts));
  tiles::pack(tiles::Side::left, {a, lda, /*terms_first=*/false, rows.rows}, rows.count, depth, kParts, packed);
  return packed;
}

/// One pass over `depth` terms from k0 on.
template <int kParts>
void tiled_pass(const float* packed, std::int64_t whole_depth, std::int64_t k0, std::int64_t depth, const float* a,
                std::int64_t lda, const float* bias, bool accumulate, float* c, std::int64_t ldc, UnitRange units,
                ActiveRows rows) {
  const float* left = pack_rows<kParts>(a + k0, lda, depth, rows);
  const PanelOrder panels(units, tiles::kCols);
  // Groups of two tiles, of which a pass reads a part each; the last of the units may be a single tile.
  const auto part_of_group = [&](std::int64_t unit) {
    const std::int64_t count = std::min<std::int64_t>(round_up(units.end - unit, tiles::kLines), tiles::kGroup);
    return packed + tiles::packed_floats(unit, whole_depth, kParts) +
           k0 / tiles::kTerms * tiles::step_floats(count / tiles::kLines, kParts);
  };
  for (std::int64_t p = 0; p < panels.count(); ++p) {
    const std::int64_t unit = panels.unit(p), columns = std::min(units.end - unit, tiles::kCols);
    const float *panel = part_of_group(unit), *next = part_of_group(panels.unit(p + 1));
    const std::int64_t to_second = columns > tiles::kGroup ? part_of_group(unit + tiles::kGroup) - panel : 0;
    tiles::multiply_row_blocks(
        {left, rows.count, panel, to_second, columns, depth, kParts},
        {next, tiles::packed_floats(tiles::kCols, depth, kParts)},
        [&](std::int64_t first, std::int64_t count) HWY_ATTR {
          for (std::int64_t r = first; r < first + count; ++r)
            prefetch_rows(c + rows.rows[r] * ldc + unit, 0, 1, columns);
        },
        [&](std::int64_t first, std::int64_t count, const float* sums) HWY_ATTR {
          for (std::int64_t r = first; r < first + count; ++r, sums += tiles::kCols)
            store_sums(sums, columns, c + rows.rows[r] * ldc + unit, accumulate,
                       [&](FloatVec x, std::int64_t n, hn::Mask<Floats> mask) HWY_ATTR {
                         return bias != nullptr ? hn::Add(x, hn::MaskedLoad(mask, Floats(), bias + unit + n)) : x;
                       });
        });
  }
}

template <int kParts>
void tiled_product(const float* packed, std::int64_t depth, const float* a, std::int64_t lda, const float* bias,
                   bool accumulate, float* c, std::int64_t ldc, UnitRange units, ActiveRows rows) {
  if (rows.count == 0) return;
  const tiles::Use use;
  // Equal passes, so that the rows stay in the second-level cache.
  const std::int64_t passes = (depth + kDepthBlock - 1) / kDepthBlock,
                     pass = round_up((depth + passes - 1) / passes, tiles::kTerms);
  for (std::int64_t k0 = 0; k0 < depth; k0 += pass)
    tiled_pass<kParts>(packed, depth, k0, std::min(pass, depth - k0), a, lda, k0 == 0 ? bias : nullptr,
                       accumulate || k0 > 0, c, ldc, units, rows);
}

template <int kParts>
void plain_product(const float* packed, std::int64_t depth, const float* a, std::int64_t lda, const float* bias,
                   bool accumulate, float* c, std::int64_t ldc, UnitRange units, ActiveRows rows) {
  if constexpr (kParts > 0) return tiled_product<kParts>(packed, depth, a, lda, bias, accumulate, c, ldc, units, rows);
  const PanelOrder panels(units, kTileCols);
  for (std::int64_t p = 0; p < panels.count(); ++p) {
    const std::int64_t unit = panels.unit(p), left = std::min<std::int64_t>(units.end - unit, kTileCols);
    const auto vecs = static_cast<int>((left + kLanes - 1) / kLanes);
    const auto last_lanes = static_cast<int>(left - static_cast<std::int64_t>(vecs - 1) * kLanes);
    std::int64_t k0 = 0;
    do {  // once even if there are no terms: the bias remains
      const float* panel = packed + unit * depth + k0 * vecs * kLanes;
      const std::int64_t part = std::min(kDepthBlock, depth - k0);
      const float* next = k0 + part < depth ? panel + part * vecs * kLanes : packed + panels.unit(p + 1) * depth;
      std::int64_t tile = 0;
      for (std::int64_t i = 0; i < rows.count; ++tile) {
        const std::int64_t count = tile_rows(rows.count - i);
        const float* left_rows[kTileRows];
        float* out[kTileRows];
        for (std::int64_t r = 0; r < count; ++r) {
          left_rows[r] = a + rows.rows[i + r] * lda + k0;
          out[r] = c + rows.rows[i + r] * ldc + unit;
        }
        plain_panel(vecs, count, part, left_rows, panel, k0 == 0 && bias != nullptr ? bias + unit : nullptr,
                    accumulate || k0 > 0, column_of({{next, kTileCols, part}, kTileCols / kLineFloats}, tile), out,
                    last_lanes);
        i += count;
      }
      k0 += kDepthBlock;
    } while (k0 < depth);
  }
}

/// for_each_gate_tile() on tiles.
template <int kParts, int kGates, class Body>
HWY_INLINE void for_each_tiled_gates(std::int64_t hidden, const float* packed, const float* h_prev, UnitRange units,
                                     ActiveRows active, const Body& body) {
  if (active.count == 0) return;
  const tiles::Use use;
  const float* left = pack_rows<kParts>(h_prev, hidden, hidden, active);
  const std::int64_t panel_floats = tiles::packed_floats(tiles::kLines * kGates, hidden, kParts);
  const PanelOrder panels(units, tiles::kLines);
  for (std::int64_t p = 0; p < panels.count(); ++p) {
    const std::int64_t unit = panels.unit(p);
    const Lanes lanes(hidden - unit);
    const float *panel = packed + unit / tiles::kLines * panel_floats,
                *next = packed + panels.unit(p + 1) / tiles::kLines * panel_floats;
    tiles::multiply_row_blocks(
        {left, active.count, panel, tiles::packed_floats(tiles::kGroup, hidden, kParts), kGates * tiles::kLines, hidden,
         kParts},
        {next, panel_floats},
        [&](std::int64_t first, std::int64_t count) HWY_ATTR {
          for (std::int64_t r = first; r < first + count; ++r) body.fetch(active.rows[r], unit);
        },
        [&](std::int64_t first, std::int64_t count, const float* pre) HWY_ATTR {
          for (std::int64_t r = first; r < first + count; ++r, pre += tiles::kCols)
            body(active.rows[r], unit, lanes, pre);
        });
  }
}

/// Calls `body(row, unit, lanes, pre)` for each active row and panel, with pre = the row's kGates products. Before,
/// `body.fetch(row, unit)` fetches what it will read and write while the product runs.
template <int kParts, int kGates, class Body>
HWY_INLINE void for_each_gate_tile(std::int64_t hidden, const float* packed, const float* h_prev, UnitRange units,
                                   ActiveRows active, const Body& body) {
  if constexpr (kParts > 0) return for_each_tiled_gates<kParts, kGates>(hidden, packed, h_prev, units, active, body);
  alignas(64) float pre[kTileRows * kGates * kLanes];
  const PanelOrder panels(units, kLanes);
  for (std::int64_t p = 0; p < panels.count(); ++p) {
    const std::int64_t unit = panels.unit(p);
    const Lanes lanes(hidden - unit);
    const float *panel = packed + unit * kGates * hidden, *next = packed + panels.unit(p + 1) * kGates * hidden;
    std::int64_t tile = 0;
    for (std::int64_t i = 0; i < active.count; ++tile) {
      const std::int64_t count = tile_rows(active.count - i);
      const float* rows[kTileRows];
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t row = active.rows[i + r];
        rows[r] = h_prev + row * hidden;
        body.fetch(row, unit);
      }
      gate_product<kGates>(count, hidden, rows, panel,
                           column_of({{next, kGates * kLanes, hidden}, kGates * kLanes / kLineFloats}, tile), pre);
      for (std::int64_t r = 0; r < count; ++r) body(active.rows[i + r], unit, lanes, pre + r * kGates * kLanes);
      i += count;
    }
  }
}

// --- LSTM -----------------------------------------------------------------------------------------------------------

/// The gates of a row at this unit.
template <int kGates>
HWY_INLINE void fetch_gates(const float* gates, std::int64_t row, std::int64_t hidden, std::int64_t unit) {
  for (int g = 0; g < kGates; ++g) __builtin_prefetch(gates + (row * kGates + g) * hidden + unit);
}

// Bodies are structs because a lambda does not inherit the target's instructions under clang.
struct LstmGates {
  const LstmStep& s;
  HWY_INLINE void fetch(std::int64_t row, std::int64_t unit) const {
    const std::int64_t at = row * s.hidden + unit;
    fetch_gates<4>(s.gates_x, row, s.hidden, unit);
    __builtin_prefetch(s.c_prev + at);
    __builtin_prefetch(s.c + at, 1);
    __builtin_prefetch(s.h + at, 1);
  }
  HWY_INLINE void operator()(std::int64_t row, std::int64_t unit, const Lanes& lanes, const float* pre) const {
    const Floats d;
    const std::int64_t hidden = s.hidden, at = row * hidden + unit, gates_at = 4 * row * hidden + unit;
    const float* x = s.gates_x + gates_at;
    const FloatVec i = gate(s.hard_sigmoid, hn::Add(hn::Load(d, pre), lanes.load(x)));
    const FloatVec f = gate(s.hard_sigmoid, hn::Add(hn::Load(d, pre + kLanes), lanes.load(x + hidden)));
    const FloatVec g = tanh_full(hn::Add(hn::Load(d, pre + 2 * kLanes), lanes.load(x + 2 * hidden)));
    const FloatVec o = gate(s.hard_sigmoid, hn::Add(hn::Load(d, pre + 3 * kLanes), lanes.load(x + 3 * hidden)));
    const FloatVec c = hn::MulAdd(f, lanes.load(s.c_prev + at), hn::Mul(i, g));
    lanes.store(c, s.c + at);
    lanes.store(hn::Mul(o, tanh_full(c)), s.h + at);
    if (s.gates != nullptr) {
      float* out = s.gates + gates_at;
      lanes.store(i, out);
      lanes.store(f, out + hidden);
      lanes.store(g, out + 2 * hidden);
      lanes.store(o, out + 3 * hidden);
    }
  }
};

template <int kParts>
void lstm_forward(const LstmStep& step, UnitRange units, ActiveRows rows) {
  for_each_gate_tile<kParts, 4>(step.hidden, step.packed, step.h_prev, units, rows, LstmGates{step});
}

/// What lstm_backward reads of other rows at this unit.
HWY_INLINE void prefetch_backward(const LstmStepBackward& s, std::int64_t row_at, std::int64_t unit) {
  for (int g = 0; g < 4; ++g) __builtin_prefetch(s.gates + 4 * row_at + g * s.hidden + unit, 1);
  __builtin_prefetch(s.c_prev + row_at + unit);
  if (s.d_h != nullptr) __builtin_prefetch(s.d_h + row_at + unit);
  if (s.d_c != nullptr) __builtin_prefetch(s.d_c + row_at + unit);
}

void lstm_backward(const LstmStepBackward& s, UnitRange units, ActiveRows active) {
  const std::int64_t hidden = s.hidden;
  for (std::int64_t n = 0; n < active.count; ++n) {
    const std::int64_t row = active.rows[n], next = active.rows[std::min(n + 1, active.count - 1)];
    for (std::int64_t unit = units.begin; unit < units.end; unit += kLanes) {
      const Lanes lanes(hidden - unit);
      const std::int64_t at = row * hidden + unit, gates_at = 4 * row * hidden + unit;
      const float* gates = s.gates + gates_at;
      prefetch_backward(s, next * hidden, unit);
      const FloatVec i = lanes.load(gates), f = lanes.load(gates + hidden), g = lanes.load(gates + 2 * hidden),
                     o = lanes.load(gates + 3 * hidden), c_prev = lanes.load(s.c_prev + at);
      const FloatVec tanh_c = tanh_full(lanes.load(s.c + at));
      const FloatVec dh = hn::Add(lanes.load(s.carry_h + at), lanes.load_or_zero(s.d_h, at));
      FloatVec dc = hn::Add(lanes.load(s.carry_c + at), lanes.load_or_zero(s.d_c, at));
      dc = hn::Add(dc, tanh_gradient(hn::Mul(dh, o), tanh_c));
      float* out = s.d_gates + gates_at;
      lanes.store(gate_gradient(s.hard_sigmoid, hn::Mul(dc, g), i), out);
      lanes.store(gate_gradient(s.hard_sigmoid, hn::Mul(dc, c_prev), f), out + hidden);
      lanes.store(tanh_gradient(hn::Mul(dc, i), g), out + 2 * hidden);
      lanes.store(gate_gradient(s.hard_sigmoid, hn::Mul(dh, tanh_c), o), out + 3 * hidden);
      lanes.store(hn::Mul(dc, f), s.carry_c + at);
    }
  }
}

// --- GRU ------------------------------------------------------------------------------------------------------------

struct GruGates {
  const GruStep& s;
  HWY_INLINE void fetch(std::int64_t row, std::int64_t unit) const {
    fetch_gates<3>(s.gates_x, row, s.hidden, unit);
    __builtin_prefetch(s.h + row * s.hidden + unit, 1);
  }
  HWY_INLINE void operator()(std::int64_t row, std::int64_t unit, const Lanes& lanes, const float* pre) const {
    const Floats d;
    const std::int64_t hidden = s.hidden, at = row * hidden + unit, gates_at = 3 * row * hidden + unit;
    const float* x = s.gates_x + gates_at;
    const FloatVec hr = hn::Add(hn::Load(d, pre), lanes.load_or_zero(s.b_h, unit));
    const FloatVec hz = hn::Add(hn::Load(d, pre + kLanes), lanes.load_or_zero(s.b_h, hidden + unit));
    const FloatVec hx = hn::Add(hn::Load(d, pre + 2 * kLanes), lanes.load_or_zero(s.b_h, 2 * hidden + unit));
    const FloatVec r = gate(s.hard_sigmoid, hn::Add(hr, lanes.load(x)));
    const FloatVec z = gate(s.hard_sigmoid, hn::Add(hz, lanes.load(x + hidden)));
    const FloatVec n = tanh_full(hn::MulAdd(r, hx, lanes.load(x + 2 * hidden)));
    lanes.store(hn::MulAdd(z, hn::Sub(lanes.load(s.h_prev + at), n), n), s.h + at);
    if (s.gates != nullptr) {
      lanes.store(r, s.gates + gates_at);
      lanes.store(z, s.gates + gates_at + hidden);
      lanes.store(n, s.gates + gates_at + 2 * hidden);
    }
    if (s.extra != nullptr) lanes.store(hx, s.extra + at);
  }
};

template <int kParts>
void gru_forward(const GruStep& step, UnitRange units, ActiveRows rows) {
  for_each_gate_tile<kParts, 3>(step.hidden, step.packed, step.h_prev, units, rows, GruGates{step});
}

struct GruReset {
  const GruStep& s;
  HWY_INLINE void fetch(std::int64_t row, std::int64_t unit) const { fetch_gates<3>(s.gates_x, row, s.hidden, unit); }
  HWY_INLINE void operator()(std::int64_t row, std::int64_t unit, const Lanes& lanes, const float* pre) const {
    const Floats d;
    const std::int64_t hidden = s.hidden, at = row * hidden + unit, gates_at = 3 * row * hidden + unit;
    const float* x = s.gates_x + gates_at;
    const FloatVec r = gate(s.hard_sigmoid, hn::Add(hn::Load(d, pre), lanes.load(x)));
    const FloatVec z = gate(s.hard_sigmoid, hn::Add(hn::Load(d, pre + kLanes), lanes.load(x + hidden)));
    lanes.store(r, s.gates + gates_at);
    lanes.store(z, s.gates + gates_at + hidden);
    lanes.store(hn::Mul(r, lanes.load(s.h_prev + at)), s.extra + at);
  }
};

template <int kParts>
void gru_reset(const GruStep& step, UnitRange units, ActiveRows rows) {
  for_each_gate_tile<kParts, 2>(step.hidden, step.packed, step.h_prev, units, rows, GruReset{step});
}

template <int kParts>
void gru_update(const GruStep& s, UnitRange units, ActiveRows active) {
  const std::int64_t hidden = s.hidden;
  // The product is made where the new state will be.
  plain_product<kParts>(s.packed_n, hidden, s.extra, hidden, nullptr, false, s.h, hidden, units, active);
  for (std::int64_t i = 0; i < active.count; ++i) {
    const std::int64_t row = active.rows[i];
    for (std::int64_t unit = units.begin; unit < units.end; unit += kLanes) {
      const Lanes lanes(hidden - unit);
      const std::int64_t at = row * hidden + unit, gates_at = 3 * row * hidden + unit;
      const FloatVec n = tanh_full(hn::Add(lanes.load(s.h + at), lanes.load(s.gates_x + gates_at + 2 * hidden)));
      const FloatVec z = lanes.load(s.gates + gates_at + hidden);
      lanes.store(n, s.gates + gates_at + 2 * hidden);
      lanes.store(hn::MulAdd(z, hn::Sub(lanes.load(s.h_prev + at), n), n), s.h + at);
    }
  }
}

/// Gradients of z and n, and of r where its term is at hand; the carry keeps what flows straight to the state before.
template <bool kResetAfter>
HWY_INLINE void gru_gradients(const GruStepBackward& s, UnitRange units, ActiveRows active) {
  const std::int64_t hidden = s.hidden;
  for (std::int64_t i = 0; i < active.count; ++i) {
    const std::int64_t row = active.rows[i];
    for (std::int64_t unit = units.begin; unit < units.end; unit += kLanes) {
      const Lanes lanes(hidden - unit);
      const std::int64_t at = row * hidden + unit, gates_at = 3 * row * hidden + unit;
      const float* gates = s.gates + gates_at;
      const FloatVec r = lanes.load(gates), z = lanes.load(gates + hidden), n = lanes.load(gates + 2 * hidden);
      const FloatVec dh = hn::Add(lanes.load(s.carry_h + at), lanes.load_or_zero(s.d_h, at));
      const FloatVec dz = gate_gradient(s.hard_sigmoid, hn::Mul(dh, hn::Sub(lanes.load(s.h_prev + at), n)), z);
      const FloatVec dn = tanh_gradient(hn::NegMulAdd(dh, z, dh), n);
      lanes.store(hn::Mul(dh, z), s.carry_h + at);
      float* out = s.d_gates_x + gates_at;
      if constexpr (kResetAfter) {
        const FloatVec dr = gate_gradient(s.hard_sigmoid, hn::Mul(dn, lanes.load(s.extra + at)), r);
        float* out_h = s.d_gates_h + gates_at;
        lanes.store(dr, out);
        lanes.store(dr, out_h);
        lanes.store(dz, out_h + hidden);
        lanes.store(hn::Mul(dn, r), out_h + 2 * hidden);
      } else if (out != gates) {
        // r is read again once d_reset is known, and may be overwritten then.
        lanes.store(r, out);
      }
      lanes.store(dz, out + hidden);
      lanes.store(dn, out + 2 * hidden);
    }
  }
}

void gru_backward(const GruStepBackward& s, UnitRange units, ActiveRows rows) { gru_gradients<true>(s, units, rows); }

void gru_update_backward(const GruStepBackward& s, UnitRange units, ActiveRows rows) {
  gru_gradients<false>(s, units, rows);
}

void gru_reset_backward(const GruStepBackward& s, UnitRange units, ActiveRows active) {
  const std::int64_t hidden = s.hidden;
  for (std::int64_t i = 0; i < active.count; ++i) {
    const std::int64_t row = active.rows[i];
    for (std::int64_t unit = units.begin; unit < units.end; unit += kLanes) {
      const Lanes lanes(hidden - unit);
      const std::int64_t at = row * hidden + unit;
      float* gate_r = s.d_gates_x + 3 * row * hidden + unit;
      const FloatVec r = lanes.load(gate_r), d_reset = lanes.load(s.d_reset + at);
      lanes.store(gate_gradient(s.hard_sigmoid, hn::Mul(d_reset, lanes.load(s.h_prev + at)), r), gate_r);
      lanes.store(hn::MulAdd(d_reset, r, lanes.load(s.carry_h + at)), s.carry_h + at);
    }
  }
}

}  // namespace

template <int kParts>
const RnnSteps& steps_on() {
  static constexpr RnnSteps kSteps{
      {kLanes, kTileCols}, gate_panel_floats<kParts>, plain_panel_floats<kParts>, pack_gates<kParts>,
      pack_plain<kParts>,  plain_product<kParts>,     lstm_forward<kParts>,       lstm_backward,
      gru_forward<kParts>, gru_reset<kParts>,         gru_update<kParts>,         gru_backward,
      gru_update_backward, gru_reset_backward};
  return kSteps;
}

/// Tiles are used only where vectors are as wide as they are.
const RnnSteps& steps(int parts) {
  if constexpr (kLanes == tiles::kLines) {
    if (parts > 0) return tiles::with_parts(parts, [](auto count) -> const RnnSteps& { return steps_on<count>(); });
  }
  return steps_on<0>();
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {
HWY_EXPORT(steps);
const RnnSteps& rnn_steps(int parts) { return HWY_DYNAMIC_DISPATCH(steps)(parts); }

int rnn_tile_parts(std::int64_t rows, std::int64_t depth) {
  return rnn_tiles_pay(rows, depth) ? tiles::parts_of(matmul_precision()) : 0;
}

bool rnn_tiles_pay(std::int64_t rows, std::int64_t depth) {
  return tiles::available() && rows >= 12 && depth >= tiles::kTerms;
}

bool slices_rows(std::int64_t rows, std::int64_t threads, std::int64_t weights, std::int64_t depth, int parts) {
  constexpr std::int64_t kWeightsInCache = 300'000;
  if (threads <= 1 || rows < 3 * threads) return false;
  if (parts > 0) return weights <= kWeightsInCache && rnn_tiles_pay(rows / threads, depth);
  return weights <= kWeightsInCache || rows >= 32 * threads;
}
}  // namespace eddy
#endif
