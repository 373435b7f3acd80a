// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/threads.h"
#include "eddy/experiments/command.h"

namespace eddy {

void add_thread_flag(CLI::App& app) {
  app.add_option_function<int>(
         "--threads", [](int threads) { set_num_threads(threads); }, "Threads to compute with")
      ->default_str(std::to_string(num_threads()))
      ->type_name("INT");
}

void add_seed_flag(CLI::App& app, std::uint64_t& seed) {
  app.add_option("--seed", seed, "Of all random numbers")->capture_default_str();
}

}  // namespace eddy
