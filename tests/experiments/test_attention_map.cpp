// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/experiments/attention_map.h"

namespace eddy {
namespace {

AttentionMap sample() {
  return {.title = "headline",
          .source = {"北京", "<b>", "雨"},
          .target = {"暴雨", "_EOS"},
          .weights = {0.1f, 0.2f, 0.7f, 0.0f, 0.0f,  //
                      0.5f, 0.3f, 0.2f, 0.0f, 0.0f,  //
                      9.0f, 9.0f, 9.0f, 9.0f, 9.0f},
          .source_time = 5};
}

std::vector<float> floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

TEST_CASE("an attention map leaves out padding and steps after the target") {
  const HeatMap map = attention_heat_map(sample());
  CHECK(map.rows == std::vector<std::string>{"暴雨", "_EOS"});
  CHECK(map.columns == std::vector<std::string>{"北京", "<b>", "雨"});
  CHECK(floats(map.values) == std::vector<float>{0.1f, 0.2f, 0.7f, 0.5f, 0.3f, 0.2f});
}

TEST_CASE("the weights of a source that was read backwards stand under its tokens") {
  AttentionMap map = sample();
  map.reversed = true;  // the first step read the last token
  CHECK(floats(attention_heat_map(map).values) == std::vector<float>{0.7f, 0.2f, 0.1f, 0.2f, 0.3f, 0.5f});
}

TEST_CASE("long labels are shortened by characters, not bytes, and every script is named a font") {
  AttentionMap map = sample();
  std::string word;
  for (int i = 0; i < 24; ++i) word += "语";
  map.source[0] = word;
  CHECK(attention_heat_map(map).columns[0] == word);
  map.source[0] = word + "x";
  CHECK(attention_heat_map(map).columns[0] == word.substr(0, std::string("语").size() * 23) + "…");
  const std::string svg = to_svg(attention_heat_map(sample()));
  CHECK(svg.find(">北京<") != std::string::npos);
  CHECK(svg.find("&lt;b&gt;") != std::string::npos);
  CHECK(svg.find("'Noto Sans CJK SC'") != std::string::npos);
}

TEST_CASE("attention whose sizes do not fit is refused") {
  AttentionMap map = sample();
  map.source_time = 2;
  CHECK_THROWS_AS(attention_heat_map(map), UsageError);
  map = sample();
  map.weights.resize(9);
  CHECK_THROWS_AS(attention_heat_map(map), UsageError);
  map.weights.resize(5);
  CHECK_THROWS_AS(attention_heat_map(map), UsageError);
  CHECK_THROWS_AS(attention_heat_map({}), UsageError);
}

}  // namespace
}  // namespace eddy
