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

}  // namespace eddy
