// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eddy/data/batch.h"
#include "eddy/data/bucket_batches.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/data/stream_batches.h"
#include "eddy/experiments/training_config.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"

/// Builder functions (see graph/value.h), and pure ones of configs and batches.
namespace eddy {

/// The part of a training or evaluation graph that depends on the task.
struct TaskGraph {
  Value loss;                  ///< f32[]; empty when evaluating a classification
  Value log_probabilities;     ///< f32[batch, classes], when evaluating a classification
  std::vector<Value> carried;  ///< streams: the states after the window, in the order of carried_names()
};

/// Builds the task's model on inputs named as task_bindings() names them. Training adds dropout and sampling;
/// evaluating a classification yields class probabilities in place of a loss.
TaskGraph build_task(Graph& graph, ParameterStore& store, const TrainingConfig& config, std::int64_t time, Mode mode);

/// The tensors of a batch that build_task asks for. States of streams are not among them.
std::vector<Binding> task_bindings(const TrainingConfig& config, const Batch& batch, Mode mode);

/// Inputs for the states that a stream carries on, one tensor f32[batch, hidden_size] each; none without streams.
std::vector<std::string> carried_names(const TrainingConfig& config);

/// How documents are laid out for a task. Evaluation keeps an order of its own and shuffles nothing.
BucketOptions task_batches(const TrainingConfig& config, std::int64_t longest_document, Mode mode);

/// The same for a language model that reads streams.
StreamOptions task_streams(const TrainingConfig& config, Mode mode);

/// What a batch's loss of an unsupervised task is the mean over.
std::int64_t predicted_tokens(const TrainingConfig& config, const Batch& batch);

}  // namespace eddy
