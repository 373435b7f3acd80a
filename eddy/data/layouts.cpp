// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/layouts.h"

namespace eddy {

Sequence language_model_sequence(std::span<const std::int32_t> tokens, std::int32_t eos, std::int32_t next,
                                 bool begin_with_eos) {
  Sequence sequence;
  if (begin_with_eos) sequence.inputs.push_back(eos);
  sequence.inputs.insert(sequence.inputs.end(), tokens.begin(), tokens.end());
  if (sequence.inputs.empty()) return sequence;
  sequence.targets.assign(sequence.inputs.begin() + 1, sequence.inputs.end());
  sequence.targets.push_back(next);
  sequence.weights.assign(sequence.inputs.size(), 1.0f);
  return sequence;
}

Sequence autoencoder_sequence(std::span<const std::int32_t> tokens, std::int32_t eos) {
  Sequence sequence;
  sequence.inputs.assign(tokens.begin(), tokens.end());
  sequence.inputs.push_back(eos);
  sequence.inputs.insert(sequence.inputs.end(), tokens.begin(), tokens.end());
  sequence.targets.assign(tokens.size(), eos);
  sequence.targets.insert(sequence.targets.end(), tokens.begin(), tokens.end());
  sequence.targets.push_back(eos);
  sequence.weights.assign(tokens.size(), 0.0f);
  sequence.weights.resize(sequence.inputs.size(), 1.0f);
  return sequence;
}

Sequence label_gain_sequence(std::span<const std::int32_t> tokens, std::int32_t label) {
  Sequence sequence;
  sequence.inputs.assign(tokens.begin(), tokens.end());
  sequence.targets.assign(tokens.size(), label);
  sequence.weights.resize(tokens.size(), 1.0f);
  if (tokens.size() > 1)
    for (std::size_t i = 0; i < tokens.size(); ++i)
      sequence.weights[i] = static_cast<float>(i) / static_cast<float>(tokens.size() - 1);
  return sequence;
}

}  // namespace eddy
