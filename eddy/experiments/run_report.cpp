// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "eddy/experiments/environment.h"
#include "eddy/experiments/memory_use.h"

namespace eddy {
namespace {

/// Points of a curve; more of them are averaged, which also calms the noise of single batches.
constexpr std::size_t kPoints = 300;
constexpr double kMegabyte = 1e6;

template <class Get>
ChartSeries averaged(std::string name, const std::vector<RunHistory::Training>& points, Get&& get) {
  ChartSeries series{.name = std::move(name), .x = {}, .y = {}, .spread = {}};
  const std::size_t bins = std::min(points.size(), kPoints);
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const std::size_t begin = points.size() * bin / bins;
    const std::size_t end = points.size() * (bin + 1) / bins;
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += get(points[i]);
    series.x.push_back(points[end - 1].epoch);
    series.y.push_back(sum / static_cast<double>(end - begin));
  }
  return series;
}

template <class Get>
ChartSeries validated(std::string name, const std::vector<RunHistory::Validation>& points, Get&& get) {
  ChartSeries series{.name = std::move(name), .x = {}, .y = {}, .spread = {}};
  for (const RunHistory::Validation& point : points) {
    series.x.push_back(point.epoch);
    series.y.push_back(get(point));
  }
  return series;
}

bool has_data(const ChartSeries& series) {
  return std::ranges::any_of(series.y, [](double y) { return std::isfinite(y); });
}

/// Of the name of a part or a file what a chart's file may be named.
std::string file_name_of(const std::string& part) {
  std::string name;
  for (const char c : part) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (plain || !name.ends_with('-')) name += plain ? c : '-';
  }
  return name;
}

Table perplexity_table(const std::vector<std::pair<std::string, Evaluation>>& results) {
  Table table{
      .title = "Results", .columns = {"part", "texts", "tokens", "loss, nats per token", "perplexity"}, .rows = {}};
  for (const auto& [part, scores] : results)
    table.rows.push_back({part, exact(static_cast<double>(scores.documents), 0),
                          exact(static_cast<double>(scores.targets), 0), exact(scores.loss, 4),
                          exact(scores.perplexity(), 2)});
  return table;
}

}  // namespace

Table cost_table(std::int64_t parameters, const RunHistory& history, const std::string& items) {
  Table table{.title = "Time and memory",
              .columns = {"parameters", "steps", "epochs", "best step", "training and validation, s", items + " read",
                          items + "/s of training", "peak memory of this process, MB"},
              .rows = {}};
  const MemoryUse memory = memory_use();
  const auto best = std::ranges::find_if(history.validation.rbegin(), history.validation.rend(),
                                         [](const auto& point) { return point.best; });
  const bool trained = !history.training.empty();
  const RunHistory::Training last = trained ? history.training.back() : RunHistory::Training{};
  const auto known = [&](double value, int decimals) {
    return trained ? TableCell(exact(value, decimals)) : TableCell(std::string());
  };
  table.rows.push_back(
      {exact(static_cast<double>(parameters), 0), known(static_cast<double>(last.step), 0), known(last.epoch, 2),
       best == history.validation.rend() ? TableCell(std::string()) : exact(static_cast<double>(best->step), 0),
       known(last.seconds, 1), known(last.tokens, 0), known(history.tokens_per_second(), 0),
       exact(static_cast<double>(memory.peak_resident) / kMegabyte, 0)});
  return table;
}

LossTexts loss_texts(const TrainingConfig& config) {
  LossTexts texts;
  if (config.row_width > 0) texts.items = "numbers";
  if (!is_classification(config.task)) {
    if (config.row_width > 0) texts.unit = "squared error";
    return texts;
  }
  texts.unit = config.row_width > 0 ? "nats per image" : "nats per text";
  if (config.task == TrainingTask::joint)
    texts.more =
        fmt::format(" In training it is that of the classes and {:g} times that of the {}.", config.joint_weight,
                    config.joint_task == TrainingTask::autoencoder ? "autoencoder" : "language model");
  if (config.adversarial.kind != Perturbation::none)
    texts.more += " The training loss has that of the perturbed texts in it.";
  return texts;
}

std::vector<ReportChart> history_charts(const RunHistory& history, const LossTexts& loss) {
  std::vector<ReportChart> charts;
  const auto add = [&](std::string name, std::string title, std::string label, std::vector<ChartSeries> series,
                       std::string caption, bool from_zero = false) {
    std::erase_if(series, [](const ChartSeries& one) { return !has_data(one); });
    if (series.empty()) return;
    charts.push_back(report_chart(std::move(name),
                                  {.title = std::move(title),
                                   .x_label = "epoch",
                                   .y_label = std::move(label),
                                   .series = std::move(series),
                                   .y_from_zero = from_zero},
                                  std::move(caption)));
  };
  using Training = RunHistory::Training;
  using Validation = RunHistory::Validation;
  const bool is_validated = !history.validation.empty();
  add("loss", "Loss", loss.unit,
      {averaged("training", history.training, [](const Training& p) { return p.loss; }),
       validated("validation", history.validation, [](const Validation& p) { return p.loss; })},
      fmt::format("Mean loss of the batches as they were trained on, with dropout{}.{}",
                  is_validated ? ", and of the validation part" : "", loss.more));
  add("error", "Validation error", "%",
      {validated("", history.validation,
                 [](const Validation& p) { return p.error_rate ? 100 * *p.error_rate : std::nan(""); })},
      "Share of the validation texts given another class than theirs.");
  add("gradient-norm", "Gradient norm", "global norm",
      {averaged("", history.training, [](const Training& p) { return p.gradient_norm; })},
      "Norm of all gradients together, before clipping.", true);
  add("learning-rate", "Learning rate", "rate",
      {averaged("", history.training, [](const Training& p) { return p.learning_rate; })},
      "As the schedule has it, before factors of single parameters.", true);
  add("speed", "Speed", loss.items + "/s",
      {averaged("", history.training, [](const Training& p) { return p.tokens_per_second; })},
      fmt::format("Of {} read while training.", loss.items), true);
  add("memory", "Memory", "MB", {averaged("", history.training, [](const Training& p) { return p.resident_mb; })},
      "Resident memory of the process.", true);
  return charts;
}

Report run_report(const RunFacts& facts) {
  const ModelFile& model = facts.model;
  Report report;
  report.title = facts.title;
  report.summary = {describe_model(model.config, facts.parameters) + ".",
                    fmt::format("Data: {}.{}", model.data.path,
                                model.from.empty() ? "" : fmt::format(" Weights began as those of {}.", model.from))};
  if (!facts.measured_on.empty()) report.summary.push_back(fmt::format("Measured on: {}.", facts.measured_on));
  report.summary.insert(report.summary.end(), facts.notes.begin(), facts.notes.end());
  if (!facts.classified.empty()) report.tables.push_back(result_table(facts.classified));
  if (!facts.evaluated.empty()) report.tables.push_back(perplexity_table(facts.evaluated));
  report.tables.push_back(cost_table(facts.parameters, facts.history, loss_texts(facts.model.config).items));
  report.charts = history_charts(facts.history, loss_texts(model.config));
  for (const ClassificationResult& result : facts.classified)
    report.charts.push_back({"confusion-" + file_name_of(result.part),
                             to_svg(confusion_map(result, model.text.label_names)),
                             "Each row holds the texts of one class; in the diagonal are those that were right."});
  for (const ClassificationResult& result : facts.classified) {
    report.details.push_back(class_table(result, model.text.label_names));
    if (!result.wrong.empty()) report.details.push_back(wrong_table(result, model.text.label_names));
  }
  using Json = nlohmann::ordered_json;
  report.configuration = Json{
      {"training", Json::parse(to_json(model.config))},
      {"data", Json::parse(to_json(model.data))},
      {"text", Json::parse(to_json(model.text.text))},
      {"from", model.from}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  report.environment = to_json(collect_environment(facts.command, model.config.seed));
  report.command = facts.command;
  return report;
}

Report report_of_run(const std::filesystem::path& output, const EncodedDataset& data,
                     const std::vector<std::int32_t>& validation, const std::string& command, ProgressStyle progress) {
  const LoadedModel loaded = load_model(output);
  RunFacts facts{.title = output.filename().string(),
                 .model = loaded.file,
                 .parameters = loaded.store->parameter_count(),
                 .history = read_run_history(log_path(output)),
                 .classified = {},
                 .evaluated = {},
                 .command = command};
  TextEvaluator evaluator(*loaded.store, loaded.file.config);
  const auto add = [&](const std::string& part, const EncodedCorpus& corpus, std::vector<std::int32_t> documents) {
    evaluator.show_progress(pass_progress(part, progress));
    if (is_classification(loaded.file.config.task)) {
      std::erase_if(documents, [&](std::int32_t document) { return corpus.label(document) < 0; });
      if (documents.empty()) return;
      facts.classified.push_back(classification_result(part, evaluator.predict(corpus, documents), corpus, documents,
                                                       loaded.file.text, loaded.file.config.row_width));
    } else if (!documents.empty()) {
      facts.evaluated.emplace_back(part, evaluator.evaluate(corpus, documents));
    }
  };
  add("validation", data.part("train"), validation);
  for (const auto& part : data.parts) {
    if (part.name != "test") continue;
    std::vector<std::int32_t> all(static_cast<std::size_t>(part.corpus.size()));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
    add(part.name, part.corpus, std::move(all));
  }
  return run_report(facts);
}

}  // namespace eddy
