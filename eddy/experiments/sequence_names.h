// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/experiments/seq2seq_config.h"
#include "eddy/experiments/training_config_names.h"
#include "eddy/models/beam_search.h"
#include "eddy/models/sequence_to_sequence.h"

/// Constants.
namespace eddy {

template <>
struct EnumNames<DecoderMode> {
  static constexpr std::array<EnumName<DecoderMode>, 4> list{{{DecoderMode::basic, "basic"},
                                                              {DecoderMode::feedback, "feedback"},
                                                              {DecoderMode::peek, "peek"},
                                                              {DecoderMode::attention, "attention"}}};
};

template <>
struct EnumNames<AttentionEnergy> {
  static constexpr std::array<EnumName<AttentionEnergy>, 4> list{{{AttentionEnergy::additive, "additive"},
                                                                  {AttentionEnergy::dot, "dot"},
                                                                  {AttentionEnergy::general, "general"},
                                                                  {AttentionEnergy::linear, "linear"}}};
};

template <>
struct EnumNames<Feedback> {
  static constexpr std::array<EnumName<Feedback>, 2> list{{{Feedback::output, "output"}, {Feedback::token, "token"}}};
};

template <>
struct EnumNames<PairLayout> {
  static constexpr std::array<EnumName<PairLayout>, 2> list{
      {{PairLayout::table, "table"}, {PairLayout::headlines, "headlines"}}};
};

template <>
struct EnumNames<TooLong> {
  static constexpr std::array<EnumName<TooLong>, 2> list{{{TooLong::leave_out, "leave_out"}, {TooLong::cut, "cut"}}};
};

template <>
struct EnumNames<LengthNormalisation> {
  static constexpr std::array<EnumName<LengthNormalisation>, 3> list{
      {{LengthNormalisation::none, "none"}, {LengthNormalisation::mean, "mean"}, {LengthNormalisation::wu, "wu"}}};
};

}  // namespace eddy
