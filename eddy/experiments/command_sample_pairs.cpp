// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_sample_pairs.h"

#include <algorithm>
#include <numeric>

#include "eddy/core/number_text.h"
#include "eddy/core/random.h"

namespace eddy {
namespace {

EncodedPairs made_up_pairs(const Seq2SeqModel& model) {
  PairCollector pairs(model.source_tokens, model.target_tokens);
  Philox random(model.config.seed, stable_hash("sample"));
  const auto words = [&](std::int64_t count, std::int64_t size) {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < count; ++i)
      ids.push_back(static_cast<std::int32_t>(uniform_index(random, static_cast<std::uint64_t>(size))));
    return ids;
  };
  // Room for the end token.
  const std::int64_t source = std::max<std::int64_t>(model.config.max_source - 1, 1);
  const std::int64_t target = std::max<std::int64_t>(model.config.max_target - 1, 1);
  for (std::int64_t row = 0; row < model.config.batch_size; ++row)
    pairs.add(words(source, model.source_tokens.size()), words(target, model.target_tokens.classes()), "made up");
  return std::move(pairs).finish();
}

std::vector<std::int32_t> all_of(const EncodedPairs& pairs) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(pairs.size()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

SamplePairs::SamplePairs(ParameterStore& store, const Seq2SeqModel& model)
    : config_(model.config),
      pairs_(made_up_pairs(model)),
      trainer_(store, config_, pairs_, all_of(pairs_)),
      step_(trainer_.next_step()) {}

Profile SamplePairs::profile(int runs) {
  step_.program.run(step_.inputs);  // the first run warms up
  return step_.program.profile(step_.inputs, runs);
}

std::string SamplePairs::what() const {
  return fmt::format("{} of up to {} and {}", counted(config_.batch_size, "made-up pair"), config_.max_source,
                     counted(config_.max_target, "word"));
}

}  // namespace eddy
