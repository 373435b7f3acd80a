// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/models/adversarial.h"
#include "eddy/models/text_model.h"

namespace eddy {

/// What a text model is trained to do.
enum class TrainingTask {
  language_model,      ///< predict the next token
  autoencoder,         ///< read a text, then write it again
  pooled_autoencoder,  ///< predict each token from those before it and from what a classifier sees of the text
  classifier,          ///< name the class of a text from the last state
  label_gain,          ///< name it at every step, later steps counting more (Dai & Le 2015, section 3)
  joint,               ///< classifier and an unsupervised task at once
};

/// What a model takes from the pretrained one it begins with.
enum class TransferredPart {
  all,        ///< every parameter both have
  embedding,  ///< the words alone; the encoder begins anew
};

enum class OptimizerKind { sgd, momentum, rmsprop, adagrad, adam, adamw };
enum class ScheduleKind { constant, exponential, step, cosine, plateau };

/// How the learning rate moves, as a factor of OptimizerSettings::learning_rate.
struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::constant;
  std::int64_t warm_up_steps = 0;   ///< rises linearly over these first steps
  double decay = 0.5;               ///< exponential, step: the factor per `decay_steps`; plateau: per plateau
  std::int64_t decay_steps = 1000;  ///< exponential, step: see above; cosine: steps until the floor is reached
  double floor = 0;                 ///< cosine, plateau: the smallest factor
  std::int64_t patience = 1;        ///< plateau: evaluations without a better validation loss
};

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adam;
  double learning_rate = 1e-3;
  double clip_norm = 5;                    ///< largest global norm of the gradients; 0: no limit
  std::vector<std::string> clip_excluded;  ///< parameters whose names begin so are left out of that norm
  double clip_value = 0;                   ///< largest absolute gradient element; 0: no limit
  double weight_decay = 0;                 ///< L2; decoupled for adamw
  double momentum = 0.9;                   ///< momentum only
  bool nesterov = false;                   ///< momentum only
  double beta1 = 0.9;                      ///< adam, adamw
  double beta2 = 0.999;                    ///< adam, adamw; the decay of the squares in rmsprop
  double epsilon = 1e-8;                   ///< rmsprop, adagrad, adam, adamw
  bool lazy_rows = false;                  ///< update only the embedding rows of the batch (as PyTorch's SparseAdam)
  /// adam without weight_decay, adamw: the other rows follow when they are read next; the same to rounding as updating
  /// all. Without ema_decay only.
  bool catch_up_rows = true;
  /// Factors of the learning rate for parameters whose names begin so.
  std::vector<std::pair<std::string, double>> rate_multipliers;
  double ema_decay = 0;  ///< moving average of the weights, used for evaluation; 0: none
  ScheduleSettings schedule;
};

/// Everything that decides a training run but its data. A plain value.
struct TrainingConfig {
  TrainingTask task = TrainingTask::language_model;
  TrainingTask joint_task = TrainingTask::language_model;  ///< the unsupervised half of `joint`
  double joint_weight = 1;                                 ///< factor of that half's loss
  AdversarialConfig adversarial;                           ///< classifier and joint only
  TransferredPart transferred = TransferredPart::all;      ///< of a pretrained model
  TextModelConfig model;
  OptimizerSettings optimizer;
  double layer_rate_decay = 1;       ///< factor of the learning rate from each layer to the one below; 1: none
  std::int64_t unfreeze_epochs = 0;  ///< the top layer learns alone, one more after every so many epochs; 0: all learn

  std::int64_t batch_size = 32;
  std::int64_t max_length = 400;            ///< tokens of a document that are read; 0: all
  std::int64_t evaluation_max_length = -1;  ///< where it is not trained on; 0: all, -1: as many as in the training
  bool keep_last = true;                    ///< of a longer document its last tokens stay, else its first
  double bucket_growth = 1.3;               ///< each batch length is about this factor longer than the one before
  /// Language model only: 0 makes each document a row; more reads the text as endless streams in windows of so many
  /// steps, with the state carried from window to window (truncated backpropagation through time).
  std::int64_t stream_steps = 0;

  /// More than 0: documents are not words but rows of so many numbers, 0 to 255, such as an image's; each row is a
  /// step, and the unsupervised tasks have a squared error.
  std::int64_t row_width = 0;

  std::int64_t epochs = 10;
  std::int64_t max_steps = 0;            ///< 0: no limit
  double max_seconds = 0;                ///< 0: no limit; the limit is looked at between steps
  std::int64_t patience = 0;             ///< stop after so many evaluations without a better one; 0: never
  std::int64_t evaluation_interval = 0;  ///< steps between evaluations; 0: at the end of each epoch
  double validation_fraction = 0.05;     ///< of the documents, kept from training
  /// Documents of one group, such as the reviews of a film, are kept together or not at all.
  bool validation_by_group = false;
  std::uint64_t seed = 1;
};

std::string_view to_string(TrainingTask task);
bool is_classification(TrainingTask task);

/// Tokens of a document that an evaluation reads; 0: all.
std::int64_t evaluated_length(const TrainingConfig& config);

/// Whether documents without label are trained on as well.
bool learns_without_labels(const TrainingConfig& config);

/// As JSON text, with every member.
std::string to_json(const TrainingConfig& config);

/// From JSON text; members that are not there are those of `base`. `where` names the text in errors. Throws DataError
/// naming the key for an unknown key, a wrong type, an unknown name or a number out of range.
TrainingConfig training_config_from_json(std::string_view json, std::string_view where, TrainingConfig base = {});

/// The base for reading a config that an older version may have written: of each setting it lacks, what was done then.
TrainingConfig older_files_config();

/// Throws UsageError naming the setting and its value when one is out of range or two do not go together.
void check(const TrainingConfig& config);

}  // namespace eddy
