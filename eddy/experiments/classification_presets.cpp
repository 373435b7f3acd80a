// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_presets.h"

#include <algorithm>
#include <filesystem>

#include "eddy/core/error.h"
#include "eddy/data/cifar10.h"
#include "eddy/data/source.h"
#include "eddy/experiments/architecture.h"

namespace eddy {
namespace {

/// What differs from task to task; everything else follows.
struct Sizes {
  std::int64_t embedding = 128, hidden = 256;
  std::int64_t length = 400;  ///< tokens of a text that are read
  std::int64_t vocabulary = 30000;
  std::int64_t language_model_epochs = 4, autoencoder_epochs = 2;
  std::int64_t classifier_epochs = 0;
  std::int64_t scratch_epochs = 0;  ///< 0: as many
  std::int64_t patience = 3;
  std::int64_t pretraining_batch = 32, classifier_batch = 32;
  double pretraining_rate = 3e-3, classifier_rate = 1e-3;
  // Exact, at the cost of a few thousand samples; sampled losses of the first steps mislead Adam for long.
  std::vector<std::int64_t> adaptive_cutoffs = {2000, 10000};
  std::int64_t softmax_samples = 0;
  float pretraining_dropout = 0.1f, embedding_dropout = 0.3f, classifier_dropout = 0.3f;
  bool keep_last = true;
  bool all_states = false;  ///< the classifier looks at all states, and learns ever slower
  std::size_t seeds = 1;
};

/// Images are rows of numbers: nothing is left of words.
void read_rows(ClassificationOptions& options) {
  options.naive_bayes = false;
  for (TrainingConfig* config : options.configs()) {
    config->row_width = kCifarRow;
    config->max_length = 0;
    config->model.word_dropout = 0;
    config->model.embedding_dropout = 0;
    config->model.softmax_samples = 0;
    config->model.adaptive_cutoffs.clear();
  }
  options.rows = parse_rows({"lstm", "lm", "sa", "lstm-2", "lm-2"});
}

ClassificationOptions from_sizes(const Sizes& sizes) {
  ClassificationOptions options;
  options.rows = parse_rows({"lstm", "lm", "sa"});
  options.seeds.resize(sizes.seeds);
  for (std::size_t i = 0; i < sizes.seeds; ++i) options.seeds[i] = i + 1;
  options.text.vocabulary_size = sizes.vocabulary;

  TrainingConfig common;
  common.model.embedding_size = sizes.embedding;
  common.model.encoder.hidden_size = sizes.hidden;
  common.max_length = sizes.length;
  common.keep_last = sizes.keep_last;
  common.bucket_growth = 1.2;

  TrainingConfig pretraining = common;
  pretraining.batch_size = sizes.pretraining_batch;
  pretraining.model.adaptive_cutoffs = sizes.adaptive_cutoffs;
  pretraining.model.softmax_samples = sizes.softmax_samples;
  pretraining.model.embedding_dropout = sizes.pretraining_dropout;
  pretraining.model.output_dropout = sizes.pretraining_dropout;
  pretraining.optimizer.learning_rate = sizes.pretraining_rate;
  pretraining.optimizer.schedule.kind = ScheduleKind::cosine;  // to its floor at the end of the last epoch
  pretraining.optimizer.schedule.floor = 0.05;
  pretraining.optimizer.schedule.warm_up_steps = 100;
  pretraining.optimizer.clip_norm = 1;
  options.language_model = pretraining;
  options.language_model.task = TrainingTask::language_model;
  options.language_model.epochs = sizes.language_model_epochs;
  options.autoencoder = pretraining;
  options.autoencoder.task = TrainingTask::autoencoder;
  options.autoencoder.epochs = sizes.autoencoder_epochs;
  options.pooled_autoencoder = pretraining;
  options.pooled_autoencoder.task = TrainingTask::pooled_autoencoder;
  options.pooled_autoencoder.epochs = sizes.language_model_epochs;

  options.classifier = common;
  options.classifier.task = TrainingTask::classifier;
  options.classifier.batch_size = sizes.classifier_batch;
  options.classifier.epochs = sizes.classifier_epochs;
  options.classifier.patience = sizes.patience;
  options.classifier.optimizer.learning_rate = sizes.classifier_rate;
  options.classifier.optimizer.ema_decay = 0.99;
  options.classifier.model.pooling = Pooling::last_mean;
  options.classifier.model.word_dropout = 0.1f;
  options.classifier.model.embedding_dropout = sizes.embedding_dropout;
  options.classifier.model.output_dropout = 0.5f;
  options.classifier.model.classifier_dropout = sizes.classifier_dropout;
  if (sizes.all_states) {
    options.classifier.model.pooling = Pooling::concat;
    options.classifier.optimizer.clip_norm = 1;
    options.classifier.optimizer.schedule = pretraining.optimizer.schedule;
  }
  options.classifier_scratch = options.classifier_perturbed = options.classifier;
  if (sizes.scratch_epochs > 0) options.classifier_scratch.epochs = sizes.scratch_epochs;
  return options;
}

/// Many long texts, tested whole: the error falls with what is read. Perturbations do the work of dropped words, and
/// learn for longer.
ClassificationOptions imdb_cpu() {
  ClassificationOptions options = from_sizes({.embedding = 256,
                                              .hidden = 512,
                                              .language_model_epochs = 3,
                                              .autoencoder_epochs = 1,
                                              .classifier_epochs = 4,
                                              .scratch_epochs = 6,
                                              .patience = 2,
                                              .pretraining_rate = 2e-3,
                                              .embedding_dropout = 0.5f,
                                              .classifier_dropout = 0.5f,
                                              .all_states = true});
  TrainingConfig& perturbed = options.classifier_perturbed;
  perturbed.epochs = 6;
  perturbed.patience = 0;
  perturbed.model.word_dropout = 0;
  perturbed.model.output_dropout = 0.2f;
  perturbed.model.classifier_dropout = 0.3f;
  for (TrainingConfig* config : options.classifiers()) config->evaluation_max_length = 0;
  return options;
}

/// Little text and many classes, which words give away anywhere in a message, most of all in its subject. The tested
/// model learns from the validation part too: a third of the test messages go on with subjects that may be there alone.
ClassificationOptions newsgroups_cpu() {
  ClassificationOptions options = from_sizes({.language_model_epochs = 6,
                                              .autoencoder_epochs = 3,
                                              .classifier_epochs = 6,
                                              .patience = 0,
                                              .classifier_rate = 1e-2,
                                              .pretraining_dropout = 0.2f,
                                              .keep_last = false,
                                              .all_states = true,
                                              .seeds = 3});
  options.rows = parse_rows({"lstm", "lm", "sa", "pa"});
  options.refit = true;
  return options;
}

/// Little text of its own; with much other text that text decides.
ClassificationOptions rotten_tomatoes_cpu(bool other_text) {
  ClassificationOptions options = from_sizes({.embedding = 256,
                                              .hidden = 512,
                                              .length = other_text ? 200 : 60,
                                              .language_model_epochs = other_text ? 2 : 10,
                                              .autoencoder_epochs = other_text ? 1 : 6,
                                              .classifier_epochs = 5,
                                              .scratch_epochs = 10,
                                              .patience = 0,
                                              .pretraining_rate = other_text ? 2e-3 : 3e-3,
                                              .pretraining_dropout = other_text ? 0.1f : 0.3f,
                                              .embedding_dropout = 0.5f,
                                              .classifier_dropout = 0.5f,
                                              .all_states = true,
                                              .seeds = 3});
  // The default norm is one for reviews, of which a sentence is a fifteenth.
  for (TrainingConfig* config : options.classifiers()) config->adversarial.norm = 1;
  return options;
}

ClassificationOptions dbpedia_cpu() {
  return from_sizes({.length = 150,
                     .language_model_epochs = 6,
                     .autoencoder_epochs = 3,
                     .classifier_epochs = 6,
                     .patience = 0,
                     .classifier_rate = 3e-3,
                     .all_states = true,
                     .seeds = 3});
}

ClassificationOptions cifar10_cpu() {
  return from_sizes({.hidden = 512,
                     .language_model_epochs = 20,
                     .autoencoder_epochs = 20,
                     .classifier_epochs = 40,
                     .patience = 6,
                     .pretraining_rate = 1e-3,
                     .all_states = true,
                     .seeds = 3});
}

/// The glosses are short and few epochs teach enough: 12 minutes for three seeds.
ClassificationOptions wordnet_cpu() {
  ClassificationOptions options = from_sizes({.length = 40,
                                              .vocabulary = 12000,
                                              .language_model_epochs = 3,
                                              .autoencoder_epochs = 1,
                                              .classifier_epochs = 16,
                                              .patience = 8,
                                              .pretraining_batch = 64,  // few epochs are short of updates, not of text
                                              .classifier_batch = 16,
                                              .pretraining_rate = 5e-3,
                                              .adaptive_cutoffs = {},
                                              .softmax_samples = 512,
                                              .keep_last = false,  // two glosses in a hundred are longer
                                              .seeds = 3});
  options.rows = parse_rows({"lstm", "lm", "sa", "pa"});
  options.refit = true;
  options.autoencoder.batch_size = 32;
  for (TrainingConfig* config : options.configs()) {
    config->bucket_growth = TrainingConfig().bucket_growth;
  }
  for (TrainingConfig* config : options.pretrainings()) {
    config->optimizer.lazy_rows = true;
    config->optimizer.clip_norm = OptimizerSettings().clip_norm;
    config->optimizer.schedule.warm_up_steps = 0;
  }
  // Little padding: there are glosses enough for many lengths.
  for (TrainingConfig* config : options.pretrainings()) config->bucket_growth = 1.15;
  options.classifier.optimizer.learning_rate = 2e-3;
  // A mean over the gloss beats its last state here for the language model.
  options.classifier.model.pooling = Pooling::mean;
  options.classifier_scratch = options.classifier_perturbed = options.classifier;
  return options;
}

/// Texts that nothing was tuned for. Labels may be few beside much unlabelled text, so the classifiers run at a
/// constant rate until the validation part has had enough; pretraining goes by the amount of text.
ClassificationOptions untuned_cpu(TextAmount amount) {
  Sizes sizes{.language_model_epochs = 6,
              .autoencoder_epochs = 3,
              .classifier_epochs = 20,
              .patience = 4,
              .classifier_batch = 16,
              .seeds = 3};
  if (amount == TextAmount::little) {
    sizes.language_model_epochs = 10;
    sizes.autoencoder_epochs = 6;
    sizes.pretraining_dropout = 0.3f;
  } else if (amount == TextAmount::much) {
    sizes = {.embedding = 256,
             .hidden = 512,
             .language_model_epochs = 3,
             .autoencoder_epochs = 1,
             .classifier_epochs = 12,
             .patience = 4,
             .pretraining_rate = 2e-3};
  }
  ClassificationOptions options = from_sizes(sizes);
  for (TrainingConfig* config : options.classifiers()) config->optimizer.clip_norm = 1;
  return options;
}

/// Minutes, reading the texts of pretraining so many times.
ClassificationOptions quick(std::int64_t epochs, bool keep_last = true) {
  return from_sizes({.embedding = 64,
                     .hidden = 128,
                     .length = 100,
                     .vocabulary = 10000,
                     .language_model_epochs = epochs,
                     .autoencoder_epochs = (epochs + 1) / 2,
                     .classifier_epochs = 7,
                     .pretraining_batch = 64,
                     .keep_last = keep_last});
}

/// What the paper tuned for each data set.
struct PaperSizes {
  std::int64_t classifier_hidden = 30;
  float embedding_dropout = 0.8f, word_dropout = 0;
};

/// Sections 3 and 4 of the paper; where it says nothing (rates, clipping, decays), the authors' later published code.
ClassificationOptions paper(const PaperSizes& sizes = {}) {
  ClassificationOptions options = from_sizes({.embedding = 512,
                                              .hidden = 1024,
                                              .vocabulary = 0,
                                              .classifier_epochs = 40,
                                              .patience = 5,
                                              .pretraining_batch = 128,
                                              .classifier_batch = 64,
                                              .pretraining_rate = 1e-3,
                                              .adaptive_cutoffs = {},
                                              .softmax_samples = 1024,
                                              .pretraining_dropout = 0});
  options.rows = parse_rows({"lstm", "lstm-gain", "lm", "sa", "sa-gain", "sa-joint"});
  options.text.min_count = 2;  // words that occur once are left out
  for (TrainingConfig* config : options.pretrainings()) {
    config->epochs = 100000;
    config->max_steps = 500000;
    config->patience = 5;
    // Their 0.9999 was for 100,000 steps; over the 500,000 of the paper the rate falls as far.
    config->optimizer.schedule = {.kind = ScheduleKind::exponential, .decay = 0.99998, .decay_steps = 1};
  }
  for (TrainingConfig* config : options.classifiers()) {
    TextModelConfig& model = config->model;
    config->epochs = 40;
    config->optimizer.learning_rate = 5e-4;
    config->optimizer.clip_norm = 1;
    config->optimizer.ema_decay = 0.999;
    config->optimizer.schedule = {.kind = ScheduleKind::exponential, .decay = 0.9998, .decay_steps = 1};
    model.pooling = Pooling::last;
    model.output_dropout = 0;
    model.classifier_hidden_size = sizes.classifier_hidden;
    model.classifier_dropout = 0.5f;
    model.embedding_dropout = sizes.embedding_dropout;
    model.word_dropout = sizes.word_dropout;
  }
  return options;
}

ClassificationOptions dbpedia_paper() {
  ClassificationOptions options = paper({.embedding_dropout = 0});
  options.text.unit = TokenUnit::code_point;
  for (TrainingConfig* config : options.configs()) {
    config->model.embedding_size = 128;
    config->model.encoder.hidden_size = 512;
    config->model.encoder.layers = 2;
    config->model.classifier_dropout = 0;
  }
  return options;
}

/// Bytes of a file, or of all files in a folder that are read; none where there is nothing, of which the reader will
/// tell.
std::uintmax_t size_on_disk(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const std::uintmax_t size = fs::file_size(path, error);
    return error ? 0 : size;
  }
  std::uintmax_t sum = 0;
  for (const SourceFile& file : list_files(path)) sum += static_cast<std::uintmax_t>(file.size);
  return sum;
}

}  // namespace

TextAmount amount_of_text(const ClassificationSource& source) {
  if (!classification_task(source.task).own_files)
    return source.unlabelled.empty() ? TextAmount::little : TextAmount::much;
  std::uintmax_t bytes = size_on_disk(source.data);
  for (const auto& path : source.unlabelled_data) bytes += size_on_disk(path);
  return bytes < 4'000'000 ? TextAmount::little : bytes < 40'000'000 ? TextAmount::middle : TextAmount::much;
}

ClassificationOptions wordnet_preset(Preset preset, TextAmount) {
  ClassificationOptions options = preset == Preset::paper   ? paper()
                                  : preset == Preset::quick ? quick(1)
                                                            : wordnet_cpu();
  options.labels = {1000};
  return options;
}

ClassificationOptions imdb_preset(Preset preset, TextAmount) {
  if (preset == Preset::paper) return paper({.classifier_hidden = 512});
  return preset == Preset::quick ? quick(1) : imdb_cpu();
}

ClassificationOptions rotten_tomatoes_preset(Preset preset, TextAmount amount) {
  const bool other_text = amount == TextAmount::much;
  if (preset == Preset::paper) return paper({.embedding_dropout = 0.95f, .word_dropout = 0.5f});
  return preset == Preset::quick ? quick(other_text ? 1 : 6) : rotten_tomatoes_cpu(other_text);
}

ClassificationOptions newsgroups_preset(Preset preset, TextAmount) {
  if (preset == Preset::paper) return paper({.embedding_dropout = 0.7f, .word_dropout = 0.75f});
  return preset == Preset::quick ? quick(4, /*keep_last=*/false) : newsgroups_cpu();
}

ClassificationOptions dbpedia_preset(Preset preset, TextAmount) {
  if (preset == Preset::paper) return dbpedia_paper();
  return preset == Preset::quick ? quick(4) : dbpedia_cpu();
}

ClassificationOptions cifar10_preset(Preset preset, TextAmount) {
  ClassificationOptions options = preset == Preset::paper   ? paper()
                                  : preset == Preset::quick ? quick(4)
                                                            : cifar10_cpu();
  read_rows(options);
  return options;
}

ClassificationOptions untuned_preset(Preset preset, TextAmount amount) {
  if (preset == Preset::paper) return paper();
  if (preset == Preset::cpu) return untuned_cpu(amount);
  // Of little text, a few times as much.
  return quick(amount == TextAmount::little ? 6 : amount == TextAmount::much ? 1 : 4);
}

ClassificationOptions classification_preset(std::string_view task, Preset preset, TextAmount amount) {
  const ClassificationTask& known = classification_task(task);
  ClassificationOptions options = known.preset(preset, amount);
  // The features that the classifiers will see.
  TextModelConfig& features = options.pooled_autoencoder.model;
  take_features(options.classifier.model, features);
  features.classifier_dropout = options.classifier.model.classifier_dropout;
  options.source.task = known.name;
  options.source.data = known.default_data;
  options.source.test = known.default_test;
  return options;
}

void fit_to_vocabulary(TextModelConfig& model, std::int64_t words) {
  model.vocabulary_size = words;
  // Samples pay only where they are few among many.
  if (2 * model.softmax_samples > words) model.softmax_samples = 0;
  std::erase_if(model.adaptive_cutoffs, [words](std::int64_t id) { return id >= words; });
}

}  // namespace eddy
