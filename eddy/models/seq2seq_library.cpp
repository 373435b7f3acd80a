// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/seq2seq_library.h"

#include <cmath>

#include "eddy/graph/builder_scope.h"
#include "eddy/graph/user_line.h"
#include "eddy/models/cell_stack.h"
#include "eddy/models/decoder_start.h"
#include "eddy/models/dense.h"
#include "eddy/models/seq2seq_cells.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/transpose.h"

namespace eddy {
namespace {

/// What the three models are made of: layers with their weights, by name.
template <class Model>
class Builder {
 public:
  /// `type` is the name of the model's type.
  Builder(std::string_view type, const Model& model, ParameterStore& store, const Seq2SeqInputs& inputs,
          SourceLocation where)
      : at_(type, "x", inputs.x, where),
        model_(model),
        store_(store),
        inputs_(inputs),
        graph_(at_.graph()),
        scope_(graph_, model.name) {
    const std::string& name = model.name;
    at_.check(model.output_size >= 1 && model.output_length >= 1 && model.hidden_size >= 0,
              "model '{}' needs positive sizes; it has output size {}, output length {}, hidden size {}", name,
              model.output_size, model.output_length, model.hidden_size);
    at_.check(model.depth.encoder >= 1 && model.depth.decoder >= 1,
              "model '{}' needs a depth of at least 1, not {} and {}", name, model.depth.encoder, model.depth.decoder);
    at_.expect_rate("dropout", model.dropout);
    at_.expect("x", inputs.x, f32, {"time", "batch", "features"});
    if (inputs.mask) at_.expect("mask", inputs.mask, f32, {inputs.x.dim(0), inputs.x.dim(1)});
  }

  void check_teacher() const {
    if (inputs_.teacher)
      at_.expect("teacher", inputs_.teacher, f32, {model_.output_length, batch(), model_.output_size});
  }
  void refuse_teacher() const {
    at_.check(!inputs_.teacher, "model '{}' does not read its own output, so it has no use for a teacher", model_.name);
  }
  std::int64_t hidden() const { return model_.hidden_size > 0 ? model_.hidden_size : model_.output_size; }
  std::int64_t batch() const { return inputs_.x.dim(1); }
  std::int64_t features() const { return inputs_.x.dim(2); }

  Value weight(const std::string& name, const Shape& shape, const Initializer& initializer = glorot_uniform()) {
    return parameter(graph_, store_, model_.name + "/" + name, shape, initializer);
  }

  Value dense(const std::string& name, Value x, std::int64_t out) {
    const std::string prefix = model_.name + "/" + name;
    return eddy::dense(store_, {prefix + "/w", prefix + "/bias"}, x, out);
  }

  LstmCell lstm(const std::string& name, std::int64_t in, std::int64_t width, const Initializer& recurrent) {
    return {.w_x = weight(name + "/w_x", {in, 4 * width}, glorot_uniform(4)),
            .w_h = weight(name + "/w_h", {width, 4 * width}, recurrent),
            .bias = weight(name + "/bias", {4 * width}, block_bias(1, 4, model_.cells.forget_bias)),
            .hard_sigmoid = model_.cells.hard_sigmoid};
  }

  StepFunction encoder_cell(const std::string& name, std::int64_t in, std::int64_t width) {
    const LstmCell cell = lstm(name, in, width, orthogonal(1, 4));
    const Seq2SeqCells& cells = model_.cells;
    if (!cells.store_tanh_of_cell && !cells.linear_output_gate) return cell;
    return RecurrentshopLstmCell{cell, cells.store_tanh_of_cell, cells.linear_output_gate};
  }

  OutputLstmCell output_cell(const std::string& name, std::int64_t in, std::int64_t out) {
    return {.base = lstm(name, in, hidden(), glorot_uniform(4)),
            .w_y = weight(name + "/w_y", {hidden(), out}),
            .bias_y = weight(name + "/bias_y", {out}, zeros())};
  }

  CellStack stack() const { return {.cells = {}, .dropout = model_.dropout, .key = inputs_.key}; }

  /// LSTM layers "<name>0", "<name>1", … of the given widths.
  CellStack lstm_stack(const std::string& name, std::int64_t in, const std::vector<std::int64_t>& widths) {
    CellStack made = stack();
    for (const std::int64_t width : widths) {
      made.cells.push_back(encoder_cell(fmt::format("{}{}", name, made.cells.size()), in, width));
      in = width;
    }
    return made;
  }

  std::vector<std::int64_t> encoder_widths() const {
    return std::vector<std::int64_t>(static_cast<std::size_t>(model_.depth.encoder), hidden());
  }

  /// The numbers of the decoder's steps: what its loop runs over.
  Value steps() const { return iota(graph_, model_.output_length); }

  /// An encoder without readout.
  ScanResult encode(const std::string& name, bool reverse = false) {
    const CellStack cells = lstm_stack(name, features(), encoder_widths());
    const auto step = [&](std::span<const Value> in, const State& state) { return cells(in[0], state, in[1]); };
    return scan(step, {inputs_.x, iota(graph_, inputs_.x.dim(0))}, cells.zeros(inputs_.x, batch(), encoder_widths()),
                {.mask = inputs_.mask, .reverse = reverse});
  }

 private:
  BuilderScope at_;
  const Model& model_;
  ParameterStore& store_;
  const Seq2SeqInputs& inputs_;
  Graph& graph_;
  NameScope scope_;
};

/// Glorot's limit for a matrix [in, 1] that is kept as a vector.
Initializer energy_weights(std::int64_t in) { return uniform(std::sqrt(6.0F / static_cast<float>(in + 1))); }

Value merge(Readout readout, Value x, Value last_output) {
  switch (readout) {
    case Readout::none:
      return x;
    case Readout::add:
      return x + last_output;
    case Readout::multiply:
      return x * last_output;
    case Readout::average:
      return (x + last_output) * 0.5F;
    case Readout::maximum:
      return maximum(x, last_output);
    case Readout::only:
      return last_output;
  }
  fail_at(SourceLocation::current(), "Seq2Seq", "there is no readout number {}", static_cast<int>(readout));
}

/// The encoder's states as those the decoder begins with.
State handed_over(const CellStack& encoder, const State& last, const CellStack& decoder, State initial) {
  for (std::size_t layer = 0; layer < decoder.cells.size(); ++layer) {
    const auto from = static_cast<std::size_t>(handed_layer(
        static_cast<int>(layer), static_cast<int>(encoder.cells.size()), static_cast<int>(decoder.cells.size())));
    initial.set(decoder.h(layer), last[encoder.h(from)]);
    initial.set(decoder.c(layer), last[encoder.c(from)]);
  }
  return initial;
}

/// What the decoder reads under a teacher: the first readout, then targets.
Value taught(Value first, Value teacher, bool leaks) {
  const std::int64_t length = teacher.dim(0);
  const Value later = leaks ? slice(teacher, 0, 1) : slice(teacher, 0, 0, length - 1);
  return length == 1 ? expand_dims(first, 0) : concat({expand_dims(first, 0), later}, 0);
}

}  // namespace

Seq2SeqResult SimpleSeq2Seq::operator()(ParameterStore& store, const Seq2SeqInputs& inputs,
                                        SourceLocation where) const {
  Builder build("SimpleSeq2Seq", *this, store, inputs, where);
  build.refuse_teacher();
  const std::string top = fmt::format("h{}", depth.encoder - 1);
  const Value meaning = build.encode("encoder").last[top];
  std::vector<std::int64_t> widths(static_cast<std::size_t>(depth.decoder - 1), build.hidden());
  if (depth.decoder == 1 && two_layers_at_depth_1) widths.push_back(output_size);
  widths.push_back(output_size);
  CellStack decoder = build.lstm_stack("decoder", build.hidden(), widths);
  decoder.drop_input = true;
  const ScanResult decoded = scan([&](Value step, const State& state) { return decoder(meaning, state, step); },
                                  build.steps(), decoder.zeros(meaning, build.batch(), widths));
  return {.output = decoded.output, .attention = {}};
}

Seq2SeqResult Seq2Seq::operator()(ParameterStore& store, const Seq2SeqInputs& inputs, SourceLocation where) const {
  Builder build("Seq2Seq", *this, store, inputs, where);
  build.check_teacher();
  const std::int64_t hidden = build.hidden();
  const Value x = build.dense("input", inputs.x, hidden);

  CellStack encoder = build.lstm_stack("encoder", hidden, build.encoder_widths());
  encoder.share_state = inner_broadcast_state;
  encoder.drop_output = true;
  State initial = encoder.zeros(x, build.batch(), build.encoder_widths());
  initial.set("readout", zero_state(x, {"readout"}, {build.batch(), hidden})["readout"]);
  const auto read = [&](std::span<const Value> in, const State& state) {
    Step step = encoder(merge(encoder_readout, in[0], state["readout"]), state, in[1]);
    step.state.set("readout", step.output);
    return step;
  };
  const ScanResult encoded = scan(read, {x, iota(x.graph(), x.dim(0))}, initial, {.mask = inputs.mask});
  const Value meaning = build.dense("meaning", encoded.last["readout"], output_size);

  CellStack decoder = build.stack();
  decoder.share_state = inner_broadcast_state;
  decoder.drop_input = true;
  for (int layer = 0; layer < depth.decoder; ++layer)
    decoder.cells.push_back(build.output_cell(fmt::format("decoder{}", layer), output_size, output_size));
  const std::vector<std::int64_t> widths(decoder.cells.size(), hidden);
  initial = decoder.zeros(x, build.batch(), widths);
  if (broadcast_state) initial = handed_over(encoder, encoded.last, decoder, initial);
  initial.set("readout", meaning);
  std::vector<Value> sequences{build.steps()};
  if (inputs.teacher) sequences.push_back(taught(meaning, inputs.teacher, teacher_leaks_target));
  const auto write = [&](std::span<const Value> in, const State& state) {
    const Value before = in.size() > 1 ? in[1] : state["readout"];
    Step step = decoder(merge(peek ? Readout::add : Readout::only, meaning, before), state, in[0]);
    step.state.set("readout", step.output);
    return step;
  };
  return {.output = scan(write, sequences, initial).output, .attention = {}};
}

Seq2SeqResult AttentionSeq2Seq::operator()(ParameterStore& store, const Seq2SeqInputs& inputs,
                                           SourceLocation where) const {
  Builder build("AttentionSeq2Seq", *this, store, inputs, where);
  build.refuse_teacher();
  const std::int64_t hidden = build.hidden();
  Value memory = build.encode("encoder").output;
  if (bidirectional) memory = memory + build.encode("encoder_reverse", true).output;
  memory = transpose(memory, {1, 0, 2});
  if (inputs.key) memory = eddy::dropout(memory, dropout, inputs.key);
  const Value mask = inputs.mask ? transpose(inputs.mask, {1, 0}) : Value();

  Attention attention{.memory = memory, .mask = mask};
  if (linear_energy) {
    attention.energy = AttentionEnergy::linear;
    attention.w_query = build.weight("attention/w_query", {hidden}, energy_weights(2 * hidden));
    attention.w_energy = build.weight("attention/w_memory", {hidden}, energy_weights(2 * hidden));
    attention.bias = build.weight("attention/bias", {1}, zeros());
  } else {
    attention.keys = build.dense("attention/keys", memory, hidden);
    attention.w_query = build.weight("attention/w_query", {hidden, hidden});
    attention.w_energy = build.weight("attention/w_energy", {hidden}, energy_weights(hidden));
  }
  CellStack decoder = build.stack();
  OutputLstmCell first = build.output_cell("decoder0", hidden, output_size);
  // The original adds a bias to each of the two products.
  first.base.bias = first.base.bias + build.weight("decoder0/bias_h", {4 * hidden}, zeros());
  decoder.cells.push_back(AttentionOutputCell{.base = first, .attention = attention});
  std::int64_t in = output_size;
  for (int layer = 1; layer < depth.decoder; ++layer) {
    const std::int64_t out = layer + 1 < depth.decoder ? hidden : output_size;
    decoder.cells.push_back(build.output_cell(fmt::format("decoder{}", layer), in, out));
    in = out;
  }
  const std::vector<std::int64_t> widths(decoder.cells.size(), hidden);
  // The first cell reads the memory alone; x only has to be a value of the right kind.
  const ScanResult decoded = scan([&](Value step, const State& state) { return decoder(state["h0"], state, step); },
                                  build.steps(), decoder.zeros(memory, build.batch(), widths));
  return {.output = decoded.output, .attention = decoded.outputs["attention"]};
}

}  // namespace eddy
