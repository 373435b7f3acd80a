// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/chart_svg.h"

namespace eddy {
namespace {

// Okabe and Ito's palette for colour-blind readers, without yellow, which is too pale for lines on white.
constexpr std::array<std::string_view, kMostColors> kColors{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                            "#e69f00", "#56b4e9", "#1a1a1a"};
// Dashes change once the colours are used up, so that 28 series differ.
constexpr std::array<std::string_view, kMostDashes> kDashes{"", "7 4", "2 3", "9 3 2 3"};

constexpr double kFont = 13;
constexpr double kTitleFont = 16;
constexpr double kLegendLine = 30;
constexpr double kLegendRow = 20;
/// More points than pixels only make the file large.
constexpr std::size_t kMostPoints = 1500;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

struct Axis {
  std::vector<double> ticks;  ///< on the scale drawn: logarithms for a logarithmic axis
  std::vector<std::string> labels;
  double low = 0;
  double high = 1;
};

/// Cuts off what lies beyond a bound, unless a curve does, too.
Axis kept_within(double least, double most, Range curves, Axis axis) {
  if (axis.low < least && !(curves.low < least)) axis.low = least;
  if (axis.high > most && !(curves.high > most)) axis.high = most;
  std::erase_if(axis.ticks, [&](double tick) { return tick < axis.low || tick > axis.high; });
  return axis;
}

Axis labelled(Axis axis) {
  axis.labels = tick_labels(axis.ticks);
  return axis;
}

/// Without labels.
Axis linear_axis(Range range, int wanted, bool tight, bool whole) {
  Axis axis;
  axis.ticks = nice_ticks(range.low, range.high, wanted);
  // Of a few epochs or steps, nothing lies between two.
  if (whole && range.high == range.low) axis.ticks = {range.low - 1, range.low, range.low + 1};
  if (whole && range.high > range.low)
    std::erase_if(axis.ticks, [](double tick) { return std::abs(tick - std::round(tick)) > 1e-6; });
  axis.low = axis.ticks.front();
  axis.high = axis.ticks.back();
  // The horizontal axis ends where the data does.
  if (tight && range.high > range.low) {
    std::erase_if(axis.ticks, [&](double tick) {
      const double slack = 1e-9 * (range.high - range.low);
      return tick < range.low - slack || tick > range.high + slack;
    });
    axis.low = range.low;
    axis.high = range.high;
  }
  return axis;
}

/// Ticks at 1, 2 and 5 times powers of ten, or at powers alone when they span many; `range` holds logarithms.
Axis log_axis(Range range) {
  if (!(range.low <= range.high)) range = {0, 1};
  Axis axis;
  const double first = std::floor(range.low + 1e-9);
  const double last = std::max(std::ceil(range.high - 1e-9), first + 1);
  const bool dense = last - first <= 3;
  const double every = std::max(1.0, std::ceil((last - first) / 10));
  for (double power = first; power <= last; power += every) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && (!dense || power == last)) continue;
      axis.ticks.push_back(power + std::log10(factor));
      axis.labels.push_back(fmt::format("{:g}", factor * std::pow(10.0, power)));
    }
  }
  axis.low = axis.ticks.front();
  axis.high = std::max(axis.ticks.back(), range.high);
  // Whole decades would often leave half the picture empty.
  if (dense) {
    while (axis.ticks.size() > 2 && axis.ticks[1] <= range.low) {
      axis.ticks.erase(axis.ticks.begin());
      axis.labels.erase(axis.labels.begin());
    }
    while (axis.ticks.size() > 2 && axis.ticks[axis.ticks.size() - 2] >= range.high) {
      axis.ticks.pop_back();
      axis.labels.pop_back();
    }
    axis.low = axis.ticks.front();
    axis.high = axis.ticks.back();
  }
  return axis;
}

double scaled(double value, bool logarithmic) {
  if (!logarithmic) return value;
  return value > 0 ? std::log10(value) : std::numeric_limits<double>::quiet_NaN();
}

/// The points to draw: of each stretch the first and the extremes, in their order.
std::vector<std::size_t> thinned(const std::vector<double>& y) {
  std::vector<std::size_t> kept;
  if (y.size() <= kMostPoints) {
    for (std::size_t i = 0; i < y.size(); ++i) kept.push_back(i);
    return kept;
  }
  const std::size_t stretches = kMostPoints / 3;
  for (std::size_t s = 0; s < stretches; ++s) {
    const std::size_t begin = y.size() * s / stretches;
    const std::size_t end = y.size() * (s + 1) / stretches;
    std::size_t low = begin;
    std::size_t high = begin;
    for (std::size_t i = begin; i < end; ++i) {
      if (y[i] < y[low] || !std::isfinite(y[low])) low = i;
      if (y[i] > y[high] || !std::isfinite(y[high])) high = i;
    }
    kept.insert(kept.end(), {begin, std::min(low, high), std::max(low, high)});
  }
  kept.push_back(y.size() - 1);
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

void check(const LineChart& chart) {
  require<UsageError>(chart.width >= 200 && chart.height >= 150, "a chart of {}x{} pixels is too small", chart.width,
                      chart.height);
  for (const ChartSeries& series : chart.series) {
    require<UsageError>(series.x.size() == series.y.size(), "series '{}' has {}, but {}", series.name,
                        counted(std::ssize(series.x), "x value"), counted(std::ssize(series.y), "y value"));
    require<UsageError>(series.spread.empty() || series.spread.size() == series.y.size(), "series '{}' has {}, but {}",
                        series.name, counted(std::ssize(series.y), "y value"),
                        counted(std::ssize(series.spread), "spread"));
  }
}

/// Draws series into the rectangle of the plot.
class Plot {
 public:
  Plot(SvgWriter& svg, const LineChart& chart, const Axis& x, const Axis& y, double left, double top, double right,
       double bottom)
      : svg_(svg), chart_(chart), x_(x), y_(y), left_(left), top_(top), right_(right), bottom_(bottom) {}

  void axes() {
    for (std::size_t i = 0; i < y_.ticks.size(); ++i) {
      const double y = at_y(y_.ticks[i]);
      svg_.line(left_, y, right_, y, "stroke=\"#e3e3e3\" stroke-width=\"1\"");
      svg_.text(left_ - 8, y + kFont * 0.35, y_.labels[i], kFont, "end");
    }
    for (std::size_t i = 0; i < x_.ticks.size(); ++i) {
      const double x = at_x(x_.ticks[i]);
      svg_.line(x, bottom_, x, bottom_ + 5, "stroke=\"#555555\"");
      svg_.text(x, bottom_ + 20, x_.labels[i], kFont, "middle");
    }
    svg_.line(left_, bottom_, right_, bottom_, "stroke=\"#555555\"");
    svg_.line(left_, top_, left_, bottom_, "stroke=\"#555555\"");
  }

  void band(const ChartSeries& series, std::string_view color) {
    if (series.spread.empty()) return;
    // Each stretch without a gap is a shape of its own.
    std::string upper;
    std::string lower;
    std::string data;
    const auto close = [&] {
      if (!upper.empty()) data += "M" + upper.substr(1) + lower + "Z";
      upper.clear();
      lower.clear();
    };
    for (const std::size_t i : thinned(series.y)) {
      const double high = std::min(scaled(series.y[i] + series.spread[i], chart_.log_y), y_.high);
      double low = scaled(series.y[i] - series.spread[i], chart_.log_y);
      if (!chart_.log_y) low = std::max(low, y_.low);
      // On a logarithmic axis a band that reaches zero goes to the bottom.
      if (chart_.log_y && std::isfinite(high) && std::isnan(low)) low = y_.low;
      if (!std::isfinite(high) || !std::isfinite(low) || !std::isfinite(series.x[i])) {
        close();
        continue;
      }
      upper += fmt::format("L{:.1f} {:.1f}", at_x(series.x[i]), at_y(high));
      lower.insert(0, fmt::format("L{:.1f} {:.1f}", at_x(series.x[i]), at_y(low)));
    }
    close();
    svg_.path(data, fmt::format("fill=\"{}\" fill-opacity=\"0.16\" stroke=\"none\"", color));
  }

  void curve(const ChartSeries& series, std::string_view color, std::string_view dash) {
    std::string data;
    std::string points;
    bool pen_down = false;
    const bool few = series.x.size() <= 40;
    for (const std::size_t i : thinned(series.y)) {
      const double value = scaled(series.y[i], chart_.log_y);
      if (!std::isfinite(value) || !std::isfinite(series.x[i])) {
        pen_down = false;
        continue;
      }
      const double x = at_x(series.x[i]);
      const double y = at_y(value);
      data += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x, y);
      pen_down = true;
      if (few) points += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", x, y, color);
    }
    svg_.path(data, fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\"{}", color,
                                dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash)));
    svg_.raw(points);
  }

 private:
  double at_x(double value) const { return left_ + (value - x_.low) / (x_.high - x_.low) * (right_ - left_); }
  double at_y(double value) const { return bottom_ - (value - y_.low) / (y_.high - y_.low) * (bottom_ - top_); }

  SvgWriter& svg_;
  const LineChart& chart_;
  const Axis& x_;
  const Axis& y_;
  double left_, top_, right_, bottom_;
};

}  // namespace

std::string to_svg(const LineChart& chart) {
  check(chart);
  Range x_range;
  Range y_range, curves;
  if (chart.y_from_zero && !chart.log_y) y_range.include(0);
  double legend_text = 0;
  bool has_legend = false;
  bool whole_x = true;
  for (const ChartSeries& series : chart.series) {
    legend_text = std::max(legend_text, text_width(series.name, kFont));
    has_legend = has_legend || !series.name.empty();
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      const double y = scaled(series.y[i], chart.log_y);
      if (!std::isfinite(y)) continue;
      x_range.include(series.x[i]);
      whole_x = whole_x && series.x[i] == std::round(series.x[i]);
      y_range.include(y);
      curves.include(y);
      if (series.spread.empty()) continue;
      y_range.include(scaled(series.y[i] + series.spread[i], chart.log_y));
      y_range.include(scaled(series.y[i] - series.spread[i], chart.log_y));
    }
  }
  const Axis y_axis =
      chart.log_y ? log_axis(y_range)
                  : labelled(kept_within(chart.y_least, chart.y_most, curves, linear_axis(y_range, 6, false, false)));
  const Axis x_axis = labelled(linear_axis(x_range, 8, true, whole_x));

  const double left = 16 + (chart.y_label.empty() ? 0 : 24) + text_width(y_axis.labels, kFont) + 8;
  const double right = chart.width - 24;
  const double top = chart.title.empty() ? 20 : 48;
  const double bottom = chart.height - (chart.x_label.empty() ? 36 : 58);
  const double legend = has_legend ? kLegendLine + 8 + legend_text + 16 : 0;
  const double title_width = text_width(chart.title, kTitleFont) * 1.1 + left + 16;
  const double legend_height = top + 12 + kLegendRow * static_cast<double>(chart.series.size());
  SvgWriter svg(std::max(chart.width + legend, title_width),
                has_legend ? std::max<double>(chart.height, legend_height) : chart.height, chart.title);
  svg.text(left, 28, chart.title, kTitleFont, "start", 0, "font-weight=\"bold\"");
  svg.text((left + right) / 2, chart.height - 14.0, chart.x_label, kFont, "middle");
  svg.text(24, (top + bottom) / 2, chart.y_label, kFont, "middle", -90);

  Plot plot(svg, chart, x_axis, y_axis, left, top, right, bottom);
  plot.axes();
  const auto color = [&](std::size_t i) {
    const int chosen = chart.series[i].color;
    return kColors[(chosen < 0 ? i : static_cast<std::size_t>(chosen)) % kColors.size()];
  };
  const auto dash = [&](std::size_t i) {
    const int chosen = chart.series[i].dash;
    return kDashes[(chosen < 0 ? i / kColors.size() : static_cast<std::size_t>(chosen)) % kDashes.size()];
  };
  for (std::size_t i = 0; i < chart.series.size(); ++i) plot.band(chart.series[i], color(i));
  for (std::size_t i = 0; i < chart.series.size(); ++i) plot.curve(chart.series[i], color(i), dash(i));
  for (std::size_t i = 0; has_legend && i < chart.series.size(); ++i) {
    const double y = top + 10 + kLegendRow * static_cast<double>(i);
    svg.line(right + 20, y, right + 20 + kLegendLine, y,
             fmt::format("stroke=\"{}\" stroke-width=\"2.5\"{}", color(i),
                         dash(i).empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash(i))));
    svg.text(right + 28 + kLegendLine, y + kFont * 0.35, chart.series[i].name, kFont, "start");
  }
  if (!(x_range.low <= x_range.high)) svg.text((left + right) / 2, (top + bottom) / 2, "no data", kFont, "middle");
  return std::move(svg).finish();
}

}  // namespace eddy
