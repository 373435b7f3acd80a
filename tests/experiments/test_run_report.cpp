// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "eddy/core/error.h"
#include "eddy/experiments/classification_result.h"
#include "eddy/experiments/memory_use.h"
#include "eddy/experiments/report_compare.h"
#include "eddy/experiments/run_history.h"
#include "eddy/experiments/run_report.h"
#include "eddy/experiments/seq2seq_config.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

TextModelVocabulary known_words() {
  const std::vector<std::string> tokens{"<unk>", "<eos>", "good", "bad", "語"};
  return {.text = {},
          .vocabulary = Vocabulary::from_lists(tokens, std::vector<std::int64_t>{0, 3, 5, 4, 1}),
          .label_names = {"neg", "pos"}};
}

EncodedCorpus corpus_of(const std::vector<std::pair<std::vector<std::int32_t>, int>>& documents) {
  CorpusArrays arrays;
  for (const auto& [tokens, label] : documents) {
    arrays.tokens.insert(arrays.tokens.end(), tokens.begin(), tokens.end());
    arrays.end_document(label, "d" + std::to_string(arrays.labels.size()));
  }
  return EncodedCorpus(std::move(arrays));
}

/// Five texts: two right, two wrong, one without label.
ClassificationResult small_result() {
  const EncodedCorpus corpus = corpus_of({{{2, 2}, 1}, {{3}, 0}, {{2, 3, 4}, 0}, {{3, 0}, 1}, {{2}, -1}});
  const Predictions predictions{.classes = 2,
                                .probabilities = {0.1f, 0.9f, 0.8f, 0.2f, 0.4f, 0.6f, 0.95f, 0.05f, 0.5f, 0.5f}};
  return classification_result("test", predictions, corpus, {0, 1, 2, 3, 4}, known_words());
}

TEST_CASE("results of a classifier: counts, and the wrong texts with the surest first") {
  const ClassificationResult result = small_result();
  CHECK(result.scores.documents == 4);
  CHECK(result.scores.error_rate == 0.5);
  CHECK(result.confusion.count(0, 1) == 1);
  CHECK(result.confusion.count(1, 0) == 1);
  REQUIRE(result.wrong.size() == 2);
  CHECK(result.wrong[0].text == "bad <unk>");
  CHECK(result.wrong[0].probability == doctest::Approx(0.95));
  CHECK(result.wrong[0].target_probability == doctest::Approx(0.05));
  CHECK(result.wrong[1].text == "good bad 語");
  CHECK(result.wrong[1].id == "d2");
  const HeatMap map = confusion_map(result, {"neg", "pos"});
  CHECK(map.values == std::vector<double>{50, 50, 50, 50});
  const Table wrong = wrong_table(result, {"neg", "pos"});
  CHECK(std::get<std::string>(wrong.rows[0][1]) == "pos");
  CHECK(std::get<std::string>(wrong.rows[0][2]) == "neg");
  const Table classes = class_table(result, {"neg", "pos"});
  CHECK(std::get<std::string>(classes.rows[0][5]) == "pos (1)");
}

TEST_CASE("a long text keeps its beginning and its end") {
  std::vector<std::int32_t> tokens(500, 2);
  tokens.front() = 4;
  tokens.back() = 3;
  const EncodedCorpus corpus = corpus_of({{tokens, 0}});
  const Predictions predictions{.classes = 2, .probabilities = {0.0f, 1.0f}};
  const auto result = classification_result("test", predictions, corpus, {0}, known_words());
  const std::string& text = result.wrong.at(0).text;
  CHECK(text.starts_with("語 good good"));
  CHECK(text.ends_with("good bad"));
  CHECK(text.find(" […] ") != std::string::npos);
  CHECK(text.size() < 500);
}

TEST_CASE("of a hundred classes the confusion shows those most often confused") {
  CorpusArrays arrays;
  Predictions predictions{.classes = 100, .probabilities = {}};
  std::vector<std::int32_t> documents;
  std::vector<std::string> names;
  for (std::int32_t label = 0; label < 100; ++label) {
    names.push_back(std::to_string(label));
    arrays.tokens.push_back(2);
    arrays.end_document(label, "");
    documents.push_back(label);
    // Classes 97 and 98 are taken for one another.
    const std::int32_t predicted = label == 97 ? 98 : label == 98 ? 97 : label;
    for (std::int32_t other = 0; other < 100; ++other)
      predictions.probabilities.push_back(other == predicted ? 1.0f : 0.0f);
  }
  const auto result =
      classification_result("test", predictions, EncodedCorpus(std::move(arrays)), documents, known_words());
  const HeatMap map = confusion_map(result, names);
  CHECK(map.rows.size() == 40);
  CHECK(map.rows.back() == "98");
  CHECK(map.rows[38] == "97");
  CHECK(map.values[38 * 40 + 39] == 100);
}

TEST_CASE("a log becomes curves; lines that are not whole are passed over") {
  const TemporaryFolder folder;
  spit(folder / "run.log.jsonl",
       "{\"step\":10,\"epoch\":0.5,\"loss\":2.5,\"gradient_norm\":1,\"tokens_per_second\":100,\"seconds\":3}\n"
       "{\"step\":20,\"epoch\":1,\"loss\":null,\"gradient_norm\":3,\"resident_mb\":12.5}\n"
       "{\"step\":20,\"validation_loss\":2,\"best\":1,\"validation_error\":0.25}\n"
       "{\"step\":30,\"ep");
  const RunHistory history = read_run_history(folder / "run.log.jsonl");
  REQUIRE(history.training.size() == 2);
  CHECK(history.training[0].loss == 2.5);
  CHECK(std::isnan(history.training[1].loss));
  CHECK(history.training[1].resident_mb == 12.5);
  REQUIRE(history.validation.size() == 1);
  CHECK(history.validation[0].epoch == 1);
  CHECK(history.validation[0].best);
  CHECK(*history.validation[0].error_rate == 0.25);
  std::vector<std::string> names;
  for (const ReportChart& chart : history_charts(history)) names.push_back(chart.name);
  CHECK(names == std::vector<std::string>{"loss", "error", "gradient-norm", "speed", "memory"});
}

Report small_report(const std::string& title, double error, std::int64_t hidden) {
  Report report;
  report.title = title;
  report.tables = {{"Results", {"part", "error, %"}, {{"test", Measure{error, std::nullopt, 2}}}}};
  report.charts = {
      report_chart("error",
                   {.title = "Error",
                    .x_label = "epoch",
                    .y_label = "%",
                    .series = {{.name = "", .x = {1, 2}, .y = {error + 1, std::nan("")}, .spread = {1, 2}}}},
                   "By epoch.")};
  report.details = {{"Wrong", {"text"}, {{"only " + title}}}};
  report.configuration = nlohmann::json{{"model", {{"hidden", hidden}, {"cell", "lstm"}}}}.dump();
  report.environment = R"({"date":")" + title + R"(","threads":2})";
  report.command = "eddy " + title;
  return report;
}

TEST_CASE("a model of rows of numbers reads numbers, not tokens") {
  TrainingConfig config;
  CHECK(loss_texts(config).items == "tokens");
  CHECK(describe_model(config, 5).find("vocabulary") != std::string::npos);
  config.row_width = 96;
  CHECK(loss_texts(config).items == "numbers");
  CHECK(describe_model(config, 5).find("rows of 96 numbers, 5 parameters") != std::string::npos);
  RunHistory history;
  history.training.push_back({.step = 1, .epoch = 1, .tokens_per_second = 7});
  std::vector<std::string> labels;
  for (const ReportChart& chart : history_charts(history, loss_texts(config))) labels.push_back(chart.lines->y_label);
  CHECK(std::ranges::count(labels, "numbers/s") == 1);
  CHECK(std::ranges::count(labels, "tokens/s") == 0);
}

TEST_CASE("a report reads back as it was written") {
  const TemporaryFolder folder;
  const Report report = small_report("a", 12.345, 64);
  write_report(folder / "a", report);
  const Report back = read_report(folder / "a");
  CHECK(to_json(back) == to_json(report));
  CHECK(to_json(read_report(folder / "a/report.json")) == to_json(report));
  CHECK(std::isnan(back.charts.at(0).lines->series.at(0).y.at(1)));
  std::filesystem::create_directories(folder / "b");
  spit(folder / "b/report.json", "{\"title\":\"x\"}");
  CHECK_THROWS_WITH_AS(read_report(folder / "b"),
                       doctest::Contains("b/report.json: is not the report.json of a report: key"), DataError);
  CHECK_THROWS_WITH_AS(read_report(folder / "c"), doctest::Contains("does not exist"), DataError);
}

TEST_CASE("runs compared: rows side by side, curves overlaid, only differing settings") {
  const Report joined = compare_reports({{"A", small_report("a", 10, 64)}, {"B", small_report("b", 8, 128)}});
  REQUIRE(joined.tables.size() == 1);
  CHECK(joined.tables[0].columns == std::vector<std::string>{"run", "part", "error, %"});
  REQUIRE(joined.tables[0].rows.size() == 2);
  CHECK(std::get<std::string>(joined.tables[0].rows[1][0]) == "B");
  CHECK(std::get<Measure>(joined.tables[0].rows[1][2]).mean == 8);
  REQUIRE(joined.charts.size() == 1);
  REQUIRE(joined.charts[0].lines->series.size() == 2);
  CHECK(joined.charts[0].lines->series[1].name == "B");
  CHECK(joined.charts[0].svg.find(">B<") != std::string::npos);
  const Table& settings = joined.details.at(0);
  REQUIRE(settings.rows.size() == 1);
  CHECK(std::get<std::string>(settings.rows[0][0]) == "model.hidden");
  CHECK(std::get<std::string>(settings.rows[0][1]) == "64");
  CHECK(std::get<std::string>(settings.rows[0][2]) == "128");
  CHECK(std::get<std::string>(joined.details.at(1).rows.at(0).at(0)) == "no differences");
  CHECK_THROWS_AS(compare_reports({{"A", small_report("a", 1, 1)}}), UsageError);
  CHECK_THROWS_AS(compare_reports({{"A", small_report("a", 1, 1)}, {"A", small_report("b", 1, 1)}}), UsageError);
}

TEST_CASE("runs of several kinds compared: settings that one kind lacks are told where they are not the default") {
  const auto with = [](const std::string& configuration) {
    Report report = small_report("a", 10, 64);
    report.configuration = configuration;
    return report;
  };
  TrainingConfig config;
  config.model.encoder.hidden_size = 77;
  config.model.adaptive_cutoffs = {4, 8};
  Seq2SeqConfig pairs = seq2seq_defaults();
  pairs.model.attention_size = 55;
  const std::string run = to_json(config), experiment = R"({"classifier": )" + run + "}";
  const auto names = [](const Report& joined) {
    std::vector<std::string> settings;
    for (const auto& row : joined.details.at(0).rows) settings.push_back(std::get<std::string>(row.at(0)));
    return settings;
  };
  CHECK(names(compare_reports({{"A", with(R"({"training": )" + run + "}")}, {"B", with(to_json(pairs))}})) ==
        std::vector<std::string>{"training.model.hidden_size", "training.model.adaptive_cutoffs.0",
                                 "training.model.adaptive_cutoffs.1", "model.attention_size"});
  CHECK(names(compare_reports({{"A", with(experiment)}, {"B", with("{}")}})) ==
        std::vector<std::string>{"classifier.model.hidden_size", "classifier.model.adaptive_cutoffs.0",
                                 "classifier.model.adaptive_cutoffs.1"});
  // What runs of one kind have differently is told, be it the default or not.
  CHECK(names(compare_reports({{"A", with(R"({"training": {"batch_size": 64}})")},
                               {"B", with(R"({"training": {"batch_size": 32}})")},
                               {"C", with("{}")}})) == std::vector<std::string>{"training.batch_size"});
}

TEST_CASE("runs of several kinds compared: tables of one title stand together") {
  Report a = small_report("a", 10, 64), b = small_report("b", 8, 128);
  for (Report* report : {&a, &b}) report->tables.push_back({"Time", {"seconds"}, {{exact(3, 0)}}});
  b.tables[0].columns = {"part", "perplexity"};
  std::vector<std::string> titles;
  for (const Table& table : compare_reports({{"A", a}, {"B", b}}).tables) titles.push_back(table.title);
  CHECK(titles == std::vector<std::string>{"Results", "Results", "Time"});
}

TEST_CASE("runs compared: what all of them say stands once, and a run has one colour in all charts") {
  Report a = small_report("a", 10, 64), b = small_report("b", 8, 128);
  for (Report* report : {&a, &b}) {
    report->tables[0].rows.push_back({std::string("published"), exact(7.24, 2)});
    report->charts.push_back(report->charts[0]);
    report->charts[1].name = "other";
  }
  a.charts.erase(a.charts.begin());
  const Report joined = compare_reports({{"A", a}, {"B", b}});
  REQUIRE(joined.tables[0].rows.size() == 3);
  CHECK(std::get<std::string>(joined.tables[0].rows[2][0]) == "all");
  CHECK(std::get<Measure>(joined.tables[0].rows[2][2]).mean == 7.24);
  REQUIRE(joined.charts.size() == 2);
  for (const ReportChart& chart : joined.charts)
    for (const ChartSeries& series : chart.lines->series) CHECK(series.color == (series.name == "A" ? 0 : 1));
}

TEST_CASE("runs without configuration are compared") {
  Report bare = small_report("a", 10, 64);
  bare.configuration = bare.environment = "{}";
  const Report same = compare_reports({{"A", bare}, {"B", bare}});
  for (const Table& table : {same.details.at(0), same.details.at(1)})
    CHECK(std::get<std::string>(table.rows.at(0).at(0)) == "no differences");
  const Table settings = compare_reports({{"A", bare}, {"B", small_report("b", 8, 128)}}).details.at(0);
  REQUIRE(settings.rows.size() == 1);  // the other, the cell, is what a run without configuration has
  CHECK(std::get<std::string>(settings.rows[0][0]) == "model.hidden");
  CHECK(std::get<std::string>(settings.rows[0][1]) == "–");
}

TEST_CASE("runs compared: many of them keep curves that can be told apart, and twice is not all") {
  std::vector<std::pair<std::string, Report>> runs;
  for (const char* name : {"A", "B", "C", "D", "E", "F", "G", "H"}) runs.emplace_back(name, small_report(name, 9, 64));
  for (int i = 0; i < 8; ++i) runs[0].second.tables[0].rows.push_back({std::string("mine"), exact(5, 1)});
  const Report joined = compare_reports(runs);
  for (const ChartSeries& series : joined.charts.at(0).lines->series) CHECK(series.color == -1);
  int mine = 0;
  for (const auto& row : joined.tables[0].rows)
    if (std::get<std::string>(row[1]) == "mine") mine += std::get<std::string>(row[0]) == "A" ? 1 : 100;
  CHECK(mine == 8);
}

TEST_CASE("where an axis ends is read back, too") {
  const TemporaryFolder folder;
  Report report = small_report("a", 12, 64);
  report.charts[0].lines->y_most = 100;
  report.charts[0].lines->y_least = 0;
  report.links = {{"the runs", "runs/a b/index.html"}};
  write_report(folder / "a", report);
  CHECK(read_report(folder / "a").charts.at(0).lines->y_most == 100);
  CHECK(read_report(folder / "a").charts.at(0).lines->y_least == 0);
  CHECK(to_json(read_report(folder / "a")) == to_json(report));
  CHECK(slurp(folder / "a/index.html").find("<a href=\"runs/a b/index.html\">the runs</a>") != std::string::npos);
  CHECK(slurp(folder / "a/report.md").find("- [the runs](<runs/a b/index.html>)") != std::string::npos);
  write_report(folder / "b", small_report("b", 12, 64));
  CHECK(std::isinf(read_report(folder / "b").charts.at(0).lines->y_most));
}

TEST_CASE("other experiments do not stand under the first one's title, nor on its axis") {
  Report other = small_report("b", 8, 128);
  other.tables[0].title = "Results on images";
  other.charts[0].lines->title = "Error on images";
  other.charts[0].caption = "By epoch over the images.";
  const Report joined = compare_reports({{"A", small_report("a", 10, 64)}, {"B", other}});
  REQUIRE(joined.tables.size() == 1);
  CHECK(joined.tables[0].title == "A: Results; B: Results on images");
  REQUIRE(joined.charts.size() == 1);
  CHECK(joined.charts[0].lines->title == "error");
  CHECK(joined.charts[0].caption == "A: Error; B: Error on images. A: By epoch. B: By epoch over the images.");

  other.charts[0].lines->y_label = "squared error";
  Report logarithmic = small_report("c", 8, 128);
  logarithmic.charts[0].lines->log_y = true;
  const Report apart = compare_reports({{"A", small_report("a", 10, 64)}, {"B", other}, {"C", logarithmic}});
  REQUIRE(apart.charts.size() == 3);
  CHECK(apart.charts[0].lines->title == "Error");
  CHECK(apart.charts[1].name == "error-2");
  CHECK(apart.charts[1].lines->title == "Error on images");
  CHECK(apart.charts[1].lines->series.at(0).name == "B");
  CHECK(apart.charts[2].name == "error-3");

  // Tables of the same columns: those of a title together, whatever their order.
  Report two = small_report("a", 10, 64), one = small_report("b", 8, 128);
  two.tables.push_back(two.tables[0]);
  two.tables[1].title = one.tables[0].title = "Results of the test";
  const Report paired = compare_reports({{"A", two}, {"B", one}});
  REQUIRE(paired.tables.size() == 2);
  CHECK(paired.tables[0].rows.size() == 1);
  CHECK(paired.tables[1].title == "Results of the test");
  CHECK(paired.tables[1].rows.size() == 2);
}

TEST_CASE("the memory of this process is known") {
  const MemoryUse use = memory_use();
  CHECK(use.resident > 1'000'000);
  CHECK(use.anonymous <= use.resident);
  CHECK(use.peak_resident >= use.resident);
}

}  // namespace
}  // namespace eddy
