// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "eddy/core/error.h"
#include "eddy/experiments/chart.h"
#include "eddy/experiments/chart_svg.h"

namespace eddy {
namespace {

using Texts = std::vector<std::string>;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_CASE("ticks are round and span the range") {
  CHECK(tick_labels(nice_ticks(0, 1, 6)) == Texts{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(tick_labels(nice_ticks(-3, 14, 5)) == Texts{"-5", "0", "5", "10", "15"});
  CHECK(tick_labels(nice_ticks(0, 12000, 4)) == Texts{"0", "5,000", "10,000", "15,000"});
  CHECK(tick_labels(nice_ticks(0.1, 0.3, 5)).front() == "0.10");
  CHECK(tick_labels({-1234567, 0}) == Texts{"-1,234,567", "0"});
  for (const auto& [low, high] : {std::pair{7.0, 7.0}, {0.0, 0.0}, {-1e-9, 1e-9}, {1e15, 1e15 + 1}, {-5e300, 5e300}}) {
    const auto ticks = nice_ticks(low, high, 6);
    CHECK(ticks.size() >= 2);
    CHECK(ticks.size() <= 20);
    CHECK(ticks.front() <= low);
    CHECK(ticks.back() >= high);
    CHECK(tick_labels(ticks).size() == ticks.size());
  }
  CHECK(nice_ticks(std::nan(""), 1, 5).size() == 2);
}

TEST_CASE("text is escaped and repaired") {
  CHECK(escape_markup("a<b>&\"'語") == "a&lt;b&gt;&amp;&quot;&#39;語");
  CHECK(escape_markup("\x01\xff") == "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("a line chart holds its series, bands, gaps and legend") {
  LineChart chart{.title = "A & B", .x_label = "epoch", .y_label = "error"};
  const double gap = std::numeric_limits<double>::quiet_NaN();
  chart.series = {{"<one>", {1, 2, 3, 4}, {5, 4, gap, 3}, {1, 1, 1, 1}}, {"two", {1, 2}, {2, 1}, {}}};
  const std::string svg = to_svg(chart);
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("A &amp; B") != std::string::npos);
  CHECK(svg.find("&lt;one&gt;") != std::string::npos);
  CHECK(count_of(svg, "<circle") == 5);
  CHECK(count_of(svg, "fill-opacity") == 1);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(to_svg(chart) == svg);
}

TEST_CASE("a few epochs have no ticks between them") {
  LineChart chart;
  chart.series = {{"", {1, 2, 3}, {5, 4, 3}, {}}};
  const std::string whole = to_svg(chart);
  for (const char* label : {">1</text>", ">2</text>", ">3</text>"}) CHECK(count_of(whole, label) == 1);
  CHECK(count_of(whole, ">1.5</text>") == 0);
  chart.series = {{"", {1, 1.5, 3}, {5, 4, 3}, {}}};
  CHECK(count_of(to_svg(chart), ">1.5</text>") == 1);
}

TEST_CASE("one epoch has no fractions beside it") {
  LineChart chart;
  chart.series = {{"", {1}, {5}, {}}};
  CHECK(count_of(to_svg(chart), ">1</text>") == 1);
  CHECK(count_of(to_svg(chart), ">0.95</text>") == 0);
}

TEST_CASE("an axis of percentages begins at 0") {
  LineChart chart;
  chart.series = {{"", {1, 2, 3}, {0, 0, 0}, {}}};
  CHECK(to_svg(chart).find(">-1.0<") != std::string::npos);
  chart.y_least = 0;
  CHECK(to_svg(chart).find(">-") == std::string::npos);
  chart.series[0] = {"", {1, 2, 3}, {3, 2, 1}, {5, 5, 5}};
  CHECK(to_svg(chart).find(">-") == std::string::npos);
  CHECK(to_svg(chart).find(">10<") != std::string::npos);
  chart.series[0].y[1] = -4;
  CHECK(to_svg(chart).find(">-") != std::string::npos);
}

TEST_CASE("an axis of percentages ends at 100") {
  LineChart chart;
  chart.series = {{"", {1, 2, 3}, {100, 100, 100}, {}}};
  CHECK(to_svg(chart).find(">110<") != std::string::npos);
  chart.y_most = 100;
  CHECK(to_svg(chart).find(">100<") != std::string::npos);
  CHECK(to_svg(chart).find(">105<") == std::string::npos);
  CHECK(to_svg(chart).find(">110<") == std::string::npos);
  // Nor does a band lead beyond it.
  chart.series[0].spread = {8, 8, 8};
  CHECK(to_svg(chart).find(">100<") != std::string::npos);
  CHECK(to_svg(chart).find(">110<") == std::string::npos);
  chart.series[0].spread.clear();
  // Data beyond it are drawn all the same.
  chart.series[0].y[1] = 130;
  CHECK(to_svg(chart).find(">130<") != std::string::npos);
}

TEST_CASE("odd charts are drawn: empty, one point, infinite, logarithmic with zeros") {
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(to_svg(LineChart{}).find("no data") != std::string::npos);
  for (const bool log_y : {false, true}) {
    LineChart chart{.log_y = log_y};
    chart.series = {{"s", {1}, {3}, {}}};
    CHECK(count_of(to_svg(chart), "<circle") == 1);
    chart.series = {{"s", {1, 2, 3, 4}, {0, -1, inf, 20}, {5, 5, 5, 50}}};
    const std::string svg = to_svg(chart);
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("inf") == std::string::npos);
    CHECK(count_of(svg, "<circle") == (log_y ? 1 : 3));
    chart.series = {{"s", {1, 2}, {1e-30, 1e30}, {}}};
    CHECK(count_of(to_svg(chart), "<text") < 30);
  }
}

TEST_CASE("a long series keeps its extremes and few points") {
  LineChart chart;
  ChartSeries series{"s", {}, {}, {}};
  for (int i = 0; i < 100'000; ++i) {
    series.x.push_back(i);
    series.y.push_back(i == 54'321 ? 1000 : 1);
  }
  chart.series = {series};
  const std::string svg = to_svg(chart);
  CHECK(svg.size() < 60'000);
  CHECK(svg.find(" 20.0L") != std::string::npos);  // the peak touches the top of the plot
}

TEST_CASE("charts whose sizes do not fit are refused") {
  LineChart chart;
  chart.series = {{"s", {1, 2}, {1}, {}}};
  CHECK_THROWS_AS(to_svg(chart), UsageError);
  chart.series = {{"s", {1, 2}, {1, 2}, {1}}};
  CHECK_THROWS_AS(to_svg(chart), UsageError);
  chart.series.clear();
  chart.width = 10;
  CHECK_THROWS_AS(to_svg(chart), UsageError);
  HeatMap map{.rows = {"a"}, .columns = {"b", "c"}, .values = {1}};
  CHECK_THROWS_AS(to_svg(map), UsageError);
  CHECK_THROWS_AS(to_svg(HeatMap{}), UsageError);
}

TEST_CASE("a heat map holds its labels and cells") {
  HeatMap map{
      .title = "t", .rows = {"r<1>", "r2"}, .columns = {"c1", "a long column name"}, .values = {0, 0.5, NAN, 1}};
  const std::string svg = to_svg(map);
  CHECK(svg.find("r&lt;1&gt;") != std::string::npos);
  CHECK(svg.find("rotate(-90") != std::string::npos);
  CHECK(svg.find(">0.50<") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  map.values = {NAN, NAN, NAN, NAN};
  CHECK(to_svg(map).find("nan") == std::string::npos);
}

TEST_CASE("bars are as long as their values, with notes beside them") {
  const BarChart chart{
      .title = "t", .x_label = "ms", .bars = {{"a & b", 10, "half"}, {"none", 0, ""}, {"all", 20, "whole"}}};
  const std::string svg = to_svg(chart);
  CHECK(svg.find("a &amp; b") != std::string::npos);
  CHECK(svg.find("whole") != std::string::npos);
  CHECK(svg.find("width=\"210") != std::string::npos);  // half of the plot's 420 pixels
  CHECK(svg.find("width=\"420") != std::string::npos);
  CHECK_THROWS_AS(to_svg(BarChart{}), UsageError);
  CHECK_THROWS_AS(to_svg(BarChart{.title = "", .x_label = "", .bars = {{"a", -1, ""}}}), UsageError);
}

}  // namespace
}  // namespace eddy
