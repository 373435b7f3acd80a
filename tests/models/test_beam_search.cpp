// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/random.h"
#include "eddy/models/beam_search.h"

namespace eddy {
namespace {

using doctest::Approx;
using Ints = std::vector<std::int32_t>;

constexpr std::int32_t kEnd = 0;
constexpr std::int32_t kGo = 9;
constexpr int kClasses = 5;

/// The next token depends on the last two and on the source; the token before the last is the state, which rows must
/// carry along their parents. Different histories give different random distributions.
class MarkovModel {
 public:
  explicit MarkovModel(std::int64_t rows_per_source, bool with_attention = false)
      : rows_per_source_(rows_per_source), with_attention_(with_attention) {}

  static std::vector<float> distribution(std::int64_t source, std::int32_t before, std::int32_t last) {
    Philox random(17, static_cast<std::uint64_t>((source * 20 + before) * 20 + last));
    std::vector<float> logits;
    double sum = 0;
    for (int token = 0; token < kClasses; ++token) {
      logits.push_back(2 * normal_float(random) - (token == kEnd ? 1.0f : 0.0f));
      sum += std::exp(logits.back());
    }
    for (float& logit : logits) logit -= static_cast<float>(std::log(sum));
    return logits;
  }
  static std::vector<float> attention(std::int32_t last) {
    std::vector<float> weights(4, 0.1f);
    weights[static_cast<std::size_t>(last) % 4] = 0.7f;
    return weights;
  }

  BeamReply operator()(const BeamQuery& query) {
    steps_.push_back(query.step);
    std::vector<std::int32_t> states;
    for (std::size_t row = 0; row < query.tokens.size(); ++row)
      states.push_back(query.step == 0 ? kGo : read_[static_cast<std::size_t>(query.parents[row])]);
    read_.assign(query.tokens.begin(), query.tokens.end());
    values_.clear();
    weights_.clear();
    for (std::size_t row = 0; row < query.tokens.size(); ++row) {
      const auto source = static_cast<std::int64_t>(row) / rows_per_source_;
      const std::vector<float> next = distribution(source, states[row], query.tokens[row]);
      values_.insert(values_.end(), next.begin(), next.end());
      if (!with_attention_) continue;
      const std::vector<float> looked = attention(query.tokens[row]);
      weights_.insert(weights_.end(), looked.begin(), looked.end());
    }
    return {values_, weights_};
  }
  const std::vector<int>& steps() const { return steps_; }

 private:
  std::int64_t rows_per_source_;
  bool with_attention_;
  Ints read_;
  std::vector<float> values_;
  std::vector<float> weights_;
  std::vector<int> steps_;
};

double log_probability(std::int64_t source, const Ints& tokens) {
  std::int32_t before = kGo;
  std::int32_t last = kGo;
  double sum = 0;
  for (const std::int32_t token : tokens) {
    sum += MarkovModel::distribution(source, before, last)[static_cast<std::size_t>(token)];
    before = last;
    last = token;
  }
  return sum;
}

/// All sequences that end within `longest` tokens, the end among them.
void all_sequences(int longest, const Ints& prefix, std::vector<Ints>& found) {
  for (std::int32_t token = 0; token < kClasses; ++token) {
    Ints grown = prefix;
    grown.push_back(token);
    if (token == kEnd) {
      found.push_back(grown);
    } else if (static_cast<int>(grown.size()) < longest) {
      all_sequences(longest, grown, found);
    }
  }
}

BeamOptions options_of(int beam) { return {.beam = beam, .longest = 5, .go = kGo, .end = kEnd}; }

bool has_repeated_bigram(const Ints& tokens) {
  std::map<std::pair<std::int32_t, std::int32_t>, int> counts;
  for (std::size_t i = 1; i < tokens.size(); ++i)
    if (++counts[{tokens[i - 1], tokens[i]}] > 1) return true;
  return false;
}

TEST_CASE("a beam that holds everything finds what trying everything finds, under every normalisation") {
  std::vector<Ints> sequences;
  all_sequences(5, {}, sequences);
  REQUIRE(sequences.size() == 1 + 4 + 16 + 64 + 256);
  for (const auto normalisation : {LengthNormalisation::none, LengthNormalisation::mean, LengthNormalisation::wu}) {
    for (std::int64_t source = 0; source < 6; ++source) {
      const auto score = [&](const Ints& tokens) {
        const auto length = static_cast<double>(tokens.size());
        const double sum = log_probability(source, tokens);
        if (normalisation == LengthNormalisation::none) return sum;
        return normalisation == LengthNormalisation::mean ? sum / length : sum / std::pow((5 + length) / 6, 0.6);
      };
      std::vector<Ints> order = sequences;
      std::sort(order.begin(), order.end(), [&](const Ints& a, const Ints& b) { return score(a) > score(b); });
      BeamOptions options = options_of(400);
      options.best = 10;
      options.normalisation = normalisation;
      MarkovModel model(400);
      // The source is told by the row, so those before it are searched too.
      const auto results = beam_search(std::ref(model), options, source + 1);
      const std::vector<Hypothesis>& found = results.back();
      REQUIRE(found.size() == 10);
      for (std::size_t i = 0; i < found.size(); ++i) {
        Ints tokens = found[i].tokens;
        CHECK(found[i].complete);
        tokens.push_back(kEnd);
        CHECK(tokens == order[i]);
        CHECK(found[i].score == Approx(score(order[i])));
        CHECK(found[i].log_probability == Approx(log_probability(source, order[i])));
      }
    }
  }
}

TEST_CASE("a beam of one is greedy, and a wider beam finds at least as much probability on the whole") {
  std::map<int, double> sums;
  for (const int beam : {1, 2, 4, 16}) {
    BeamOptions options = options_of(beam);
    options.longest = 12;
    options.normalisation = LengthNormalisation::none;
    MarkovModel model(beam);
    const auto results = beam_search(std::ref(model), options, 40);
    REQUIRE(results.size() == 40);
    for (std::int64_t source = 0; source < 40; ++source) {
      const Hypothesis& best = results[static_cast<std::size_t>(source)].front();
      sums[beam] += best.log_probability;
      if (beam > 1) continue;
      Ints greedy;
      std::int32_t before = kGo;
      std::int32_t last = kGo;
      while (greedy.size() < 12) {
        const auto next = MarkovModel::distribution(source, before, last);
        before = last;
        last = static_cast<std::int32_t>(std::max_element(next.begin(), next.end()) - next.begin());
        if (last == kEnd) break;
        greedy.push_back(last);
      }
      CHECK(best.tokens == greedy);
      CHECK(best.complete == (greedy.size() < 12));
    }
  }
  CHECK(sums[2] > sums[1]);
  CHECK(sums[4] > sums[2]);
  CHECK(sums[16] > sums[4]);
}

TEST_CASE("sources searched together are searched alone") {
  BeamOptions options = options_of(3);
  options.best = 3;
  options.longest = 8;
  MarkovModel model(3);
  const auto together = beam_search(std::ref(model), options, 5);
  for (std::int64_t source = 0; source < 5; ++source) {
    const auto alone = beam_search(
        [&](const BeamQuery& query) -> BeamReply {
          static Ints read;
          static std::vector<float> values;
          Ints before;
          for (std::size_t row = 0; row < 3; ++row)
            before.push_back(query.step == 0 ? kGo : read[static_cast<std::size_t>(query.parents[row])]);
          read.assign(query.tokens.begin(), query.tokens.end());
          values.clear();
          for (std::size_t row = 0; row < 3; ++row) {
            const auto next = MarkovModel::distribution(source, before[row], read[row]);
            values.insert(values.end(), next.begin(), next.end());
          }
          return {values};
        },
        options);
    const auto& other = together[static_cast<std::size_t>(source)];
    REQUIRE(alone[0].size() == other.size());
    for (std::size_t i = 0; i < other.size(); ++i) {
      CHECK(alone[0][i].tokens == other[i].tokens);
      CHECK(alone[0][i].score == other[i].score);
    }
  }
}

/// The same distribution at every step.
BeamModel constant_model(const std::vector<double>& probabilities, int rows) {
  std::vector<float> values;
  for (int row = 0; row < rows; ++row)
    for (const double p : probabilities) values.push_back(static_cast<float>(std::log(p)));
  return [values](const BeamQuery&) { return BeamReply{values}; };
}

TEST_CASE(
    "finished hypotheses are ordered by score, complete ones first, and the search stops when enough have ended") {
  // Of tokens end, a, b: the mean prefers "a a", the sum what is short.
  BeamOptions options{.beam = 2, .best = 2, .longest = 3, .go = kGo, .end = 0};
  options.normalisation = LengthNormalisation::none;
  auto results = beam_search(constant_model({0.3, 0.6, 0.1}, 2), options)[0];
  REQUIRE(results.size() == 2);
  CHECK(results[0].tokens.empty());
  CHECK(results[0].log_probability == Approx(std::log(0.3)));
  CHECK(results[1].tokens == Ints{1});
  options.normalisation = LengthNormalisation::mean;
  results = beam_search(constant_model({0.3, 0.6, 0.1}, 2), options)[0];
  CHECK(results[0].tokens == Ints{1});
  CHECK(results[0].score == Approx((std::log(0.6) + std::log(0.3)) / 2));

  // What "longest" cut stands behind what ended, though its score is better.
  options = {.beam = 3, .best = 3, .longest = 2, .go = kGo, .end = 0, .normalisation = LengthNormalisation::mean};
  results = beam_search(constant_model({0.1, 0.85, 0.05}, 3), options)[0];
  REQUIRE(results.size() == 3);
  CHECK(results[0].tokens == Ints{1});
  CHECK(results[1].tokens.empty());
  CHECK(results[1].complete);
  CHECK(!results[2].complete);
  CHECK(results[2].tokens == Ints{1, 1});
  CHECK(results[2].score > results[0].score);

  int calls = 0;
  const BeamModel ends = constant_model({0.9, 0.05, 0.05}, 2);
  options = {.beam = 2, .longest = 50, .go = kGo, .end = 0};
  beam_search(
      [&](const BeamQuery& query) {
        ++calls;
        return ends(query);
      },
      options);
  CHECK(calls == 2);
}

TEST_CASE("equal scores prefer the smaller token") {
  BeamOptions options{.beam = 3, .best = 3, .longest = 1, .go = kGo, .end = -1};
  const auto results = beam_search(constant_model({0.25, 0.25, 0.25, 0.25}, 3), options)[0];
  for (std::int32_t i = 0; i < 3; ++i) CHECK(results[static_cast<std::size_t>(i)].tokens == Ints{i});
}

TEST_CASE("without an end all hypotheses have the longest length and are complete") {
  BeamOptions options = options_of(4);
  options.end = -1;
  options.best = 4;
  MarkovModel model(4);
  const auto results = beam_search(std::ref(model), options);
  REQUIRE(results[0].size() == 4);
  for (const Hypothesis& hypothesis : results[0]) {
    CHECK(hypothesis.complete);
    CHECK(hypothesis.tokens.size() == 5);
    CHECK(hypothesis.log_probability == Approx(log_probability(0, hypothesis.tokens)));
  }
  CHECK(model.steps() == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("banned tokens, shortest length, no repeated n-grams") {
  BeamOptions options = options_of(8);
  options.longest = 12;
  options.best = 8;
  options.banned = {2, 4};
  options.shortest = 7;
  MarkovModel model(8);
  for (const auto& found : beam_search(std::ref(model), options, 10)) {
    for (const Hypothesis& hypothesis : found) {
      CHECK(hypothesis.tokens.size() >= 7);
      for (const std::int32_t token : hypothesis.tokens) CHECK((token == 1 || token == 3));
    }
  }
  options = options_of(8);
  options.longest = 12;
  options.shortest = 8;
  options.best = 8;
  bool repeated = false;
  MarkovModel free(8);
  for (const auto& found : beam_search(std::ref(free), options, 10))
    for (const Hypothesis& hypothesis : found) repeated = repeated || has_repeated_bigram(hypothesis.tokens);
  CHECK(repeated);
  options.no_repeat_ngram = 2;
  MarkovModel ruled(8);
  for (const auto& found : beam_search(std::ref(ruled), options, 10))
    for (const Hypothesis& hypothesis : found) CHECK(!has_repeated_bigram(hypothesis.tokens));
  // Two words, no word twice: after both only the end is left.
  options = {.beam = 1, .longest = 9, .go = kGo, .end = 0, .no_repeat_ngram = 1};
  CHECK(beam_search(constant_model({0.1, 0.5, 0.4}, 1), options)[0][0].tokens == Ints{1, 2});
  options.end = -1;
  options.banned = {0};
  const Hypothesis stuck = beam_search(constant_model({0.1, 0.5, 0.4}, 1), options)[0][0];
  CHECK(stuck.tokens == Ints{1, 2});
  CHECK(!stuck.complete);
}

TEST_CASE("a repetition penalty makes said tokens less likely") {
  BeamOptions options{.beam = 1, .longest = 3, .go = kGo, .end = -1};
  CHECK(beam_search(constant_model({0.5, 0.3, 0.2}, 1), options)[0][0].tokens == Ints{0, 0, 0});
  options.repetition_penalty = 1.5;  // 0.5^1.5 = 0.35 stays ahead of 0.3
  CHECK(beam_search(constant_model({0.5, 0.3, 0.2}, 1), options)[0][0].tokens == Ints{0, 0, 0});
  options.repetition_penalty = 3;  // 0.125, 0.027
  const Hypothesis hypothesis = beam_search(constant_model({0.5, 0.3, 0.2}, 1), options)[0][0];
  CHECK(hypothesis.tokens == Ints{0, 1, 2});
  CHECK(hypothesis.log_probability == Approx(std::log(0.5 * 0.3 * 0.2)));
}

TEST_CASE("attention comes with the hypothesis it belongs to and coverage counts it") {
  BeamOptions options = options_of(6);
  options.best = 6;
  options.coverage = 0.4;
  const Ints lengths{4, 3};
  MarkovModel model(6, true);
  const auto results = beam_search(std::ref(model), options, 2, lengths);
  for (std::size_t source = 0; source < 2; ++source) {
    for (const Hypothesis& hypothesis : results[source]) {
      Ints read{kGo};
      read.insert(read.end(), hypothesis.tokens.begin(), hypothesis.tokens.end());
      if (!hypothesis.complete) read.pop_back();
      std::vector<float> wanted;
      std::vector<double> sums(4);
      for (const std::int32_t token : read) {
        const std::vector<float> row = MarkovModel::attention(token);
        wanted.insert(wanted.end(), row.begin(), row.end());
        for (std::size_t j = 0; j < 4; ++j) sums[j] += static_cast<double>(row[j]);
      }
      CHECK(hypothesis.attention == wanted);
      double penalty = 0;
      for (std::size_t j = 0; j < static_cast<std::size_t>(lengths[source]); ++j)
        penalty += std::log(std::min(sums[j], 1.0));
      const double divisor = std::pow((5 + static_cast<double>(read.size())) / 6, 0.6);
      CHECK(hypothesis.score == Approx(hypothesis.log_probability / divisor + 0.4 * penalty));
    }
    for (std::size_t i = 1; i < results[source].size(); ++i)
      if (results[source][i].complete) CHECK(results[source][i - 1].score >= results[source][i].score);
  }
}

std::string problem(const BeamModel& model, const BeamOptions& options, const Ints& lengths = {}) {
  try {
    beam_search(model, options, 1, lengths);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("bad options and replies are told") {
  const BeamModel good = constant_model({0.5, 0.5}, 2);
  const BeamOptions two{.beam = 2, .go = kGo, .end = 0};
  CHECK(problem(good, two).empty());
  BeamOptions options = two;
  options.best = 3;
  CHECK(problem(good, options) == "a beam of 2 for the 3 best; expected at least 1 and no more than the beam");
  options = two;
  options.banned = {2};
  CHECK(problem(good, options) == "banned token 2 is not one of 2");
  options = two;
  options.coverage = 1;
  CHECK(problem(good, options) == "0 source lengths for 1 source; coverage needs one each");
  CHECK(problem(good, options, {3}) == "coverage needs attention; the model gives none");
  options = two;
  options.end = 2;
  CHECK(problem(good, options) == "end is token 2 of 2");
  options = two;
  options.shortest = options.longest;
  CHECK(!problem(good, options).empty());
  options = two;
  options.repetition_penalty = 0.5;
  CHECK(!problem(good, options).empty());
  CHECK(problem(constant_model({1, 1, 1}, 1), two) == "3 log-probabilities are no rows of 2 hypotheses");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> bad{0.0f, nan, 0.0f, 0.0f};
  CHECK(problem([&](const BeamQuery&) { return BeamReply{bad}; }, two) ==
        "beam search step 0: a log-probability of row 0 is NaN");
}

}  // namespace
}  // namespace eddy
