// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Pure functions of plain values: safe to call concurrently.
namespace eddy {

/// What a model reads at each step, what it must predict there, and how much that step's loss counts.
/// All three have one element per step. A plain value.
struct Sequence {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;
  std::vector<float> weights;

  friend bool operator==(const Sequence&, const Sequence&) = default;
};

/// Language model: inputs `w x y z`, targets `x y z <eos>`, weights 1. `next` is the last target: `<eos>`, or the
/// token that follows when the tokens are the beginning of a longer text. Dai & Le 2015 feed `<eos>` too, with
/// weight 0; that step changes nothing and is left out.
Sequence language_model_sequence(std::span<const std::int32_t> tokens, std::int32_t next);

/// Linear label gain (Dai & Le 2015, section 3): the label at every step, with weight step/(n-1); weight 1 for n = 1.
Sequence label_gain_sequence(std::span<const std::int32_t> tokens, std::int32_t label);

/// Which of these a batcher lays out. `plain` has no targets: the label belongs to the document.
enum class Layout { plain, language_model, label_gain };

}  // namespace eddy
