// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "eddy/core/number_text.h"
#include "eddy/experiments/chart.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/flat_json.h"
#include "eddy/experiments/metrics.h"
#include "eddy/experiments/progress.h"

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

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
  Measure result = exact(summary.mean, decimals);
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

/// Text that is not the data set's own, as it was named; empty: none.
std::string other_text(const ClassificationSource& source) {
  if (!source.unlabelled.empty()) return source.unlabelled;
  std::string names;
  for (const auto& path : source.unlabelled_data) names += (names.empty() ? "" : ", ") + path.string();
  return names;
}

/// Where the user's own texts are from.
std::string origin(const ClassificationSource& source) {
  const std::string data = source.data.string();
  if (!source.test_data.empty())
    return fmt::format("The labelled texts are those of {}, the test texts those of {}.", data,
                       source.test_data.string());
  return fmt::format(
      "The texts are those of {}; {:g} % of them, drawn at random and the same for all seeds, are for the test.", data,
      100 * source.test_fraction);
}

/// "gloss" to "glosses"
std::string plural(const std::string& noun) { return noun + (noun.ends_with("s") ? "es" : "s"); }

/// "2 unlabelled texts are test texts"
std::string stand_in_test(std::int64_t texts, const std::string& what) {
  return counted(texts, what) + (texts == 1 ? " is a test text" : " are test texts");
}

/// What the pretraining of the rows learns to do, for the chart of its losses.
std::string pretraining_tasks(const ClassificationOptions& options, bool rows) {
  std::string tasks;
  const auto add = [&](Pretraining kind, std::string_view of_rows, std::string_view of_text) {
    if (any_begins_with(options.rows, kind))
      tasks += (tasks.empty() ? "" : "; ") + std::string(rows ? of_rows : of_text);
  };
  add(Pretraining::language_model, "LM predicts the next row", "LM predicts the next token");
  add(Pretraining::autoencoder, "SA writes the rows again from its state", "SA writes the text again from its state");
  add(Pretraining::pooled_autoencoder, "PA predicts the next row, told what a classifier sees of the image",
      "PA predicts the next token, told what a classifier sees of the text");
  return tasks;
}

std::vector<ReportChart> charts(const ClassificationOptions& options, const ClassificationResults& results) {
  const std::string units = plural(classification_task(options.source.task).unit);
  std::vector<ReportChart> made;
  for (const std::int64_t labels : results.labels) {
    LineChart chart{.title = fmt::format("Validation error with {}", counted(labels, "label")),
                    .x_label = fmt::format("epoch over the labelled {}", units),
                    .y_label = "error, %",
                    .series = {},
                    .y_least = 0,
                    .y_most = 100};
    for (const ClassificationRow& row : options.rows)
      chart.series.push_back(mean_curve(row.name(), select(results.runs, row.name(), labels), 100));
    made.push_back(report_chart(
        fmt::format("validation-error-{}", labels), std::move(chart),
        fmt::format("Error on the validation part of the {} labelled {}; {}. The best epoch is {}.", grouped(labels),
                    units,
                    options.seeds.size() == 1
                        ? fmt::format("seed {}", options.seeds.front())
                        : fmt::format("mean of {} seeds, the band is one standard deviation", options.seeds.size()),
                    options.refit ? "how long the tested model trains" : "that of the tested model")));
  }
  const bool rows = options.language_model.row_width > 0;
  LineChart chart{.title = "Pretraining",
                  .x_label = fmt::format("epoch over the {}", units),
                  .y_label = rows ? "squared error" : "nats per token",
                  .series = {}};
  for (const RunRecord& record : results.pretraining)
    if (record.seed == options.seeds.front()) {
      chart.series.push_back(mean_curve(record.row, select(results.pretraining, record.row, 0), 1));
      // The colour of the first row that begins with it.
      const auto row = std::ranges::find(options.rows, record.row, &ClassificationRow::pretraining_name);
      if (row != options.rows.end()) chart.series.back().color = static_cast<int>(row - options.rows.begin());
    }
  if (!chart.series.empty())
    made.push_back(report_chart(
        "pretraining", std::move(chart),
        fmt::format("{} kept from pretraining. {}.", rows ? "Mean squared error on images" : "Cross entropy on text",
                    pretraining_tasks(options, rows))));
  return made;
}

/// One text less or more changes the last one.
int error_decimals(std::int64_t texts) { return texts >= 10000 ? 2 : 1; }

std::vector<TableCell> run_cells(const ClassificationRow& row, std::int64_t labels,
                                 const ClassificationResults& results) {
  const auto runs = select(results.runs, row.name(), labels);
  const auto pretraining = select(results.pretraining, row.pretraining_name(), 0);
  const bool whole =
      std::ranges::all_of(runs, [](const RunRecord* r) { return r->best_epoch == std::floor(r->best_epoch); });
  TableCell pretraining_seconds = std::string();
  if (!pretraining.empty()) pretraining_seconds = measure(pretraining, 0, [](const auto& r) { return r.seconds; });
  return {grouped(labels),
          row.name(),
          measure(runs, error_decimals(results.test), [](const auto& r) { return 100 * r.test_error; }),
          measure(runs, 1, [](const auto& r) { return 100 * r.validation; }),
          measure(runs, whole && runs.size() == 1 ? 0 : 1, [](const auto& r) { return r.best_epoch; }),
          pretraining_seconds,
          measure(runs, 1, [](const auto& r) { return r.seconds; }),
          measure(pretraining.empty() ? runs : pretraining, 0, [](const auto& r) { return r.tokens_per_second; })};
}

/// A row that has no more to say than its error in percent, and perhaps its seconds.
std::vector<TableCell> plain_cells(const std::string& labels, const std::string& model, Measure error,
                                   TableCell seconds = std::string()) {
  return {labels, model, error, std::string(), std::string(), std::string(), std::move(seconds), std::string()};
}

std::vector<TableCell> baseline_cells(const BaselineRecord& baseline, const std::string& labels,
                                      const ClassificationResults& results) {
  return plain_cells(labels, "naive Bayes", exact(100 * baseline.test_error, error_decimals(results.test)),
                     exact(baseline.seconds, 1));
}

std::vector<std::string> summary_of(const ClassificationOptions& options, const ClassificationResults& results) {
  const ClassificationTask& task = classification_task(options.source.task);
  const std::string units = plural(task.unit);
  const bool images = options.language_model.row_width > 0;
  std::vector<std::string> paragraphs;
  paragraphs.push_back(fmt::format(
      "{} {} to train on, {}, {} to test; {}, {} classes. LSTM is trained on "
      "the labelled {} alone; LM-LSTM and SA-LSTM begin with the weights of a language model and of a sequence "
      "autoencoder{} (Dai & Le 2015).",
      task.own_files ? origin(options.source) : task.about,
      counted(results.labelled, "labelled " + task.unit, "labelled " + units),
      counted(results.unlabelled, images ? "unlabelled image" : "unlabelled text"),
      counted(results.test, task.unit, units), counted(results.tokens, images ? "number" : "token"),
      grouped(results.classes), units,
      options.from.empty() ? fmt::format(" trained on all {} but the test part", images ? units : "texts") : ""));
  if (any_begins_with(options.rows, Pretraining::pooled_autoencoder))
    paragraphs.back() +=
        " PA-LSTM begins with a pooled autoencoder, which predicts each word from those before it and from what a "
        "classifier sees of the text.";
  paragraphs.push_back(fmt::format(
      "{:.0f} % of the labelled {} are kept from training to choose the number of epochs; {} ± is the standard "
      "deviation over the seeds. {}/s is the rate of pretraining where there is one, else of training. All "
      "training "
      "and tests, whenever they were done, took {}.",
      100 * options.validation_fraction, units,
      options.refit ? "a second run with all of them and that many epochs is tested once."
                    : "the model of the best epoch is tested once.",
      images ? "numbers" : "tokens", format_duration(results.seconds)));
  std::string overlap;
  if (results.test_in_unlabelled > 0)
    overlap += fmt::format("{} too, rare words counting as equal; left out of pretraining. ",
                           stand_in_test(results.test_in_unlabelled, "unlabelled text"));
  if (results.test_in_train > 0)
    overlap += fmt::format("{} too, rare words counting as equal; {}.",
                           stand_in_test(results.test_in_train, "labelled training text"),
                           task.own_files ? "left out of pretraining, but not of the classifiers' training" : "kept");
  if (!overlap.empty()) paragraphs.push_back(overlap);
  if (const std::string other = other_text(options.source); !other.empty() && !results.pretraining.empty())
    paragraphs.push_back(fmt::format("Pretraining reads other text as well: {}.", other));
  if (!options.from.empty()) {
    const bool pooled = options.from_pretraining == Pretraining::pooled_autoencoder;
    const std::int64_t epochs = (pooled ? options.pooled_autoencoder : options.language_model).epochs;
    paragraphs.push_back(
        fmt::format("All rows have the words of the {} {}, and those that begin with one its weights, {}. What it read "
                    "before is not "
                    "known here.",
                    pooled ? "pooled autoencoder" : "language model", options.from.string(),
                    epochs > 0 ? fmt::format("trained for {}", counted(epochs, "more epoch")) : "as they are"));
  }
  if (!task.published.empty())
    paragraphs.push_back(
        "Rows marked \"published\" are error rates from the literature, not ours. Those with a "
        "question mark are quoted from memory. " +
        task.difference);
  if (!results.pages.empty())
    paragraphs.push_back(fmt::format(
        "Each tested run has a page of its own with curves, confusion and the {} most confidently wrong:", units));
  return paragraphs;
}

/// As the run of any seed had it. What the experiment says for all configs is left out.
Json json_of(const TrainingConfig& config) {
  Json json = Json::parse(to_json(config));
  json.erase("seed");
  json.erase("validation_fraction");
  json.erase("validation_by_group");
  return json;
}

/// The configs of the options, with what the data decided, and what single runs had otherwise. How long a cosine lasts
/// differs from run to run.
void add_configs(const ClassificationOptions& options, const ClassificationResults& results, Json& configuration) {
  const auto add = [&](const char* name, TrainingConfig config) {
    fit_to_vocabulary(config.model, results.vocabulary);
    config.model.classes = results.classes;
    Json& json = configuration[name] = json_of(config);
    Json& schedule = json["optimizer"]["schedule"];
    if (config.optimizer.schedule.kind == ScheduleKind::cosine) schedule.erase("decay_steps");
  };
  add("language_model", options.language_model);
  add("autoencoder", options.autoencoder);
  add("pooled_autoencoder", options.pooled_autoencoder);
  add("classifier", options.classifier);
  add("classifier_scratch", options.classifier_scratch);
  add("classifier_perturbed", options.classifier_perturbed);
  Json& runs = configuration["runs"] = Json::object();
  for (const RunConfig& run : results.configs) {
    const Json base = flat_members(configuration[run.base]), own = flat_members(json_of(run.config));
    Json& others = runs[run.part] = {{"config", run.base}};
    for (const auto& [key, value] : own.items()) {
      if (base.contains(key) && base[key] == value) continue;
      std::string name = key.substr(1);
      std::ranges::replace(name, '/', '.');
      others[name] = value;
    }
  }
}

}  // namespace

Table classification_table(const ClassificationOptions& options, const ClassificationResults& results) {
  const std::string& unit = classification_task(options.source.task).unit;
  Table table{.title = fmt::format("Test error on {}, {} classes, {}", counted(results.test, unit, plural(unit)),
                                   grouped(results.classes), counted(std::ssize(options.seeds), "seed")),
              .columns = {"labels", "model", "test error, %", "validation error, %", "best epoch", "pretraining, s",
                          "training and test, s", options.language_model.row_width > 0 ? "numbers/s" : "tokens/s"},
              .rows = {}};
  for (const std::int64_t labels : results.labels) {
    for (const ClassificationRow& row : options.rows) table.rows.push_back(run_cells(row, labels, results));
    for (const BaselineRecord& baseline : results.baselines)
      if (baseline.labels == labels) table.rows.push_back(baseline_cells(baseline, grouped(labels), results));
  }
  for (const BaselineRecord& baseline : results.baselines)
    if (std::ranges::find(results.labels, baseline.labels) == results.labels.end())
      table.rows.push_back(baseline_cells(baseline, "all", results));
  for (const PublishedResult& result : classification_task(options.source.task).published)
    table.rows.push_back(plain_cells(result.confirmed ? "published" : "published?",
                                     fmt::format("{} ({})", result.model, result.where), exact(result.error, 2)));
  return table;
}

void write_classification_report(const ClassificationOptions& options, const ClassificationResults& results) {
  Report report;
  report.title = classification_task(options.source.task).title;
  report.summary = summary_of(options, results);
  for (const std::string& run : results.pages) report.links.push_back({run, "runs/" + run + "/index.html"});
  report.tables = {classification_table(options, results)};
  report.charts = charts(options, results);
  std::vector<std::string> rows;
  for (const ClassificationRow& row : options.rows) rows.push_back(row.key);
  Json configuration{{"task", options.source.task},
                     {"rows", rows},
                     {"labels", results.labels},
                     {"seeds", options.seeds},
                     {"split_seed", options.source.split_seed},
                     {"unlabelled", other_text(options.source)},
                     {"from", options.from.string()},
                     {"text", Json::parse(to_json(options.text))},
                     {"validation_fraction", options.validation_fraction},
                     {"refit", options.refit}};
  add_configs(options, results, configuration);
  if (classification_task(options.source.task).own_files) {
    configuration["data"] = options.source.data.string();
    configuration["test_data"] = options.source.test_data.string();
    configuration["test_fraction"] = options.source.test_fraction;
    configuration["reading"] = Json::parse(to_json(options.source.reading));
  }
  report.configuration = configuration.dump(1, ' ', false, Json::error_handler_t::replace);
  report.environment = to_json(collect_environment(options.command, options.seeds.front()));
  report.command = options.command;
  write_report(options.output, report);
}

}  // namespace eddy
