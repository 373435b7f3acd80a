// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace eddy {

/// What a model reads at each step, what it must predict there, and how much that step's loss counts.
/// All three have one element per step.
struct Sequence {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;
  std::vector<float> weights;

  friend bool operator==(const Sequence&, const Sequence&) = default;
};

/// Language model: inputs `w x y z`, targets `x y z <eos>`, weights 1. `next` is the last target: `<eos>`, or the
/// token that follows when the tokens are the beginning of a longer text. Dai & Le 2015 feed `<eos>` too, with
/// weight 0; that step changes nothing and is left out. With `begin_with_eos` inputs are `<eos> w x y z` and targets
/// `w x y z next`, so that the first word is predicted as well.
Sequence language_model_sequence(std::span<const std::int32_t> tokens, std::int32_t eos, std::int32_t next,
                                 bool begin_with_eos = false);

/// Sequence autoencoder (Dai & Le 2015, figure 1): one recurrent network reads inputs `w x y z <eos> w x y z` and
/// predicts targets `- - - - w x y z <eos>`; "-" is `<eos>` with weight 0, the others have weight 1. n tokens make
/// 2n + 1 steps.
Sequence autoencoder_sequence(std::span<const std::int32_t> tokens, std::int32_t eos);

/// Linear label gain (Dai & Le 2015, section 3): the label at every step, with weight step/(n-1); weight 1 for n = 1.
Sequence label_gain_sequence(std::span<const std::int32_t> tokens, std::int32_t label);

/// Which of these a batcher lays out. `plain` has no targets: the label belongs to the document.
enum class Layout { plain, language_model, autoencoder, label_gain };

}  // namespace eddy
