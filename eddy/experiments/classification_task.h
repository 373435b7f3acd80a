// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/document.h"
#include "eddy/data/encode.h"
#include "eddy/experiments/run_data.h"

namespace eddy {

struct ClassificationOptions;
enum class Preset;
enum class TextAmount;

/// Which data set a classification experiment is about, and where it is.
struct ClassificationSource {
  std::string task = "wordnet";  ///< a name in classification_tasks()
  std::filesystem::path data;    ///< archive or folder in the original layout; own files: tsv or csv
  std::string unlabelled;        ///< other text for pretraining: empty, "imdb" or "amazon"
  std::vector<std::filesystem::path> unlabelled_data;  ///< its archive or folder; own files: any number of them
  std::int64_t test = 0;                               ///< test documents to hold out, where the data has no split
  std::uint64_t split_seed = 1;                        ///< of that split, and of the order of the training documents
  // Of the user's own files alone:
  DataConfig reading;               ///< format, columns, header and encoding
  std::filesystem::path test_data;  ///< tsv or csv as well; empty: a part of `data` is held out
  double test_fraction = 0.2;       ///< that part
};

/// The texts of a task. `train` is in random order, so that a beginning of it is a random part.
struct ClassificationTexts {
  Dataset train;  ///< labelled
  Dataset test;
  Dataset unlabelled;  ///< for pretraining only; all labels are -1
};

/// An error rate from the literature, beside which ours stands.
struct PublishedResult {
  std::string model;
  double error = 0;  ///< percent
  std::string where = "Dai & Le 2015";
  bool confirmed = true;  ///< false: quoted from memory, in none of the sources at hand
};

/// A data set as the recipe knows it: how its texts are read, what has to be said of them, and its presets. All else
/// (models, training, protocol, report) is the same for every task.
struct ClassificationTask {
  std::string name;                       ///< of the subcommand
  std::string title;                      ///< of the report
  std::string summary;                    ///< a line of help
  std::string unit;                       ///< "review": what a document is
  std::string about;                      ///< a paragraph of the report
  std::string default_data;               ///< empty: --data must be given
  std::int64_t default_test = 0;          ///< more than 0: the data has no split
  bool own_files = false;                 ///< the user's: what they are and how they are read is said with each run
  DataFormat format = DataFormat::guess;  ///< under which other commands read the data again
  std::vector<PublishedResult> published;
  std::string difference;  ///< of our data from the published one's; empty: none
  std::function<ClassificationTexts(const ClassificationSource&)> read;
  /// All but `source`; see classification_presets.h, which has untuned_preset for data that nothing was tuned for.
  std::function<ClassificationOptions(Preset, TextAmount)> preset;
  /// In place of `read`, for what is no text: parts "train", labelled documents first, and "test".
  std::function<EncodedDataset(const ClassificationSource&)> read_encoded;
};

/// All tasks: the one list to add to. It lives as long as the program and never changes: safe to read concurrently.
const std::vector<ClassificationTask>& classification_tasks();
/// Throws UsageError for a name that is not in the list.
const ClassificationTask& classification_task(std::string_view name);

/// `source.test` documents, drawn by its seed, for the test; the others in random order for training. Throws DataError
/// when the data has no more than those.
ClassificationTexts hold_out(const Dataset& all, const ClassificationSource& source);

/// The documents in an order drawn from the seed.
Dataset shuffled(const Dataset& data, std::uint64_t seed);

/// The same, but the last quarter, or a little more, is made of whole groups, one after another, of which nothing
/// stands before: what is held out at the end then tells how well a model does on other groups. Documents without a
/// group stay in front.
Dataset shuffled_groups_last(const Dataset& data, std::uint64_t seed);

}  // namespace eddy
