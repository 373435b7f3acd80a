// SPDX-License-Identifier: Apache-2.0
// Texts of unequal lengths: one program for each length of a batch, all computing in one arena; what a training loop
// looks at beside the loss; and the weights alone in a file, for a store that makes none of its own.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>

using namespace eddy;

constexpr int kWords = 12, kEnd = 1, kFirst = 2;
constexpr std::int64_t kHidden = 32;

/// Words that count up from each of ten beginnings, in texts of 2 to 20 words.
EncodedCorpus counting_texts() {
  CorpusArrays texts;
  for (int text = 0; text < 60; ++text) {
    for (int i = 0; i < 2 + text * 7 % 19; ++i) texts.tokens.push_back(kFirst + (text + i) % (kWords - kFirst));
    texts.end_document(/*label=*/-1, fmt::format("text {}", text));
  }
  return EncodedCorpus(std::move(texts));
}

/// Scores of the word after each, f32[time, batch, words].
Value scores(Graph& graph, ParameterStore& store, Value tokens, Value mask) {
  const Value x = embedding(parameter(graph, store, "embedding", {kWords, 16}, uniform(0.1f)), tokens);
  const GruCell cell{.w_x = parameter(graph, store, "gru/w_x", {16, 3 * kHidden}, glorot_uniform(3)),
                     .w_h = parameter(graph, store, "gru/w_h", {kHidden, 3 * kHidden}, orthogonal(1, 3)),
                     .bias = parameter(graph, store, "gru/bias", {3 * kHidden}, zeros())};
  const Value h = scan(cell, x, zero_state(x, {"h"}, {tokens.dim(1), kHidden}), {.mask = mask}).output;
  return linear(h, parameter(graph, store, "softmax/w", {kHidden, kWords}, glorot_uniform()),
                parameter(graph, store, "softmax/b", {kWords}, zeros()));
}

/// The loss of a batch of this size, whose inputs go by the names that run() binds.
Value loss_of(Graph& graph, ParameterStore& store, const Shape& shape) {
  const Value read = scores(graph, store, graph.input("tokens", i32, shape), graph.input("mask", f32, shape));
  return cross_entropy(read, graph.input("targets", i32, shape), {.weights = graph.input("weights", f32, shape)});
}

std::span<const Tensor> run(Program& program, const Batch& batch) {
  return program.run(
      {{"tokens", batch.tokens}, {"mask", batch.mask}, {"targets", batch.targets}, {"weights", batch.weights}});
}

int main() {
  const EncodedCorpus texts = counting_texts();
  BucketBatches batches(texts, {.batch_size = 6, .layout = Layout::language_model, .times = {5, 10, 20}, .eos = kEnd});

  // --- one program a length ---
  ParameterStore store(/*seed=*/1);
  const auto arena = std::make_shared<Arena>();
  std::map<std::int64_t, Program> programs;
  const auto program_for = [&](const Batch& batch) -> Program& {
    if (const auto found = programs.find(batch.time()); found != programs.end()) return found->second;
    Graph graph;
    const Value loss = loss_of(graph, store, batch.tokens.shape());
    const Updates updates = minimize(loss, store, adam({.learning_rate = 0.02f, .clip_norm = 1}));
    const std::vector<Value> results{loss, updates, updates.proceed, updates.gradient_norm};
    return programs.emplace(batch.time(), compile(graph, results, {.arena = arena})).first->second;
  };

  // --- training ---
  float last = 0;
  for (int epoch = 0; epoch < 25; ++epoch) {
    double loss = 0, words = 0;
    for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
      const Batch batch = batches.next();
      const std::span<const Tensor> results = run(program_for(batch), batch);
      // A step without a finite gradient changes nothing; unseen, the loss would just stay as it is.
      if (!results[2].values<bool>()[0])
        fmt::print("epoch {}: a step was left out, its gradient's norm is {}\n", epoch, results[3].item());
      loss += static_cast<double>(results[0].item()) * static_cast<double>(batch.target_count);
      words += static_cast<double>(batch.target_count);
    }
    last = static_cast<float>(loss / words);
    if (epoch % 6 == 0) fmt::print("epoch {:2}  loss {:.4f} nats a word, programs of", epoch, last);
    if (epoch % 6 == 0)
      for (const auto& [time, program] : programs) fmt::print(" {}{}", time, time == 20 ? " steps\n" : "");
  }

  // --- the weights alone, elsewhere ---
  const auto file = std::filesystem::temp_directory_path() / "eddy_several_lengths.safetensors";
  save_weights(file, store);
  fmt::print("\n{} holds:", file.filename().string());
  for (const CheckpointVariable& variable : read_safetensors_variables(file)) fmt::print(" {}", variable.name);
  ParameterStore other(/*seed=*/2);
  Graph graph;
  scores(graph, other, graph.input("tokens", i32, {1, 1}), {});
  const TransferReport report = transfer(file, other);
  other.seal();  // from here on a misspelt name is an error, not a new random weight
  const Batch batch = batches.next();
  Graph measuring;
  Program measure = compile(measuring, {loss_of(measuring, other, batch.tokens.shape())});
  for (const ProgramInputInfo& input : measure.inputs()) fmt::print("\n  reads {} {}", input.name, input.type);
  const float there = run(measure, batch)[0].item();
  fmt::print("\n{} variables transferred, {} missing; loss of a batch there {:.4f}\n", report.transferred.size(),
             report.missing_in_source.size(), there);
  std::filesystem::remove(file);

  // Where a text ends cannot be known: about one word in ten is <eos>.
  const bool learned = last < 0.6f && there < 0.8f;
  return learned && programs.size() == 3 && report.missing_in_source.empty() ? 0 : 1;
}
