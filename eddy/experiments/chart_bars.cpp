// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "eddy/core/error.h"
#include "eddy/experiments/chart.h"
#include "eddy/experiments/chart_svg.h"

namespace eddy {

std::string to_svg(const BarChart& chart) {
  require<UsageError>(!chart.bars.empty(), "a bar chart needs at least one bar");
  constexpr double kFont = 12, kRow = 22, kPlot = 420;
  double names = 0, notes = 0, longest = 0;
  for (const ChartBar& bar : chart.bars) {
    require<UsageError>(std::isfinite(bar.value) && bar.value >= 0, "the bar '{}' cannot be {} long", bar.name,
                        bar.value);
    names = std::max(names, text_width(bar.name, kFont));
    notes = std::max(notes, text_width(bar.note, kFont));
    longest = std::max(longest, bar.value);
  }
  const std::vector<double> ticks = nice_ticks(0, longest > 0 ? longest : 1, 6);
  const std::vector<std::string> tick_texts = tick_labels(ticks);
  const double left = 16 + names + 8, top = chart.title.empty() ? 16 : 44;
  const double bottom = top + kRow * static_cast<double>(chart.bars.size());
  const double width = std::max(left + kPlot + 10 + notes + 16, text_width(chart.title, 16) * 1.1 + 40);
  const auto x_of = [&](double value) { return left + kPlot * value / ticks.back(); };
  SvgWriter svg(width, bottom + 48, chart.title);
  svg.text(16, 26, chart.title, 16, "start", 0, "font-weight=\"bold\"");
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    svg.line(x_of(ticks[i]), top, x_of(ticks[i]), bottom, "stroke=\"#dddddd\"");
    svg.text(x_of(ticks[i]), bottom + 16, tick_texts[i], kFont, "middle");
  }
  for (std::size_t i = 0; i < chart.bars.size(); ++i) {
    const ChartBar& bar = chart.bars[i];
    const double y = top + kRow * static_cast<double>(i);
    svg.text(left - 8, y + kRow / 2 + 4, bar.name, kFont, "end");
    svg.rectangle(left, y + 3, x_of(bar.value) - left, kRow - 6, "fill=\"#5d9cce\"");
    svg.text(x_of(bar.value) + 6, y + kRow / 2 + 4, bar.note, kFont, "start");
  }
  svg.line(left, top, left, bottom, "stroke=\"#555555\"");
  svg.text(left + kPlot / 2, bottom + 38, chart.x_label, 13, "middle");
  return std::move(svg).finish();
}

}  // namespace eddy
