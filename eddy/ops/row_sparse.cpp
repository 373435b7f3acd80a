// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/row_sparse.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

Shape rows_shape(std::int64_t count, const Shape& table) {
  Shape shape = table;
  shape[0] = count;
  return shape;
}

// Scratch memory of one run, carved from one block of 32- and 64-bit words.
struct Workspace {
  std::uint64_t* seen;  // [words]: one bit per table row
  std::int32_t* rank;   // [words]: rows seen before this word
  std::int32_t* start;  // [count + 1]: first entry of `order` of each unique row
  std::int32_t* order;  // [count]: positions in the input, grouped by row, in input order

  static std::size_t bytes(std::int64_t words, std::int64_t count) {
    return static_cast<std::size_t>(words) * 12 + static_cast<std::size_t>(2 * count + 2) * 4;
  }
  Workspace(void* scratch, std::int64_t words, std::int64_t count)
      : seen(static_cast<std::uint64_t*>(scratch)),
        rank(reinterpret_cast<std::int32_t*>(seen + words)),
        start(rank + words),
        order(start + count + 2) {}

  std::int32_t place(std::int32_t row) const {
    const std::uint64_t below = (std::uint64_t{1} << (row & 63)) - 1;
    return rank[row >> 6] + std::popcount(seen[row >> 6] & below);
  }
};

struct Coalesce final : OpClass<Coalesce> {
  static constexpr std::string_view kName = "coalesce";
  Shape table;

  explicit Coalesce(const Shape& t) : table(t) {}
  static void attributes(auto& op, auto&& visit) { visit("table", op.table); }

  // inputs: indices and rows of each part, alternating
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(table.rank() >= 1, "the table must have at least one axis");
    std::int64_t count = 0;
    for (std::size_t i = 0; i + 1 < inputs.size(); i += 2) {
      const std::int64_t n = inputs[i].shape.elements();
      require<GraphError>(inputs[i].dtype == i32, "indices must be i32, not {}", inputs[i]);
      require<GraphError>(inputs[i + 1].dtype == f32 && inputs[i + 1].shape.elements() == n * width(),
                          "rows {} do not match indices {} and table {}", inputs[i + 1], inputs[i], to_string(table));
      count += n;
    }
    require<GraphError>(table[0] <= INT32_MAX && count <= INT32_MAX, "{} indices into {} rows exceed 32 bits", count,
                        table[0]);
    return {{i32, {count}}, {f32, rows_shape(count, table)}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Gradient> result(context.inputs.size());
    if (!context.d_out(1)) return result;
    const Value scattered = scatter_add({}, table, context.out(0), context.d_out(1));
    for (std::size_t i = 1; i < result.size(); i += 2)
      if (context.needs(static_cast<int>(i))) result[i] = gather_rows(scattered, context.inputs[i - 1]);
    return result;
  }
  Cost cost(std::span<const TensorType>, std::span<const TensorType> outputs) const override {
    const auto rows = static_cast<double>(outputs[1].bytes());
    return {.flops = rows / 4, .bytes = 2 * rows + static_cast<double>(table[0]) / 4};
  }

  Kernel make_kernel(const KernelContext& context) const override {
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 0; i < context.inputs.size(); i += 2) sizes.push_back(context.inputs[i].shape.elements());
    const std::int64_t count = context.outputs[0].shape[0];
    const std::int64_t words = (table[0] + 63) / 64;
    return {.run =
                [sizes, count, words, rows = table[0], width = width()](const KernelArgs& args) {
                  const Workspace work(args.scratch, words, count);
                  const std::int32_t unique = group(args, sizes, rows, words, work);
                  if (args.outputs[0] != nullptr) write_indices(args.out<std::int32_t>(0), words, count, work);
                  if (args.outputs[1] == nullptr) return;
                  add_rows(args, sizes, work, unique, width);
                  std::fill(args.out<float>(1) + unique * width, args.out<float>(1) + count * width, 0.0F);
                },
            .scratch_bytes = Workspace::bytes(words, count)};
  }

 private:
  std::int64_t width() const { return table.product(1, table.rank()); }

  /// Calls body(position, index) for every index that is not negative.
  template <class Body>
  static void for_each_index(const KernelArgs& args, const std::vector<std::int64_t>& sizes, Body&& body) {
    std::int32_t position = 0;
    for (std::size_t part = 0; part < sizes.size(); ++part) {
      const auto* indices = args.in<std::int32_t>(static_cast<int>(2 * part));
      for (std::int64_t i = 0; i < sizes[part]; ++i, ++position)
        if (indices[i] >= 0) body(position, indices[i]);
    }
  }

  static void write_indices(std::int32_t* out, std::int64_t words, std::int64_t count, const Workspace& work) {
    std::int32_t* const end = out + count;
    for (std::int64_t word = 0; word < words; ++word)
      for (std::uint64_t bits = work.seen[word]; bits != 0; bits &= bits - 1)
        *out++ = static_cast<std::int32_t>(word * 64 + std::countr_zero(bits));
    std::fill(out, end, -1);
  }

  /// Fills the workspace and counts the unique rows: a counting sort, linear in indices + rows / 64.
  static std::int32_t group(const KernelArgs& args, const std::vector<std::int64_t>& sizes, std::int64_t rows,
                            std::int64_t words, const Workspace& work) {
    std::memset(work.seen, 0, static_cast<std::size_t>(words) * sizeof(std::uint64_t));
    for_each_index(args, sizes, [&](std::int32_t position, std::int32_t index) {
      require<GraphError>(index < rows, "index {} at position {} is out of range for a table of {} rows", index,
                          position, rows);
      work.seen[index >> 6] |= std::uint64_t{1} << (index & 63);
    });
    std::int32_t unique = 0;
    for (std::int64_t word = 0; word < words; ++word) {
      work.rank[word] = unique;
      unique += std::popcount(work.seen[word]);
    }
    // start[u + 2] counts, then start[u + 1] is the running end of row u, so that start[u] ends as its beginning.
    std::fill(work.start, work.start + unique + 2, 0);
    for_each_index(args, sizes, [&](std::int32_t, std::int32_t index) { ++work.start[work.place(index) + 2]; });
    for (std::int32_t u = 1; u < unique + 2; ++u) work.start[u] += work.start[u - 1];
    for_each_index(args, sizes, [&](std::int32_t position, std::int32_t index) {
      work.order[work.start[work.place(index) + 1]++] = position;
    });
    return unique;
  }

  static const float* source_row(const KernelArgs& args, const std::vector<std::int64_t>& sizes, std::int64_t position,
                                 std::int64_t width) {
    std::size_t part = 0;
    while (position >= sizes[part]) position -= sizes[part++];
    return args.in<float>(static_cast<int>(2 * part + 1)) + position * width;
  }

  static void add_rows(const KernelArgs& args, const std::vector<std::int64_t>& sizes, const Workspace& work,
                       std::int32_t unique, std::int64_t width) {
    float* out = args.out<float>(1);
    // Shared out by occurrences: with words ordered by frequency the first rows carry most of them.
    parallel_for(work.start[unique], grain_of(width), [&](std::int64_t begin, std::int64_t end) {
      const std::int32_t* first = std::lower_bound(work.start, work.start + unique, begin);
      for (auto u = first - work.start; u < unique && work.start[u] < end; ++u) {
        float* target = out + u * width;
        const float* source = source_row(args, sizes, work.order[work.start[u]], width);
        std::copy(source, source + width, target);
        for (std::int32_t k = work.start[u] + 1; k < work.start[u + 1]; ++k) {
          source = source_row(args, sizes, work.order[k], width);
          for (std::int64_t j = 0; j < width; ++j) target[j] += source[j];
        }
      }
    });
  }
};

}  // namespace

RowSparse coalesce(std::span<const RowSparse> parts, const Shape& table, SourceLocation where) {
  require_at(!parts.empty(), where, Coalesce::kName, "there is no row-sparse part");
  std::vector<Value> inputs;
  for (const RowSparse& part : parts) {
    inputs.push_back(part.indices);
    inputs.push_back(part.rows);
  }
  Graph& graph = parts[0].indices.graph();
  const Value indices = add_node(graph, Coalesce(table), std::move(inputs), where);
  return {.indices = indices, .rows = graph.outputs(indices)[1]};
}

}  // namespace eddy
