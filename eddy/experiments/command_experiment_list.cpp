// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_experiment.h"

namespace eddy {

std::vector<Experiment> experiments() {
  return {decoders_experiment(), wordnet_experiment(),  piglatin_experiment(),
          adder_experiment(),    patterns_experiment(), textsum_experiment()};
}

}  // namespace eddy
