// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "eddy/experiments/classification.h"

namespace eddy {

/// `paper`: the sizes and dropouts of Dai & Le 2015, for weeks on a CPU; `cpu`: an hour or a few on two cores, with the
/// paper's order of rows; `quick`: minutes, for a look.
enum class Preset { paper, cpu, quick };

template <>
struct EnumNames<Preset> {
  static constexpr std::array<EnumName<Preset>, 3> list{
      {{Preset::paper, "paper"}, {Preset::cpu, "cpu"}, {Preset::quick, "quick"}}};
};

/// How much text pretraining reads, for tasks that leave it open.
enum class TextAmount { little, middle, much };

/// Much with other, larger text; that of the user's own files by their size on disk: little below 4 MB, much from 40.
TextAmount amount_of_text(const ClassificationSource& source);

/// All options of a task but the places of data, cache and output. Throws UsageError for an unknown task.
ClassificationOptions classification_preset(std::string_view task, Preset preset,
                                            TextAmount amount = TextAmount::little);

/// Sets the vocabulary's size, once it is known, and drops what a preset says for larger ones: samples that would be
/// half of the words, and stretches of an adaptive softmax that would hold none.
void fit_to_vocabulary(TextModelConfig& model, std::int64_t words);

/// Lays one setting "WHERE.KEY=VALUE" over the training configs, such as "lm.epochs=3" or
/// "all.optimizer.learning_rate=1e-3". WHERE: lm, sa, pretraining (both), pretrained, scratch (the classifiers),
/// classifiers (both) or all; KEY and VALUE as in a config's JSON. Throws UsageError or DataError saying what is wrong.
void apply_setting(ClassificationOptions& options, std::string_view setting);

}  // namespace eddy
