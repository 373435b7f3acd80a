// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "eddy/core/error.h"
#include "eddy/data/source.h"
#include "eddy/experiments/sequence_accuracy.h"
#include "eddy/experiments/text_metrics.h"
#include "tests/data/real_data.h"

namespace eddy {
namespace {

using doctest::Approx;

TokenText words(const std::string& text) {
  std::istringstream stream(text);
  TokenText result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

TokenText letters(const std::string& text) {
  TokenText result;
  for (const char c : text) result.emplace_back(1, c);
  return result;
}

/// The self-test of deepnlp's textsum.
const TokenText kText = words("我 爱 吃 北京 烤鸭");
const References kReferences{words("我 爱 吃 北京 小吃 烤鸭"), words("他 爱 吃 北京 烤鹅"),
                             words("但是 我 很 爱 吃 西湖 醋鱼")};

TEST_CASE("textsum's own scores of its own test") {
  CHECK(textsum_rouge_l(kText, kReferences) == Approx(0.617978).epsilon(1e-6));
  CHECK(textsum_rouge_n(kText, kReferences, 2) == Approx(0.6));
  CHECK(textsum_bleu(kText, kReferences, 2) == Approx(0.75));
  // What the standard definitions say of the same: LCS 5 of 5 and 6; bigrams 3 of 4 and 5.
  CHECK(rouge_l(kText, kReferences).f1 == Approx(10.0 / 11));
  CHECK(rouge_n(kText, kReferences, 2).f1 == Approx(6.0 / 9));
}

/// One text a line, each with one reference.
std::vector<TokenText> lines(const std::string& text) {
  std::vector<TokenText> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) result.push_back(words(line));
  return result;
}

TEST_CASE("the headlines that deepnlp published have the scores they have by its own definition") {
  const auto corpus = test::real_data("zh-headlines-deepnlp.tar.xz");
  if (!corpus) return;
  const std::vector<std::string> names = {"test/summary.txt", "test/title-test.txt"};
  const std::vector<NamedText> files = read_named_files(*corpus, names);
  const std::vector<TokenText> texts = lines(files[0].contents), titles = lines(files[1].contents);
  const std::array rouge_1 = {0.727, 0.118, 0.167, 0.214}, rouge_2 = {0.30, 0.0, 0.0, 0.0};
  REQUIRE(texts.size() == 4);
  REQUIRE(titles.size() == 4);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(textsum_rouge_n(texts[i], {titles[i]}, 1) - rouge_1[i]) < 5e-4);
    CHECK(std::abs(textsum_rouge_n(texts[i], {titles[i]}, 2) - rouge_2[i]) < 5e-4);
  }
}

TEST_CASE("textsum counts repeated n-grams again and again, the standard only as often as they stand there") {
  const References reference{words("the cat sat")};
  const TokenText text = words("the the the the cat");
  CHECK(textsum_rouge_n(text, reference, 1) == Approx(5.0 / 3));
  CHECK(rouge_n(text, reference, 1).recall == Approx(2.0 / 3));
  CHECK(rouge_n(text, reference, 1).precision == Approx(2.0 / 5));
  CHECK(textsum_rouge_n({}, reference, 2) == 0);
  CHECK(textsum_rouge_l({}, reference) == 0);
  CHECK(textsum_bleu(words("a"), reference, 2) == 0);
}

TEST_CASE("BLEU of the paper's examples and by hand") {
  // Papineni et al. 2002, example 2: clipped unigram precision 2/7.
  const References cats{words("the cat is on the mat"), words("there is a cat on the mat")};
  const std::array<TokenText, 1> the{words("the the the the the the the")};
  const std::array<References, 1> references{cats};
  const BleuScore clipped = corpus_bleu(the, references);
  CHECK(clipped.precisions[0] == Approx(2.0 / 7));
  CHECK(clipped.precisions[1] == 0);
  CHECK(clipped.score == 0);
  CHECK(clipped.reference_length == 7);
  CHECK(clipped.brevity_penalty == 1);

  // Of 6, 5, 4 and 3 n-grams 6, 3, 2 and 1 match.
  const std::array<TokenText, 1> mixed{words("the cat sat on mat the")};
  const std::array<References, 1> one{References{words("the cat sat on the mat")}};
  const BleuScore score = corpus_bleu(mixed, one);
  CHECK(score.precisions == std::vector<double>{1.0, 3.0 / 5, 2.0 / 4, 1.0 / 3});
  CHECK(score.score == Approx(std::pow(1.0 * 3 / 5 * 2 / 4 * 1 / 3, 0.25)));

  // A correct beginning is punished for what it leaves out: exp(1 - 6/4).
  const std::array<TokenText, 1> brief{words("the cat sat on")};
  const BleuScore cut = corpus_bleu(brief, one);
  CHECK(cut.precisions == std::vector<double>{1, 1, 1, 1});
  CHECK(cut.score == Approx(std::exp(-0.5)));
  CHECK(corpus_bleu(brief, std::array{References{brief[0]}}).score == 1.0);
  CHECK(corpus_bleu(brief, one, {.order = 1}).precisions.size() == 1);

  // Of references with lengths 2 and 6 as near to 4, the shorter one.
  const BleuScore tie = corpus_bleu(brief, std::array{References{words("a b c d e f"), words("a b")}});
  CHECK(tie.reference_length == 2);
}

TEST_CASE("BLEU is of the corpus, not a mean, and an order nobody reaches scores nothing") {
  const std::array<TokenText, 2> texts{words("a b c d"), words("x")};
  const std::array<References, 2> references{References{words("a b c d")}, References{words("y z")}};
  const BleuScore score = corpus_bleu(texts, references);
  CHECK(score.precisions == std::vector<double>{4.0 / 5, 1, 1, 1});
  CHECK(score.brevity_penalty == Approx(std::exp(1 - 6.0 / 5)));
  const std::array<TokenText, 1> single{words("a b")};
  const std::array<References, 1> same{References{words("a b")}};
  for (const auto smoothing : {BleuSmoothing::none, BleuSmoothing::add_one, BleuSmoothing::exponential})
    CHECK(corpus_bleu(single, same, {.smoothing = smoothing}).score == 0);
  CHECK(corpus_bleu(std::array{TokenText{}}, same).score == 0);

  // Bigrams 1 of 3, trigrams 0 of 2, 4-grams 0 of 1.
  const std::array<TokenText, 1> half{words("a b x y")};
  const std::array<References, 1> whole{References{words("a b c d")}};
  CHECK(corpus_bleu(half, whole).score == 0);
  CHECK(corpus_bleu(half, whole, {.smoothing = BleuSmoothing::add_one}).precisions ==
        std::vector<double>{2.0 / 4, 2.0 / 4, 1.0 / 3, 1.0 / 2});
  CHECK(corpus_bleu(half, whole, {.smoothing = BleuSmoothing::exponential}).precisions ==
        std::vector<double>{2.0 / 4, 1.0 / 3, 0.5 / 2, 0.25 / 1});
}

TEST_CASE("ROUGE by hand") {
  // Lin 2004, section 3.1: S1 police killed the gunman, S2 police kill the gunman, S3 the gunman kill police.
  const References police{words("police killed the gunman")};
  CHECK(rouge_l(words("police kill the gunman"), police).f1 == Approx(0.75));
  CHECK(rouge_l(words("the gunman kill police"), police).f1 == Approx(0.5));
  CHECK(rouge_n(words("police kill the gunman"), police, 2).f1 == Approx(1.0 / 3));
  CHECK(rouge_n(words("the gunman kill police"), police, 2).f1 == Approx(1.0 / 3));
  const RougeScore lopsided = rouge_l(words("police"), police);
  CHECK(lopsided.precision == 1);
  CHECK(lopsided.recall == 0.25);
  CHECK(lopsided.f1 == Approx(0.4));
  CHECK(rouge_l({}, police).f1 == 0);
  CHECK(rouge_n(words("police"), police, 2).f1 == 0);
  const References two{words("x y"), words("police fled")};
  CHECK(rouge_l(words("police fled"), two).f1 == 1);
  const RougeReport report = mean_rouge(std::array{words("police"), words("police fled")}, std::array{police, two});
  CHECK(report.rouge_l.f1 == Approx(0.7));
  CHECK(report.rouge_1.recall == Approx(0.625));
  CHECK(report.rouge_2.precision == Approx(0.5));
}

TEST_CASE("scores are those of independent implementations") {
  std::ifstream file("tests/goldens/text_metrics.json");
  REQUIRE(file.good());
  const nlohmann::json goldens = nlohmann::json::parse(file);
  REQUIRE(goldens.at("corpora").size() == 5);
  for (const nlohmann::json& corpus : goldens.at("corpora")) {
    std::vector<TokenText> texts;
    std::vector<References> references;
    for (const std::string text : corpus.at("texts")) texts.push_back(letters(text));
    for (const nlohmann::json& each : corpus.at("references")) {
      references.emplace_back();
      for (const std::string text : each) references.back().push_back(letters(text));
    }
    const auto bleu = [&](const BleuOptions& options) { return corpus_bleu(texts, references, options).score; };
    CHECK(bleu({}) == Approx(corpus.at("bleu").at("none").get<double>()).epsilon(1e-12));
    CHECK(bleu({.order = 2}) == Approx(corpus.at("bleu").at("order_2").get<double>()).epsilon(1e-12));
    CHECK(bleu({.smoothing = BleuSmoothing::add_one}) ==
          Approx(corpus.at("bleu").at("add_one").get<double>()).epsilon(1e-12));
    CHECK(bleu({.smoothing = BleuSmoothing::exponential}) ==
          Approx(corpus.at("bleu").at("exponential").get<double>()).epsilon(1e-12));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const References first{references[i].front()};
      const nlohmann::json& rouge = corpus.at("rouge").at(i);
      const auto check = [](const RougeScore& score, const nlohmann::json& golden) {
        CHECK(score.precision == Approx(golden.at(0).get<double>()));
        CHECK(score.recall == Approx(golden.at(1).get<double>()));
        CHECK(score.f1 == Approx(golden.at(2).get<double>()));
      };
      check(rouge_n(texts[i], first, 1), rouge.at("1"));
      check(rouge_n(texts[i], first, 2), rouge.at("2"));
      check(rouge_l(texts[i], first), rouge.at("l"));
    }
  }
}

TEST_CASE("scores without references, of other counts or orders are refused") {
  const std::array<TokenText, 1> text{words("a")};
  CHECK_THROWS_AS(corpus_bleu(text, std::vector<References>{}), UsageError);
  CHECK_THROWS_AS(corpus_bleu(text, std::array{References{}}), UsageError);
  CHECK_THROWS_AS(corpus_bleu(text, std::array{References{text[0]}}, {.order = 0}), UsageError);
  CHECK_THROWS_AS(mean_rouge({}, {}), UsageError);
  CHECK_THROWS_AS(rouge_n(text[0], {}, 1), UsageError);
  CHECK_THROWS_AS(textsum_rouge_l(text[0], {}), UsageError);
}

Tensor ints(const std::vector<std::int32_t>& values, std::int64_t time, std::int64_t rows) {
  Tensor tensor(i32, {time, rows});
  std::copy(values.begin(), values.end(), tensor.values<std::int32_t>().begin());
  return tensor;
}

TEST_CASE("accuracy of tokens and of whole sequences counts masked-in steps only") {
  const Tensor target = ints({1, 2, 3, 4, 5, 0, 6, 0, 0}, 3, 3);
  const Tensor predicted = ints({1, 2, 9, 4, 5, 7, 6, 8, 8}, 3, 3);
  Tensor mask(f32, {3, 3});
  const std::array<float, 9> real{1, 1, 0, 1, 1, 0, 1, 0, 0};
  std::copy(real.begin(), real.end(), mask.values<float>().begin());
  SequenceAccuracy accuracy;
  accuracy.add(predicted, target, mask);
  CHECK(accuracy.tokens() == 5);
  CHECK(accuracy.sequences() == 2);
  CHECK(accuracy.token_accuracy() == 1);
  CHECK(accuracy.sequence_accuracy() == 1);
  accuracy.add(ints({1, 2, 3, 9, 5, 0, 6, 0, 0}, 3, 3), target, mask);
  CHECK(accuracy.token_accuracy() == Approx(0.9));
  CHECK(accuracy.sequence_accuracy() == Approx(0.75));
  CHECK_THROWS_AS(accuracy.add(ints({1}, 1, 1), target, mask), UsageError);
}

TEST_CASE("accuracy of free decoding wants the right length too") {
  SequenceAccuracy accuracy;
  CHECK(accuracy.token_accuracy() == 0);
  accuracy.add(std::array{1, 2, 3}, std::array{1, 2});
  CHECK(accuracy.token_accuracy() == 1);
  CHECK(accuracy.sequence_accuracy() == 0);
  accuracy.add(std::array{1}, std::array{1, 2});
  CHECK(accuracy.token_accuracy() == Approx(0.75));
  accuracy.add(std::array{1, 2}, std::array{1, 2});
  CHECK(accuracy.sequence_accuracy() == Approx(1.0 / 3));
}

}  // namespace
}  // namespace eddy
