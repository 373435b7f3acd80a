// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/layouts.h"

namespace eddy {

Sequence language_model_sequence(std::span<const std::int32_t> tokens, std::int32_t next) {
  Sequence sequence;
  if (tokens.empty()) return sequence;
  sequence.inputs.assign(tokens.begin(), tokens.end());
  sequence.targets.assign(tokens.begin() + 1, tokens.end());
  sequence.targets.push_back(next);
  sequence.weights.assign(tokens.size(), 1.0f);
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
