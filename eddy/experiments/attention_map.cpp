// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/attention_map.h"

#include <algorithm>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
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
  require<UsageError>(columns >= 1 && !map.target.empty(), "attention of {} over {}; expected at least one of each",
                      counted(std::ssize(map.target), "target token"),
                      counted(static_cast<std::int64_t>(columns), "source token"));
  require<UsageError>(columns <= width, "there is no room for {} in {} of attention",
                      counted(static_cast<std::int64_t>(columns), "source token"), counted(map.source_time, "step"));
  require<UsageError>(map.weights.size() % width == 0 && map.weights.size() / width >= map.target.size(),
                      "{} cannot be rows of {} for {}", counted(std::ssize(map.weights), "attention weight"),
                      counted(map.source_time, "step"), counted(std::ssize(map.target), "target token"));
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
