// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "eddy/experiments/classification.h"

/// Pure functions of plain values: safe to call concurrently.
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

/// ClassificationTask::preset of each task. The untuned ones go by the amount of text alone, for any texts.
ClassificationOptions wordnet_preset(Preset preset, TextAmount amount);
ClassificationOptions imdb_preset(Preset preset, TextAmount amount);
ClassificationOptions rotten_tomatoes_preset(Preset preset, TextAmount amount);
ClassificationOptions newsgroups_preset(Preset preset, TextAmount amount);
ClassificationOptions dbpedia_preset(Preset preset, TextAmount amount);
ClassificationOptions cifar10_preset(Preset preset, TextAmount amount);
ClassificationOptions untuned_preset(Preset preset, TextAmount amount);

/// All options of a task but the places of data, cache and output. Throws UsageError for an unknown task.
ClassificationOptions classification_preset(std::string_view task, Preset preset,
                                            TextAmount amount = TextAmount::little);

/// Sets the vocabulary's size, once it is known, and drops what a preset says for larger ones: samples that would be
/// half of the words, and stretches of an adaptive softmax that would hold none.
void fit_to_vocabulary(TextModelConfig& model, std::int64_t words);

}  // namespace eddy
