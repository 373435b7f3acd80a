// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Figures of merit. Pure functions; sizes that differ and labels out of range are UsageError.
namespace eddy {

/// 0 of nothing.
inline double share(double part, double whole) { return whole > 0 ? part / whole : 0.0; }

struct Summary {
  double mean = 0;
  double deviation = 0;  ///< of the sample (n - 1); 0 for fewer than two values
  std::int64_t count = 0;
};

/// Mean and standard deviation, in two passes.
Summary summarize(std::span<const double> values);

/// Counts of (target, predicted) pairs over `classes` classes. A plain value.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int32_t classes);

  void add(std::int32_t target, std::int32_t predicted);
  void add(std::span<const std::int32_t> target, std::span<const std::int32_t> predicted);

  std::int32_t classes() const { return classes_; }
  std::int64_t count(std::int32_t target, std::int32_t predicted) const;
  std::int64_t total() const;
  /// 0 when nothing was counted.
  double accuracy() const;
  /// Of the positions predicted as `label`, the share that is; 0 when there are none.
  double precision(std::int32_t label) const;
  /// Of the positions that are `label`, the share predicted so; 0 when there are none.
  double recall(std::int32_t label) const;
  /// Harmonic mean of the two; 0 when both are.
  double f1(std::int32_t label) const;
  /// Mean f1 over the labels that occur as target or as prediction.
  double macro_f1() const;
  /// Rows [classes, classes] by target, each as shares of the row's sum (a row without targets is zero).
  std::vector<double> row_shares() const;

 private:
  std::int64_t targets(std::int32_t label) const;
  std::int64_t predictions(std::int32_t label) const;
  std::size_t index(std::int32_t target, std::int32_t predicted) const;

  std::int32_t classes_;
  std::vector<std::int64_t> counts_;
};

}  // namespace eddy
