// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/metrics.h"

#include <cmath>
#include <numeric>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {
namespace {

void require_same_size(std::size_t predicted, std::size_t target) {
  require<UsageError>(predicted == target, "{} cannot be compared with {}",
                      counted(static_cast<std::int64_t>(predicted), "prediction"),
                      counted(static_cast<std::int64_t>(target), "target"));
}

}  // namespace

Summary summarize(std::span<const double> values) {
  Summary result;
  result.count = static_cast<std::int64_t>(values.size());
  if (values.empty()) return result;
  const auto count = static_cast<double>(values.size());
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() < 2) return result;
  double squares = 0;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (count - 1));
  return result;
}

ConfusionMatrix::ConfusionMatrix(std::int32_t classes) : classes_(classes) {
  require<UsageError>(classes > 0, "a confusion matrix needs classes, not {}", classes);
  counts_.resize(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes));
}

std::size_t ConfusionMatrix::index(std::int32_t target, std::int32_t predicted) const {
  require<UsageError>(target >= 0 && target < classes_, "target {} is not one of {} classes", target, classes_);
  require<UsageError>(predicted >= 0 && predicted < classes_, "prediction {} is not one of {} classes", predicted,
                      classes_);
  return static_cast<std::size_t>(target) * static_cast<std::size_t>(classes_) + static_cast<std::size_t>(predicted);
}

void ConfusionMatrix::add(std::int32_t target, std::int32_t predicted) { ++counts_[index(target, predicted)]; }

void ConfusionMatrix::add(std::span<const std::int32_t> target, std::span<const std::int32_t> predicted) {
  require_same_size(predicted.size(), target.size());
  for (std::size_t i = 0; i < target.size(); ++i) add(target[i], predicted[i]);
}

std::int64_t ConfusionMatrix::count(std::int32_t target, std::int32_t predicted) const {
  return counts_[index(target, predicted)];
}

std::int64_t ConfusionMatrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

std::int64_t ConfusionMatrix::targets(std::int32_t label) const {
  std::int64_t sum = 0;
  for (std::int32_t other = 0; other < classes_; ++other) sum += count(label, other);
  return sum;
}

std::int64_t ConfusionMatrix::predictions(std::int32_t label) const {
  std::int64_t sum = 0;
  for (std::int32_t other = 0; other < classes_; ++other) sum += count(other, label);
  return sum;
}

double ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (std::int32_t label = 0; label < classes_; ++label) right += count(label, label);
  return share(right, total());
}

double ConfusionMatrix::precision(std::int32_t label) const { return share(count(label, label), predictions(label)); }

double ConfusionMatrix::recall(std::int32_t label) const { return share(count(label, label), targets(label)); }

double ConfusionMatrix::f1(std::int32_t label) const {
  // 2 * precision * recall / (precision + recall), without the division by zero.
  return share(2 * count(label, label), targets(label) + predictions(label));
}

double ConfusionMatrix::macro_f1() const {
  double sum = 0;
  int present = 0;
  for (std::int32_t label = 0; label < classes_; ++label) {
    if (targets(label) + predictions(label) == 0) continue;
    sum += f1(label);
    ++present;
  }
  return present == 0 ? 0.0 : sum / present;
}

std::vector<double> ConfusionMatrix::row_shares() const {
  std::vector<double> shares;
  shares.reserve(counts_.size());
  for (std::int32_t target = 0; target < classes_; ++target) {
    const std::int64_t sum = targets(target);
    for (std::int32_t predicted = 0; predicted < classes_; ++predicted)
      shares.push_back(share(count(target, predicted), sum));
  }
  return shares;
}

}  // namespace eddy
