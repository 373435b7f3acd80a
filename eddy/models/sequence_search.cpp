// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/sequence_search.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/program.h"
#include "eddy/ops/log_softmax.h"

namespace eddy {
namespace {

/// Copies row row_of(r) of the first axis of `source` to row r of `target`.
template <class RowOf>
void copy_rows(const Tensor& source, const Tensor& target, RowOf row_of) {
  const std::int64_t rows = target.shape()[0];
  const auto stride = static_cast<std::size_t>(target.shape().elements() / rows);
  const auto from = source.values<float>();
  const auto to = target.values<float>();
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r)
    std::memcpy(&to[r * stride], &from[row_of(r) * stride], stride * sizeof(float));
}

/// The two programs of one size, and the tensors that go from one to the other.
struct Programs {
  std::unique_ptr<Program> encode, step;
  std::vector<std::string> read, states;  ///< input names of the step, in the order of the encoder's results
  std::vector<Tensor> read_values, state_values;
  Tensor tokens;
  std::span<const Tensor> last;  ///< results of the last step: log-probabilities, states, attention
  bool attends = false;
};

/// Sizes of sources and beam whose programs are kept; those of each hold tensors of that size.
constexpr std::size_t kSizesKept = 8;

}  // namespace

class SequenceSearch::Impl {
 public:
  Impl(ParameterStore& store, const SequenceToSequenceConfig& config) : store_(store), config_(config) {}

  std::vector<std::vector<Hypothesis>> search(const Tensor& source, const Tensor& mask, const BeamOptions& options) {
    require<UsageError>(source && source.dtype() == i32 && source.shape().rank() == 2 && mask &&
                            mask.type() == TensorType{f32, source.shape()},
                        "source and mask must be i32[time,batch] and f32[time,batch], they are {} and {}",
                        source ? to_string(source.type()) : "empty", mask ? to_string(mask.type()) : "empty");
    const std::int64_t time = source.shape()[0], sources = source.shape()[1];
    require<UsageError>(time >= 1 && sources >= 1, "there is nothing to read in sources of type {}",
                        to_string(source.type()));
    // Whose attention counts is told by a length.
    require<UsageError>(options.coverage == 0 || padded_behind(mask),
                        "coverage needs masks that are 1 up to a source's length and 0 behind it");
    Programs& programs = programs_for(time, sources, options.beam);
    encode(programs, source, mask, options.beam);
    const std::vector<std::int32_t> lengths = lengths_of(mask);
    return beam_search([&](const BeamQuery& query) { return answer(programs, query); }, options, sources, lengths);
  }

 private:
  using Size = std::tuple<std::int64_t, std::int64_t, int>;  ///< time, sources, beam

  static std::vector<std::int32_t> lengths_of(const Tensor& mask) {
    const std::int64_t time = mask.shape()[0], rows = mask.shape()[1];
    std::vector<std::int32_t> lengths(static_cast<std::size_t>(rows));
    const auto values = mask.values<float>();
    for (std::size_t i = 0; i < static_cast<std::size_t>(time * rows); ++i)
      if (values[i] > 0) ++lengths[i % lengths.size()];
    return lengths;
  }

  static bool padded_behind(const Tensor& mask) {
    const auto rows = static_cast<std::size_t>(mask.shape()[1]);
    const auto values = mask.values<float>();
    for (std::size_t i = rows; i < values.size(); ++i)
      if (values[i] > 0 && !(values[i - rows] > 0)) return false;
    return true;
  }

  /// Those of a size that was searched before, else new ones in place of those that have waited longest.
  Programs& programs_for(std::int64_t time, std::int64_t sources, int beam) {
    require<UsageError>(beam > 0, "a beam of {} holds no hypothesis", beam);
    const Size size{time, sources, beam};
    const auto found = std::ranges::find(programs_, size, &std::pair<Size, Programs>::first);
    if (found != programs_.end()) {
      std::rotate(programs_.begin(), found, found + 1);
    } else {
      Programs made = make_programs(time, sources, beam);
      if (programs_.size() == kSizesKept) programs_.pop_back();
      programs_.emplace(programs_.begin(), size, std::move(made));
    }
    return programs_.front().second;
  }

  Programs make_programs(std::int64_t time, std::int64_t sources, int beam) {
    Programs programs;
    Graph encoder;
    const EncodedSource encoded = encode_source(store_, config_, encoder.input("source", i32, {time, sources}),
                                                encoder.input("mask", f32, {time, sources}), Mode::infer);
    std::vector<Value> results;
    Graph graph;
    EncodedSource fed;
    const auto feed = [&](const State& from, State& to, std::vector<std::string>& names, std::vector<Tensor>& tensors) {
      for (const auto& [name, value] : from) {
        results.push_back(value);
        Shape shape{sources * beam};
        for (int axis = 1; axis < value.rank(); ++axis) shape = shape.appended(value.dim(axis));
        names.push_back(name);
        tensors.emplace_back(f32, shape);
        to.set(name, graph.input(name, f32, shape));
      }
    };
    feed(encoded.read, fed.read, programs.read, programs.read_values);
    feed(encoded.initial, fed.initial, programs.states, programs.state_values);
    const SequenceDecoder decoder(graph, store_, config_, fed);
    programs.tokens = Tensor(i32, {sources * beam});
    const Step step = decoder(decoder.embed(graph.input("token", i32, {sources * beam})), fed.initial);
    std::vector<Value> answers{log_softmax(decoder.logits(step.output))};
    for (const std::string& name : programs.states) answers.push_back(step.state[name]);
    programs.attends = step.outputs.contains("attention");
    if (programs.attends) answers.push_back(step.outputs["attention"]);
    programs.encode = std::make_unique<Program>(compile(encoder, results, {.arena = arena_}));
    programs.step = std::make_unique<Program>(compile(graph, answers, {.arena = arena_}));
    return programs;
  }

  static void encode(Programs& programs, const Tensor& source, const Tensor& mask, int beam) {
    const auto results = programs.encode->run({{"source", source}, {"mask", mask}});
    const auto source_of = [&](std::size_t row) { return row / static_cast<std::size_t>(beam); };
    std::size_t next = 0;
    for (auto* tensors : {&programs.read_values, &programs.state_values})
      for (const Tensor& tensor : *tensors) copy_rows(results[next++], tensor, source_of);
  }

  BeamReply answer(Programs& programs, const BeamQuery& query) {
    // The results of the step before are the states that the parents left.
    const auto parent_of = [&](std::size_t row) { return static_cast<std::size_t>(query.parents[row]); };
    if (query.step > 0)
      for (std::size_t i = 0; i < programs.states.size(); ++i)
        copy_rows(programs.last[i + 1], programs.state_values[i], parent_of);
    std::ranges::copy(query.tokens, programs.tokens.values<std::int32_t>().begin());
    std::vector<Binding> inputs{{"token", programs.tokens}};
    for (std::size_t i = 0; i < programs.read.size(); ++i)
      inputs.push_back({programs.read[i], programs.read_values[i]});
    for (std::size_t i = 0; i < programs.states.size(); ++i)
      inputs.push_back({programs.states[i], programs.state_values[i]});
    programs.last = programs.step->run(inputs);
    BeamReply reply{.log_probabilities = programs.last[0].values<float>()};
    if (programs.attends) reply.attention = programs.last.back().values<float>();
    return reply;
  }

  ParameterStore& store_;
  SequenceToSequenceConfig config_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  std::vector<std::pair<Size, Programs>> programs_;  ///< the one used last comes first
};

SequenceSearch::SequenceSearch(ParameterStore& store, const SequenceToSequenceConfig& config)
    : impl_(std::make_unique<Impl>(store, config)) {}
SequenceSearch::~SequenceSearch() = default;
SequenceSearch::SequenceSearch(SequenceSearch&&) noexcept = default;

std::vector<std::vector<Hypothesis>> SequenceSearch::search(const Tensor& source, const Tensor& mask,
                                                            const BeamOptions& options, SourceLocation where) {
  require<UsageError>(impl_ != nullptr, "this search has been moved from");
  const OriginScope origin(where);
  return impl_->search(source, mask, options);
}

}  // namespace eddy
