// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_experiment.h"

namespace eddy {

std::vector<Experiment> experiments() {
  std::vector<Experiment> all = classification_experiments();
  for (const Experiment& other :
       {decoders_experiment(), piglatin_experiment(), adder_experiment(), patterns_experiment(), textsum_experiment()})
    all.push_back(other);
  return all;
}

}  // namespace eddy
