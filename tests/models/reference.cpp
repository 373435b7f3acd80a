// SPDX-License-Identifier: Apache-2.0
#include "tests/models/reference.h"

#include <numeric>

#include "eddy/graph/builtin.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"

namespace eddy::test {
namespace {

template <class T>
Tensor vector_tensor(const std::vector<T>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

Value weight(FedGraph& graph, const ParameterStore& store, const std::string& name) {
  const std::shared_ptr<Variable> variable = store.find(name);
  require<UsageError>(variable != nullptr, "the store has no variable '{}'", name);
  return graph.graph.variable(variable);
}

Value reference_outputs(FedGraph& graph, const ParameterStore& store, const std::string& stack, int layers,
                        const Ints& tokens) {
  Value x = expand_dims(gather_rows(weight(graph, store, "embedding"), graph.feed(vector_tensor(tokens))), 1);
  for (int layer = 0; layer < layers; ++layer) {
    const std::string name = fmt::format("{}{}/", stack, layer);
    x = lstm(x, weight(graph, store, name + "w_x"), weight(graph, store, name + "w_h"),
             weight(graph, store, name + "bias"))
            .outputs;
  }
  return squeeze(x, 1);
}

Value reference_loss(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config,
                     const std::string& stack, const Sequence& sequence) {
  const Value hidden = reference_outputs(graph, store, stack, config.encoder.layers, sequence.inputs);
  const Value table = weight(graph, store, config.tied_softmax ? "embedding" : "softmax/table");
  const Value logits = linear(hidden, table, weight(graph, store, "softmax/bias"), {.transpose_w = true});
  return cross_entropy(logits, graph.feed(vector_tensor(sequence.targets)),
                       {.weights = graph.feed(vector_tensor(sequence.weights)), .reduction = Reduction::sum});
}

Evaluation evaluate_documents(DocumentLoss& model, ParameterStore& store, const TextModelConfig& config,
                              const std::vector<Ints>& documents, std::int32_t padding, std::size_t time) {
  FedGraph graph;
  const Value loss = model(store, config, graph.feed(columns(documents, padding, time)),
                           graph.feed(mask_of(documents, time)), Mode::infer, SourceLocation::current());
  randomize(store);
  return evaluate(graph, store, loss);
}

Value reference_mean_loss(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config,
                          const std::string& stack, const std::vector<Sequence>& sequences) {
  Value total;
  float weights = 0;
  for (const Sequence& sequence : sequences) {
    const Value loss = reference_loss(graph, store, config, stack, sequence);
    total = total ? total + loss : loss;
    weights = std::accumulate(sequence.weights.begin(), sequence.weights.end(), weights);
  }
  return total * (1 / weights);
}

}  // namespace eddy::test
