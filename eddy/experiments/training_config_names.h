// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "eddy/experiments/training_config.h"

/// Constants, and pure functions of them.
namespace eddy {

template <class E>
struct EnumName {
  E value;
  std::string_view name;
};

/// The names of an enumeration's values in files and on the command line: one list for both.
template <class E>
struct EnumNames;

template <>
struct EnumNames<TrainingTask> {
  static constexpr std::array<EnumName<TrainingTask>, 6> list{{{TrainingTask::language_model, "language_model"},
                                                               {TrainingTask::autoencoder, "autoencoder"},
                                                               {TrainingTask::pooled_autoencoder, "pooled_autoencoder"},
                                                               {TrainingTask::classifier, "classifier"},
                                                               {TrainingTask::label_gain, "label_gain"},
                                                               {TrainingTask::joint, "joint"}}};
};

template <>
struct EnumNames<OptimizerKind> {
  static constexpr std::array<EnumName<OptimizerKind>, 6> list{{{OptimizerKind::sgd, "sgd"},
                                                                {OptimizerKind::momentum, "momentum"},
                                                                {OptimizerKind::rmsprop, "rmsprop"},
                                                                {OptimizerKind::adagrad, "adagrad"},
                                                                {OptimizerKind::adam, "adam"},
                                                                {OptimizerKind::adamw, "adamw"}}};
};

template <>
struct EnumNames<ScheduleKind> {
  static constexpr std::array<EnumName<ScheduleKind>, 5> list{{{ScheduleKind::constant, "constant"},
                                                               {ScheduleKind::exponential, "exponential"},
                                                               {ScheduleKind::step, "step"},
                                                               {ScheduleKind::cosine, "cosine"},
                                                               {ScheduleKind::plateau, "plateau"}}};
};

template <>
struct EnumNames<CellKind> {
  static constexpr std::array<EnumName<CellKind>, 3> list{
      {{CellKind::lstm, "lstm"}, {CellKind::gru, "gru"}, {CellKind::rnn, "rnn"}}};
};

template <>
struct EnumNames<Pooling> {
  static constexpr std::array<EnumName<Pooling>, 4> list{{{Pooling::last, "last"},
                                                          {Pooling::mean, "mean"},
                                                          {Pooling::last_mean, "last_mean"},
                                                          {Pooling::concat, "concat"}}};
};

template <>
struct EnumNames<Perturbation> {
  static constexpr std::array<EnumName<Perturbation>, 5> list{
      {{Perturbation::none, "none"},
       {Perturbation::random, "rp"},
       {Perturbation::adversarial, "at"},
       {Perturbation::virtual_adversarial, "vat"},
       {Perturbation::adversarial_virtual_adversarial, "atvat"}}};
};

template <>
struct EnumNames<TransferredPart> {
  static constexpr std::array<EnumName<TransferredPart>, 2> list{
      {{TransferredPart::all, "all"}, {TransferredPart::embedding, "embedding"}}};
};

template <class E>
std::string_view name_of(E value) {
  for (const EnumName<E>& entry : EnumNames<E>::list)
    if (entry.value == value) return entry.name;
  return "?";
}

template <class E>
std::optional<E> value_of(std::string_view name) {
  for (const EnumName<E>& entry : EnumNames<E>::list)
    if (entry.name == name) return entry.value;
  return std::nullopt;
}

/// "sgd, momentum, rmsprop"
template <class E>
std::string all_names() {
  std::string joined;
  for (const EnumName<E>& entry : EnumNames<E>::list) joined.append(joined.empty() ? "" : ", ").append(entry.name);
  return joined;
}

}  // namespace eddy
