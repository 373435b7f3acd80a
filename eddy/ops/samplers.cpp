// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/samplers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/id_table.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/random_bits.h"
#include "eddy/ops/random_op.h"

namespace eddy {
namespace {

struct Draw {
  std::uint32_t first, second;
};

/// Two words for each draw, a Philox block for two draws.
class Draws {
 public:
  explicit Draws(const RandomSource& source) : source_(source) {}

  Draw operator()() {
    const std::size_t half = static_cast<std::size_t>(count_ % 2) * 2;
    if (half == 0) block_ = source_.block(static_cast<std::uint32_t>(count_ / 2));
    ++count_;
    return {block_[half], block_[half + 1]};
  }
  std::int64_t count() const { return count_; }

 private:
  RandomSource source_;
  std::array<std::uint32_t, 4> block_{};
  std::int64_t count_ = 0;
};

struct LogUniform {
  std::int64_t range;

  std::int32_t draw(Draw bits) const {
    const double unit = (static_cast<double>(bits.first) * 0x1p32 + bits.second) * 0x1p-64;
    const auto id = static_cast<std::int64_t>(std::exp(unit * std::log1p(static_cast<double>(range)))) - 1;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(id, 0, range - 1));
  }
  double probability(std::int64_t id) const {
    return std::log1p(1.0 / static_cast<double>(id + 1)) / std::log1p(static_cast<double>(range));
  }
};

struct Unigram {
  std::int64_t range;
  const float* accept;
  const std::int32_t* other;
  const float* probabilities;

  std::int32_t draw(Draw bits) const {
    const auto column =
        static_cast<std::int32_t>(static_cast<std::uint64_t>(bits.first) * static_cast<std::uint64_t>(range) >> 32);
    return unit_float(bits.second) < accept[column] ? column : other[column];
  }
  double probability(std::int64_t id) const { return probabilities[id]; }
};

/// What the two samplers share.
struct Sampling {
  std::int64_t samples;
  std::int64_t range;
  std::int64_t targets;
  std::uint32_t stream;
  bool unique;

  std::size_t scratch_bytes() const {
    return static_cast<std::size_t>(samples) * sizeof(std::int32_t) + (unique ? IdTable::bytes(samples) : 0);
  }

  /// inputs: key, targets; outputs: ids, their log expected counts, those of the targets.
  template <class Distribution>
  void run(const Distribution& distribution, const KernelArgs& args) const {
    const auto* wanted = args.in<std::int32_t>(1);
    for (std::int64_t i = 0; i < targets; ++i)
      require<GraphError>(wanted[i] < range, "target {} at position {} is out of range for {} ids", wanted[i], i,
                          range);
    auto* ids = static_cast<std::int32_t*>(args.scratch);
    Draws draws(RandomSource::from_key(args.in<std::int32_t>(0), stream));
    const bool all = unique && samples == range;
    if (all) {
      std::iota(ids, ids + samples, 0);
    } else if (unique) {
      draw_unique(distribution, draws, ids);
    } else {
      for (std::int64_t i = 0; i < samples; ++i) ids[i] = distribution.draw(draws());
    }
    const auto log_expected = [&](std::int64_t id) {
      if (all) return 0.0F;
      const double p = distribution.probability(id);
      const auto tries = static_cast<double>(draws.count());
      return static_cast<float>(std::log(unique ? -std::expm1(tries * std::log1p(-p)) : tries * p));
    };
    if (auto* out = args.out<std::int32_t>(0)) std::copy_n(ids, samples, out);
    if (auto* out = args.out<float>(1))
      for (std::int64_t i = 0; i < samples; ++i) out[i] = log_expected(ids[i]);
    if (auto* out = args.out<float>(2))
      for (std::int64_t i = 0; i < targets; ++i) out[i] = wanted[i] < 0 ? 0.0F : log_expected(wanted[i]);
  }

 private:
  template <class Distribution>
  void draw_unique(const Distribution& distribution, Draws& draws, std::int32_t* ids) const {
    IdTable seen(ids + samples, samples);
    const std::int64_t limit = 1000 * samples + 1'000'000;
    for (std::int64_t found = 0; found < samples;) {
      const std::int32_t id = distribution.draw(draws());
      if (seen.put(id, 0) < 0) ids[found++] = id;
      require<GraphError>(draws.count() < limit,
                          "{} draws found only {} of {} different ids: ask for fewer, or draw with replacement", limit,
                          found, samples);
    }
  }
};

/// Attributes and types of both samplers.
struct SamplerBase : RandomOp {
  std::int64_t samples;
  bool unique;

  SamplerBase(std::uint32_t s, std::int64_t n, bool u) : RandomOp{s}, samples(n), unique(u) {}

  std::vector<TensorType> infer_types(std::span<const TensorType> inputs, std::int64_t range) const {
    require_key(inputs[0]);
    require<GraphError>(inputs[1].dtype == i32, "targets must be i32, they are {}", inputs[1]);
    require<GraphError>(range >= 1 && range <= INT32_MAX, "cannot sample from {} ids", range);
    require<GraphError>(samples >= 1 && samples <= INT32_MAX && (!unique || samples <= range),
                        "cannot draw {} {}ids of {}", samples, unique ? "different " : "", range);
    return {{i32, {samples}}, {f32, {samples}}, {f32, inputs[1].shape}};
  }
  Sampling sampling(const KernelContext& context, std::int64_t range) const {
    return {samples, range, context.inputs[1].shape.elements(), stream, unique};
  }
};

struct LogUniformSampler final : OpClass<LogUniformSampler>, SamplerBase {
  static constexpr std::string_view kName = "log_uniform_sampler";
  std::int64_t range;

  LogUniformSampler(const SamplerBase& base, std::int64_t r) : SamplerBase(base), range(r) {}
  static void attributes(auto& op, auto&& visit) {
    visit("samples", op.samples);
    visit("range", op.range);
    visit("unique", op.unique);
    visit("stream", op.stream);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    return infer_types(inputs, range);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Sampling sampling = SamplerBase::sampling(context, range);
    return {.run = [sampling](const KernelArgs& args) { sampling.run(LogUniform{sampling.range}, args); },
            .scratch_bytes = sampling.scratch_bytes()};
  }
};

struct UnigramSampler final : OpClass<UnigramSampler>, SamplerBase {
  static constexpr std::string_view kName = "unigram_sampler";

  explicit UnigramSampler(const SamplerBase& base) : SamplerBase(base) {}
  static void attributes(auto& op, auto&& visit) {
    visit("samples", op.samples);
    visit("unique", op.unique);
    visit("stream", op.stream);
  }
  // inputs: key, targets, and the table's accept, other and probability
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const std::int64_t range = inputs[2].shape.elements();
    require<GraphError>(inputs[2] == TensorType{f32, {range}} && inputs[3] == TensorType{i32, {range}} &&
                            inputs[4] == TensorType{f32, {range}},
                        "the table does not fit together: {}, {}, {}", inputs[2], inputs[3], inputs[4]);
    return infer_types(inputs, range);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Sampling sampling = SamplerBase::sampling(context, context.inputs[2].shape[0]);
    return {.run =
                [sampling](const KernelArgs& args) {
                  const Unigram table{sampling.range, args.in<float>(2), args.in<std::int32_t>(3), args.in<float>(4)};
                  sampling.run(table, args);
                },
            .scratch_bytes = sampling.scratch_bytes()};
  }
};

SampledIds sampled_ids(Value node) {
  const std::vector<Value> outputs = node.graph().outputs(node);
  return {outputs[0], outputs[1], outputs[2]};
}

}  // namespace

SampledIds log_uniform_sampler(Operand key, std::int64_t samples, std::int64_t range, Operand targets,
                               SamplerOptions options) {
  Graph& graph = value_of(LogUniformSampler::kName, key).graph();
  const SamplerBase base(next_stream({key.value, targets.value}), samples, options.unique);
  return sampled_ids(add_node(graph, LogUniformSampler(base, range), {key.value, targets.value}, key.where));
}

UnigramTable unigram_table(Graph& graph, std::span<const double> counts, double power, SourceLocation where) {
  const std::size_t range = counts.size();
  constexpr std::string_view kFunction = "unigram_table";
  require_at(range >= 1 && range <= INT32_MAX, where, kFunction, "{} counts were given", range);
  std::vector<double> mass(range);
  double total = 0;
  for (std::size_t id = 0; id < range; ++id) {
    require_at(counts[id] > 0 && std::isfinite(counts[id]), where, kFunction, "the count of id {} is {}, not positive",
               id, counts[id]);
    mass[id] = std::pow(counts[id], power);
    total += mass[id];
  }
  std::vector<float> accept(range, 1.0F);
  std::vector<float> probability(range);
  std::vector<std::int32_t> other(range);
  std::iota(other.begin(), other.end(), 0);
  std::vector<std::size_t> poor;
  std::vector<std::size_t> rich;
  for (std::size_t id = 0; id < range; ++id) {
    probability[id] = static_cast<float>(mass[id] / total);
    require_at(probability[id] > 0, where, kFunction, "a count of {} to the power of {} makes id {} as likely as {}",
               counts[id], power, id, probability[id]);
    mass[id] *= static_cast<double>(range) / total;
    (mass[id] < 1 ? poor : rich).push_back(id);
  }
  // Each poor column is filled up by a rich one; what rounding leaves over keeps its whole column.
  while (!poor.empty() && !rich.empty()) {
    const std::size_t low = poor.back();
    const std::size_t high = rich.back();
    poor.pop_back();
    accept[low] = static_cast<float>(mass[low]);
    other[low] = static_cast<std::int32_t>(high);
    mass[high] -= 1 - mass[low];
    if (mass[high] >= 1) continue;
    rich.pop_back();
    poor.push_back(high);
  }
  const Shape shape{static_cast<std::int64_t>(range)};
  return {graph.constant(Tensor::from(accept, shape), where), graph.constant(Tensor::from(other, shape), where),
          graph.constant(Tensor::from(probability, shape), where)};
}

SampledIds unigram_sampler(Operand key, std::int64_t samples, const UnigramTable& table, Operand targets,
                           SamplerOptions options) {
  Graph& graph = value_of(UnigramSampler::kName, key).graph();
  const SamplerBase base(next_stream({key.value, targets.value, table.accept, table.other, table.probability}), samples,
                         options.unique);
  return sampled_ids(add_node(graph, UnigramSampler(base),
                              {key.value, targets.value, table.accept, table.other, table.probability}, key.where));
}

namespace {

std::vector<Value> all_of(const SampledIds& sampled) {
  return {sampled.ids, sampled.log_expected, sampled.log_expected_targets};
}

// Asking for every id leaves nothing to chance; distributions are tested in tests/ops/test_random_ops.cpp.
FlatArrays every_id(std::span<const std::vector<double>> in) {
  return {{0, 1, 2, 3, 4}, std::vector<double>(5, 0.0), std::vector<double>(in[1].size(), 0.0)};
}

/// Key, targets, and two inputs that only say how many are drawn and of how many.
OpCase sampler_case(std::string name, std::function<std::vector<Value>(Graph&, std::span<const Value>)> build) {
  const CaseInput key{.type = {i32, {4}}, .values = {1, 2, 3, 0}};
  const auto counted = [](std::int64_t size) { return CaseInput{.type = {i32, {size}}, .low = 0, .high = 9}; };
  return {
      .name = std::move(name),
      .inputs = {key, {.type = {i32, {3}}, .values = {0, -1, 4}}, counted(5), counted(5)},
      .build = std::move(build),
      .reference = every_id,
      .bench_inputs = {key,
                       {.type = {i32, {3200}}, .low = 0, .high = 100000, .index_of = CaseAxis{3, 0}},
                       counted(1024),
                       counted(100000)},
  };
}

const RegisterOpCase case_log_uniform{sampler_case("log_uniform_sampler", [](Graph&, std::span<const Value> in) {
  return all_of(log_uniform_sampler(in[0], in[2].dim(0), in[3].dim(0), in[1]));
})};
const RegisterOpCase case_unigram{sampler_case("unigram_sampler", [](Graph& graph, std::span<const Value> in) {
  constexpr std::array<double, 5> kCounts{5, 1, 3, 7, 2};
  std::vector<double> counts(static_cast<std::size_t>(in[3].dim(0)));
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = kCounts[i % kCounts.size()];
  return all_of(unigram_sampler(in[0], in[2].dim(0), unigram_table(graph, counts, 0.75), in[1]));
})};

}  // namespace
}  // namespace eddy
