// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_result.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/chart_svg.h"

namespace eddy {
namespace {

/// Tokens of a long text that are shown of its beginning and as many of its end.
constexpr std::size_t kShownTokens = 40;
constexpr std::string_view kTexts = "texts";
/// Classes a picture can name legibly.
constexpr std::size_t kMostClasses = 40;

std::string shown_text(std::span<const std::int32_t> tokens, const TextModelVocabulary& known) {
  const bool characters = known.text.unit == TokenUnit::code_point || known.text.unit == TokenUnit::grapheme;
  const std::size_t kept = characters ? 6 * kShownTokens : kShownTokens;
  const auto joined = [&](std::span<const std::int32_t> part) {
    std::string text;
    for (const std::int32_t id : part) {
      if (!characters && !text.empty()) text += ' ';
      text += known.vocabulary.decode(id);
    }
    return text;
  };
  if (tokens.size() <= 2 * kept) return joined(tokens);
  return joined(tokens.first(kept)) + " […] " + joined(tokens.last(kept));
}

std::int64_t wrongly(const ConfusionMatrix& matrix, std::int32_t label) {
  std::int64_t count = 0;
  for (std::int32_t other = 0; other < matrix.classes(); ++other)
    if (other != label) count += matrix.count(label, other) + matrix.count(other, label);
  return count;
}

const std::string& name(const std::vector<std::string>& names, std::int32_t label) {
  return names.at(static_cast<std::size_t>(label));
}

}  // namespace

ClassificationResult classification_result(std::string part, const Predictions& predictions,
                                           const EncodedCorpus& corpus, const std::vector<std::int32_t>& documents,
                                           const TextModelVocabulary& known, std::int64_t row_width, std::size_t most) {
  ClassificationResult result{.part = std::move(part),
                              .unit = row_width > 0 ? "images" : std::string(kTexts),
                              .scores = score(predictions, corpus, documents),
                              .confusion = ConfusionMatrix(static_cast<std::int32_t>(predictions.classes)),
                              .wrong = {}};
  struct Miss {
    float surety;
    std::size_t index;
  };
  std::vector<Miss> misses;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::int32_t target = corpus.label(documents[i]);
    if (target < 0) continue;
    const std::int32_t predicted = predictions.label(static_cast<std::int64_t>(i));
    result.confusion.add(target, predicted);
    if (target != predicted)
      misses.push_back({predictions.row(static_cast<std::int64_t>(i))[static_cast<std::size_t>(predicted)], i});
  }
  std::ranges::stable_sort(misses, std::greater(), &Miss::surety);
  misses.resize(std::min(misses.size(), most));
  for (const auto& [surety, i] : misses) {
    const std::int32_t document = documents[i];
    const auto row = predictions.row(static_cast<std::int64_t>(i));
    const std::int32_t target = corpus.label(document);
    result.wrong.push_back({.id = std::string(corpus.id(document)),
                            .text = row_width > 0
                                        ? fmt::format("{} of {}", counted(corpus.length(document) / row_width, "row"),
                                                      counted(row_width, "number"))
                                        : shown_text(corpus.document(document), known),
                            .target = target,
                            .predicted = predictions.label(static_cast<std::int64_t>(i)),
                            .probability = static_cast<double>(surety),
                            .target_probability = static_cast<double>(row[static_cast<std::size_t>(target)])});
  }
  return result;
}

Table result_table(const std::vector<ClassificationResult>& results) {
  Table table{.title = "Results",
              .columns = {"part", results.empty() ? std::string(kTexts) : results.front().unit, "error, %",
                          "accuracy, %", "macro F1", "loss"},
              .rows = {}};
  for (const ClassificationResult& result : results)
    table.rows.push_back({result.part, exact(static_cast<double>(result.scores.documents), 0),
                          exact(100 * result.scores.error_rate, 2), exact(100 * result.confusion.accuracy(), 2),
                          exact(result.confusion.macro_f1(), 4), exact(result.scores.loss, 4)});
  return table;
}

Table class_table(const ClassificationResult& result, const std::vector<std::string>& label_names) {
  Table table{.title = fmt::format("Classes, {} {}", result.part, result.unit),
              .columns = {"class", result.unit, "precision, %", "recall, %", "F1, %", "most often taken for"},
              .rows = {}};
  const ConfusionMatrix& matrix = result.confusion;
  for (std::int32_t label = 0; label < matrix.classes(); ++label) {
    std::int64_t texts = 0;
    std::int64_t most = 0;
    std::int32_t rival = label;
    for (std::int32_t other = 0; other < matrix.classes(); ++other) {
      const std::int64_t count = matrix.count(label, other);
      texts += count;
      if (other == label || count <= most) continue;
      most = count;
      rival = other;
    }
    // Of a class that is not there nothing can be said.
    const auto percent = [&](double share) { return exact(texts > 0 ? 100 * share : std::nan(""), 1); };
    table.rows.push_back({name(label_names, label), exact(static_cast<double>(texts), 0),
                          percent(matrix.precision(label)), percent(matrix.recall(label)), percent(matrix.f1(label)),
                          most == 0 ? std::string() : fmt::format("{} ({})", name(label_names, rival), most)});
  }
  return table;
}

Table wrong_table(const ClassificationResult& result, const std::vector<std::string>& label_names) {
  Table table{.title = fmt::format("Most confidently wrong, {} {}{}", result.part, result.unit,
                                   result.unit == kTexts ? " as the model reads them" : ""),
              .columns = {result.unit, "class", "taken for", "sure, %", "own class, %", "from"},
              .rows = {}};
  for (const WrongText& wrong : result.wrong)
    table.rows.push_back({wrong.text, name(label_names, wrong.target), name(label_names, wrong.predicted),
                          exact(100 * wrong.probability, 1), exact(100 * wrong.target_probability, 1), wrong.id});
  return table;
}

HeatMap confusion_map(const ClassificationResult& result, const std::vector<std::string>& label_names) {
  std::vector<std::int32_t> shown(static_cast<std::size_t>(result.confusion.classes()));
  std::iota(shown.begin(), shown.end(), 0);
  const bool all = shown.size() <= kMostClasses;
  if (!all) {
    std::vector<std::int64_t> errors;
    for (const std::int32_t label : shown) errors.push_back(wrongly(result.confusion, label));
    std::ranges::stable_sort(shown, std::greater(),
                             [&](std::int32_t label) { return errors[static_cast<std::size_t>(label)]; });
    shown.resize(kMostClasses);
    std::ranges::sort(shown);
  }
  HeatMap map{.title = fmt::format("Confusion, {} {}{}", result.part, result.unit,
                                   all ? "" : fmt::format(" ({} classes most often confused)", shown.size())),
              .row_label = "true class",
              .column_label = "predicted class",
              .rows = {},
              .columns = {},
              .values = {},
              .value_label = "of the true class, %",
              .decimals = shown.size() <= 12 ? 1 : 0};
  for (const std::int32_t label : shown) map.rows.push_back(shortened_label(name(label_names, label)));
  map.columns = map.rows;
  const std::vector<double> shares = result.confusion.row_shares();
  const auto classes = static_cast<std::size_t>(result.confusion.classes());
  for (const std::int32_t row : shown)
    for (const std::int32_t column : shown)
      map.values.push_back(100 * shares[static_cast<std::size_t>(row) * classes + static_cast<std::size_t>(column)]);
  return map;
}

}  // namespace eddy
