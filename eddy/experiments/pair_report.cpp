// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "eddy/core/number_text.h"
#include "eddy/experiments/attention_map.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/pair_experiment.h"

namespace eddy {
namespace {

/// Pictures of attention in a report, at most.
constexpr std::size_t kAttentionMaps = 4;

ReportChart accuracy_chart(const std::vector<PairRecord>& records, const std::string& name, const std::string& label,
                           double PairEpoch::*accuracy) {
  LineChart chart{.title = label, .x_label = "epoch", .y_label = "right, %", .series = {}, .y_least = 0, .y_most = 100};
  for (const PairRecord& record : records) {
    ChartSeries series{.name = record.row, .x = {}, .y = {}, .spread = {}};
    for (const PairEpoch& epoch : record.curve) {
      series.x.push_back(static_cast<double>(series.x.size() + 1));
      series.y.push_back(100 * epoch.*accuracy);
    }
    chart.series.push_back(std::move(series));
  }
  return report_chart(name, std::move(chart), label + ", decoded without a look at the target.");
}

void add_attention_maps(const PairRecord& record, std::vector<ReportChart>& charts) {
  for (std::size_t i = 0; i < std::min(kAttentionMaps, record.examples.size()); ++i) {
    const PairExample& example = record.examples[i];
    if (example.attention.empty() || example.predicted_tokens.empty()) continue;
    const AttentionMap map{.title = fmt::format("{} to {}", example.source, example.predicted),
                           .source = example.source_tokens,
                           .target = example.predicted_tokens,
                           .weights = example.attention,
                           .source_time = example.source_time};
    charts.push_back({fmt::format("{}-{}", record.row, i + 1), to_svg(attention_heat_map(map)),
                      fmt::format("What {} looked at (columns) for each token it wrote (rows).", record.row)});
  }
}

nlohmann::ordered_json configuration(const PairExperiment& experiment) {
  nlohmann::ordered_json models = nlohmann::ordered_json::object();
  for (const PairRow& row : experiment.rows) {
    models[row.model.name] = nlohmann::ordered_json::parse(row.model.config);
    models[row.model.name]["training"] = {{"epochs", row.training.epochs},
                                          {"batch_size", row.training.batch_size},
                                          {"learning_rate", row.training.learning_rate},
                                          {"clip_norm", row.training.clip_norm},
                                          {"seed", row.training.seed}};
  }
  return {{"data", nlohmann::ordered_json::parse(experiment.data)}, {"models", std::move(models)}};
}

}  // namespace

Table pair_table(const PairExperiment& experiment, const std::vector<PairRecord>& records) {
  Table table{.title = fmt::format("Trained on {}, tested on {}", counted(std::ssize(experiment.split.train), "pair"),
                                   counted(std::ssize(experiment.split.test), "other")),
              .columns = {"model", "parameters", "epochs", "tokens right, %", "sequences right, %", "training, s"},
              .rows = {}};
  for (const PairRecord& record : records)
    table.rows.push_back({record.row, exact(static_cast<double>(record.parameters), 0),
                          exact(static_cast<double>(record.curve.size()), 0), exact(100 * record.token_accuracy, 2),
                          exact(100 * record.sequence_accuracy, 2),
                          exact(record.seconds(), record.seconds() < 10 ? 1 : 0)});
  return table;
}

Table example_table(const std::vector<PairRecord>& records) {
  Table table{.title = "Examples", .columns = {"source", "expected"}, .rows = {}};
  for (const PairRecord& record : records) table.columns.push_back(record.row);
  for (std::size_t i = 0; i < records.front().examples.size(); ++i) {
    const PairExample& example = records.front().examples[i];
    std::vector<TableCell> row{example.source, example.expected};
    for (const PairRecord& record : records) {
      const PairExample& made = record.examples[i];
      row.emplace_back(made.predicted + (made.predicted == made.expected ? "" : " (wrong)"));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

void write_pair_report(const PairExperiment& experiment, const std::vector<PairRecord>& records) {
  Report report;
  report.title = experiment.title;
  report.summary = experiment.summary;
  report.tables = {pair_table(experiment, records)};
  if (!records.front().examples.empty()) report.tables.push_back(example_table(records));
  report.charts = {
      accuracy_chart(records, "sequences", "Validation sequences right throughout", &PairEpoch::sequence_accuracy),
      accuracy_chart(records, "tokens", "Validation tokens right", &PairEpoch::token_accuracy)};
  for (const PairRecord& record : records) add_attention_maps(record, report.charts);
  report.configuration = configuration(experiment).dump(1);
  report.environment = to_json(collect_environment(experiment.command, experiment.rows.front().training.seed));
  report.command = experiment.command;
  write_report(experiment.output, report);
}

}  // namespace eddy
