// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/attention_map.h"

#include <algorithm>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/experiments/chart_svg.h"

namespace eddy {

namespace {

std::vector<std::string> labels(const std::vector<std::string>& tokens) {
  std::vector<std::string> result;
  for (const std::string& token : tokens) result.push_back(shortened_label(token));
  return result;
}

}  // namespace

HeatMap attention_heat_map(const AttentionMap& map) {
  const std::size_t columns = map.source.size();
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(map.source_time, 0));
  require<UsageError>(columns >= 1 && !map.target.empty(),
                      "attention of {} target tokens over {} source tokens; "
                      "expected at least one of each",
                      map.target.size(), columns);
  require<UsageError>(columns <= width, "{} source tokens do not fit in {} steps of attention", columns,
                      map.source_time);
  require<UsageError>(map.weights.size() % width == 0 && map.weights.size() / width >= map.target.size(),
                      "{} attention weights are no rows of {} steps for {} target tokens", map.weights.size(), width,
                      map.target.size());
  HeatMap picture{.title = map.title,
                  .row_label = "target",
                  .column_label = "source",
                  .rows = labels(map.target),
                  .columns = labels(map.source),
                  .value_label = "attention"};
  for (std::size_t row = 0; row < map.target.size(); ++row)
    for (std::size_t column = 0; column < columns; ++column)
      picture.values.push_back(map.weights[row * width + (map.reversed ? columns - 1 - column : column)]);
  return picture;
}

}  // namespace eddy
