// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "eddy/core/error.h"
#include "eddy/experiments/chart.h"
#include "eddy/experiments/chart_svg.h"

namespace eddy {
namespace {

using Color = std::array<double, 3>;

// From white over blue to near black: its lightness falls evenly, which colour-blind readers and printers keep.
constexpr std::array<Color, 5> kRamp{Color{255, 255, 255}, Color{189, 215, 238}, Color{93, 156, 206},
                                     Color{24, 94, 161}, Color{8, 33, 79}};

Color ramp(double share) {
  const double place = std::clamp(share, 0.0, 1.0) * (kRamp.size() - 1);
  const auto index = std::min<std::size_t>(static_cast<std::size_t>(place), kRamp.size() - 2);
  const double part = place - static_cast<double>(index);
  Color color{};
  for (std::size_t i = 0; i < 3; ++i) color[i] = kRamp[index][i] * (1 - part) + kRamp[index + 1][i] * part;
  return color;
}

std::string hex(const Color& color) {
  return fmt::format("#{:02x}{:02x}{:02x}", static_cast<int>(std::lround(color[0])),
                     static_cast<int>(std::lround(color[1])), static_cast<int>(std::lround(color[2])));
}

double widest(const std::vector<std::string>& labels, double font) {
  double width = 0;
  for (const std::string& label : labels) width = std::max(width, text_width(label, font));
  return width;
}

}  // namespace

std::string to_svg(const HeatMap& map) {
  require<UsageError>(map.values.size() == map.rows.size() * map.columns.size(),
                      "a heat map of {} rows and {} columns cannot have {} values", map.rows.size(), map.columns.size(),
                      map.values.size());
  require<UsageError>(!map.values.empty(), "a heat map needs at least one row and one column");
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double value : map.values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // The scale begins at zero unless there are negative values.
  low = std::isfinite(low) ? std::min(low, 0.0) : 0.0;
  high = std::isfinite(high) && high > low ? high : low + 1;
  const std::vector<double> ticks = nice_ticks(low, high, 6);
  const std::vector<std::string> tick_texts = tick_labels(ticks);
  low = ticks.front();
  high = ticks.back();

  const std::size_t longest = std::max(map.rows.size(), map.columns.size());
  const double cell = std::clamp(640.0 / static_cast<double>(longest), 14.0, 56.0);
  const double font = std::clamp(cell * 0.72, 10.0, 13.0);
  const double number_font = std::min(cell * 0.3, 12.0);
  const double left = 16 + (map.row_label.empty() ? 0 : 24) + widest(map.rows, font) + 8;
  const double names = widest(map.columns, font);
  const bool turned = names > cell - 6;
  const double top = (map.title.empty() ? 16 : 48) + (map.column_label.empty() ? 0 : 22) + (turned ? names : font) + 10;
  const double right = left + cell * static_cast<double>(map.columns.size());
  const double bottom = top + cell * static_cast<double>(map.rows.size());
  const double bar = right + 28;
  const double bar_height = std::max(bottom - top, 80.0);
  const double width = bar + 18 + 10 + widest(tick_texts, 12) + (map.value_label.empty() ? 0 : 24) + 12;
  SvgWriter svg(std::max(width, text_width(map.title, 16) * 1.1 + 40), std::max(bottom, top + bar_height) + 20,
                map.title);
  svg.text(16, 28, map.title, 16, "start", 0, "font-weight=\"bold\"");
  svg.text((left + right) / 2, (map.title.empty() ? 26 : 56), map.column_label, 13, "middle");
  svg.text(26, (top + bottom) / 2, map.row_label, 13, "middle", -90);

  for (std::size_t column = 0; column < map.columns.size(); ++column) {
    const double x = left + cell * (static_cast<double>(column) + 0.5);
    if (turned) {
      svg.text(x + font * 0.35, top - 6, map.columns[column], font, "start", -90);
    } else {
      svg.text(x, top - 6, map.columns[column], font, "middle");
    }
  }
  // Grey shows through where there is no value.
  svg.rectangle(left, top, right - left, bottom - top, "fill=\"#e4e4e4\"");
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    const double y = top + cell * static_cast<double>(row);
    svg.text(left - 6, y + cell / 2 + font * 0.35, map.rows[row], font, "end");
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      const double value = map.values[row * map.columns.size() + column];
      if (!std::isfinite(value)) continue;
      const double share = (value - low) / (high - low);
      const double x = left + cell * static_cast<double>(column);
      svg.rectangle(x, y, cell, cell, fmt::format("fill=\"{}\"", hex(ramp(share))));
      const std::string number = fmt::format("{:.{}f}", value, map.decimals);
      if (number_font < 8 || text_width(number, number_font) > cell - 2) continue;
      svg.text(x + cell / 2, y + cell / 2 + number_font * 0.35, number, number_font, "middle", 0,
               share > 0.55 ? "fill=\"#ffffff\"" : "");
    }
  }
  svg.rectangle(left, top, right - left, bottom - top, "fill=\"none\" stroke=\"#555555\"");

  constexpr int kSteps = 64;
  for (int i = 0; i < kSteps; ++i) {
    const double y = top + bar_height * (1 - static_cast<double>(i + 1) / kSteps);
    // Half a pixel of overlap hides the seams.
    svg.rectangle(bar, y, 18, bar_height / kSteps + (i > 0 ? 0.5 : 0.0),
                  fmt::format("fill=\"{}\"", hex(ramp((i + 0.5) / kSteps))));
  }
  svg.rectangle(bar, top, 18, bar_height, "fill=\"none\" stroke=\"#555555\"");
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    const double y = top + bar_height * (1 - (ticks[i] - low) / (high - low));
    svg.line(bar + 18, y, bar + 22, y, "stroke=\"#555555\"");
    svg.text(bar + 26, y + 4, tick_texts[i], 12, "start");
  }
  svg.text(width - 14, top + bar_height / 2, map.value_label, 13, "middle", -90);
  return std::move(svg).finish();
}

}  // namespace eddy
