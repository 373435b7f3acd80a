// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/models/sequence_to_sequence.h"

namespace eddy::bench {

/// A computation timed next to other systems; bench/peers/ holds the same in PyTorch.
struct Workload {
  enum class Model {
    language_model,
    autoencoder,  ///< encoder and decoder are one LSTM, which begins to write after a step that reads nothing
    decoder,      ///< LSTM encoder, LSTM decoder of `mode` fed its own outputs, softmax
    greedy,       ///< the likeliest next word, fed back, `time` times
    classifier,   ///< two scores from the last state, nothing trained
  };
  std::string_view name;
  Model model = Model::language_model;
  std::int64_t vocabulary = 0, time = 0, batch = 0, embedding = 0, hidden = 0;
  DecoderMode mode = DecoderMode::basic;

  bool trains() const { return model != Model::greedy && model != Model::classifier; }
  std::int64_t tokens() const { return time * batch; }
  /// Two for each multiply-add of the products of one step, forward and, when it trains, backward. 0 for greedy
  /// decoding, which skips as much of its largest product as the words allow.
  double flops() const;
};

std::span<const Workload> workloads();
/// Throws UsageError listing the names there are.
const Workload& find_workload(std::string_view name);

/// Adds one step to `graph`, its weights made in `store` at first use. Training: forward, backward, clipping by norm,
/// Adam; inputs "tokens" and "targets" i32[time, batch], "mask" f32[time, batch] (the classifier has no targets, greedy
/// decoding no input at all). The first result is the loss, the class scores f32[batch, 2] or the words i32[time, 1].
std::vector<Value> build_step(Graph& graph, ParameterStore& store, const Workload& workload);

/// Lengths of the texts of a batch: all of them `time`, or evenly spread between 1 and `time`.
enum class Lengths { full, spread };

/// Random words; the same for the same workload.
std::vector<Binding> random_batch(const Workload& workload, Lengths lengths = Lengths::full);

/// Replaces weights in `store`, and inputs in `batch`, by the arrays of an .npz archive or safetensors file that have
/// their names. Throws DataError for an array that is neither, or of another type, and for a weight without array.
void load_arrays(const std::filesystem::path& path, const ParameterStore& store, std::vector<Binding>& batch);

}  // namespace eddy::bench
