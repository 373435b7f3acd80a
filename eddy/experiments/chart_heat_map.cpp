// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
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

/// The colour bar: what its ends stand for.
struct Scale {
  explicit Scale(const std::vector<double>& values) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const double value : values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    // The scale begins at zero unless there are negative values.
    low = std::isfinite(low) ? std::min(low, 0.0) : 0.0;
    high = std::isfinite(high) && high > low ? high : low + 1;
    ticks = nice_ticks(low, high, 6);
    labels = tick_labels(ticks);
  }
  double share(double value) const { return (value - ticks.front()) / (ticks.back() - ticks.front()); }

  std::vector<double> ticks;
  std::vector<std::string> labels;
};

/// Where everything stands, in pixels.
struct Layout {
  explicit Layout(const HeatMap& map) {
    const std::size_t longest = std::max(map.rows.size(), map.columns.size());
    cell = std::clamp(640.0 / static_cast<double>(longest), 14.0, 56.0);
    font = std::clamp(cell * 0.72, 10.0, 13.0);
    number_font = std::min(cell * 0.3, 12.0);
    left = 16 + (map.row_label.empty() ? 0 : 24) + text_width(map.rows, font) + 8;
    const double names = text_width(map.columns, font);
    turned = names > cell - 6;
    top = (map.title.empty() ? 16 : 48) + (map.column_label.empty() ? 0 : 22) + (turned ? names : font) + 10;
    right = left + cell * static_cast<double>(map.columns.size());
    bottom = top + cell * static_cast<double>(map.rows.size());
    bar = right + 28;
    bar_height = std::max(bottom - top, 80.0);
  }

  double cell, font, number_font;
  double left, top, right, bottom;  ///< of the cells
  double bar, bar_height;           ///< of the colour bar, which begins at the top
  bool turned;                      ///< column names stand upright
};

void draw_column_names(SvgWriter& svg, const HeatMap& map, const Layout& at) {
  for (std::size_t column = 0; column < map.columns.size(); ++column) {
    const double x = at.left + at.cell * (static_cast<double>(column) + 0.5);
    if (at.turned) {
      svg.text(x + at.font * 0.35, at.top - 6, map.columns[column], at.font, "start", -90);
    } else {
      svg.text(x, at.top - 6, map.columns[column], at.font, "middle");
    }
  }
}

void draw_rows(SvgWriter& svg, const HeatMap& map, const Layout& at, const Scale& scale) {
  // Grey shows through where there is no value.
  svg.rectangle(at.left, at.top, at.right - at.left, at.bottom - at.top, "fill=\"#e4e4e4\"");
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    const double y = at.top + at.cell * static_cast<double>(row);
    svg.text(at.left - 6, y + at.cell / 2 + at.font * 0.35, map.rows[row], at.font, "end");
    for (std::size_t column = 0; column < map.columns.size(); ++column) {
      const double value = map.values[row * map.columns.size() + column];
      if (!std::isfinite(value)) continue;
      const double share = scale.share(value);
      const double x = at.left + at.cell * static_cast<double>(column);
      svg.rectangle(x, y, at.cell, at.cell, fmt::format("fill=\"{}\"", hex(ramp(share))));
      const std::string number = fmt::format("{:.{}f}", value, map.decimals);
      if (at.number_font < 8 || text_width(number, at.number_font) > at.cell - 2) continue;
      svg.text(x + at.cell / 2, y + at.cell / 2 + at.number_font * 0.35, number, at.number_font, "middle", 0,
               share > 0.55 ? "fill=\"#ffffff\"" : "");
    }
  }
  svg.rectangle(at.left, at.top, at.right - at.left, at.bottom - at.top, "fill=\"none\" stroke=\"#555555\"");
}

void draw_bar(SvgWriter& svg, const Layout& at, const Scale& scale) {
  constexpr int kSteps = 64;
  for (int i = 0; i < kSteps; ++i) {
    const double y = at.top + at.bar_height * (1 - static_cast<double>(i + 1) / kSteps);
    // Half a pixel of overlap hides the seams.
    svg.rectangle(at.bar, y, 18, at.bar_height / kSteps + (i > 0 ? 0.5 : 0.0),
                  fmt::format("fill=\"{}\"", hex(ramp((i + 0.5) / kSteps))));
  }
  svg.rectangle(at.bar, at.top, 18, at.bar_height, "fill=\"none\" stroke=\"#555555\"");
  for (std::size_t i = 0; i < scale.ticks.size(); ++i) {
    const double y = at.top + at.bar_height * (1 - scale.share(scale.ticks[i]));
    svg.line(at.bar + 18, y, at.bar + 22, y, "stroke=\"#555555\"");
    svg.text(at.bar + 26, y + 4, scale.labels[i], 12, "start");
  }
}

}  // namespace

std::string to_svg(const HeatMap& map) {
  require<UsageError>(map.values.size() == map.rows.size() * map.columns.size(),
                      "a heat map of {} and {} cannot have {}", counted(std::ssize(map.rows), "row"),
                      counted(std::ssize(map.columns), "column"), counted(std::ssize(map.values), "value"));
  require<UsageError>(!map.values.empty(), "a heat map needs at least one row and one column");
  const Scale scale(map.values);
  const Layout at(map);
  const double width = at.bar + 18 + 10 + text_width(scale.labels, 12) + (map.value_label.empty() ? 0 : 24) + 12;
  SvgWriter svg(std::max(width, text_width(map.title, 16) * 1.1 + 40), std::max(at.bottom, at.top + at.bar_height) + 20,
                map.title);
  svg.text(16, 28, map.title, 16, "start", 0, "font-weight=\"bold\"");
  svg.text((at.left + at.right) / 2, (map.title.empty() ? 26 : 56), map.column_label, 13, "middle");
  svg.text(26, (at.top + at.bottom) / 2, map.row_label, 13, "middle", -90);
  draw_column_names(svg, map, at);
  draw_rows(svg, map, at, scale);
  draw_bar(svg, at, scale);
  svg.text(width - 14, at.top + at.bar_height / 2, map.value_label, 13, "middle", -90);
  return std::move(svg).finish();
}

}  // namespace eddy
