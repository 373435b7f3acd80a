// SPDX-License-Identifier: Apache-2.0
// `eddy experiment textsum` on a corpus made here: learned by heart, decoded, measured, stopped and gone on.
#include <doctest/doctest.h>

#include <array>

#include "eddy/core/error.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/textsum.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

constexpr std::array<const char*, 4> kCities = {"北京", "上海", "广州", "深圳"};
constexpr std::array<const char*, 4> kEvents = {"暴雨", "大火", "地铁", "房贷"};

struct Lines {
  std::string content, title;
};

/// Texts whose headline is the city and the event in them; 武汉 is not in the vocabulary.
Lines texts(int count, int first) {
  Lines lines;
  for (int i = first; i < first + count; ++i) {
    const std::string city = i % 5 == 4 ? "武汉" : kCities[static_cast<std::size_t>(i % 4)];
    const std::string event = kEvents[static_cast<std::size_t>((i / 4 + i) % 4)];
    lines.content += "记者 " + city + " 7 日 电" + (i % 3 == 0 ? " ， 当地" : "") + " 出现 " + event + " 。\n";
    lines.title += city + " " + event + "\n";
  }
  return lines;
}

void write_corpus(const std::filesystem::path& folder) {
  std::string vocabulary = "_PAD\n_GO\n_EOS\n_UNK\n，\n。\n记者\n日\n电\n当地\n出现\n0\n";
  for (const char* city : kCities) vocabulary.append(city).append("\n");
  for (const char* event : kEvents) vocabulary.append(event).append("\n");
  std::filesystem::create_directories(folder);
  spit(folder / "vocab", vocabulary);
  const auto write = [&](const std::string& part, const Lines& lines) {
    spit(folder / ("content-" + part + ".txt"), lines.content);
    spit(folder / ("title-" + part + ".txt"), lines.title);
  };
  write("train", texts(24, 0));
  write("dev", texts(6, 24));
  write("test", texts(3, 30));
}

TextsumOptions small_options(const std::filesystem::path& corpus, const std::filesystem::path& output) {
  TextsumOptions options;
  options.config.data.path = corpus.string();
  options.config.sizes = {{8, 4}, {10, 5}};
  options.config.model.embedding_size = options.config.model.encoder.hidden_size = 24;
  options.config.model.attention_size = 16;
  options.config.batch_size = 8;
  options.config.epochs = 80;
  options.config.optimizer.schedule.patience = 10;
  options.config.optimizer.learning_rate = 0.01;
  options.search.batch_size = 8;
  options.search.beam = {.beam = 3, .longest = 6};
  options.output = output;
  options.progress = ProgressStyle::quiet;
  return options;
}

const TextsumScores& scores_of(const TextsumResult& result, const std::string& model, const std::string& part) {
  for (const TextsumScores& scores : result.scores)
    if (scores.model == model && scores.part == part) return scores;
  FAIL("no scores of " << model << " on " << part);
  return result.scores.front();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("textsum: headlines are learned by heart, decoded with copied words, measured and drawn") {
  const TemporaryFolder folder;
  write_corpus(folder / "news");
  const TextsumOptions options = small_options(folder / "news", folder / "report");
  const TextsumResult result = run_textsum(options);
  CHECK(result.pairs == std::array<std::int64_t, 3>{24, 6, 3});
  CHECK(result.vocabulary == 20);
  REQUIRE(result.scores.size() == 6);
  const TextsumScores& train = scores_of(result, "last", "train");
  CHECK(train.translations.exact_tokens > 0.9);
  CHECK(train.translations.rouge.rouge_1.f1 > 0.8);
  CHECK(train.original_rouge_2 > 0.7);
  CHECK(train.loss < 0.2);
  CHECK(scores_of(result, "last", "test").translations.sources.size() == 3);
  for (const TextsumScores& scores : result.scores)
    for (std::size_t i = 0; i < scores.translations.sources.size(); ++i)
      for (const std::string& word : scores.translations.translations[i].words) CHECK(word != "_UNK");

  // Validations fall to where the training began to learn by heart, and the best model is no worse on dev than the
  // last.
  CHECK(result.curve.size() == 80);
  CHECK(result.curve.back().training_loss < result.curve.front().training_loss);
  CHECK(scores_of(result, "best", "dev").loss <= scores_of(result, "last", "dev").loss + 1e-6);

  const std::string page = slurp(folder / "report" / "report.md");
  CHECK(contains(page, "24 pairs are far too few"));
  // Some of the 24 texts are the same.
  REQUIRE(train.translations.sources.size() == 21);
  CHECK(contains(page, "Learned by heart: of 21 training texts"));
  REQUIRE(result.heat_maps.size() == 7);
  // Labels of the text in reading order, though the encoder reads it last to first.
  const std::string& map = result.heat_maps.front().svg;
  CHECK(map.find("记者") < map.find("出现"));
  CHECK(contains(map, "_EOS"));
  CHECK_FALSE(contains(map, "_PAD"));

  // What is finished is not trained again, and more epochs go on with it.
  const TextsumResult again = run_textsum(options);
  CHECK(again.progress.steps == result.progress.steps);
  CHECK(scores_of(again, "last", "train").loss == train.loss);
  TextsumOptions longer = options;
  longer.config.epochs = 81;
  CHECK(run_textsum(longer).progress.steps > result.progress.steps);
}

TEST_CASE("textsum: a run stopped and gone on with ends with the same bits") {
  const TemporaryFolder folder;
  write_corpus(folder / "news");
  TextsumOptions options = small_options(folder / "news", folder / "through");
  options.config.epochs = 4;
  options.config.evaluation_steps = 3;
  options.config.optimizer.schedule.patience = 0;
  options.config.model.softmax_samples = 6;
  options.config.model.dropout = 0.1F;
  run_textsum(options);
  options.output = folder / "parts";
  options.config.max_steps = 5;
  CHECK(run_textsum(options).progress.steps == 5);
  options.config.max_steps = 0;
  run_textsum(options);
  CHECK(slurp(folder / "parts" / "last.safetensors") == slurp(folder / "through" / "last.safetensors"));
}

TEST_CASE("textsum: a kill before the last model was saved leaves no older one in its place") {
  const TemporaryFolder folder;
  write_corpus(folder / "news");
  TextsumOptions options = small_options(folder / "news", folder / "report");
  const auto last = folder / "report" / "last.safetensors";
  options.config.epochs = 1;
  run_textsum(options);
  const std::string older = slurp(last);
  options.config.epochs = 2;
  run_textsum(options);
  const std::string newer = slurp(last);
  CHECK(older != newer);
  spit(last, older);
  run_textsum(options);
  CHECK(slurp(last) == newer);
}

TEST_CASE("textsum: another config or other texts are refused, not written over") {
  const TemporaryFolder folder;
  write_corpus(folder / "news");
  TextsumOptions options = small_options(folder / "news", folder / "report");
  options.config.epochs = 1;
  run_textsum(options);
  const auto problem = [](const TextsumOptions& wrong) {
    try {
      run_textsum(wrong);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  TextsumOptions other = options;
  other.config.model.encoder.hidden_size = 16;
  CHECK(contains(problem(other), "is of a run with other options"));
  other.force = true;
  CHECK(problem(other) == "nothing");
  const Lines less = texts(20, 0);
  spit(folder / "news" / "content-train.txt", less.content);
  spit(folder / "news" / "title-train.txt", less.title);
  other.force = false;
  CHECK(contains(problem(other), "these are not the texts that"));
}

TEST_CASE("a translator pads and cuts as the training did, turns sources round and reads digits as zeros") {
  const TemporaryFolder folder;
  write_corpus(folder / "news");
  TextsumOptions options = small_options(folder / "news", folder / "report");
  options.config.epochs = 2;
  run_textsum(options);
  LoadedSeq2Seq loaded = load_seq2seq(folder / "report" / "last.safetensors");
  Translator translator(loaded, {.beam = {.beam = 2, .longest = 4}, .batch_size = 2});
  const TokenText six = {"记者", "北京", "7", "日", "电", "。"};
  TokenText long_text = {"记者", "北京", "7", "日", "电", "，", "当地", "出现", "暴雨", "。"};
  const TokenText cut = long_text;
  long_text.insert(long_text.end(), {"上海", "大火"});
  CHECK(translator.read_part(long_text).size() == 10);
  const std::vector<TokenText> sources = {six, long_text, cut};
  const auto translations = translator.translate(sources);
  CHECK(translations[0][0].source_time == 8);
  CHECK(translations[1][0].source_time == 10);
  CHECK(translations[1][0].tokens == translations[2][0].tokens);
  CHECK(translations[1][0].score == translations[2][0].score);
  const AttentionMap map = translator.attention_of(long_text, translations[1][0]);
  CHECK(map.reversed);
  CHECK(map.source == cut);
  // "7" is looked up as "0", else it is no word of the vocabulary.
  TokenText zero = six;
  zero[2] = "0";
  const auto score = [&](const TokenText& text) { return translator.translate(std::span(&text, 1))[0][0].score; };
  CHECK(score(six) == score(zero));
  loaded.model.config.data.zero_digits = false;
  CHECK(score(six) != score(zero));
}

TEST_CASE("presets have the sizes of the original") {
  const Seq2SeqConfig large = textsum_config(TextsumPreset::large), medium = textsum_config(TextsumPreset::medium);
  CHECK(large.model.encoder.layers == 4);
  CHECK(large.model.encoder.hidden_size == 256);
  CHECK(large.model.softmax_samples == 4096);
  CHECK(large.data.source_words == 50000);
  CHECK(large.optimizer.learning_rate == 1.0);
  CHECK(large.optimizer.schedule.decay == 0.99);
  CHECK(medium.model.decoder_layers == 2);
  CHECK(medium.model.softmax_samples == 2048);
  CHECK(medium.data.source_words == 10000);
  CHECK(to_json(seq2seq_config_from_json(to_json(large), "test")) == to_json(large));
}

}  // namespace
}  // namespace eddy
