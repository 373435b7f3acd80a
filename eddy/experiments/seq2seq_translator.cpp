// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/seq2seq_translator.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/data/headlines.h"
#include "eddy/data/split.h"
#include "eddy/experiments/chart_svg.h"
#include "eddy/experiments/unknown_words.h"

namespace eddy {
namespace {

/// Lengths that share a program: those of a batch size of the training, else 8 after 8.
std::int64_t padded(const Seq2SeqConfig& config, std::size_t words) {
  const auto length = static_cast<std::int64_t>(words);
  std::int64_t best = 0;
  for (const PairSize& size : config.sizes)
    if (size.source >= length && (best == 0 || size.source < best)) best = size.source;
  return length == 0 || best == 0 ? (length + 7) / 8 * 8 : best;
}

BeamOptions complete(BeamOptions options, const TokenSet& tokens) {
  options.go = tokens.specials().go;
  options.end = tokens.specials().end;
  for (const std::int32_t never : {tokens.specials().pad, tokens.specials().go})
    if (never >= 0 && never < tokens.classes()) options.banned.push_back(never);
  return options;
}

bool is_wordless(const Seq2SeqData& data, std::int32_t pair) {
  return data.keys[static_cast<std::size_t>(pair)].empty();
}

/// The pairs of each source that has words.
std::vector<std::vector<std::int32_t>> groups_of(const Seq2SeqData& data, std::span<const std::int32_t> pairs) {
  std::vector<std::vector<std::int32_t>> groups = group_by_key(data.keys, pairs);
  std::erase_if(groups, [&](const auto& group) { return is_wordless(data, group[0]); });
  return groups;
}

}  // namespace

Translator::Translator(const LoadedSeq2Seq& loaded, TranslatorOptions options)
    : model_(loaded.model), options_(std::move(options)), search_(*loaded.store, loaded.model.config.model) {
  require<UsageError>(options_.batch_size > 0, "batches of {} texts", options_.batch_size);
  options_.beam = complete(options_.beam, model_.target_tokens);
}

std::span<const std::string> Translator::read_part(const TokenText& source) const {
  const Seq2SeqConfig& config = model_.config;
  std::int64_t most = 0;
  for (const PairSize& size : config.sizes) most = std::max(most, size.source);
  if (config.max_source > 0 && (most == 0 || config.max_source < most)) most = config.max_source;
  const std::span words(source);
  return config.too_long == TooLong::leave_out || most == 0
             ? words
             : words.first(std::min(words.size(), static_cast<std::size_t>(most)));
}

std::vector<std::vector<Translation>> Translator::translate(std::span<const TokenText> sources) {
  std::vector<std::vector<Translation>> results(sources.size());
  std::vector<std::size_t> order(sources.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return sources[i].size(); });
  ProgressOptions shown = progress_;
  shown.total = static_cast<std::int64_t>(sources.size());
  shown.unit = "source words";
  // The longest texts come last.
  for (const TokenText& source : sources) shown.total_units += static_cast<double>(read_part(source).size());
  Progress progress(std::move(shown));
  const auto time_of = [&](std::size_t i) { return padded(model_.config, read_part(sources[i]).size()); };
  for (std::size_t begin = 0; begin < order.size();) {
    const std::int64_t time = time_of(order[begin]);
    std::size_t end = begin;
    while (end < order.size() && end - begin < static_cast<std::size_t>(options_.batch_size) &&
           time_of(order[end]) == time)
      ++end;
    translate_batch(sources, std::span(order).subspan(begin, end - begin), time, results);
    double words = 0;
    for (std::size_t i = begin; i < end; ++i) words += static_cast<double>(read_part(sources[order[i]]).size());
    progress.count(static_cast<std::int64_t>(end - begin), words);
    begin = end;
  }
  return results;
}

void Translator::translate_batch(std::span<const TokenText> sources, std::span<const std::size_t> chosen,
                                 std::int64_t time, std::vector<std::vector<Translation>>& results) {
  if (time == 0) {
    for (const std::size_t i : chosen)
      results[i] = {Translation{.words = {}, .tokens = {}, .complete = true, .attention = {}}};
    return;
  }
  // Always full batches, so that there is one program for each length.
  const std::int64_t rows = options_.batch_size;
  const Tensor source(i32, {time, rows}), mask(f32, {time, rows});
  std::ranges::fill(source.values<std::int32_t>(), 0);
  std::ranges::fill(mask.values<float>(), 0.0F);
  const bool reversed = model_.config.reverse_source;
  for (std::size_t row = 0; row < chosen.size(); ++row) {
    const std::span words = read_part(sources[chosen[row]]);
    for (std::size_t t = 0; t < words.size(); ++t) {
      const std::size_t place = (reversed ? words.size() - 1 - t : t) * static_cast<std::size_t>(rows) + row;
      const std::int32_t id =
          model_.source_tokens.find(model_.config.data.zero_digits ? digits_to_zero(words[t]) : words[t]);
      require<DataError>(id >= 0, "\"{}\" is not one of the {} source tokens", words[t], model_.source_tokens.size());
      source.values<std::int32_t>()[place] = id;
      mask.values<float>()[place] = 1;
    }
  }
  std::vector<std::vector<Hypothesis>> found = search_.search(source, mask, options_.beam);
  for (std::size_t row = 0; row < chosen.size(); ++row)
    for (Hypothesis& hypothesis : found[row]) {
      Translation translation{.words = {},
                              .tokens = std::move(hypothesis.tokens),
                              .score = hypothesis.score,
                              .complete = hypothesis.complete,
                              .attention = std::move(hypothesis.attention),
                              .source_time = time};
      const bool replace = options_.replace_unknown && !translation.attention.empty();
      translation.words = replace
                              ? replace_unknown(translation.tokens, model_.target_tokens,
                                                read_part(sources[chosen[row]]), translation.attention, time, reversed)
                              : model_.target_tokens.texts(translation.tokens);
      results[chosen[row]].push_back(std::move(translation));
    }
}

AttentionMap Translator::attention_of(const TokenText& source, const Translation& translation) const {
  const std::span words = read_part(source);
  AttentionMap map{.title = shortened_label(fmt::format("{}", fmt::join(words, " "))),
                   .source = {words.begin(), words.end()},
                   .target = translation.words,
                   .weights = translation.attention,
                   .source_time = translation.source_time,
                   .reversed = model_.config.reverse_source};
  // Cut off at the longest length, there is no row for the end.
  const std::size_t rows =
      translation.attention.size() / static_cast<std::size_t>(std::max<std::int64_t>(map.source_time, 1));
  if (rows > map.target.size()) map.target.emplace_back(model_.target_tokens.text(model_.target_tokens.specials().end));
  return map;
}

TranslationScores score_translations(Translator& translator, const Seq2SeqData& data,
                                     std::span<const std::int32_t> pairs) {
  TranslationScores scores;
  const double start = steady_seconds();
  const std::vector<std::vector<std::int32_t>> groups = groups_of(data, pairs);
  require<DataError>(!groups.empty(), "there is no pair to translate");
  Tokenizer tokenizer(tokenizer_of(translator.config().data));
  for (const std::vector<std::int32_t>& group : groups) {
    scores.sources.push_back(tokenizer.tokenize(data.texts[static_cast<std::size_t>(group[0])].source));
    References& references = scores.references.emplace_back();
    // The words of the text, not of the vocabulary: an unknown one counts as wrong.
    for (const std::int32_t pair : group)
      references.push_back(tokenizer.tokenize(data.texts[static_cast<std::size_t>(pair)].target));
  }
  for (std::vector<Translation>& found : translator.translate(scores.sources))
    scores.translations.push_back(std::move(found.front()));
  std::vector<TokenText> texts;
  double exact = 0, exact_tokens = 0, unended = 0;
  for (std::size_t i = 0; i < scores.translations.size(); ++i) {
    texts.push_back(scores.translations[i].words);
    exact += std::ranges::find(scores.references[i], texts.back()) != scores.references[i].end() ? 1 : 0;
    const auto taught = [&](std::int32_t pair) {
      return std::ranges::equal(data.pairs.target.document(pair), scores.translations[i].tokens);
    };
    exact_tokens += std::ranges::any_of(groups[i], taught) ? 1 : 0;
    unended += scores.translations[i].complete ? 0 : 1;
  }
  const auto count = static_cast<double>(texts.size());
  scores.exact = exact / count;
  scores.exact_tokens = exact_tokens / count;
  scores.unended = unended / count;
  scores.bleu = corpus_bleu(texts, scores.references);
  scores.rouge = mean_rouge(texts, scores.references);
  scores.seconds = steady_seconds() - start;
  return scores;
}

ChosenSources choose_sources(const Seq2SeqData& data, std::span<const std::int32_t> pairs, std::int64_t most) {
  const std::vector<std::vector<std::int32_t>> groups = groups_of(data, pairs);
  const auto wanted = most > 0 ? static_cast<std::size_t>(most) : groups.size();
  ChosenSources chosen{.pairs = {},
                       .sources = std::min(wanted, groups.size()),
                       .of = groups.size(),
                       .wordless = static_cast<std::size_t>(
                           std::ranges::count_if(pairs, [&](std::int32_t pair) { return is_wordless(data, pair); }))};
  for (const std::size_t place : evenly_spaced(groups.size(), wanted))
    chosen.pairs.insert(chosen.pairs.end(), groups[place].begin(), groups[place].end());
  return chosen;
}

}  // namespace eddy
