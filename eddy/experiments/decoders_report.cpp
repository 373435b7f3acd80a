// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/decoders_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eddy/experiments/attention_map.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/sequence_names.h"

namespace eddy {
namespace {

/// At most so many points of a curve are drawn.
constexpr std::size_t kPoints = 400;

ChartSeries curve(const DecoderRun& run, const std::vector<double>& values, double scale) {
  ChartSeries series{.name = std::string(name_of(run.mode)), .x = {}, .y = {}, .spread = {}};
  const std::size_t stride = values.size() / kPoints + 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % stride != 0 && i + 1 != values.size()) continue;
    series.x.push_back(static_cast<double>(i + 1));
    series.y.push_back(scale * values[i]);
  }
  return series;
}

std::vector<ReportChart> charts(const DecodersResult& result) {
  LineChart loss{
      .title = "Training loss", .x_label = "epoch", .y_label = "nats per token", .series = {}, .log_y = true};
  LineChart accuracy{.title = "Tokens decoded right",
                     .x_label = "epoch",
                     .y_label = "%",
                     .series = {},
                     .y_from_zero = true,
                     .y_most = 100};
  std::vector<ReportChart> made;
  for (const DecoderRun& run : result.runs) {
    if (run.losses.empty()) continue;
    loss.series.push_back(curve(run, run.losses, 1));
    accuracy.series.push_back(curve(run, run.accuracies, 100));
  }
  if (loss.series.empty()) return made;
  made.push_back(report_chart("accuracy", std::move(accuracy),
                              "Share of the 25 tokens that greedy decoding gets right, by epoch."));
  made.push_back(report_chart("loss", std::move(loss),
                              "Mean cross entropy over an epoch. A mode ends when it reproduces the stories."));
  for (const DecoderRun& run : result.runs)
    if (!run.attention.empty())
      made.push_back({"attention",
                      to_svg(attention_heat_map({.title = "Attention of the first story",
                                                 .source = run.sources[0],
                                                 .target = run.predictions[0],
                                                 .weights = run.attention,
                                                 .source_time = static_cast<std::int64_t>(run.sources[0].size())})),
                      "What each step looked at. With the linear energy of the original all rows are the same, as the "
                      "decoder's state cancels in the softmax; with others they differ."});
  return made;
}

Table stories_table(const DecodersResult& result) {
  Table table{.title = "Stories", .columns = {"source", "target"}, .rows = {}};
  const auto line = [](const std::vector<std::string>& tokens) { return fmt::format("{}", fmt::join(tokens, " ")); };
  for (const DecoderRun& run : result.runs) table.columns.push_back(std::string(name_of(run.mode)));
  for (std::size_t story = 0; story < result.runs[0].targets.size(); ++story) {
    std::vector<TableCell> row{line(result.runs[0].sources[story]), line(result.runs[0].targets[story])};
    for (const DecoderRun& run : result.runs) row.emplace_back(line(run.predictions[story]));
    table.rows.push_back(row);
  }
  return table;
}

}  // namespace

Table decoders_table(const DecodersResult& result) {
  Table table{.title = "Decoder modes",
              .columns = {"mode", "name", "parameters", "epochs to 100 %", "token accuracy %", "loss", "seconds"},
              .rows = {}};
  for (const DecoderRun& run : result.runs) {
    const TableCell epochs = run.reproduced ? TableCell(exact(static_cast<double>(run.epochs), 0))
                                            : TableCell(fmt::format("not in {}", run.epochs));
    table.rows.push_back({exact(static_cast<int>(run.mode), 0), std::string(name_of(run.mode)),
                          exact(static_cast<double>(run.parameters), 0), epochs, exact(100 * run.token_accuracy, 1),
                          run.losses.empty() ? TableCell(std::string()) : TableCell(exact(run.losses.back(), 3)),
                          exact(run.seconds, 2)});
  }
  return table;
}

void write_decoders_report(const DecodersOptions& options, const DecodersResult& result) {
  using Json = nlohmann::ordered_json;
  Report report;
  report.title = "Four decoders on five number stories";
  const auto reproduced = std::ranges::count(result.runs, true, &DecoderRun::reproduced);
  report.summary = {
      fmt::format("An encoder reads five digits, a decoder writes them in English: five stories, 51 words, training "
                  "and test the same, as in jacoxu/encoder_decoder. {} of {} modes reproduce all stories. An epoch is "
                  "all stories once, in batches of {}; after each, all are decoded greedily.",
                  reproduced, result.runs.size(), options.batch_size)};
  if (result.interrupted) report.summary.emplace_back("The run was stopped by a signal; its last mode is unfinished.");
  report.tables = {decoders_table(result)};
  if (!result.runs.empty()) report.tables.push_back(stories_table(result));
  report.charts = charts(result);
  const SequenceToSequenceConfig& model = options.model;
  std::vector<std::string> modes;
  for (const DecoderMode mode : options.modes) modes.emplace_back(name_of(mode));
  report.configuration = Json{
      {"modes", modes},
      {"cell", name_of(model.encoder.cell)},
      {"hidden_size", model.encoder.hidden_size},
      {"embedding_size", model.embedding_size},
      {"hard_sigmoid", model.encoder.hard_sigmoid},
      {"hand_over_state", model.hand_over_state},
      {"energy", name_of(model.energy)},
      {"feedback", name_of(model.feedback)},
      {"learning_rate", options.learning_rate},
      {"batch_size", options.batch_size},
      {"epochs", options.epochs},
      {"seed", options.seed}}.dump(1);
  report.environment = to_json(collect_environment(options.command, options.seed));
  report.command = options.command;
  write_report(options.output, report);
}

}  // namespace eddy
