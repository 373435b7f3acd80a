// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/softmax_tiles.h"

#include "eddy/core/rounding.h"
#include "eddy/core/simd_targets.h"
#include "eddy/core/tile_product.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/softmax_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/softmax_panels-inl.h"
// clang-format on

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
#if HWY_TARGET == HWY_AVX3  // where there are tiles
namespace {

// Sizes that serve three parts, and fewer too. In the first product: rows of states that stay in the second-level cache
// while panels of the table pass by.
constexpr std::int64_t kCachedStates = 130'000;
// In the second: exponentials, packed, while columns of a block of the table pass by.
constexpr std::int64_t kBlockRows = 8 * tiles::kRows;
constexpr std::int64_t kBlockClasses = 512;
// In the third: exponentials of so many classes and rows, packed, while columns of the states pass by.
constexpr std::int64_t kTablePanels = 2;
constexpr std::int64_t kDepth = 1024;

/// The bias is added, and logits become exponentials.
template <int kVecs>
void exponentials_end(const ExponentialsJob& job, std::int64_t row, std::int64_t panel, const float* sums, float* out) {
  const Floats d;
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v)
    hn::StoreU(hn::Add(hn::LoadU(d, sums + v * kLanes), hn::LoadU(d, job.bias + panel * kTileCols + v * kLanes)), d,
               out + v * kLanes);
  exponentials_of<kVecs>(job, row, panel, out);
}

void exponentials_end(int vecs, const ExponentialsJob& job, std::int64_t row, std::int64_t panel, const float* sums,
                      float* out) {
  static_assert(tiles::kCols == 4 * tiles::kLines);
  switch (vecs) {
    case 1:
      return exponentials_end<1>(job, row, panel, sums, out);
    case 2:
      return exponentials_end<2>(job, row, panel, sums, out);
    case 3:
      return exponentials_end<3>(job, row, panel, sums, out);
    default:
      return exponentials_end<4>(job, row, panel, sums, out);
  }
}

template <int kParts>
void exponentials_of_rows(const ExponentialsJob& job, IndexRange rows) {
  const std::int64_t size = job.sizes.size, count = rows.end - rows.begin;
  float* left = tiles::thread_scratch(tiles::packed_floats(count, size, kParts));
  tiles::pack(tiles::Side::left, {job.states + rows.begin * size, size, /*terms_first=*/false}, count, size, kParts,
              left);
  alignas(64) float unkept[kTileCols];
  for (std::int64_t p = job.panels.begin; p < job.panels.end; ++p) {
    const Panel panel = panel_of(job.sizes.classes, p);
    const float* table = job.packed_table + tiles::packed_floats((p - job.panels.begin) * kTileCols, size, kParts);
    const std::int64_t panel_floats = tiles::packed_floats(tiles::kCols, size, kParts);
    float* out = job.exponentials == nullptr
                     ? nullptr
                     : job.exponentials + panel.first * job.sizes.rows + rows.begin * panel.width();
    tiles::multiply_row_blocks(
        {left, count, table, tiles::packed_floats(tiles::kGroup, size, kParts), panel.columns, size, kParts},
        {table + panel_floats, p + 1 < job.panels.end ? panel_floats : 0},
        [&](std::int64_t first, std::int64_t taken) {
          for (std::int64_t i = 0; out != nullptr && i < taken * panel.width(); i += kLineFloats)
            __builtin_prefetch(out + first * panel.width() + i, 1);
        },
        [&](std::int64_t first, std::int64_t taken, const float* sums) HWY_ATTR {
          for (std::int64_t row = first; row < first + taken; ++row, sums += tiles::kCols)
            exponentials_end(panel.vecs, job, rows.begin + row, p, sums,
                             out == nullptr ? unkept : out + row * panel.width());
        });
    if (ends_sum(job, p)) collect_sums(job, rows);
  }
}

template <int kParts>
void exponentials(const ExponentialsJob& job, IndexRange rows) {
  const tiles::Use use;
  const std::int64_t count = rows.end - rows.begin;
  const std::int64_t most =
      std::max(kCachedStates / std::max<std::int64_t>(job.sizes.size, 1) / tiles::kRows, std::int64_t{1}) *
      tiles::kRows;
  for (std::int64_t first = 0; first < count; first += most)
    exponentials_of_rows<kParts>(job, {rows.begin + first, rows.begin + std::min(first + most, count)});
}

template <int kParts>
std::int64_t state_scratch_floats(const SoftmaxSizes& sizes) {
  return tiles::packed_floats(sizes.size, std::min(kBlockClasses, sizes.classes), kParts);
}

/// out[rows, size] (+)= the product, a row times its scale; null for 1.
template <int kParts>
void multiply_columns(const float* left, std::int64_t rows, const float* right, std::int64_t size, std::int64_t depth,
                      const float* scale, bool accumulate, float* out) {
  const std::int64_t panel_floats = tiles::packed_floats(tiles::kCols, depth, kParts);
  for (std::int64_t column = 0; column < size; column += tiles::kCols, out += tiles::kCols) {
    const std::int64_t columns = std::min(tiles::kCols, size - column);
    const float* panel = right + tiles::packed_floats(column, depth, kParts);
    tiles::multiply_row_blocks(
        {left, rows, panel, tiles::packed_floats(tiles::kGroup, depth, kParts), columns, depth, kParts},
        {panel + panel_floats, column + tiles::kCols < size ? panel_floats : 0},
        [&](std::int64_t first, std::int64_t taken)
            HWY_ATTR { prefetch_rows(out + first * size, size, taken, columns); },
        [&](std::int64_t first, std::int64_t taken, const float* sums) HWY_ATTR {
          for (std::int64_t row = first; row < first + taken; ++row, sums += tiles::kCols) {
            const FloatVec by = splat(scale != nullptr ? scale[row] : 1.0F);
            store_sums(sums, columns, out + row * size, accumulate,
                       [&](FloatVec x, std::int64_t, hn::Mask<Floats>) HWY_ATTR { return hn::Mul(x, by); });
          }
        });
  }
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
void state_gradients_of(const StateGradientsJob& job, IndexRange rows, IndexRange panels, std::int64_t depth,
                        float* left) {
  const std::int64_t size = job.sizes.size;
  pack_exponentials<kParts>(job, rows, panels, depth, left);
  const bool first_pass = panels.begin == 0, last_pass = panels.end == panels_of(job.sizes.classes);
  multiply_columns<kParts>(left, rows.end - rows.begin, job.scratch, size, depth,
                           last_pass ? job.scale + rows.begin : nullptr, !first_pass, job.d_states + rows.begin * size);
}

template <int kParts>
void state_gradients(const StateGradientsJob& job, IndexRange rows) {
  const tiles::Use use;
  const std::int64_t panels = panels_of(job.sizes.classes), size = job.sizes.size;
  constexpr std::int64_t kPanels = kBlockClasses / kTileCols;
  float* left = tiles::thread_scratch(tiles::packed_floats(std::min(kBlockRows, rows.end - rows.begin),
                                                           std::min(kBlockClasses, job.sizes.classes), kParts));
  for (std::int64_t p = 0; p < panels; p += kPanels) {
    const IndexRange block{p, std::min(p + kPanels, panels)};
    const std::int64_t depth = std::min(block.end * kTileCols, job.sizes.classes) - p * kTileCols;
    tiles::pack(tiles::Side::right, {job.table + p * kTileCols * size, size, /*terms_first=*/true}, size, depth, kParts,
                job.scratch);
    for (std::int64_t row = rows.begin; row < rows.end; row += kBlockRows)
      state_gradients_of<kParts>(job, {row, std::min(row + kBlockRows, rows.end)}, block, depth, left);
  }
}

static_assert(kPackedRows % tiles::kTerms == 0);
/// Rows whose part of the gradients of the table is added up at once; a multiple of kTerms.
std::int64_t rows_of_pass(const SoftmaxSizes& sizes) {
  const std::int64_t passes = (sizes.rows + kDepth - 1) / kDepth;
  return round_up((sizes.rows + passes - 1) / passes, tiles::kTerms);
}

template <int kParts>
std::int64_t packed_states_floats(const SoftmaxSizes& sizes) {
  const std::int64_t most = rows_of_pass(sizes);
  return (sizes.rows + most - 1) / most * tiles::packed_floats(sizes.size, most, kParts);
}

/// As a right operand for each pass, one behind another.
template <int kParts>
void pack_states(const SoftmaxSizes& sizes, const float* states, const float* scale, IndexRange rows, float* packed) {
  const Floats d;
  const std::int64_t size = sizes.size, most = rows_of_pass(sizes);
  float* scaled = tiles::thread_scratch(tiles::kTerms * size);
  for (std::int64_t first = rows.begin; first < rows.end; first += tiles::kTerms) {
    const std::int64_t count = std::min(tiles::kTerms, rows.end - first);
    for (std::int64_t row = 0; row < count; ++row) {
      const FloatVec by = splat(scale[first + row]);
      for (std::int64_t n = 0; n < size; n += kLanes) {
        const auto mask = hn::FirstN(d, static_cast<std::size_t>(size - n));
        hn::BlendedStore(hn::Mul(by, hn::MaskedLoad(mask, d, states + (first + row) * size + n)), mask, d,
                         scaled + row * size + n);
      }
    }
    const std::int64_t pass = first / most, depth = std::min(most, sizes.rows - pass * most);
    float* out = packed + pass * tiles::packed_floats(size, most, kParts);
    for (std::int64_t column = 0; column < size; column += tiles::kLines) {
      const std::int64_t group = column / tiles::kGroup * tiles::kGroup;
      const int tiles_of_group = size - group > tiles::kLines ? 2 : 1;
      tiles::pack_tile(tiles::Side::right, {scaled + column, size, /*terms_first=*/true},
                       std::min(tiles::kLines, size - column), count, kParts,
                       static_cast<int>((column - group) / tiles::kLines), tiles_of_group,
                       out + tiles::packed_floats(group, depth, kParts) +
                           (first - pass * most) / tiles::kTerms * tiles::step_floats(tiles_of_group, kParts));
    }
  }
}

/// The part of some rows, of which `right` holds the states.
template <int kParts>
void table_gradients_of(const TableGradientsJob& job, IndexRange panels, IndexRange rows, bool accumulate,
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
  multiply_columns<kParts>(left, classes, right, size, depth, nullptr, accumulate, job.d_table + class_begin * size);
}

template <int kParts>
void table_gradients(const TableGradientsJob& job, IndexRange panels) {
  const tiles::Use use;
  const SoftmaxSizes& sizes = job.sizes;
  const std::int64_t most = rows_of_pass(sizes);
  float* left = tiles::thread_scratch(tiles::packed_floats(kTablePanels * kTileCols, most, kParts));
  const float* right = job.packed_states;
  for (std::int64_t row = 0; row < sizes.rows; row += most, right += tiles::packed_floats(sizes.size, most, kParts)) {
    const IndexRange rows{row, std::min(row + most, sizes.rows)};
    const bool accumulate = job.accumulate || row > 0;
    for (std::int64_t p = panels.begin; p < panels.end; p += kTablePanels) {
      const IndexRange block{p, std::min(p + kTablePanels, panels.end)};
      if (job.d_bias != nullptr)
        for (std::int64_t i = block.begin; i < block.end; ++i)
          bias_gradients(job, panel_of(sizes.classes, i), rows, accumulate);
      if (job.d_table != nullptr) table_gradients_of<kParts>(job, block, rows, accumulate, right, left);
    }
  }
}

template <int kParts>
constexpr SoftmaxProducts kProducts{kLanes,
                                    kTileCols,
                                    packed_states_floats<kParts>,
                                    exponentials_floats,
                                    state_scratch_floats<kParts>,
                                    pack_states<kParts>,
                                    exponentials<kParts>,
                                    state_gradients<kParts>,
                                    table_gradients<kParts>};

}  // namespace

const SoftmaxProducts* products_on_tiles(int parts) {
  return tiles::with_parts(parts, [](auto count) { return &kProducts<count>; });
}

#else
const SoftmaxProducts* products_on_tiles(int /*parts*/) { return nullptr; }
#endif
}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {
HWY_EXPORT(products_on_tiles);

const SoftmaxProducts& softmax_products_on_tiles(int parts) { return *HWY_DYNAMIC_DISPATCH(products_on_tiles)(parts); }
}  // namespace eddy
#endif
