// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/fused_op.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "eddy/core/threads.h"
#include "eddy/graph/node_key.h"

namespace eddy {
namespace {

/// Elements of a tile: the values between instructions stay in the first-level cache.
constexpr std::int64_t kTile = 512;
constexpr std::size_t kTileBytes = kTile * sizeof(float);
/// Rows of so many elements are laid out side by side; longer ones are worth a call of each instruction.
constexpr std::int64_t kShortRow = 64;

template <class T>
void repeat(const void* value, void* out, std::int64_t n) {
  std::fill_n(static_cast<T*>(out), n, *static_cast<const T*>(value));
}

void repeat(DType dtype, const void* value, void* out, std::int64_t n) {
  if (size_of(dtype) == 1) {
    repeat<std::uint8_t>(value, out, n);
  } else {
    repeat<std::uint32_t>(value, out, n);
  }
}

/// A tile in memory, or in one of the tile buffers.
struct Place {
  enum class Kind : std::uint8_t { operand, result, buffer } kind = Kind::buffer;
  int index = 0;
};

struct Step {
  TileFunction run;
  std::vector<Place> arguments;
  Place target;
  std::vector<int> copies;  ///< further results that get the same value
  DType dtype = DType::f32;
};

/// What runs: instructions with their tiles assigned to buffers. A tile is a part of a row, or several short rows.
struct TileProgram {
  std::int64_t rows, columns;
  std::int64_t rows_at_once;
  std::vector<FusedOp::Access> operands, results;
  std::vector<Step> steps;
  std::vector<int> operand_buffers;  ///< for operands that do not lie as a tile does: where they are laid out; else -1
  int buffers = 0;

  TileProgram(const FusedOp::Plan& plan, std::span<const bool> output_used)
      : rows(plan.rows),
        columns(plan.columns),
        rows_at_once(columns > kShortRow ? 1 : std::clamp<std::int64_t>(kTile / columns, 1, rows)),
        operands(plan.operands),
        results(plan.results) {
    for (const FusedOp::Access& operand : operands)
      operand_buffers.push_back(operand.column_stride == 0 || !fills_tiles(operand) ? buffers++ : -1);
    std::vector<int> last_reader(plan.instructions.size(), -1);
    for (std::size_t i = 0; i < plan.instructions.size(); ++i)
      for (const FusedOp::Source& source : plan.instructions[i].sources)
        if (!source.is_operand) last_reader[static_cast<std::size_t>(source.index)] = static_cast<int>(i);
    std::vector<Place> places;
    std::vector<int> free;
    for (std::size_t i = 0; i < plan.instructions.size(); ++i) {
      const FusedOp::Instruction& instruction = plan.instructions[i];
      Step step{.run = instruction.op->tile(instruction.input_types),
                .arguments = {},
                .target = {},
                .copies = {},
                .dtype = instruction.type.dtype};
      for (const FusedOp::Source& source : instruction.sources) {
        const auto index = static_cast<std::size_t>(source.index);
        if (!source.is_operand) {
          step.arguments.push_back(places[index]);
        } else if (operand_buffers[index] >= 0) {
          step.arguments.push_back({Place::Kind::buffer, operand_buffers[index]});
        } else {
          step.arguments.push_back({Place::Kind::operand, source.index});
        }
      }
      // An output that is not used has no memory.
      for (const int result : instruction.results)
        if (output_used[static_cast<std::size_t>(plan.results[static_cast<std::size_t>(result)].index)])
          step.copies.push_back(result);
      if (!step.copies.empty() && fills_tiles(results[static_cast<std::size_t>(step.copies.front())])) {
        step.target = {Place::Kind::result, step.copies.front()};
        step.copies.erase(step.copies.begin());
      } else {
        if (free.empty()) free.push_back(buffers++);
        step.target = {Place::Kind::buffer, free.back()};
        free.pop_back();
      }
      places.push_back(step.target);
      for (std::size_t j = 0; j <= i; ++j)
        if (std::max(last_reader[j], static_cast<int>(j)) == static_cast<int>(i) &&
            places[j].kind == Place::Kind::buffer)
          free.push_back(places[j].index);
      steps.push_back(std::move(step));
    }
  }

  std::int64_t tiles() const {
    return rows_at_once > 1 ? (rows + rows_at_once - 1) / rows_at_once : rows * tiles_per_row();
  }
  std::int64_t tile_elements() const {
    return std::max<std::int64_t>(1, rows_at_once > 1 ? rows_at_once * columns : std::min(kTile, columns));
  }
  std::size_t bytes_per_thread() const { return static_cast<std::size_t>(buffers) * kTileBytes; }

  static std::byte* address(void* base, const FusedOp::Access& access, std::int64_t row, std::int64_t column) {
    if (access.row_repeat > 1) row /= access.row_repeat;
    const std::int64_t element = access.begin + row * access.row_stride + column * access.column_stride;
    return static_cast<std::byte*>(base) + static_cast<std::size_t>(element) * size_of(access.dtype);
  }

  void run(const KernelArgs& args, std::byte* scratch, std::int64_t begin, std::int64_t end) const {
    if (rows_at_once > 1) return run_rows(args, scratch, begin, end);
    const std::int64_t per_row = tiles_per_row();
    std::int64_t row = begin / per_row;
    std::int64_t tile = begin % per_row;
    bool fresh = true;
    for (std::int64_t at = begin; at < end; ++at) {
      const std::int64_t column = tile * kTile;
      const std::int64_t count = std::min(kTile, columns - column);
      if (fresh || tile == 0) lay_out(args, scratch, row, 1, fresh);
      fresh = false;
      run_tile(args, scratch, row, 1, column, count);
      if (++tile == per_row) {
        tile = 0;
        ++row;
      }
    }
  }

 private:
  std::int64_t tiles_per_row() const { return (columns + kTile - 1) / kTile; }

  /// Whether a tile is one run of elements there: of a part of one row always, of several rows if they are neighbours.
  bool fills_tiles(const FusedOp::Access& access) const {
    return rows_at_once == 1 || (access.column_stride == 1 && access.row_stride == columns && access.row_repeat == 1);
  }

  void run_rows(const KernelArgs& args, std::byte* scratch, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t at = begin; at < end; ++at) {
      const std::int64_t row = at * rows_at_once, count = std::min(rows_at_once, rows - row);
      lay_out(args, scratch, row, count, at == begin);
      run_tile(args, scratch, row, count, 0, count * columns);
    }
  }

  /// Fills the buffers of operands for some rows: each row as it lies, or its one element repeated.
  void lay_out(const KernelArgs& args, std::byte* scratch, std::int64_t row, std::int64_t count, bool fresh) const {
    const std::int64_t width = std::min(kTile, columns);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const FusedOp::Access& operand = operands[i];
      // One row, or element, for all.
      if (operand_buffers[i] < 0 || (!fresh && operand.row_stride == 0)) continue;
      std::byte* out = scratch + static_cast<std::size_t>(operand_buffers[i]) * kTileBytes;
      void* base = const_cast<void*>(args.inputs[operand.index]);
      const std::size_t bytes = static_cast<std::size_t>(width) * size_of(operand.dtype);
      if (operand.column_stride == 0 && operand.row_stride == 0) {
        repeat(operand.dtype, address(base, operand, row, 0), out, width * rows_at_once);
        continue;
      }
      for (std::int64_t r = row; r < row + count; ++r, out += bytes) {
        const std::byte* from = address(base, operand, r, 0);
        if (operand.column_stride == 0) {
          repeat(operand.dtype, from, out, width);
        } else {
          std::memcpy(out, from, bytes);
        }
      }
    }
  }

  void run_tile(const KernelArgs& args, std::byte* scratch, std::int64_t row, std::int64_t row_count,
                std::int64_t column, std::int64_t count) const {
    const auto locate = [&](const Place& place) -> std::byte* {
      const auto index = static_cast<std::size_t>(place.index);
      switch (place.kind) {
        case Place::Kind::operand:
          return address(const_cast<void*>(args.inputs[operands[index].index]), operands[index], row, column);
        case Place::Kind::result:
          return address(args.outputs[results[index].index], results[index], row, column);
        case Place::Kind::buffer:
          break;
      }
      return scratch + index * kTileBytes;
    };
    std::array<const void*, FusedOp::kMaxArguments> arguments;
    for (const Step& step : steps) {
      for (std::size_t i = 0; i < step.arguments.size(); ++i) arguments[i] = locate(step.arguments[i]);
      std::byte* target = locate(step.target);
      step.run(arguments.data(), target, count);
      for (const int copy : step.copies) {
        const FusedOp::Access& result = results[static_cast<std::size_t>(copy)];
        if (fills_tiles(result)) {
          std::memcpy(locate({Place::Kind::result, copy}), target,
                      static_cast<std::size_t>(count) * size_of(step.dtype));
          continue;
        }
        const std::size_t bytes = static_cast<std::size_t>(columns) * size_of(step.dtype);
        for (std::int64_t r = 0; r < row_count; ++r)
          std::memcpy(address(args.outputs[result.index], result, row + r, 0),
                      target + static_cast<std::size_t>(r) * bytes, bytes);
      }
    }
  }
};

}  // namespace

FusedOp::FusedOp(Plan plan) : plan_(std::move(plan)) {}

Cost FusedOp::cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::cost(inputs, outputs);
  cost.flops = static_cast<double>(plan_.rows * plan_.columns) * static_cast<double>(plan_.instructions.size());
  return cost;
}

std::vector<Alias> FusedOp::aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  const auto is_plain = [&](const Access& access) {
    return access.begin == 0 && access.column_stride == 1 && access.row_repeat == 1 &&
           (access.row_stride == plan_.columns || plan_.rows == 1);
  };
  // By input: whether every access of it is to the element just computed, and the last instruction that reads it.
  std::vector<bool> plain(inputs.size(), true);
  std::vector<std::size_t> last_read(inputs.size(), 0), first_write(plan_.results.size(), plan_.instructions.size());
  for (std::size_t i = 0; i < plan_.instructions.size(); ++i) {
    for (const Source& source : plan_.instructions[i].sources) {
      if (!source.is_operand) continue;
      const Access& access = plan_.operands[static_cast<std::size_t>(source.index)];
      plain[static_cast<std::size_t>(access.index)] = plain[static_cast<std::size_t>(access.index)] && is_plain(access);
      last_read[static_cast<std::size_t>(access.index)] = i;
    }
    for (const int written : plan_.instructions[i].results) {
      std::size_t& first = first_write[static_cast<std::size_t>(written)];
      first = std::min(first, i);
    }
  }
  std::vector<int> order;  // inputs as the operands name them
  std::vector<bool> named(inputs.size(), false);
  for (const Access& operand : plan_.operands) {
    const auto at = static_cast<std::size_t>(operand.index);
    if (plain[at] && !named[at]) order.push_back(operand.index);
    named[at] = true;
  }
  std::vector<Alias> result;
  for (std::size_t i = 0; i < plan_.results.size(); ++i) {
    const Access& out = plan_.results[i];
    if (!is_plain(out)) continue;
    const TensorType& written = outputs[static_cast<std::size_t>(out.index)];
    for (const int input : order) {
      const TensorType& read = inputs[static_cast<std::size_t>(input)];
      // No access may come after the output is written.
      if (size_of(read.dtype) == size_of(written.dtype) && read.bytes() == written.bytes() &&
          last_read[static_cast<std::size_t>(input)] <= first_write[i])
        result.push_back({.output = out.index, .input = input, .kind = Alias::Kind::share});
    }
  }
  return result;
}

Kernel FusedOp::make_kernel(const KernelContext& context) const {
  const TileProgram program(plan_, context.output_used);
  const std::int64_t tiles = program.tiles();
  // Work for one thread in tiles: a chain of many ops pays for a fork sooner than one op.
  const auto ops = static_cast<std::int64_t>(program.steps.size());
  const std::int64_t grain =
      std::max<std::int64_t>(1, 2 * kElementwiseGrain / std::max<std::int64_t>(2, ops) / program.tile_elements());
  const std::size_t bytes = program.bytes_per_thread();
  return {.run =
              [program, tiles, grain, bytes](const KernelArgs& args) {
                const std::int64_t threads = std::min<std::int64_t>(num_threads(), tiles / grain);
                auto* scratch = static_cast<std::byte*>(args.scratch);
                if (threads <= 1) {
                  program.run(args, scratch, 0, tiles);
                  return;
                }
                parallel_team(static_cast<int>(threads), [&](int thread, int team) {
                  const std::int64_t begin = tiles * thread / team;
                  const std::int64_t end = tiles * (thread + 1) / team;
                  if (begin < end) program.run(args, scratch + static_cast<std::size_t>(thread) * bytes, begin, end);
                });
              },
          .scratch_bytes = bytes * static_cast<std::size_t>(num_threads())};
}

std::string FusedOp::attribute_text() const {
  std::string names;
  for (const Instruction& instruction : plan_.instructions)
    names += (names.empty() ? "" : " ") + std::string(instruction.op->name());
  return fmt::format("{}x{}: {}", plan_.rows, plan_.columns, names);
}

std::string FusedOp::attribute_bytes() const {
  std::string key = fmt::format("{} {}", plan_.rows, plan_.columns);
  const auto add = [&](const Access& a) {
    key += fmt::format("|{} {} {} {} {} {}", a.index, static_cast<int>(a.dtype), a.begin, a.row_stride, a.column_stride,
                       a.row_repeat);
  };
  for (const Access& operand : plan_.operands) add(operand);
  for (const Access& result : plan_.results) add(result);
  for (const Instruction& instruction : plan_.instructions) {
    key += key_of(*instruction.op);
    for (const Source& source : instruction.sources) key += fmt::format(" {}{}", source.is_operand, source.index);
    for (const int result : instruction.results) key += fmt::format(" >{}", result);
  }
  return key;
}

}  // namespace eddy
