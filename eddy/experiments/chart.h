// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

/// Pictures as self-contained SVG text. Pure functions: the same chart gives the same bytes. Texts are UTF-8 in any
/// script; sizes that do not fit are UsageError.
namespace eddy {

/// Colours and dashes that differ.
constexpr std::size_t kMostColors = 7, kMostDashes = 4;

struct ChartSeries {
  std::string name{};
  std::vector<double> x{};
  std::vector<double> y{};       ///< as many as x; a value that is not finite leaves a gap
  std::vector<double> spread{};  ///< half the width of the band around y; empty for none
  /// Which of the colours and dashes it has; -1: by its place among the series.
  int color = -1;
  int dash = -1;
};

struct LineChart {
  std::string title{};
  std::string x_label{};
  std::string y_label{};
  std::vector<ChartSeries> series{};
  bool log_y = false;  ///< values that are not positive leave gaps
  bool y_from_zero = false;
  /// 0 and 100 for percentages: a linear axis ends there, unless a curve goes beyond.
  double y_least = -std::numeric_limits<double>::infinity();
  double y_most = std::numeric_limits<double>::infinity();
  int width = 760;   ///< pixels, the legend not counted
  int height = 430;  ///< pixels
};

struct HeatMap {
  std::string title{};
  std::string row_label{};  ///< what the rows are: "true class"
  std::string column_label{};
  std::vector<std::string> rows{};
  std::vector<std::string> columns{};
  std::vector<double> values{};  ///< [rows, columns]; a value that is not finite stays blank
  std::string value_label{};     ///< of the colour bar
  int decimals = 2;              ///< of the numbers, written into cells that are large enough
};

struct ChartBar {
  std::string name{};
  double value = 0;    ///< not negative
  std::string note{};  ///< written beside the bar
};

struct BarChart {
  std::string title{};
  std::string x_label{};
  std::vector<ChartBar> bars{};
};

/// Series as lines of different colour and dash, bands behind them, the legend to the right.
std::string to_svg(const LineChart& chart);
std::string to_svg(const HeatMap& map);
/// Bars from left to right, one below the other in the order given.
std::string to_svg(const BarChart& chart);

/// Round values (1, 2 or 5 times a power of ten) that span [low, high], about `wanted` of them.
std::vector<double> nice_ticks(double low, double high, int wanted);
/// Ticks written with the decimals their step needs: "0.25", "12,000", "1e-05".
std::vector<std::string> tick_labels(const std::vector<double>& ticks);

}  // namespace eddy
