// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/models/text_model.h"

namespace eddy::test {

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

inline constexpr std::int32_t kEos = 1;

/// A graph whose inputs are fed with the tensors they were made from.
class FedGraph {
 public:
  Graph graph;

  Value feed(const Tensor& tensor);
  /// Compiles and runs once.
  std::vector<Tensor> run(const std::vector<Value>& results);
  /// For programs that run many times.
  std::vector<Binding> bindings() const;

 private:
  std::deque<std::string> names_;
  std::vector<Tensor> tensors_;
};

/// Rows as columns of a [time, batch] tensor, with `padding` after their ends. `time` 0: that of the longest row.
template <class T>
Tensor columns(const std::vector<std::vector<T>>& rows, T padding, std::size_t time = 0) {
  for (const std::vector<T>& row : rows) time = std::max(time, row.size());
  std::vector<T> values(time * rows.size(), padding);
  for (std::size_t b = 0; b < rows.size(); ++b)
    for (std::size_t t = 0; t < rows[b].size(); ++t) values[t * rows.size() + b] = rows[b][t];
  return Tensor::from(values, {static_cast<std::int64_t>(time), static_cast<std::int64_t>(rows.size())});
}
/// 1 for the steps of each row, 0 for the padding.
Tensor mask_of(const std::vector<Ints>& rows, std::size_t time = 0);

/// Documents of the given numbers of words, ids 2 … vocabulary - 1, without <eos>.
std::vector<Ints> random_rows(std::initializer_list<std::size_t> lengths, std::int64_t vocabulary, std::uint64_t seed);
/// Each row with <eos> at its end.
std::vector<Ints> with_eos(std::vector<Ints> rows);

/// Overwrites all trainable variables with numbers of [-0.5, 0.5], so that no bias is zero.
void randomize(const ParameterStore& store, std::uint64_t seed = 11);
/// Empty when "<layer>/bias" is `forget_bias` for the forget gates of an LSTM, whose four gates are `gates`, else zero.
std::string wrong_bias(const ParameterStore& store, const std::string& layer, std::int64_t gates, double forget_bias);
/// Empty when "<layer>/w_h" consists of an orthogonal matrix times `gain` for each of the gates.
std::string wrong_gain(const ParameterStore& store, const std::string& layer, std::int64_t gates, double gain);
std::vector<std::string> trainable_names(const ParameterStore& store);

/// A loss and its gradients with respect to all trainable variables of a store, in order of name.
struct Evaluation {
  double loss = 0;
  std::vector<std::string> names;
  std::vector<Tensor> gradients;
};
Evaluation evaluate(FedGraph& graph, const ParameterStore& store, Value loss);
/// Empty when loss and all gradients agree.
std::string difference(const Evaluation& got, const Evaluation& expected, double tolerance = 2e-5);

}  // namespace eddy::test
