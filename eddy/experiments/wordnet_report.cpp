// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/wordnet_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "eddy/experiments/chart.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/metrics.h"
#include "eddy/experiments/number_text.h"
#include "eddy/experiments/progress.h"

namespace eddy {
namespace {

const std::vector<std::string> kRows = {"LSTM", "LM-LSTM", "SA-LSTM"};

std::vector<const RunRecord*> select(const std::vector<RunRecord>& records, const std::string& row,
                                     std::int64_t labels) {
  std::vector<const RunRecord*> selected;
  for (const RunRecord& record : records)
    if (record.row == row && record.labels == labels) selected.push_back(&record);
  return selected;
}

template <class Get>
Measure measure(const std::vector<const RunRecord*>& records, int decimals, Get&& get) {
  std::vector<double> values;
  for (const RunRecord* record : records) values.push_back(get(*record));
  const Summary summary = summarize(values);
  Measure result{.mean = summary.mean, .spread = {}, .decimals = decimals};
  if (summary.count > 1) result.spread = summary.deviation;
  return result;
}

/// Mean curve over the seeds, as far as all of them go.
ChartSeries mean_curve(const std::string& name, const std::vector<const RunRecord*>& records, double scale) {
  ChartSeries series{.name = name, .x = {}, .y = {}, .spread = {}};
  std::size_t length = records.empty() ? 0 : records[0]->curve.size();
  for (const RunRecord* record : records) length = std::min(length, record->curve.size());
  for (std::size_t i = 0; i < length; ++i) {
    std::vector<double> values;
    for (const RunRecord* record : records) values.push_back(scale * record->curve[i].validation);
    const Summary summary = summarize(values);
    series.x.push_back(records[0]->curve[i].epoch);
    series.y.push_back(summary.mean);
    series.spread.push_back(summary.deviation);
  }
  return series;
}

std::vector<ReportChart> charts(const WordnetOptions& options, const WordnetResults& results) {
  std::vector<ReportChart> made;
  for (const std::int64_t labels : options.labels) {
    LineChart chart{.title = fmt::format("Validation error with {} labels", labels),
                    .x_label = "epoch over the labelled glosses",
                    .y_label = "error, %",
                    .series = {}};
    for (const std::string& row : kRows)
      chart.series.push_back(mean_curve(row, select(results.runs, row, labels), 100));
    made.push_back(report_chart(
        fmt::format("validation-error-{}", labels), std::move(chart),
        fmt::format("Error on the validation part of the {} labelled glosses; mean of {} seeds, the band is one "
                    "standard deviation. The best epoch is how long the tested model trains.",
                    labels, options.seeds.size())));
  }
  LineChart chart{
      .title = "Pretraining", .x_label = "epoch over the glosses", .y_label = "nats per token", .series = {}};
  for (const char* row : {"LM", "SA"}) chart.series.push_back(mean_curve(row, select(results.pretraining, row, 0), 1));
  made.push_back(report_chart(
      "pretraining", std::move(chart),
      "Cross entropy on glosses kept from pretraining: predicting the next token (LM), and writing the gloss "
      "again from its state (SA)."));
  return made;
}

}  // namespace

Table wordnet_table(const WordnetOptions& options, const WordnetResults& results) {
  Table table{.title = fmt::format("Test error on {} glosses, {} classes, {} seeds", grouped(results.test),
                                   results.classes, options.seeds.size()),
              .columns = {"labels", "model", "test error, %", "validation error, %", "best epoch", "pretraining, s",
                          "training, s", "tokens/s"},
              .rows = {}};
  for (const std::int64_t labels : options.labels) {
    for (const std::string& row : kRows) {
      const auto runs = select(results.runs, row, labels);
      const auto pretraining = select(results.pretraining, row == "LM-LSTM" ? "LM" : row == "SA-LSTM" ? "SA" : "", 0);
      TableCell pretraining_seconds = std::string();
      if (!pretraining.empty()) pretraining_seconds = measure(pretraining, 0, [](const auto& r) { return r.seconds; });
      table.rows.push_back(
          {std::to_string(labels), row, measure(runs, 1, [](const auto& r) { return 100 * r.test_error; }),
           measure(runs, 1, [](const auto& r) { return 100 * r.validation; }),
           measure(runs, 0, [](const auto& r) { return r.best_epoch; }), pretraining_seconds,
           measure(runs, 1, [](const auto& r) { return r.seconds; }),
           measure(pretraining.empty() ? runs : pretraining, 0, [](const auto& r) { return r.tokens_per_second; })});
    }
    for (const BaselineRecord& baseline : results.baselines)
      if (baseline.labels == labels)
        table.rows.push_back({baseline.row == "naive Bayes" ? std::to_string(labels) : "all", "naive Bayes",
                              Measure{.mean = 100 * baseline.test_error, .spread = {}, .decimals = 1}, std::string(),
                              std::string(), std::string(),
                              Measure{.mean = baseline.seconds, .spread = {}, .decimals = 1}, std::string()});
  }
  return table;
}

void write_wordnet_report(const WordnetOptions& options, const WordnetResults& results) {
  using Json = nlohmann::ordered_json;
  Report report;
  report.title = "Pretraining on WordNet's glosses";
  report.summary = {
      fmt::format(
          "{} glosses ({} tokens) remain after dropping repeated ones; {} are held out for testing. Each gloss "
          "belongs to one of {} lexicographer files. LSTM is trained on the labelled glosses alone; LM-LSTM and "
          "SA-LSTM begin with the weights of a language model and of a sequence autoencoder trained on all "
          "glosses but the test part (Dai & Le 2015).",
          grouped(results.documents), grouped(results.tokens), grouped(results.test), results.classes),
      fmt::format(
          "{:.0f} % of the labelled glosses are kept from training to choose the number of epochs; a second "
          "run with all labelled glosses and that many epochs is tested once. ± is the standard deviation over "
          "the seeds. tokens/s is the rate of pretraining where there is one, else of training. The whole run took {}.",
          100 * options.validation_fraction, format_duration(results.seconds))};
  report.tables = {wordnet_table(options, results)};
  report.charts = charts(options, results);
  report.configuration = Json{{"labels", options.labels},
                              {"seeds", options.seeds},
                              {"split_seed", options.split_seed},
                              {"vocabulary", options.vocabulary},
                              {"language_model", Json::parse(to_json(options.language_model))},
                              {"autoencoder", Json::parse(to_json(options.autoencoder))},
                              {"classifier", Json::parse(to_json(options.classifier))},
                              {"classifier_scratch", Json::parse(to_json(options.classifier_scratch))}}
                             .dump(1);
  report.environment = to_json(collect_environment(options.command, options.seeds.front()));
  report.command = options.command;
  write_report(options.output, report);
}

}  // namespace eddy
