// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/softmax_products.h"

#include "eddy/core/rounding.h"
#include "eddy/core/simd_targets.h"
#include "eddy/core/softmax_tiles.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/softmax_products.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/softmax_panels-inl.h"
// clang-format on

#include <algorithm>
#include <array>
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

/// For rows that are few enough for their states to stay in cache.
void exponentials_of_rows(const ExponentialsJob& job, IndexRange rows) {
  const std::int64_t tiles = (rows.end - rows.begin + kTileRows - 1) / kTileRows;
  alignas(64) float unkept[kTileRows * kTileCols];
  for (std::int64_t p = job.panels.begin; p < job.panels.end; ++p) {
    const Panel panel = panel_of(job.sizes.classes, p);
    const std::int64_t panel_floats = panel.width() * job.sizes.size, lines = panel_floats / kLineFloats;
    const float* table = job.packed_table + (p - job.panels.begin) * kTileCols * job.sizes.size;
    ExponentialTileJob tile{&job, 0, p, table, unkept, {}, {}};
    // All tiles of a panel share the fetching of the next one.
    tile.next_table = {tile.table + panel_floats, kLineFloats,
                       p + 1 < job.panels.end ? (lines + tiles - 1) / tiles : 0};
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
    if (ends_sum(job, p)) collect_sums(job, rows);
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

}  // namespace

const SoftmaxProducts& products() {
  static constexpr SoftmaxProducts kProducts{
      kLanes,      kTileCols,    packed_states_floats, exponentials_floats, state_scratch_floats,
      pack_states, exponentials, state_gradients,      table_gradients};
  return kProducts;
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {
HWY_EXPORT(products);

const SoftmaxProducts& softmax_products(int parts) {
  return parts > 0 ? softmax_products_on_tiles(parts) : HWY_DYNAMIC_DISPATCH(products)();
}
}  // namespace eddy
#endif
