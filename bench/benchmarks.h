// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eddy::bench {

/// One recurrent layer: sequences [time, batch, input], states [batch, hidden].
struct LayerShape {
  std::int64_t time = 0;
  std::int64_t batch = 0;
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::string name = {};
};

/// Reads "100x32x256x512" (time x batch x input x hidden) or benchdnn's problem string "l1t50mb64sic500"
/// (slc: input channels, dhc: hidden size, both sic when absent; one layer). Throws UsageError.
LayerShape parse_layer_shape(std::string_view text);

/// Every op case that has bench_inputs: forward, and forward with backward.
void register_op_benchmarks();
/// One case, or all cases with bench_inputs of the op `name`, at each of `shapes` ("f32[3200,512],i32[3200]"), or,
/// without, at the case's own. Throws UsageError saying which names there are, or what the cases take.
void register_op_benchmarks(const std::string& name, const std::vector<std::string>& shapes);
/// One line for each op case: its name, its inputs in tests, its inputs in benchmarks.
std::string op_case_list();
/// LSTM and GRU layers next to oneDNN's primitives. With `problems` those shapes, else the standard list.
void register_layer_benchmarks(const std::vector<LayerShape>& problems);
/// Whole training steps of all workloads that train.
void register_step_benchmarks();
/// A step of each update rule on one parameter: dense, or rows of a large table.
void register_update_benchmarks();
/// Overhead per executed node, and compile time.
void register_executor_benchmarks();

}  // namespace eddy::bench
