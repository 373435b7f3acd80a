// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/data/layouts.h"
#include "tests/models/model_runs.h"

namespace eddy::test {

// The models written out for one row at a time: no padding, no mask, every layer by hand from the store's variables,
// which must exist. Time runs forward only; to read backwards, hand in reversed sequences.

/// The variable of that name in the graph.
Value weight(FedGraph& graph, const ParameterStore& store, const std::string& name);

/// Outputs f32[time, hidden] of `layers` LSTM layers "<stack>0", "<stack>1", … over the embedded tokens.
Value reference_outputs(FedGraph& graph, const ParameterStore& store, const std::string& stack, int layers,
                        const Ints& tokens);

/// Sum over the steps of weight times cross entropy of the full softmax.
Value reference_loss(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config,
                     const std::string& stack, const Sequence& sequence);

/// A model of documents by their tokens and mask, such as an autoencoder.
using DocumentLoss = Value(ParameterStore&, const TextModelConfig&, Value tokens, Value mask, Mode, SourceLocation);

/// Its loss of the documents in inference and the gradients, with variables drawn anew.
Evaluation evaluate_documents(DocumentLoss& model, ParameterStore& store, const TextModelConfig& config,
                              const std::vector<Ints>& documents, std::int32_t padding, std::size_t time);

/// The mean of reference_loss over all sequences' weights.
Value reference_mean_loss(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config,
                          const std::string& stack, const std::vector<Sequence>& sequences);

}  // namespace eddy::test
