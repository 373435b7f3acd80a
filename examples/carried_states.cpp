// SPDX-License-Identifier: Apache-2.0
// A language model of a text that is longer than memory: each piece begins with the states that the one before it left
// (truncated backpropagation through time). Two LSTM layers with dropout of the same units at every step, also between
// the steps (Gal & Ghahramani 2016), one table for input and output, averaged weights, and a run that goes on from a
// checkpoint to the same bits.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cstring>
#include <filesystem>

using namespace eddy;

constexpr std::int64_t kTime = 8, kBatch = 8, kWords = 14, kHidden = 32, kLayers = 2;

/// Endless text: 13 begins a tune of 24 notes, whose first draws the step from note to note. Pieces of kTime words in
/// kBatch streams, and the word after each.
class Text {
 public:
  explicit Text(std::uint64_t seed) : random_(seed), step_(kBatch), place_(kBatch) {}

  Tensor next() {
    Tensor piece(i32, {kTime + 1, kBatch});
    for (std::int64_t b = 0; b < kBatch; ++b)
      for (std::int64_t t = 0; t <= kTime; ++t) {
        piece.values<int>()[t * kBatch + b] = place_[b] == 0 ? 13 : step_[b] * place_[b] % 13;
        if (t == kTime) break;  // the last word of this piece is the first of the next
        if (place_[b] == 0) step_[b] = 1 + static_cast<int>(uniform_index(random_, 12));
        place_[b] = (place_[b] + 1) % 24;
      }
    return piece;
  }

 private:
  Philox random_;
  std::vector<int> step_, place_;
};

struct Model {
  Value loss;
  std::vector<Value> carried;  ///< among the results, they keep the states for the next piece
};

/// The model with carried states of its own, named after `use`: measuring must not disturb training.
Model model(Graph& graph, ParameterStore& store, const std::string& use) {
  const Value text = graph.input("text", i32, {kTime + 1, kBatch});
  const Value key = use == "training" ? random_key(graph, store) : Value();
  const auto drop = [&](Value x, float rate) { return key ? dropout(x, rate, key, {.broadcast_axes = {0}}) : x; };
  const Value table = parameter(graph, store, "embedding", {kWords, kHidden}, uniform(0.2f));
  Value x = embedding(table, slice(text, 0, 0, kTime));
  Model result;
  for (std::int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string name = fmt::format("layer{}", layer);
    const LstmCell cell{.w_x = parameter(graph, store, name + "/w_x", {kHidden, 4 * kHidden}, glorot_uniform(4)),
                        .w_h = parameter(graph, store, name + "/w_h", {kHidden, 4 * kHidden}, orthogonal(1, 4)),
                        .bias = parameter(graph, store, name + "/bias", {4 * kHidden}, block_bias(1, 4, 1.0f))};
    State before;
    for (const std::string state_name : {"h", "c"})
      before.set(state_name, state(graph, store, use + "/" + name + "/" + state_name, {f32, {kBatch, kHidden}}));
    // Drawn outside of the step: the same units at all steps.
    const Value ones = full(graph, {f32, {kBatch, kHidden}}, 1), kept = key ? dropout(ones, 0.1f, key) : ones;
    const auto step = [&](Value in, State s) {
      s.set("h", s["h"] * kept);
      return cell(in, s);
    };
    const auto [outputs, last] = scan(step, drop(x, 0.1f), before);
    for (const auto& [state_name, value] : before) result.carried.push_back(assign(value, last[state_name]));
    x = outputs;
  }
  const Value bias = parameter(graph, store, "softmax/bias", {kWords}, zeros());
  const Value logits = linear(drop(x, 0.1f), table, bias, {.transpose_w = true});  // the table again
  result.loss = cross_entropy(logits, slice(text, 0, 1));
  return result;
}

Program training(ParameterStore& store) {
  Graph graph;
  const Model lm = model(graph, store, "training");
  const Updates updates =
      minimize(lm.loss, store, adam({.learning_rate = warm_up(50, cosine_decay(0.01, 1500, 1e-4)), .clip_norm = 1}));
  std::vector<Value> results{lm.loss, exponential_moving_average(updates, store, 0.99)};
  results.insert(results.end(), lm.carried.begin(), lm.carried.end());
  return compile(graph, results);
}

/// Nats a word of another text, with the states carried or begun anew with each piece.
float measured(ParameterStore& store, bool carried) {
  Graph graph;
  const Model lm = model(graph, store, "measuring");
  std::vector<Value> results{lm.loss};
  if (carried) results.insert(results.end(), lm.carried.begin(), lm.carried.end());
  Program program = compile(graph, results);
  for (const auto& variable : store.all())
    if (variable->name.starts_with("measuring/")) variable->value.copy_from(Tensor(variable->value.type()));
  Text text(/*seed=*/2);
  float nats = 0;
  for (int piece = 0; piece < 30; ++piece) nats += program.run({{"text", text.next()}})[0].item() / 30;
  return nats;
}

bool same_bits(const ParameterStore& a, const ParameterStore& b) {
  for (const auto& variable : a.all())
    if (std::memcmp(variable->value.data(), b.find(variable->name)->value.data(), variable->value.bytes()) != 0)
      return false;
  return true;
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  const std::filesystem::path file = std::filesystem::temp_directory_path() / "eddy-carried-states.safetensors";
  ParameterStore store(/*seed=*/1), resumed(/*seed=*/1);
  Program train = training(store);
  Text text(/*seed=*/1), text_at_checkpoint = text;
  for (int i = 0; i < 1500; ++i) {
    if (i == 1200) {  // weights, slots, averages, states, the random key; the place in the text is ours to keep
      save_checkpoint(file, store);
      text_at_checkpoint = text;
    }
    const float nats = train.run({{"text", text.next()}})[0].item();
    if (i % 300 == 0) fmt::print("step {:4}  loss {:.4f} nats a word\n", i, nats);
  }
  Program again = training(resumed);
  load_checkpoint(file, resumed, Restore::exact);
  std::filesystem::remove(file);
  for (int i = 1200; i < 1500; ++i) again.run({{"text", text_at_checkpoint.next()}});
  const bool same = same_bits(store, resumed);

  const AveragedWeights averaged(store);
  const float carried = measured(store, true), anew = measured(store, false);
  fmt::print("resumed to the same bits: {}\nother text: {:.3f} nats a word, {:.3f} when each piece begins anew\n", same,
             carried, anew);
  return same && carried < 0.3f && anew > carried + 0.1f ? 0 : 1;
}
