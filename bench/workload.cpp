// SPDX-License-Identifier: Apache-2.0
#include "bench/workload.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/error.h"
#include "eddy/core/npy.h"
#include "eddy/core/random.h"
#include "eddy/core/safetensors.h"
#include "eddy/graph/builtin.h"
#include "eddy/models/attention.h"
#include "eddy/models/cells.h"
#include "eddy/models/language_model.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/shift.h"
#include "eddy/ops/transpose.h"
#include "eddy/optimizers/minimize.h"

namespace eddy::bench {
namespace {

using Model = Workload::Model;

constexpr Workload kWorkloads[] = {
    {"lm_small", Model::language_model, 10000, 50, 32, 128, 256},
    {"lm_medium", Model::language_model, 10000, 100, 32, 256, 512},
    {"lm_paper", Model::language_model, 10000, 100, 64, 512, 1024},
    {"sa_small", Model::autoencoder, 10000, 50, 32, 128, 256},
    {"sa_medium", Model::autoencoder, 10000, 100, 32, 256, 512},
    {"dec0", Model::decoder, 10000, 30, 32, 256, 256, DecoderMode::basic},
    {"dec1", Model::decoder, 10000, 30, 32, 256, 256, DecoderMode::feedback},
    {"dec2", Model::decoder, 10000, 30, 32, 256, 256, DecoderMode::peek},
    {"dec3", Model::decoder, 10000, 30, 32, 256, 256, DecoderMode::attention},
    {"toy0", Model::decoder, 51, 5, 3, 20, 20, DecoderMode::basic},
    {"toy1", Model::decoder, 51, 5, 3, 20, 20, DecoderMode::feedback},
    {"toy2", Model::decoder, 51, 5, 3, 20, 20, DecoderMode::peek},
    {"toy3", Model::decoder, 51, 5, 3, 20, 20, DecoderMode::attention},
    {"greedy", Model::greedy, 10000, 50, 1, 256, 512},
    {"predict", Model::classifier, 10000, 400, 64, 256, 512},
};

TextModelConfig config_of(const Workload& w) {
  return {.vocabulary_size = w.vocabulary,
          .embedding_size = w.embedding,
          .encoder = {.hidden_size = w.hidden},
          .classes = w.model == Model::classifier ? 2 : 0};
}

struct Inputs {
  Value tokens, targets, mask;
};

Value autoencoder_loss(ParameterStore& store, const Workload& w, const Inputs& in) {
  const TextModelConfig config = config_of(w);
  const StackState meaning = encode_tokens(store, config, in.tokens, in.mask, Mode::train).forward.last;
  // A negative token reads as zeros.
  const EncodedText written = encode_tokens(store, config, shift(in.tokens, 1, -1), in.mask, Mode::train, meaning);
  return vocabulary_loss(store, config, written.forward.outputs, in.targets, in.mask, Mode::train);
}

Attention attention_over(ParameterStore& store, Value memory, std::int64_t size) {
  Graph& graph = memory.graph();
  const auto weight = [&](const char* name, const Shape& shape) {
    return parameter(graph, store, name, shape, shape.rank() == 1 ? uniform(0.1F) : glorot_uniform());
  };
  return {.energy = AttentionEnergy::additive,
          .memory = memory,
          .keys = linear(memory, weight("attention/w_memory", {size, size}), weight("attention/b_memory", {size})),
          .mask = {},
          .w_query = weight("attention/w_query", {size, size}),
          .w_energy = weight("attention/w_energy", {size}),
          .bias = {}};
}

/// The peers' decoder: what it yields is its hidden state, and that is what it reads at the next step.
Value decoder_loss(ParameterStore& store, const Workload& w, const Inputs& in) {
  Graph& graph = in.tokens.graph();
  const TextModelConfig config = config_of(w);
  const StackResult source = encode_tokens(store, config, in.tokens, in.mask, Mode::train).forward;
  const Value context = source.last.h.back();
  const bool wide = w.mode == DecoderMode::peek || w.mode == DecoderMode::attention;
  const LstmCell cell{
      .w_x = parameter(graph, store, "decoder/w_x", {wide ? 2 * w.hidden : w.hidden, 4 * w.hidden}, glorot_uniform(4)),
      .w_h = parameter(graph, store, "decoder/w_h", {w.hidden, 4 * w.hidden}, orthogonal(1, 4)),
      .bias = parameter(graph, store, "decoder/bias", {4 * w.hidden}, block_bias(1, 4, 1))};
  Attention attention;
  if (w.mode == DecoderMode::attention)
    attention = attention_over(store, transpose(source.outputs, {1, 0, 2}), w.hidden);
  State initial = zero_state(context, {"h", "c"}, context.shape());
  if (w.mode != DecoderMode::basic) initial.set("h", context);
  if (w.mode == DecoderMode::feedback || w.mode == DecoderMode::peek) initial.set("c", source.last.c.back());
  const auto step = [&](Value, const State& state) {
    const Value& before = state["h"];
    switch (w.mode) {
      case DecoderMode::basic:
        return cell(context, state);
      case DecoderMode::feedback:
        return cell(before, state);
      case DecoderMode::peek:
        return cell(concat({before, context}, 1), state);
      case DecoderMode::attention:
        break;
    }
    return cell(concat({before, attention(before).context}, 1), state);
  };
  const Value outputs = scan(step, iota(graph, w.time), initial).output;
  return vocabulary_loss(store, config, outputs, in.targets, in.mask, Mode::train);
}

Value loss_of(ParameterStore& store, const Workload& w, const Inputs& in) {
  if (w.model == Model::autoencoder) return autoencoder_loss(store, w, in);
  if (w.model == Model::decoder) return decoder_loss(store, w, in);
  return language_model(store, config_of(w), in.tokens, in.mask, in.targets, in.mask, Mode::train).loss;
}

/// The words i32[time, 1] that follow word 0.
Value greedy_words(Graph& graph, ParameterStore& store, const Workload& w) {
  const TextModelConfig config = config_of(w);
  const Value table = parameter(graph, store, "embedding", {w.vocabulary, w.embedding}, uniform(0.1F));
  const LstmCell cell{.w_x = parameter(graph, store, "encoder0/w_x", {w.embedding, 4 * w.hidden}, glorot_uniform(4)),
                      .w_h = parameter(graph, store, "encoder0/w_h", {w.hidden, 4 * w.hidden}, orthogonal(1, 4)),
                      .bias = parameter(graph, store, "encoder0/bias", {4 * w.hidden}, block_bias(1, 4, 1))};
  State initial = zero_state(table, {"h", "c"}, {w.batch, w.hidden});
  initial.set("word", full(graph, {i32, {w.batch}}, 0));
  const auto step = [&](Value, const State& state) {
    Step next = cell(embedding(table, state["word"]), state);
    next.state.set("word", likeliest_token(store, config, next.output));
    return next;
  };
  return scan(step, iota(graph, w.time), initial).states["word"];
}

}  // namespace

double Workload::flops() const {
  if (model == Model::greedy) return 0;
  const auto v = static_cast<double>(vocabulary), e = static_cast<double>(embedding), h = static_cast<double>(hidden),
             t = static_cast<double>(time);
  const double layer = 4 * h * (e + h);
  double products = layer + h * v;
  if (model == Model::autoencoder) products += layer;
  if (model == Model::classifier) products = layer;
  if (model == Model::decoder) {
    const bool wide = mode == DecoderMode::peek || mode == DecoderMode::attention;
    products += 4 * h * (wide ? 3 * h : 2 * h);
    // What a basic decoder reads is the same at all steps: its products, forward and backward, are computed once. With
    // feedback both weights see the state: of six products two, their gradients, are the same.
    if (mode == DecoderMode::basic) products -= 4 * h * h * (1 - 1 / t);
    if (mode == DecoderMode::feedback) products -= 4 * h * h / 3;
    // Keys and queries, then energies and weighted sum over the source.
    if (mode == DecoderMode::attention) products += 2 * h * h + 2 * t * h;
  }
  return (trains() ? 6 : 2) * products * static_cast<double>(tokens());
}

std::span<const Workload> workloads() { return kWorkloads; }

const Workload& find_workload(std::string_view name) {
  const auto found = std::ranges::find(kWorkloads, name, &Workload::name);
  if (found != std::end(kWorkloads)) return *found;
  std::vector<std::string_view> names;
  for (const Workload& workload : kWorkloads) names.push_back(workload.name);
  fail<UsageError>("there is no workload '{}', but {}", name, fmt::join(names, ", "));
}

std::vector<Value> build_step(Graph& graph, ParameterStore& store, const Workload& w) {
  if (w.model == Model::greedy) return {greedy_words(graph, store, w)};
  Inputs in{.tokens = graph.input("tokens", i32, {w.time, w.batch}),
            .targets = {},
            .mask = graph.input("mask", f32, {w.time, w.batch})};
  if (w.model == Model::classifier) return {text_classifier(store, config_of(w), in.tokens, in.mask, Mode::infer)};
  in.targets = graph.input("targets", i32, {w.time, w.batch});
  const Value loss = loss_of(store, w, in);
  return {loss, minimize(loss, store, adam({.learning_rate = 1e-3, .clip_norm = 1}))};
}

std::vector<Binding> random_batch(const Workload& w, Lengths lengths) {
  if (w.model == Model::greedy) return {};
  Philox random(11);
  const auto words = [&] {
    const Tensor tensor(i32, {w.time, w.batch});
    for (std::int32_t& word : tensor.values<std::int32_t>())
      word = static_cast<std::int32_t>(uniform_index(random, static_cast<std::uint64_t>(w.vocabulary)));
    return tensor;
  };
  std::vector<Binding> batch{{"tokens", words()}};
  if (w.trains()) batch.push_back({"targets", words()});
  const Tensor mask(f32, {w.time, w.batch});
  for (std::int64_t t = 0; t < w.time; ++t)
    for (std::int64_t b = 0; b < w.batch; ++b)
      mask.values<float>()[static_cast<std::size_t>(t * w.batch + b)] =
          lengths == Lengths::full || t * w.batch < (b + 1) * w.time ? 1.0F : 0.0F;
  batch.push_back({"mask", mask});
  return batch;
}

void load_arrays(const std::filesystem::path& path, const ParameterStore& store, std::vector<Binding>& batch) {
  std::vector<NamedTensor> arrays;
  if (path.extension() == ".npz") {
    arrays = read_npz(path);
  } else {
    const SafetensorsReader reader(path);
    for (const SafetensorsEntry& entry : reader.entries()) arrays.push_back({entry.name, reader.read(entry.name)});
  }
  std::vector<const Variable*> loaded;
  for (const NamedTensor& array : arrays) {
    const std::string& name = array.name;  // clang 14 cannot capture a structured binding
    const Tensor& value = array.value;
    const auto input = std::ranges::find_if(batch, [&](const Binding& binding) { return binding.name == name; });
    const std::shared_ptr<Variable> variable = store.find(name);
    require<DataError>(input != batch.end() || variable != nullptr, "{}: '{}' is neither an input nor a weight",
                       path.string(), name);
    const Tensor& target = variable != nullptr ? variable->value : input->tensor;
    require<DataError>(value.type() == target.type(), "{}: '{}' is {}, not {}", path.string(), name,
                       to_string(value.type()), to_string(target.type()));
    target.copy_from(value);
    loaded.push_back(variable.get());
  }
  for (const std::shared_ptr<Variable>& variable : store.all())
    require<DataError>(!variable->trainable || std::ranges::find(loaded, variable.get()) != loaded.end(),
                       "{} has no weight '{}'", path.string(), variable->name);
}

}  // namespace eddy::bench
