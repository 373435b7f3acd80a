// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eddy/experiments/metrics.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/text_evaluator.h"

/// How a classifier did on one part of the data, and its pictures. Pure functions.
namespace eddy {

/// A text given another class than its own.
struct WrongText {
  std::string id{};
  std::string text{};  ///< its tokens as the model knows them; the middle of a long text is left out
  std::int32_t target = 0;
  std::int32_t predicted = 0;
  double probability = 0;         ///< of the predicted class
  double target_probability = 0;  ///< of its own
};

struct ClassificationResult {
  std::string part{};          ///< "test"
  std::string unit = "texts";  ///< what was classified, in the plural
  Evaluation scores{};
  ConfusionMatrix confusion{1};
  std::vector<WrongText> wrong{};  ///< the most confident first
};

/// `predictions` are those of `documents`; documents without label are passed over. With `row_width` > 0 a document is
/// rows of so many numbers, not words. At most `most` wrong texts are kept. DataError when no document has a label.
ClassificationResult classification_result(std::string part, const Predictions& predictions,
                                           const EncodedCorpus& corpus, const std::vector<std::int32_t>& documents,
                                           const TextModelVocabulary& known, std::int64_t row_width = 0,
                                           std::size_t most = 20);

/// One row for each result: texts, error, accuracy, macro F1, loss.
Table result_table(const std::vector<ClassificationResult>& results);
/// One row for each class: texts, precision, recall, F1 and the class it was most often taken for.
Table class_table(const ClassificationResult& result, const std::vector<std::string>& label_names);
/// The texts that were wrong, what they were taken for and how surely.
Table wrong_table(const ClassificationResult& result, const std::vector<std::string>& label_names);
/// Shares of each true class in percent; of many classes those that occur in the most errors.
HeatMap confusion_map(const ClassificationResult& result, const std::vector<std::string>& label_names);

}  // namespace eddy
