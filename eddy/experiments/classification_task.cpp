// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_task.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"
#include "eddy/data/amazon_reviews.h"
#include "eddy/data/cifar10.h"
#include "eddy/data/dbpedia.h"
#include "eddy/data/imdb.h"
#include "eddy/data/newsgroups.h"
#include "eddy/data/rotten_tomatoes.h"
#include "eddy/data/split.h"
#include "eddy/data/wordnet.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/classification_texts.h"

namespace eddy {
namespace {

std::vector<std::int32_t> random_order(std::int32_t count, std::uint64_t seed) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Philox random(seed, stable_hash("order"));
  shuffle(std::span(order), random);
  return order;
}

Dataset other_text(const ClassificationSource& source) {
  const std::filesystem::path& data = source.unlabelled_data.at(0);
  if (source.unlabelled == "amazon") return read_amazon_reviews(data);
  require<UsageError>(source.unlabelled == "imdb", "there is no other text \"{}\"; expected imdb or amazon",
                      source.unlabelled);
  Imdb imdb = read_imdb(data);
  Dataset all = without_labels(std::move(imdb.train));
  append(all, without_labels(std::move(imdb.unlabelled)));
  return all;
}

ClassificationTexts read_wordnet_task(const ClassificationSource& source) {
  Dataset all = read_wordnet(source.data);
  drop_repeated(all);
  return hold_out(all, source);
}

ClassificationTexts read_imdb_task(const ClassificationSource& source) {
  Imdb imdb = read_imdb(source.data);
  return {shuffled_groups_last(imdb.train, source.split_seed), std::move(imdb.test),
          shuffled(imdb.unlabelled, source.split_seed)};
}

ClassificationTexts read_newsgroups_task(const ClassificationSource& source) {
  Newsgroups news = read_newsgroups(source.data);
  return {shuffled_groups_last(news.train, source.split_seed), std::move(news.test), {{}, news.train.label_names}};
}

ClassificationTexts read_rotten_tomatoes_task(const ClassificationSource& source) {
  ClassificationTexts texts = hold_out(read_rotten_tomatoes(source.data), source);
  if (!source.unlabelled.empty()) {
    texts.unlabelled.documents = shuffled(other_text(source), source.split_seed).documents;
  }
  return texts;
}

ClassificationTexts read_dbpedia_task(const ClassificationSource& source) {
  Dbpedia data = read_dbpedia(source.data);
  return {shuffled(data.train, source.split_seed), std::move(data.test), shuffled(data.unlabelled, source.split_seed)};
}

ClassificationTask wordnet_task() {
  ClassificationTask task;
  task.name = "wordnet";
  task.title = "Pretraining on WordNet's glosses";
  task.summary = "Pretraining against training from scratch on WordNet's glosses, 45 classes";
  task.unit = "gloss";
  task.about = "Each gloss belongs to one of WordNet's lexicographer files. Repeated glosses are dropped.";
  task.default_data = std::string(kWordnetDirectory);
  task.default_test = 5000;
  task.format = DataFormat::wordnet;
  task.read = read_wordnet_task;
  task.preset = wordnet_preset;
  return task;
}

ClassificationTask imdb_task() {
  ClassificationTask task;
  task.name = "imdb";
  task.title = "Pretraining on IMDB's movie reviews";
  task.summary = "Pretraining against training from scratch on IMDB's movie reviews, 2 classes";
  task.unit = "review";
  task.about =
      "Reviews are positive or negative (Maas et al. 2011); the official training and test parts. With all labels, the "
      "reviews that choose the epoch are of films of their own, as those of the test are.";
  task.published = {{"LSTM with tuning and dropout", 13.50},
                    {"LSTM with word2vec vectors", 10.00},
                    {"LM-LSTM", 7.64},
                    {"SA-LSTM", 7.24},
                    {"SA-LSTM with linear gain", 9.17},
                    {"SA-LSTM, joint training", 14.70},
                    {"bag of words, unlabelled too", 11.11, "Maas et al. 2011"},
                    {"NBSVM, bigrams", 8.78, "Wang & Manning 2012"},
                    {"paragraph vectors", 7.42, "Le & Mikolov 2014"},
                    {"LM-LSTM, embedding normalised", 7.39, "Miyato et al. 2017"},
                    {"LM-LSTM, virtual adversarial training", 5.91, "Miyato et al. 2017"}};
  task.format = DataFormat::imdb;
  task.read = read_imdb_task;
  task.preset = imdb_preset;
  return task;
}

ClassificationTask rotten_tomatoes_task() {
  ClassificationTask task;
  task.name = "rt";
  task.title = "Pretraining on Rotten Tomatoes' sentences";
  task.summary = "Pretraining against training from scratch on Rotten Tomatoes' sentences, 2 classes";
  task.unit = "sentence";
  task.about = "Sentences of film reviews are positive or negative (Pang & Lee 2005).";
  task.default_test = 1066;
  task.published = {{"LSTM with tuning and dropout", 20.3, "Dai & Le 2015", false},
                    {"LSTM with linear gain", 21.1, "Dai & Le 2015", false},
                    {"LM-LSTM", 21.7},
                    {"SA-LSTM", 20.3},
                    {"SA-LSTM, pretrained on IMDB", 18.6},
                    {"SA-LSTM, pretrained on 7.9M Amazon reviews", 16.7},
                    {"NBSVM, bigrams", 20.6, "Wang & Manning 2012"},
                    {"CNN", 18.5, "Kim 2014"}};
  task.difference =
      "The set has no official split: ours is drawn at random, one for all seeds, as the published ones drew theirs.";
  task.read = read_rotten_tomatoes_task;
  task.preset = rotten_tomatoes_preset;
  return task;
}

ClassificationTask newsgroups_task() {
  ClassificationTask task;
  task.name = "20news";
  task.title = "Pretraining on 20 Newsgroups";
  task.summary = "Pretraining against training from scratch on 20 Newsgroups, 20 classes";
  task.unit = "message";
  task.about =
      "Messages belong to the group they were posted to; the split by date, with the headers it keeps. With all "
      "labels, "
      "the messages that choose the epoch are of subjects of their own, as most of those of the test are.";
  task.published = {{"LSTM", 18.0, "Dai & Le 2015", false},
                    {"LSTM with linear gain", 71.6, "Dai & Le 2015", false},
                    {"LM-LSTM", 15.3, "Dai & Le 2015", false},
                    {"SA-LSTM", 15.6},
                    {"SVM, bag of words", 17.1, "Dai & Le 2015"}};
  task.read = read_newsgroups_task;
  task.preset = newsgroups_preset;
  return task;
}

ClassificationTask dbpedia_task() {
  ClassificationTask task;
  task.name = "dbpedia";
  task.title = "Pretraining on DBpedia's abstracts";
  task.summary = "Pretraining against training from scratch on DBpedia's abstracts, 14 classes";
  task.unit = "abstract";
  task.about = "Abstracts are about one of 14 kinds of things (Zhang et al. 2015).";
  task.published = {{"LSTM, characters", 13.64},
                    {"LSTM with linear gain, characters", 1.32},
                    {"LM-LSTM, characters", 1.50},
                    {"SA-LSTM, characters", 2.34, "Dai & Le 2015", false},
                    {"SA-LSTM with linear gain, 3 layers, characters", 1.19},
                    {"SA-LSTM, words", 1.41},
                    {"bag of words", 3.57, "Zhang et al. 2015"},
                    {"convolutions over characters", 1.73, "Zhang et al. 2015"},
                    {"LM-LSTM, words", 0.90, "Miyato et al. 2017"}};
  task.difference =
      "The published rates are on 560,000 training and 70,000 test texts; those of a smaller training part, or of "
      "another split, cannot be compared with them.";
  task.read = read_dbpedia_task;
  task.preset = dbpedia_preset;
  return task;
}

EncodedCorpus shuffled(const EncodedCorpus& corpus, std::uint64_t seed) {
  CorpusArrays arrays;
  for (const std::int32_t document : random_order(corpus.size(), seed)) {
    const auto tokens = corpus.document(document);
    arrays.tokens.insert(arrays.tokens.end(), tokens.begin(), tokens.end());
    arrays.end_document(corpus.label(document), corpus.id(document), corpus.group(document));
  }
  return EncodedCorpus(std::move(arrays));
}

EncodedDataset read_cifar10_task(const ClassificationSource& source) {
  Cifar10 images = read_cifar10(source.data);
  EncodedDataset data;
  data.label_names = std::move(images.label_names);
  data.parts.push_back({"train", shuffled(images.train, source.split_seed)});
  data.parts.push_back({"test", std::move(images.test)});
  return data;
}

ClassificationTask cifar10_task() {
  ClassificationTask task;
  task.name = "cifar10";
  task.title = "Pretraining on CIFAR-10's images";
  task.summary = "Pretraining against training from scratch on CIFAR-10's images, row by row, 10 classes";
  task.unit = "image";
  task.about =
      "Images show one of 10 kinds of things (Krizhevsky 2009). An image is read as 32 steps of 96 numbers, its rows; "
      "LM predicts the next row and SA writes the rows again, both with a squared error.";
  task.published = {{"LSTM", 25.0, "Dai & Le 2015", false},
                    {"LM-LSTM", 23.1, "Dai & Le 2015", false},
                    {"SA-LSTM", 25.1, "Dai & Le 2015", false},
                    {"LSTM, 2 layers", 26.0},
                    {"LM-LSTM, 2 layers", 18.0},
                    {"convolutional deep belief network", 21.1, "Dai & Le 2015"}};
  task.difference =
      "The published rates are on 50,000 training and 10,000 test images; those of a sample, or of images that went "
      "through JPEG, cannot be compared with them.";
  task.read_encoded = read_cifar10_task;
  task.preset = cifar10_preset;
  return task;
}

}  // namespace

const std::vector<ClassificationTask>& classification_tasks() {
  static const std::vector<ClassificationTask> tasks = {wordnet_task(),    imdb_task(),    rotten_tomatoes_task(),
                                                        newsgroups_task(), dbpedia_task(), cifar10_task(),
                                                        own_texts_task()};
  return tasks;
}

const ClassificationTask& classification_task(std::string_view name) {
  const auto& tasks = classification_tasks();
  const auto found = std::find_if(tasks.begin(), tasks.end(), [&](const auto& task) { return task.name == name; });
  require<UsageError>(found != tasks.end(), "there is no classification task \"{}\"", name);
  return *found;
}

ClassificationTexts hold_out(const Dataset& all, const ClassificationSource& source) {
  const auto count = static_cast<std::int64_t>(all.documents.size());
  require<DataError>(source.test > 0 && source.test < count, "{}: {} asked for, the data has {}; expected 1 to {}",
                     source.data.string(), counted(source.test, "test document"), count, count - 1);
  const Split parts = split_off_test(count, source.test, source.split_seed);
  return {subset(all, parts.train), subset(all, parts.test), {{}, all.label_names}};
}

Dataset shuffled(const Dataset& data, std::uint64_t seed) {
  return subset(data, random_order(static_cast<std::int32_t>(data.documents.size()), seed));
}

Dataset shuffled_groups_last(const Dataset& data, std::uint64_t seed) {
  std::vector<std::int32_t> order = random_order(static_cast<std::int32_t>(data.documents.size()), seed);
  const auto group_of = [&](std::int32_t i) { return data.documents[static_cast<std::size_t>(i)].group; };
  std::map<std::int64_t, std::int64_t> sizes, place;
  for (const std::int32_t i : order)
    if (group_of(i) >= 0) ++sizes[group_of(i)];
  std::int64_t at_end = 0;
  for (const std::int32_t i : order) {
    const std::int64_t group = group_of(i);
    if (group < 0 || 4 * at_end >= std::ssize(order) || !place.try_emplace(group, std::ssize(place) + 1).second)
      continue;
    at_end += sizes[group];
  }
  std::ranges::stable_sort(order, {}, [&](std::int32_t i) {
    const auto found = place.find(group_of(i));
    return found == place.end() ? 0 : found->second;
  });
  return subset(data, order);
}

}  // namespace eddy
