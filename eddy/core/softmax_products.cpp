// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/softmax_products.h"

#include "eddy/core/rounding.h"
#include "eddy/core/simd_targets.h"
#include "eddy/core/tile_product.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/softmax_products.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/gemm_kernel-inl.h"
// clang-format on

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

/// What stays in the second-level cache while the rest passes by. In the first product: floats of states.
constexpr std::int64_t kCachedStates = 200'000;
/// In the second: a block of the table, packed. More classes mean fewer passes over the gradients.
constexpr std::int64_t kBlockClasses = 512;
constexpr std::int64_t kBlockColumns = 256;
/// In the third: rows of states.
constexpr std::int64_t kCachedRows = 320;
/// A logit this far above its row's reference raises it: further sums would lose what is below, then overflow.
constexpr float kRaiseAbove = 30;
/// Panels whose sums are f32; they are added up as double.
constexpr std::int64_t kPanelsOfSum = 32;

/// A panel of neighbouring columns: classes, or elements of a state.
struct Panel {
  std::int64_t first;  ///< column
  int vecs;
  int columns;  ///< those there are
  std::int64_t width() const { return static_cast<std::int64_t>(vecs) * kLanes; }
  int last_lanes() const { return columns - (vecs - 1) * kLanes; }
};

Panel panel_of(std::int64_t columns, std::int64_t index) {
  const std::int64_t first = index * kTileCols;
  const auto left = static_cast<int>(std::min<std::int64_t>(columns - first, kTileCols));
  return {first, (left + kLanes - 1) / kLanes, left};
}

std::int64_t panels_of(std::int64_t columns) { return (columns + kTileCols - 1) / kTileCols; }

template <class Job>
using TileFunction = void (*)(const Job&);

template <template <int, int> class Tile, class Job, int... I>
constexpr std::array<TileFunction<Job>, sizeof...(I)> tile_functions(std::integer_sequence<int, I...>) {
  return {&Tile<I / kTileVecs + 1, I % kTileVecs + 1>::run...};
}

/// Tile<rows, vecs>::run(job)
template <template <int, int> class Tile, class Job>
void run_tile(std::int64_t rows, int vecs, const Job& job) {
  static constexpr auto kFunctions =
      tile_functions<Tile, Job>(std::make_integer_sequence<int, kTileRows * kTileVecs>());
  kFunctions[static_cast<std::size_t>((rows - 1) * kTileVecs + vecs - 1)](job);
}

// --- exponentials ---------------------------------------------------------------------------------------------------

struct ExponentialTileJob {
  const ExponentialsJob* job;
  std::int64_t row, panel;
  const float* table;  ///< the packed panel
  float* out;          ///< exponentials of the first row
  Ahead next_out, next_table;
};

/// Multiplies all exponentials of a row so far, as its reference rises to `to`. Seldom, so simple.
HWY_NOINLINE void raise_reference(const ExponentialsJob& job, std::int64_t row, std::int64_t panels_done, float to) {
  const float factor = std::exp(job.reference[row] - to);
  job.reference[row] = to;
  job.sum[row] *= static_cast<double>(factor);
  for (int i = 0; i < kLanes; ++i) job.lane_sums[row * kLanes + i] *= factor;
  if (job.exponentials == nullptr) return;
  for (std::int64_t p = 0; p < panels_done; ++p) {
    const Panel panel = panel_of(job.sizes.classes, p);
    float* values = job.exponentials + panel.first * job.sizes.rows + row * panel.width();
    for (std::int64_t i = 0; i < panel.width(); ++i) values[i] *= factor;
  }
}

/// Turns the logits of a row and panel into exponentials.
template <int kVecs>
HWY_INLINE void exponentials_of(const ExponentialsJob& job, std::int64_t row, std::int64_t panel, float* values) {
  const Floats d;
  const std::int64_t target = job.targets[row] - panel * kTileCols;
  if (target >= 0 && target < kVecs * kLanes) job.target_logit[row] = values[target];
  FloatVec x[kVecs];
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) x[v] = hn::LoadU(d, values + v * kLanes);
  FloatVec largest = x[0];
  EDDY_UNROLL
  for (int v = 1; v < kVecs; ++v) largest = hn::Max(largest, x[v]);
  float* sums = job.lane_sums + row * kLanes;
  if (panel == 0) {
    // Finite, so that a row of -inf keeps its zeros.
    job.reference[row] = std::max(hn::GetLane(hn::MaxOfLanes(d, largest)), std::numeric_limits<float>::lowest());
    job.sum[row] = 0;
    hn::StoreU(hn::Zero(d), d, sums);
  } else if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Gt(largest, splat(job.reference[row] + kRaiseAbove))))) {
    raise_reference(job, row, panel, hn::GetLane(hn::MaxOfLanes(d, largest)));
  }
  const FloatVec reference = splat(job.reference[row]);
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    x[v] = exp_clamped(hn::Sub(x[v], reference));
    hn::StoreU(x[v], d, values + v * kLanes);
  }
  FloatVec sum = x[0];
  EDDY_UNROLL
  for (int v = 1; v < kVecs; ++v) sum = hn::Add(sum, x[v]);
  hn::StoreU(hn::Add(hn::LoadU(d, sums), sum), d, sums);
}

template <int kRows, int kVecs>
struct ExponentialTile {
  static HWY_NOINLINE void run(const ExponentialTileJob& t) {
    const Floats d;
    const ExponentialsJob& job = *t.job;
    const std::int64_t size = job.sizes.size;
    FloatVec acc[kRows][kVecs];
    clear_tile<kRows, kVecs>(acc);
    const auto all = hn::FirstN(d, static_cast<std::size_t>(kLanes));
    // Two streams are fetched, one after the other.
    const std::int64_t first = std::min(size, t.next_out.count);
    const float* left = job.states + t.row * size;
    multiply_tile<kRows, kVecs>(first, left, size, 1, t.table, kVecs * kLanes, all, t.next_out, acc);
    multiply_tile<kRows, kVecs>(size - first, left + first, size, 1, t.table + first * kVecs * kLanes, kVecs * kLanes,
                                all, t.next_table, acc);
    const float* bias = job.bias + t.panel * kTileCols;
    EDDY_UNROLL
    for (int r = 0; r < kRows; ++r) {
      EDDY_UNROLL
      for (int v = 0; v < kVecs; ++v)
        hn::StoreU(hn::Add(acc[r][v], hn::LoadU(d, bias + v * kLanes)), d, t.out + (r * kVecs + v) * kLanes);
    }
    for (int r = 0; r < kRows; ++r) exponentials_of<kVecs>(job, t.row + r, t.panel, t.out + r * kVecs * kLanes);
  }
};

/// Adds the sums of the lanes to those in double precision.
void collect_sums(const ExponentialsJob& job, IndexRange rows) {
  const Floats d;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    float* sums = job.lane_sums + row * kLanes;
    job.sum[row] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::LoadU(d, sums))));
    hn::StoreU(hn::Zero(d), d, sums);
  }
}

/// For rows that are few enough for their states to stay in cache.
void exponentials_of_rows(const ExponentialsJob& job, IndexRange rows) {
  const std::int64_t panels = panels_of(job.sizes.classes);
  const std::int64_t tiles = (rows.end - rows.begin + kTileRows - 1) / kTileRows;
  alignas(64) float unkept[kTileRows * kTileCols];
  for (std::int64_t p = 0; p < panels; ++p) {
    const Panel panel = panel_of(job.sizes.classes, p);
    const std::int64_t panel_floats = panel.width() * job.sizes.size, lines = panel_floats / kLineFloats;
    ExponentialTileJob tile{&job, 0, p, job.packed_table + panel.first * job.sizes.size, unkept, {}, {}};
    // All tiles of a panel share the fetching of the next one.
    tile.next_table = {tile.table + panel_floats, kLineFloats, p + 1 < panels ? (lines + tiles - 1) / tiles : 0};
    for (tile.row = rows.begin; tile.row < rows.end;) {
      const std::int64_t count = tile_rows(rows.end - tile.row);
      if (job.exponentials != nullptr) {
        tile.out = job.exponentials + panel.first * job.sizes.rows + tile.row * panel.width();
        tile.next_out = {tile.out + count * panel.width(), kLineFloats, kTileRows * kTileCols / kLineFloats};
      }
      run_tile<ExponentialTile>(count, panel.vecs, tile);
      tile.next_table.line += tile.next_table.count * kLineFloats;
      tile.row += count;
    }
    if ((p + 1) % kPanelsOfSum == 0 || p + 1 == panels) collect_sums(job, rows);
  }
}

void exponentials(const ExponentialsJob& job, IndexRange rows) {
  const std::int64_t count = rows.end - rows.begin;
  const std::int64_t most = std::max<std::int64_t>(kCachedStates / std::max<std::int64_t>(job.sizes.size, 1), 24);
  const std::int64_t parts = (count + most - 1) / most;
  for (std::int64_t i = 0; i < parts; ++i)
    exponentials_of_rows(job, {rows.begin + count * i / parts, rows.begin + count * (i + 1) / parts});
}

// --- gradients of the states ----------------------------------------------------------------------------------------

struct StateTileJob {
  const StateGradientsJob* job;
  std::int64_t row;
  IndexRange panels;
  Panel columns;       ///< of the states
  const float* table;  ///< the packed block at these columns
  Ahead ahead;         ///< at the first panel
};

/// Asks for the place of a tile, to be there when its product is done.
template <int kRows, int kVecs>
HWY_INLINE void prefetch_tile(const float* out, std::int64_t width) {
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r) {
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) __builtin_prefetch(out + r * width + v * kLanes, 1);
  }
}

template <int kRows, int kVecs, bool kMasked>
HWY_INLINE void state_tile(const StateTileJob& t) {
  const Floats d;
  const StateGradientsJob& job = *t.job;
  const SoftmaxSizes& sizes = job.sizes;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(t.columns.last_lanes()));
  const float* right = t.table;
  float* out = job.d_states + t.row * sizes.size + t.columns.first;
  prefetch_tile<kRows, kVecs>(out, sizes.size);
  FloatVec acc[kRows][kVecs];
  clear_tile<kRows, kVecs>(acc);
  for (std::int64_t p = t.panels.begin; p < t.panels.end; ++p) {
    const Panel panel = panel_of(sizes.classes, p);
    const float* left = job.exponentials + panel.first * sizes.rows + t.row * panel.width();
    Ahead ahead = t.ahead;
    ahead.line = left + kRows * panel.width();
    multiply_tile<kRows, kVecs>(panel.columns, left, panel.width(), 1, right, kVecs * kLanes, mask, ahead, acc);
    right += panel.columns * kVecs * kLanes;
  }
  const bool first = t.panels.begin == 0, last = t.panels.end == panels_of(sizes.classes);
  FloatVec scale[kRows];
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r) scale[r] = splat(last ? job.scale[t.row + r] : 1.0F);
  store_tile<kMasked>(acc, out, sizes.size, mask, !first,
                      [&](FloatVec x, int r, int) HWY_ATTR { return hn::Mul(x, scale[r]); });
}

template <int kRows, int kVecs>
struct StateTile {
  static HWY_NOINLINE void run(const StateTileJob& t) {
    if (t.columns.last_lanes() == kLanes) {
      state_tile<kRows, kVecs, false>(t);
    } else {
      state_tile<kRows, kVecs, true>(t);
    }
  }
};

std::int64_t state_scratch_floats(const SoftmaxSizes& sizes) {
  return std::min(kBlockClasses, sizes.classes) * std::min(kBlockColumns, round_up(sizes.size, kTileCols));
}

/// Copies the classes of some panels and the columns of one to out[class][width], zero-padded.
void pack_table(const StateGradientsJob& job, IndexRange classes, const Panel& columns, float* out) {
  const Floats d;
  constexpr std::int64_t kClassesAhead = 16;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(columns.last_lanes()));
  const std::int64_t size = job.sizes.size;
  const float* from = job.table + classes.begin * size + columns.first;
  for (std::int64_t cls = classes.begin; cls < classes.end; ++cls, from += size, out += columns.width()) {
    for (int v = 0; v < columns.vecs; ++v) {
      __builtin_prefetch(from + kClassesAhead * size + v * kLanes);
      const float* at = from + v * kLanes;
      hn::StoreU(v < columns.vecs - 1 ? hn::LoadU(d, at) : hn::MaskedLoad(mask, d, at), d, out + v * kLanes);
    }
  }
}

/// Adds the part of a block of the table, which is packed for it and stays in cache.
void state_gradients_of(const StateGradientsJob& job, IndexRange rows, IndexRange panels, IndexRange column_panels) {
  const SoftmaxSizes& sizes = job.sizes;
  const IndexRange classes{panels.begin * kTileCols, std::min(panels.end * kTileCols, sizes.classes)};
  const std::int64_t panel_floats = (classes.end - classes.begin) * kTileCols;
  for (std::int64_t c = column_panels.begin; c < column_panels.end; ++c)
    pack_table(job, classes, panel_of(sizes.size, c), job.scratch + (c - column_panels.begin) * panel_floats);
  StateTileJob tile{&job, 0, panels, {}, nullptr, {}};
  for (tile.row = rows.begin; tile.row < rows.end;) {
    const std::int64_t count = tile_rows(rows.end - tile.row);
    // The first columns' tile fetches the next rows' exponentials.
    tile.ahead = {nullptr, kLineFloats, kTileRows * kTileCols / kLineFloats};
    for (std::int64_t c = column_panels.begin; c < column_panels.end; ++c) {
      tile.columns = panel_of(sizes.size, c);
      tile.table = job.scratch + (c - column_panels.begin) * panel_floats;
      run_tile<StateTile>(count, tile.columns.vecs, tile);
      tile.ahead = {};
    }
    tile.row += count;
  }
}

void state_gradients(const StateGradientsJob& job, IndexRange rows) {
  const std::int64_t panels = panels_of(job.sizes.classes), column_panels = panels_of(job.sizes.size);
  constexpr std::int64_t kPanels = kBlockClasses / kTileCols, kColumnPanels = kBlockColumns / kTileCols;
  for (std::int64_t p = 0; p < panels; p += kPanels)
    for (std::int64_t c = 0; c < column_panels; c += kColumnPanels)
      state_gradients_of(job, rows, {p, std::min(p + kPanels, panels)},
                         {c, std::min(c + kColumnPanels, column_panels)});
}

// --- gradients of the table -----------------------------------------------------------------------------------------

struct TableTileJob {
  std::int64_t size;   ///< of a row of the table
  std::int64_t depth;  ///< rows
  const float* left;   ///< exponentials of the first row and class
  std::int64_t width;  ///< of their panel
  const float* right;  ///< states in the packed panel
  float* out;
  int last_lanes;
  bool accumulate;
  Ahead ahead;
};

template <int kRows, int kVecs, bool kMasked>
HWY_INLINE void table_tile(const TableTileJob& t) {
  prefetch_tile<kRows, kVecs>(t.out, t.size);
  FloatVec acc[kRows][kVecs];
  clear_tile<kRows, kVecs>(acc);
  const auto mask = hn::FirstN(Floats(), static_cast<std::size_t>(t.last_lanes));
  multiply_tile<kRows, kVecs>(t.depth, t.left, 1, t.width, t.right, kVecs * kLanes, mask, t.ahead, acc);
  store_tile<kMasked>(acc, t.out, t.size, mask, t.accumulate, [](FloatVec x, int, int) HWY_ATTR { return x; });
}

template <int kRows, int kVecs>
struct TableTile {
  static HWY_NOINLINE void run(const TableTileJob& t) {
    if (t.last_lanes == kLanes) {
      table_tile<kRows, kVecs, false>(t);
    } else {
      table_tile<kRows, kVecs, true>(t);
    }
  }
};

/// Reads the exponentials once, as they lie.
template <int kVecs>
void bias_gradients_of(const TableGradientsJob& job, const Panel& panel, IndexRange rows, bool accumulate) {
  const Floats d;
  constexpr std::int64_t kWidth = kVecs * kLanes;
  FloatVec even[kVecs], odd[kVecs];
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) even[v] = odd[v] = hn::Zero(d);
  const float* values = job.exponentials + panel.first * job.sizes.rows + rows.begin * kWidth;
  std::int64_t row = rows.begin;
  for (; row + 2 <= rows.end; row += 2, values += 2 * kWidth) {
    const FloatVec first = splat(job.scale[row]), second = splat(job.scale[row + 1]);
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      even[v] = hn::MulAdd(first, hn::LoadU(d, values + v * kLanes), even[v]);
      odd[v] = hn::MulAdd(second, hn::LoadU(d, values + kWidth + v * kLanes), odd[v]);
    }
  }
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    if (row < rows.end) even[v] = hn::MulAdd(splat(job.scale[row]), hn::LoadU(d, values + v * kLanes), even[v]);
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(std::min(kLanes, panel.columns - v * kLanes)));
    float* to = job.d_bias + panel.first + v * kLanes;
    FloatVec sum = hn::Add(even[v], odd[v]);
    if (accumulate) sum = hn::Add(sum, hn::MaskedLoad(mask, d, to));
    hn::BlendedStore(sum, mask, d, to);
  }
}

void bias_gradients(const TableGradientsJob& job, const Panel& panel, IndexRange rows, bool accumulate) {
  switch (panel.vecs) {
    case 1:
      return bias_gradients_of<1>(job, panel, rows, accumulate);
#if HWY_TARGET == HWY_AVX3
    case 2:
      return bias_gradients_of<2>(job, panel, rows, accumulate);
    case 3:
      return bias_gradients_of<3>(job, panel, rows, accumulate);
#endif
    default:
      return bias_gradients_of<kTileVecs>(job, panel, rows, accumulate);
  }
}

/// The part of some rows, few enough for their states to stay in the second-level cache.
void table_gradients_of(const TableGradientsJob& job, IndexRange panels, IndexRange rows, bool accumulate) {
  const SoftmaxSizes& sizes = job.sizes;
  const std::int64_t column_panels = panels_of(sizes.size);
  TableTileJob tile{sizes.size, rows.end - rows.begin, nullptr, 0, nullptr, nullptr, 0, accumulate, {}};
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    const Panel panel = panel_of(sizes.classes, p);
    const float* exponentials = job.exponentials + panel.first * sizes.rows + rows.begin * panel.width();
    if (job.d_bias != nullptr) bias_gradients(job, panel, rows, accumulate);
    if (job.d_table == nullptr) continue;
    tile.width = panel.width();
    // All tiles of a panel share the fetching of the next one.
    const std::int64_t lines = tile.depth * panel.width() / kLineFloats;
    const std::int64_t tiles = column_panels * ((panel.columns + kTileRows - 1) / kTileRows);
    tile.ahead = {exponentials + sizes.rows * panel.width(), kLineFloats,
                  p + 1 < panels.end && tiles > 0 ? (lines + tiles - 1) / tiles : 0};
    for (std::int64_t c = 0; c < column_panels; ++c) {
      const Panel columns = panel_of(sizes.size, c);
      tile.right = job.packed_states + columns.first * sizes.rows + rows.begin * columns.width();
      tile.last_lanes = columns.last_lanes();
      for (std::int64_t cls = 0; cls < panel.columns;) {
        const std::int64_t count = tile_rows(panel.columns - cls);
        tile.left = exponentials + cls;
        tile.out = job.d_table + (panel.first + cls) * sizes.size + columns.first;
        run_tile<TableTile>(count, columns.vecs, tile);
        cls += count;
        tile.ahead.line += tile.ahead.count * kLineFloats;
      }
    }
  }
}

void table_gradients(const TableGradientsJob& job, IndexRange panels) {
  const std::int64_t rows = job.sizes.rows, parts = (rows + kCachedRows - 1) / kCachedRows;
  for (std::int64_t i = 0; i < parts; ++i)
    table_gradients_of(job, panels, {rows * i / parts, rows * (i + 1) / parts}, job.accumulate || i > 0);
}

// --- packing --------------------------------------------------------------------------------------------------------

std::int64_t packed_states_floats(const SoftmaxSizes& sizes) { return round_up(sizes.size, kLanes) * sizes.rows; }
std::int64_t exponentials_floats(const SoftmaxSizes& sizes) { return round_up(sizes.classes, kLanes) * sizes.rows; }

void pack_states(const SoftmaxSizes& sizes, const float* states, const float* scale, IndexRange rows, float* packed) {
  const Floats d;
  for (std::int64_t c = 0; c < panels_of(sizes.size); ++c) {
    const Panel columns = panel_of(sizes.size, c);
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(columns.last_lanes()));
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      const float* from = states + row * sizes.size + columns.first;
      float* to = packed + columns.first * sizes.rows + row * columns.width();
      const FloatVec by = splat(scale[row]);
      for (int v = 0; v < columns.vecs; ++v) {
        const FloatVec x =
            v < columns.vecs - 1 ? hn::LoadU(d, from + v * kLanes) : hn::MaskedLoad(mask, d, from + v * kLanes);
        hn::StoreU(hn::Mul(by, x), d, to + v * kLanes);
      }
    }
  }
}

// --- on tiles -------------------------------------------------------------------------------------------------------

// In the first product: rows of states that stay in the second-level cache while panels of the table pass by.
constexpr std::int64_t kTiledStates = 130'000;
// In the second: exponentials, packed, while columns of a block of the table pass by.
constexpr std::int64_t kTiledRows = 8 * tiles::kRows;
constexpr std::int64_t kTiledClasses = 512;
// In the third: exponentials of so many classes and rows, packed, while columns of the states pass by.
constexpr std::int64_t kTiledTablePanels = 2;
constexpr std::int64_t kTiledDepth = 1024;

/// The bias is added, and logits become exponentials.
template <int kVecs>
void tiled_exponentials_end(const ExponentialsJob& job, std::int64_t row, std::int64_t panel, const float* sums,
                            float* out) {
  const Floats d;
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v)
    hn::StoreU(hn::Add(hn::LoadU(d, sums + v * kLanes), hn::LoadU(d, job.bias + panel * kTileCols + v * kLanes)), d,
               out + v * kLanes);
  exponentials_of<kVecs>(job, row, panel, out);
}

void tiled_exponentials_end(int vecs, const ExponentialsJob& job, std::int64_t row, std::int64_t panel,
                            const float* sums, float* out) {
  static_assert(tiles::kCols == 4 * tiles::kLines);
  switch (vecs) {
    case 1:
      return tiled_exponentials_end<1>(job, row, panel, sums, out);
    case 2:
      return tiled_exponentials_end<2>(job, row, panel, sums, out);
    case 3:
      return tiled_exponentials_end<3>(job, row, panel, sums, out);
    default:
      return tiled_exponentials_end<4>(job, row, panel, sums, out);
  }
}

template <int kParts>
void tiled_exponentials_of_rows(const ExponentialsJob& job, IndexRange rows) {
  const std::int64_t size = job.sizes.size, count = rows.end - rows.begin, panels = panels_of(job.sizes.classes);
  float* left = tiles::thread_scratch(tiles::packed_floats(count, size, kParts));
  tiles::pack(tiles::Side::left, {job.states + rows.begin * size, size, /*terms_first=*/false}, count, size, kParts,
              left);
  alignas(64) float sums[tiles::kRows * tiles::kCols];
  alignas(64) float unkept[kTileCols];
  const std::int64_t panel_floats = tiles::packed_floats(tiles::kCols, size, kParts),
                     blocks = (count + tiles::kRows - 1) / tiles::kRows,
                     share = round_up(panel_floats / std::max<std::int64_t>(blocks, 1), kLineFloats);
  for (std::int64_t p = 0; p < panels; ++p) {
    const Panel panel = panel_of(job.sizes.classes, p);
    const float* table = job.packed_table + tiles::packed_floats(panel.first, size, kParts);
    for (std::int64_t first = 0; first < count; first += tiles::kRows) {
      const std::int64_t taken = std::min(tiles::kRows, count - first), row = rows.begin + first;
      float* out =
          job.exponentials == nullptr ? nullptr : job.exponentials + panel.first * job.sizes.rows + row * panel.width();
      for (std::int64_t i = 0; out != nullptr && i < taken * panel.width(); i += kLineFloats)
        __builtin_prefetch(out + i, 1);
      tiles::multiply({left + tiles::packed_floats(first, size, kParts), taken, table,
                       tiles::packed_floats(tiles::kGroup, size, kParts), panel.columns, size, kParts},
                      sums, {table + panel_floats + first / tiles::kRows * share, p + 1 < panels ? share : 0});
      for (std::int64_t r = 0; r < taken; ++r)
        tiled_exponentials_end(panel.vecs, job, row + r, p, sums + r * tiles::kCols,
                               out == nullptr ? unkept : out + r * panel.width());
    }
    if ((p + 1) % kPanelsOfSum == 0 || p + 1 == panels) collect_sums(job, rows);
  }
}

template <int kParts>
void tiled_exponentials(const ExponentialsJob& job, IndexRange rows) {
  const tiles::Use use;
  const std::int64_t count = rows.end - rows.begin;
  const std::int64_t most =
      std::max(kTiledStates / std::max<std::int64_t>(job.sizes.size, 1) / tiles::kRows, std::int64_t{1}) * tiles::kRows;
  for (std::int64_t first = 0; first < count; first += most)
    tiled_exponentials_of_rows<kParts>(job, {rows.begin + first, rows.begin + std::min(first + most, count)});
}

template <int kParts>
std::int64_t tiled_state_scratch_floats(const SoftmaxSizes& sizes) {
  return tiles::packed_floats(sizes.size, std::min(kTiledClasses, sizes.classes), kParts);
}

/// Exponentials of some rows and the panels of a block of classes as a left operand.
template <int kParts>
void pack_exponentials(const StateGradientsJob& job, IndexRange rows, IndexRange panels, std::int64_t depth,
                       float* left) {
  const std::int64_t count = rows.end - rows.begin;
  for (std::int64_t first = 0; first < count; first += tiles::kLines) {
    const std::int64_t group = first / tiles::kGroup * tiles::kGroup;
    const int tiles_of_group = count - group > tiles::kLines ? 2 : 1;
    float* at = left + tiles::packed_floats(group, depth, kParts);
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const Panel panel = panel_of(job.sizes.classes, p);
      const float* from = job.exponentials + panel.first * job.sizes.rows + (rows.begin + first) * panel.width();
      tiles::pack_tile(tiles::Side::left, {from, panel.width(), /*terms_first=*/false},
                       std::min(tiles::kLines, count - first), panel.columns, kParts,
                       static_cast<int>((first - group) / tiles::kLines), tiles_of_group, at);
      at += round_up(panel.columns, tiles::kTerms) / tiles::kTerms * tiles::step_floats(tiles_of_group, kParts);
    }
  }
}

/// Adds the part of a block of classes to some rows.
template <int kParts>
void tiled_state_gradients_of(const StateGradientsJob& job, IndexRange rows, IndexRange panels, std::int64_t depth,
                              float* left) {
  const std::int64_t size = job.sizes.size;
  pack_exponentials<kParts>(job, rows, panels, depth, left);
  const bool first_pass = panels.begin == 0, last_pass = panels.end == panels_of(job.sizes.classes);
  alignas(64) float sums[tiles::kRows * tiles::kCols];
  const std::int64_t panel_floats = tiles::packed_floats(tiles::kCols, depth, kParts);
  for (std::int64_t column = 0; column < size; column += tiles::kCols) {
    const std::int64_t columns = std::min(tiles::kCols, size - column);
    const float* right = job.scratch + tiles::packed_floats(column, depth, kParts);
    for (std::int64_t row = rows.begin; row < rows.end; row += tiles::kRows) {
      const std::int64_t taken = std::min(tiles::kRows, rows.end - row);
      float* out = job.d_states + row * size + column;
      prefetch_rows(out, size, taken, columns);
      const std::int64_t share = round_up(panel_floats * tiles::kRows / kTiledRows, kLineFloats);
      tiles::multiply(
          {left + tiles::packed_floats(row - rows.begin, depth, kParts), taken, right,
           tiles::packed_floats(tiles::kGroup, depth, kParts), columns, depth, kParts},
          sums,
          {right + panel_floats + (row - rows.begin) / tiles::kRows * share, column + tiles::kCols < size ? share : 0});
      for (std::int64_t r = 0; r < taken; ++r) {
        const FloatVec scale = splat(last_pass ? job.scale[row + r] : 1.0F);
        store_sums(sums + r * tiles::kCols, columns, out + r * size, !first_pass,
                   [&](FloatVec x, std::int64_t, hn::Mask<Floats>) HWY_ATTR { return hn::Mul(x, scale); });
      }
    }
  }
}

template <int kParts>
void tiled_state_gradients(const StateGradientsJob& job, IndexRange rows) {
  const tiles::Use use;
  const std::int64_t panels = panels_of(job.sizes.classes), size = job.sizes.size;
  constexpr std::int64_t kPanels = kTiledClasses / kTileCols;
  float* left = tiles::thread_scratch(tiles::packed_floats(std::min(kTiledRows, rows.end - rows.begin),
                                                           std::min(kTiledClasses, job.sizes.classes), kParts));
  for (std::int64_t p = 0; p < panels; p += kPanels) {
    const IndexRange block{p, std::min(p + kPanels, panels)};
    const std::int64_t depth = std::min(block.end * kTileCols, job.sizes.classes) - p * kTileCols;
    tiles::pack(tiles::Side::right, {job.table + p * kTileCols * size, size, /*terms_first=*/true}, size, depth, kParts,
                job.scratch);
    for (std::int64_t row = rows.begin; row < rows.end; row += kTiledRows)
      tiled_state_gradients_of<kParts>(job, {row, std::min(row + kTiledRows, rows.end)}, block, depth, left);
  }
}

[[maybe_unused]] std::int64_t tiled_packed_states_floats(const SoftmaxSizes& sizes) { return sizes.rows * sizes.size; }

/// Scaled, not packed: blocks of terms are rows of more than one range.
[[maybe_unused]] void tiled_pack_states(const SoftmaxSizes& sizes, const float* states, const float* scale,
                                        IndexRange rows, float* packed) {
  const Floats d;
  const std::int64_t size = sizes.size;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const FloatVec by = splat(scale[row]);
    for (std::int64_t n = 0; n < size; n += kLanes) {
      const auto mask = hn::FirstN(d, static_cast<std::size_t>(size - n));
      const std::int64_t at = row * size + n;
      hn::BlendedStore(hn::Mul(by, hn::MaskedLoad(mask, d, states + at)), mask, d, packed + at);
    }
  }
}

/// The part of some rows, of which `right` holds the states.
template <int kParts>
void tiled_table_gradients_of(const TableGradientsJob& job, IndexRange panels, IndexRange rows, bool accumulate,
                              const float* right, float* left) {
  const SoftmaxSizes& sizes = job.sizes;
  const std::int64_t size = sizes.size, depth = rows.end - rows.begin;
  const std::int64_t class_begin = panels.begin * kTileCols,
                     classes = std::min(panels.end * kTileCols, sizes.classes) - class_begin;
  for (std::int64_t p = panels.begin; p < panels.end; ++p) {
    const Panel panel = panel_of(sizes.classes, p);
    tiles::pack(tiles::Side::left,
                {job.exponentials + panel.first * sizes.rows + rows.begin * panel.width(), panel.width(),
                 /*terms_first=*/true},
                panel.columns, depth, kParts, left + tiles::packed_floats(panel.first - class_begin, depth, kParts));
  }
  alignas(64) float sums[tiles::kRows * tiles::kCols];
  const std::int64_t panel_floats = tiles::packed_floats(tiles::kCols, depth, kParts);
  for (std::int64_t column = 0; column < size; column += tiles::kCols) {
    const std::int64_t columns = std::min(tiles::kCols, size - column);
    const float* of_columns = right + tiles::packed_floats(column, depth, kParts);
    for (std::int64_t cls = 0; cls < classes; cls += tiles::kRows) {
      const std::int64_t taken = std::min(tiles::kRows, classes - cls);
      float* out = job.d_table + (class_begin + cls) * size + column;
      prefetch_rows(out, size, taken, columns);
      const std::int64_t share = round_up(panel_floats * tiles::kRows / (kTiledTablePanels * kTileCols), kLineFloats);
      tiles::multiply(
          {left + tiles::packed_floats(cls, depth, kParts), taken, of_columns,
           tiles::packed_floats(tiles::kGroup, depth, kParts), columns, depth, kParts},
          sums, {of_columns + panel_floats + cls / tiles::kRows * share, column + tiles::kCols < size ? share : 0});
      for (std::int64_t r = 0; r < taken; ++r)
        store_sums(sums + r * tiles::kCols, columns, out + r * size, accumulate,
                   [](FloatVec x, std::int64_t, hn::Mask<Floats>) HWY_ATTR { return x; });
    }
  }
}

template <int kParts>
void tiled_table_gradients(const TableGradientsJob& job, IndexRange panels) {
  const tiles::Use use;
  const SoftmaxSizes& sizes = job.sizes;
  const std::int64_t parts = (sizes.rows + kTiledDepth - 1) / kTiledDepth,
                     most = round_up((sizes.rows + parts - 1) / parts, tiles::kTerms);
  float* right = tiles::thread_scratch(tiles::packed_floats(sizes.size, most, kParts) +
                                       tiles::packed_floats(kTiledTablePanels * kTileCols, most, kParts));
  float* left = right + tiles::packed_floats(sizes.size, most, kParts);
  for (std::int64_t row = 0; row < sizes.rows; row += most) {
    const IndexRange rows{row, std::min(row + most, sizes.rows)};
    const bool accumulate = job.accumulate || row > 0;
    if (job.d_table != nullptr)
      tiles::pack(tiles::Side::right, {job.packed_states + row * sizes.size, sizes.size, /*terms_first=*/true},
                  sizes.size, rows.end - rows.begin, kParts, right);
    for (std::int64_t p = panels.begin; p < panels.end; p += kTiledTablePanels) {
      const IndexRange block{p, std::min(p + kTiledTablePanels, panels.end)};
      if (job.d_bias != nullptr)
        for (std::int64_t i = block.begin; i < block.end; ++i)
          bias_gradients(job, panel_of(sizes.classes, i), rows, accumulate);
      if (job.d_table != nullptr) tiled_table_gradients_of<kParts>(job, block, rows, accumulate, right, left);
    }
  }
}

}  // namespace

template <int kParts>
const SoftmaxProducts& products_on() {
  static constexpr SoftmaxProducts kProducts{kLanes,
                                             kTileCols,
                                             tiled_packed_states_floats,
                                             exponentials_floats,
                                             tiled_state_scratch_floats<kParts>,
                                             tiled_pack_states,
                                             tiled_exponentials<kParts>,
                                             tiled_state_gradients<kParts>,
                                             tiled_table_gradients<kParts>};
  return kProducts;
}

/// Tiles are used only where vectors are as wide as they are.
const SoftmaxProducts& products(int parts) {
  static constexpr SoftmaxProducts kProducts{
      kLanes,      kTileCols,    packed_states_floats, exponentials_floats, state_scratch_floats,
      pack_states, exponentials, state_gradients,      table_gradients};
  if constexpr (kTileCols == tiles::kCols) {
    if (parts == 1) return products_on<1>();
    if (parts == 2) return products_on<2>();
    if (parts == 3) return products_on<3>();
  }
  return kProducts;
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {
HWY_EXPORT(products);
const SoftmaxProducts& softmax_products(int parts) { return HWY_DYNAMIC_DISPATCH(products)(parts); }
}  // namespace eddy
#endif
