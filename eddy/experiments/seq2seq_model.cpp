// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/seq2seq_model.h"

#include <numeric>

#include "eddy/core/error.h"
#include "eddy/data/headlines.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/run_weights.h"
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "eddy/experiments/training_config_members.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/optimizers/caught_up_rows.h"

namespace eddy {

// Not in an unnamed namespace: the JSON templates find these by argument-dependent lookup.

void visit_members(Is<Seq2SeqProgress> auto& progress, auto& visit) {
  visit_members_of_progress(progress, visit);
  visit("recent_loss", progress.recent_loss);
  visit("recent_steps", progress.recent_steps);
  visit_members_of_window(progress.window, visit);
}

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kKind = "seq2seq";

std::string tokens_json(const TokenSet& tokens) {
  const SpecialTokens& specials = tokens.specials();
  return Json{{"tokens", tokens.tokens()},
              {"pad", specials.pad},
              {"go", specials.go},
              {"end", specials.end},
              {"unknown", specials.unknown}}
      .dump();
}

TokenSet tokens_from(const CheckpointMetadata& metadata, const std::string& key, const std::string& where) {
  const auto found = metadata.more.find(key);
  require<DataError>(found != metadata.more.end(), "{}: has no metadata \"{}\"", where, key);
  try {
    const Json json = Json::parse(found->second);
    return TokenSet(json.at("tokens").get<std::vector<std::string>>(),
                    {.pad = json.at("pad"), .go = json.at("go"), .end = json.at("end"), .unknown = json.at("unknown")});
  } catch (const Json::exception&) {
    fail<DataError>("{}: metadata \"{}\" is not of the form a model has", where, key);
  }
}

Seq2SeqModel parse(const CheckpointMetadata& metadata, const fs::path& path) {
  const std::string where = path.string();
  const auto kind = metadata.more.find("kind");
  require<DataError>(kind != metadata.more.end(),
                     "{}: holds weights alone, as the experiments on pairs keep them; expected a model of eddy seq2seq "
                     "train or of eddy experiment textsum",
                     where);
  require<DataError>(kind->second == kKind, "{}: is no encoder-decoder: its kind is \"{}\", expected \"{}\"", where,
                     kind->second, kKind);
  Seq2SeqModel model;
  model.config = seq2seq_config_from_json(metadata.config, where + ": config");
  model.source_tokens = tokens_from(metadata, "source_tokens", where);
  model.target_tokens = tokens_from(metadata, "target_tokens", where);
  from_json_text(metadata.position, where + ": position", model.progress);
  const SequenceToSequenceConfig& sizes = model.config.model;
  require<DataError>(sizes.source_vocabulary == model.source_tokens.size() &&
                         sizes.target_vocabulary == model.target_tokens.size() &&
                         sizes.classes == model.target_tokens.classes(),
                     "{}: the config says {} and {} words, but there are {} and {}", where, sizes.source_vocabulary,
                     sizes.target_vocabulary, model.source_tokens.size(), model.target_tokens.size());
  return model;
}

}  // namespace

void save_seq2seq(const fs::path& path, const ParameterStore& store, const Seq2SeqModel& model, bool everything) {
  CheckpointMetadata metadata;
  metadata.config = to_json(model.config);
  Seq2SeqProgress progress = model.progress;
  // Times and where the log stands are left out of models, so that equal runs give equal files.
  if (!everything) {
    progress.seconds = 0;
    progress.window = {};
  }
  metadata.position = to_json_text(progress);
  metadata.more = {{"kind", std::string(kKind)},
                   {"source_tokens", tokens_json(model.source_tokens)},
                   {"target_tokens", tokens_json(model.target_tokens)}};
  if (everything) return save_checkpoint(path, store, metadata);
  save_weights(path, store, metadata);
}

bool is_seq2seq(const fs::path& path) {
  const CheckpointMetadata metadata = read_checkpoint_metadata(path);
  const auto kind = metadata.more.find("kind");
  return kind != metadata.more.end() && kind->second == kKind;
}

Seq2SeqModel read_seq2seq(const fs::path& path) { return parse(read_checkpoint_metadata(path), path); }

LoadedSeq2Seq load_seq2seq(const fs::path& path) {
  const CheckpointMetadata metadata = read_checkpoint_metadata(path);
  LoadedSeq2Seq loaded{parse(metadata, path), std::make_unique<ParameterStore>(metadata.seed)};
  load_weights(path, *loaded.store,
               [&](ParameterStore& store) { create_parameters(store, loaded.model.config.model); });
  bring_rows_up_to_date(*loaded.store, make_optimizer(loaded.model.config.optimizer));
  return loaded;
}

void create_parameters(ParameterStore& store, const SequenceToSequenceConfig& config) {
  Graph graph;
  const Shape any{2, 2};
  greedy_sequence(store, config, graph.input("source", i32, any), graph.input("mask", f32, any), 2, 0);
}

TokenizerOptions tokenizer_of(const PairDataConfig& config) {
  return {.unit = config.unit, .lower_case = config.lower_case};
}

namespace {

/// The three parts one after the other.
Seq2SeqData headline_data(const PairDataConfig& data, const Seq2SeqModel* known) {
  HeadlineCorpus corpus = read_headlines(data.path, {}, data.source_words);
  require<DataError>(known == nullptr || corpus.tokens == known->source_tokens,
                     "{}: its vocabulary is not the one of the model", data.path);
  Seq2SeqData result;
  PairCollector collector(corpus.tokens, corpus.tokens);
  const auto append = [&](HeadlinePart& part, std::vector<std::int32_t>& numbers) {
    numbers.resize(part.texts.size());
    std::iota(numbers.begin(), numbers.end(), static_cast<std::int32_t>(result.texts.size()));
    for (std::int32_t i = 0; i < part.pairs.size(); ++i)
      collector.add(part.pairs.source.document(i), part.pairs.target.document(i),
                    part.texts[static_cast<std::size_t>(i)].id);
    std::ranges::move(part.texts, std::back_inserter(result.texts));
  };
  append(corpus.train, result.split.train);
  append(corpus.dev, result.split.validation);
  append(corpus.test, result.split.test);
  result.pairs = std::move(collector).finish();
  result.keys = source_keys(result.texts, tokenizer_of(data));
  return result;
}

Seq2SeqData table_data(const PairDataConfig& data) {
  PairTableOptions table;
  table.source = static_cast<int>(data.source_column);
  table.target = static_cast<int>(data.target_column);
  table.format.encoding = data.encoding;
  Seq2SeqData result;
  result.texts = read_pair_table(data.path, data.file, table);
  result.keys = source_keys(result.texts, tokenizer_of(data));
  return result;
}

void split_table(Seq2SeqData& data, const Seq2SeqConfig& config) {
  data.split =
      split_by_key(data.keys, {.validation = config.data.validation, .test = config.data.test, .seed = config.seed});
}

PairEncodeOptions encoding_of(const PairDataConfig& data) {
  PairEncodeOptions options;
  options.source_tokenizer = options.target_tokenizer = tokenizer_of(data);
  options.source_vocabulary = {
      .min_count = data.min_count, .min_documents = data.min_documents, .max_size = data.source_words};
  options.target_vocabulary = {
      .min_count = data.min_count, .min_documents = data.min_documents, .max_size = data.target_words};
  return options;
}

void set_fingerprint(Seq2SeqData& data) {
  data.fingerprint = fingerprint(data.pairs.source) ^ (3 * fingerprint(data.pairs.target));
}

}  // namespace

Seq2SeqData load_seq2seq_data(const Seq2SeqConfig& config, const Seq2SeqModel* known) {
  Seq2SeqData result;
  if (config.data.layout == PairLayout::headlines) {
    result = headline_data(config.data, known);
  } else {
    result = table_data(config.data);
    split_table(result, config);
    const PairEncodeOptions options = encoding_of(config.data);
    if (known != nullptr) {
      result.pairs = encode_pairs(result.texts, known->source_tokens, known->target_tokens, options);
    } else {
      const PairVocabularies words = count_pair_vocabularies(result.texts, result.split.train, options);
      result.pairs = encode_pairs(result.texts, TokenSet(words.source), TokenSet(words.target), options);
    }
  }
  set_fingerprint(result);
  return result;
}

void fit_to_data(Seq2SeqModel& model, const Seq2SeqData& data) {
  model.source_tokens = data.pairs.source_tokens;
  model.target_tokens = data.pairs.target_tokens;
  SequenceToSequenceConfig& sizes = model.config.model;
  sizes.source_vocabulary = model.source_tokens.size();
  sizes.target_vocabulary = model.target_tokens.size();
  sizes.classes = model.target_tokens.classes();
  fit_samples(sizes);
  model.progress.data_fingerprint = data.fingerprint;
}

void fit_samples(SequenceToSequenceConfig& model) {
  if (model.softmax_samples >= model.classes) model.softmax_samples = 0;
}

Seq2SeqMeasuredData load_measured_data(const Seq2SeqModel& model, const PairDataConfig& where) {
  Seq2SeqMeasuredData result;
  Seq2SeqData& data = result.data;
  const bool headlines = where.layout == PairLayout::headlines;
  if (headlines) {
    data = headline_data(where, &model);
  } else {
    data = table_data(where);
    data.pairs = encode_pairs(data.texts, model.source_tokens, model.target_tokens, encoding_of(where));
  }
  set_fingerprint(data);
  result.has_parts = headlines || data.fingerprint == model.progress.data_fingerprint;
  if (headlines) return result;
  if (result.has_parts) {
    split_table(data, model.config);
  } else {
    data.split.test.resize(data.texts.size());
    std::iota(data.split.test.begin(), data.split.test.end(), 0);
  }
  return result;
}

}  // namespace eddy
