// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// One token of a hypothesis; hypotheses share their beginnings.
struct Node {
  std::int32_t before = -1;
  std::int32_t token = 0;
  std::vector<float> attention;
};

struct Live {
  std::int32_t row = 0;    ///< where its state is
  std::int32_t last = -1;  ///< node
  double log_probability = 0;
};

struct Continuation {
  double log_probability = 0;
  std::size_t live = 0;
  std::int32_t token = 0;

  /// Better ones first.
  friend bool operator<(const Continuation& a, const Continuation& b) {
    return std::tuple(-a.log_probability, a.live, a.token) < std::tuple(-b.log_probability, b.live, b.token);
  }
};

/// The search for one source.
class Beam {
 public:
  Beam(const BeamOptions& options, std::int32_t first_row) : options_(options), live_{{first_row, -1, 0.0}} {}

  bool done() const { return live_.empty(); }
  const std::vector<Live>& live() const { return live_; }
  std::int32_t last_token(const Live& live) const {
    return live.last < 0 ? options_.go : nodes_[static_cast<std::size_t>(live.last)].token;
  }

  /// One step: rows of `log_probabilities` [rows, classes] and `attention` [rows, source_time].
  void advance(const BeamReply& reply, std::size_t classes, std::size_t source_time, int step) {
    const auto beam = static_cast<std::size_t>(options_.beam);
    std::vector<Continuation> offers;
    for (std::size_t i = 0; i < live_.size(); ++i) {
      const auto row = static_cast<std::size_t>(live_[i].row);
      scratch_.assign(reply.log_probabilities.begin() + static_cast<std::ptrdiff_t>(row * classes),
                      reply.log_probabilities.begin() + static_cast<std::ptrdiff_t>((row + 1) * classes));
      apply_rules(live_[i], step);
      offer_best(i, 2 * beam, offers);
    }
    std::sort(offers.begin(), offers.end());
    if (offers.empty()) {
      give_up();
      return;
    }
    std::vector<Live> next;
    for (const Continuation& offer : offers) {
      const Live& from = live_[offer.live];
      const auto row = static_cast<std::ptrdiff_t>(from.row) * static_cast<std::ptrdiff_t>(source_time);
      const auto attention = reply.attention.begin() + row;
      nodes_.push_back({from.last, offer.token,
                        reply.attention.empty()
                            ? std::vector<float>()
                            : std::vector<float>(attention, attention + static_cast<std::ptrdiff_t>(source_time))});
      const Live grown{from.row, static_cast<std::int32_t>(nodes_.size()) - 1, offer.log_probability};
      if (options_.end >= 0 && offer.token == options_.end) {
        finished_.push_back(finish(grown, true));
      } else {
        next.push_back(grown);
      }
      if (next.size() == beam || finished_.size() == beam) break;
    }
    live_ = std::move(next);
    if (finished_.size() >= beam) live_.clear();
    if (step + 1 == options_.longest) give_up();
  }

  /// Gives its rows to the hypotheses in order; `parents` says where their states are now.
  void settle(std::int32_t first_row, std::span<std::int32_t> parents, std::span<std::int32_t> tokens) {
    for (std::size_t i = 0; i < live_.size(); ++i) {
      const std::int32_t row = first_row + static_cast<std::int32_t>(i);
      parents[static_cast<std::size_t>(row)] = live_[i].row;
      tokens[static_cast<std::size_t>(row)] = last_token(live_[i]);
      live_[i].row = row;
    }
  }

  std::vector<Hypothesis> results(std::int64_t source_length) {
    for (Hypothesis& hypothesis : finished_) score(hypothesis, source_length);
    std::stable_sort(finished_.begin(), finished_.end(), [](const Hypothesis& a, const Hypothesis& b) {
      return a.complete != b.complete ? a.complete : a.score > b.score;
    });
    if (finished_.size() > static_cast<std::size_t>(options_.best))
      finished_.resize(static_cast<std::size_t>(options_.best));
    return std::move(finished_);
  }

 private:
  std::vector<std::int32_t> tokens_of(std::int32_t last) const {
    std::vector<std::int32_t> tokens;
    for (std::int32_t node = last; node >= 0; node = nodes_[static_cast<std::size_t>(node)].before)
      tokens.push_back(nodes_[static_cast<std::size_t>(node)].token);
    std::reverse(tokens.begin(), tokens.end());
    return tokens;
  }

  void apply_rules(const Live& live, int step) {
    for (const float value : scratch_)
      require<DataError>(!std::isnan(value), "beam search step {}: a log-probability of row {} is NaN", step, live.row);
    for (const std::int32_t token : options_.banned) scratch_[static_cast<std::size_t>(token)] = kNever;
    if (options_.end >= 0 && step < options_.shortest) scratch_[static_cast<std::size_t>(options_.end)] = kNever;
    if (options_.repetition_penalty == 1 && options_.no_repeat_ngram == 0) return;
    const std::vector<std::int32_t> tokens = tokens_of(live.last);
    if (options_.repetition_penalty != 1) {
      std::vector<std::int32_t> distinct = tokens;
      std::sort(distinct.begin(), distinct.end());
      distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
      for (const std::int32_t token : distinct)
        scratch_[static_cast<std::size_t>(token)] *= static_cast<float>(options_.repetition_penalty);
    }
    const auto size = static_cast<std::size_t>(options_.no_repeat_ngram);
    if (size == 0 || tokens.size() + 1 < size) return;
    // Tokens that followed what now stands last.
    const auto tail = tokens.end() - static_cast<std::ptrdiff_t>(size - 1);
    for (std::size_t first = 0; first + size <= tokens.size(); ++first)
      if (std::equal(tail, tokens.end(), tokens.begin() + static_cast<std::ptrdiff_t>(first)))
        scratch_[static_cast<std::size_t>(tokens[first + size - 1])] = kNever;
  }

  /// Appends the best `count` continuations of a hypothesis.
  void offer_best(std::size_t live, std::size_t count, std::vector<Continuation>& offers) {
    heap_.clear();
    for (std::size_t token = 0; token < scratch_.size(); ++token) {
      // Smaller tokens came before, so an equal one is worse.
      if (scratch_[token] == kNever || (heap_.size() == count && scratch_[token] <= worst_)) continue;
      if (heap_.size() == count) {
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
      }
      heap_.push_back({scratch_[token], live, static_cast<std::int32_t>(token)});
      std::push_heap(heap_.begin(), heap_.end());
      worst_ = static_cast<float>(heap_.front().log_probability);
    }
    for (Continuation offer : heap_) {
      offer.log_probability += live_[live].log_probability;
      offers.push_back(offer);
    }
  }

  /// What is alive ends here; without an end token that is how hypotheses end.
  void give_up() {
    for (const Live& live : live_) {
      const bool full = options_.end < 0 && length_of(live.last) == options_.longest;
      finished_.push_back(finish(live, full));
    }
    live_.clear();
  }

  int length_of(std::int32_t last) const {
    int length = 0;
    for (std::int32_t node = last; node >= 0; node = nodes_[static_cast<std::size_t>(node)].before) ++length;
    return length;
  }

  Hypothesis finish(const Live& live, bool complete) const {
    Hypothesis hypothesis;
    hypothesis.tokens = tokens_of(live.last);
    hypothesis.log_probability = live.log_probability;
    hypothesis.complete = complete;
    if (complete && options_.end >= 0) hypothesis.tokens.pop_back();
    std::vector<std::int32_t> path;
    for (std::int32_t node = live.last; node >= 0; node = nodes_[static_cast<std::size_t>(node)].before)
      path.push_back(node);
    for (auto node = path.rbegin(); node != path.rend(); ++node) {
      const std::vector<float>& row = nodes_[static_cast<std::size_t>(*node)].attention;
      hypothesis.attention.insert(hypothesis.attention.end(), row.begin(), row.end());
    }
    return hypothesis;
  }

  void score(Hypothesis& hypothesis, std::int64_t source_length) const {
    const std::size_t steps = hypothesis.tokens.size() + (hypothesis.complete && options_.end >= 0 ? 1 : 0);
    const auto length = static_cast<double>(std::max<std::size_t>(steps, 1));
    hypothesis.score = hypothesis.log_probability;
    if (options_.normalisation == LengthNormalisation::mean) hypothesis.score /= length;
    if (options_.normalisation == LengthNormalisation::wu)
      hypothesis.score /= std::pow((5.0 + length) / 6.0, options_.alpha);
    if (options_.coverage == 0 || steps == 0) return;
    const std::size_t width = hypothesis.attention.size() / steps;
    double penalty = 0;
    for (std::size_t j = 0; j < static_cast<std::size_t>(source_length); ++j) {
      double sum = 0;
      for (std::size_t t = 0; t < steps; ++t) sum += hypothesis.attention[t * width + j];
      // A token that was never looked at costs much, but not everything.
      penalty += std::log(std::clamp(sum, 1e-9, 1.0));
    }
    hypothesis.score += options_.coverage * penalty;
  }

  const BeamOptions& options_;
  std::vector<Node> nodes_;
  std::vector<Live> live_;
  std::vector<Hypothesis> finished_;
  std::vector<float> scratch_;
  std::vector<Continuation> heap_;
  float worst_ = kNever;
};

void check_options(const BeamOptions& options, std::int64_t sources, std::span<const std::int32_t> source_lengths) {
  require<UsageError>(options.beam >= 1 && options.best >= 1 && options.best <= options.beam,
                      "a beam of {} for the {} best; expected at least 1 and no more than the beam", options.beam,
                      options.best);
  require<UsageError>(options.longest >= 1 && options.shortest >= 0 && options.shortest < options.longest,
                      "hypotheses of {} to {} tokens; expected at least 1, the shortest below the longest",
                      options.shortest, options.longest);
  require<UsageError>(options.no_repeat_ngram >= 0, "no n-grams of {} tokens twice; expected 0 or more",
                      options.no_repeat_ngram);
  require<UsageError>(options.repetition_penalty >= 1, "repetition penalty is {}, expected at least 1",
                      options.repetition_penalty);
  require<UsageError>(options.coverage >= 0 && options.alpha >= 0, "coverage {} and alpha {}: expected 0 or more",
                      options.coverage, options.alpha);
  require<UsageError>(sources >= 1 && sources <= std::numeric_limits<std::int32_t>::max() / options.beam,
                      "beam search over {} sources; expected at least 1", sources);
  const bool needs_lengths = options.coverage > 0 || !source_lengths.empty();
  require<UsageError>(!needs_lengths || static_cast<std::int64_t>(source_lengths.size()) == sources,
                      "{} for {}; coverage needs one each", counted(std::ssize(source_lengths), "source length"),
                      counted(sources, "source"));
}

/// Sizes of a reply: [rows, classes] and [rows, source_time].
std::pair<std::size_t, std::size_t> check_reply(const BeamReply& reply, const BeamOptions& options, std::size_t rows,
                                                std::span<const std::int32_t> source_lengths) {
  require<UsageError>(!reply.log_probabilities.empty() && reply.log_probabilities.size() % rows == 0,
                      "{} log-probabilities are no rows of {} hypotheses", reply.log_probabilities.size(), rows);
  require<UsageError>(reply.attention.size() % rows == 0, "{} attention weights are no rows of {} hypotheses",
                      reply.attention.size(), rows);
  const std::size_t classes = reply.log_probabilities.size() / rows;
  const std::size_t source_time = reply.attention.size() / rows;
  require<UsageError>(options.coverage == 0 || source_time > 0, "coverage needs attention; the model gives none");
  for (const std::int32_t length : source_lengths)
    require<UsageError>(source_time == 0 || (length >= 0 && static_cast<std::size_t>(length) <= source_time),
                        "a source of {} steps has {} columns of attention", length, source_time);
  const auto count = static_cast<std::int64_t>(classes);
  require<UsageError>(options.end >= -1 && options.end < count, "end is token {} of {}", options.end, count);
  for (const std::int32_t token : options.banned)
    require<UsageError>(token >= 0 && token < count, "banned token {} is not one of {}", token, count);
  return {classes, source_time};
}

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(const BeamModel& model, const BeamOptions& options,
                                                 std::int64_t sources, std::span<const std::int32_t> source_lengths) {
  check_options(options, sources, source_lengths);
  const auto count = static_cast<std::size_t>(sources);
  const std::size_t rows = count * static_cast<std::size_t>(options.beam);
  std::vector<std::int32_t> parents(rows);
  std::vector<std::int32_t> tokens(rows, options.go);
  std::vector<Beam> beams;
  for (std::size_t s = 0; s < count; ++s) beams.emplace_back(options, static_cast<std::int32_t>(s) * options.beam);
  std::iota(parents.begin(), parents.end(), 0);
  for (int step = 0; step < options.longest; ++step) {
    const BeamReply reply = model({step, parents, tokens});
    const auto [classes, source_time] = check_reply(reply, options, rows, source_lengths);
    std::iota(parents.begin(), parents.end(), 0);
    bool done = true;
    for (std::size_t s = 0; s < count; ++s) {
      if (beams[s].done()) continue;
      beams[s].advance(reply, classes, source_time, step);
      beams[s].settle(static_cast<std::int32_t>(s) * options.beam, parents, tokens);
      done = done && beams[s].done();
    }
    if (done) break;
  }
  std::vector<std::vector<Hypothesis>> results;
  for (std::size_t s = 0; s < count; ++s)
    results.push_back(beams[s].results(source_lengths.empty() ? 0 : source_lengths[s]));
  return results;
}

}  // namespace eddy
