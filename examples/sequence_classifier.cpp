// SPDX-License-Identifier: Apache-2.0
// Semi-supervised learning from text to classes, as the `eddy` program does it: many sentences without a label teach a
// language model or a sequence autoencoder, whose weights a classifier of few labelled ones begins with. On the way,
// training stops, is saved, and goes on from the file with the same bits.
#include <eddy/eddy.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>

using namespace eddy;

constexpr std::int64_t kTime = 8;  // one size of batch, so one program for each kind of training

/// Sentences on animals (label 0) and machines (label 1). Each of them shares words with few of its kind, so that a few
/// labelled ones do not show which words belong together.
Dataset sentences(int count, std::uint64_t seed) {
  const std::vector<std::string> things[] = {
      {"cat", "dog", "fox", "owl", "hen", "cow", "pig", "bee", "ant", "ewe"},
      {"car", "van", "bus", "saw", "fan", "pump", "drill", "mill", "crane", "tram"}};
  const std::vector<std::string> acts[] = {{"sleeps", "eats", "runs home", "grows", "hides"},
                                           {"rusts", "breaks down", "needs oil", "rattles", "runs dry"}};
  Philox random(seed);
  const auto one_of = [&](const std::vector<std::string>& words) { return words[uniform_index(random, words.size())]; };
  Dataset data{.documents = {}, .label_names = {"animal", "machine"}};
  for (int i = 0; i < count; ++i) {
    const int label = static_cast<int>(uniform_index(random, 2));
    std::string text = "The " + one_of({"old", "small", "grey"});
    text += " " + one_of(things[label]);
    text += " " + one_of(acts[label]) + ".";
    data.documents.push_back({.text = text, .label = label, .id = std::to_string(i)});
  }
  return data;
}

/// The arrays of a batch as values of a graph, and as tensors for a run.
struct Inputs {
  Value tokens, mask, labels, row_weights, targets, weights;
  explicit Inputs(Graph& graph, std::int64_t rows)
      : tokens(graph.input("tokens", i32, {kTime, rows})),
        mask(graph.input("mask", f32, {kTime, rows})),
        labels(graph.input("labels", i32, {rows})),
        row_weights(graph.input("row_weights", f32, {rows})),
        targets(graph.input("targets", i32, {kTime, rows})),
        weights(graph.input("weights", f32, {kTime, rows})) {}

  /// A plain batch has no targets, which its programs do not read either.
  static std::vector<Binding> of(const Batch& batch) {
    std::vector<Binding> bindings{{"tokens", batch.tokens}, {"mask", batch.mask}};
    if (batch.labels) bindings.insert(bindings.end(), {{"labels", batch.labels}, {"row_weights", batch.row_weights}});
    if (batch.targets) bindings.insert(bindings.end(), {{"targets", batch.targets}, {"weights", batch.weights}});
    return bindings;
  }
};

using LossBuilder = std::function<Value(ParameterStore& store, const Inputs& inputs)>;

/// Trains for so many steps; the last loss.
float train(ParameterStore& store, const LossBuilder& loss_of, BucketBatches& batches, std::int64_t rows, int steps) {
  Graph graph;
  const Value loss = loss_of(store, Inputs(graph, rows));
  Program step = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 0.01f, .clip_norm = 5}))});
  float last = 0;
  for (int i = 0; i < steps; ++i) last = step.run(Inputs::of(batches.next()))[0].item();
  return last;
}

/// Trains a classifier on the ten labelled sentences, from the weights that it shares with `pretrained`; the share of
/// the test sentences that it gets right.
float accuracy(const EncodedDataset& data, const TextModelConfig& config, const LossBuilder& loss, Layout layout,
               const ParameterStore* pretrained) {
  ParameterStore store(/*seed=*/2);
  Graph graph;
  const Inputs in(graph, 200);
  const Value guess = argmax(text_classifier(store, config, in.tokens, in.mask, Mode::infer));
  Program evaluate = compile(graph, {mean(cast(equal(guess, in.labels), f32))});
  if (pretrained != nullptr) transfer(*pretrained, store);  // by name

  BucketBatches few(data.part("labelled"), {.batch_size = 10, .layout = layout, .append_eos = true, .times = {kTime}});
  train(store, loss, few, 10, 60);
  BucketBatches test(data.part("test"), {.batch_size = 200, .append_eos = true, .times = {kTime}});
  const Batch batch = test.next();
  return evaluate.run({{"tokens", batch.tokens}, {"mask", batch.mask}, {"labels", batch.labels}})[0].item();
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing

  // --- text to batches: the tokenizer cuts, the vocabulary counts, the corpus holds ids ---
  const Dataset unlabelled = without_labels(sentences(1000, 1)), labelled = sentences(10, 2), test = sentences(200, 3);
  const DatasetPart parts[] = {{"unlabelled", &unlabelled}, {"labelled", &labelled}, {"test", &test, false}};
  const EncodedDataset data = encode_dataset(parts, {.tokenizer = {.unit = TokenUnit::word, .lower_case = true}});
  const std::span<const std::int32_t> first = data.part("test").document(0);
  fmt::print("{} words; \"{}\" is read as \"{}\"\n", data.vocabulary.size(), test.documents[0].text,
             data.vocabulary.decode(first));

  TextModelConfig config;
  config.vocabulary_size = data.vocabulary.size();
  config.embedding_size = 16;
  config.encoder.hidden_size = 32;
  config.classes = 2;

  // --- pretraining, in two halves with a file between them ---
  const LossBuilder modelled = [&](ParameterStore& store, const Inputs& in) {
    return language_model(store, config, in.tokens, in.mask, in.targets, in.weights, Mode::train).loss;
  };
  const BucketOptions text{.batch_size = 50, .layout = Layout::language_model, .times = {kTime}};
  ParameterStore whole(/*seed=*/1);
  BucketBatches all(data.part("unlabelled"), text);
  const float at_once = train(whole, modelled, all, 50, 80);

  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("eddy-example-{}.safetensors", getpid());
  ParameterStore before(/*seed=*/1);
  BucketBatches half(data.part("unlabelled"), text);
  train(before, modelled, half, 50, 40);
  save_checkpoint(file, before,
                  {.vocabulary = data.vocabulary.tokens(),
                   .vocabulary_counts = data.vocabulary.counts(),
                   .position = fmt::format("[{}, {}]", half.position().epoch, half.position().index)});

  ParameterStore resumed(/*seed=*/1);
  const CheckpointMetadata metadata = load_checkpoint(file, resumed);
  BatchPosition position;
  if (std::sscanf(metadata.position.c_str(), "[%ld, %ld]", &position.epoch, &position.index) != 2) return 1;
  BucketBatches rest(data.part("unlabelled"), text);
  rest.seek(position);
  const float in_two = train(resumed, modelled, rest, 50, 40);
  fmt::print("language model: {:.6f} nats a word trained at once, {:.6f} with a stop between\n", at_once, in_two);
  bool right = at_once == in_two;

  const auto read_again = [&](ParameterStore& store, const LossBuilder& loss) {
    BucketBatches plain(data.part("unlabelled"), {.batch_size = 50, .append_eos = true, .times = {kTime}});
    return train(store, loss, plain, 50, 250);
  };
  ParameterStore autoencoder(/*seed=*/1), pooled(/*seed=*/1);
  const float copied = read_again(autoencoder, [&](ParameterStore& store, const Inputs& in) {
    return sequence_autoencoder(store, config, in.tokens, in.mask, Mode::train);
  });
  const float known = read_again(pooled, [&](ParameterStore& store, const Inputs& in) {
    return pooled_autoencoder(store, config, in.tokens, in.mask, Mode::train);
  });
  fmt::print("sequence autoencoder: {:.3f} nats a word; pooled: {:.3f}\n", copied, known);

  // --- a classifier of ten labelled sentences, from nothing or from what the others know ---
  const LossBuilder classified = [&](ParameterStore& store, const Inputs& in) {
    return classifier_loss(store, config, in.tokens, in.mask, in.labels, in.row_weights, Mode::train);
  };
  const LossBuilder at_every_step = [&](ParameterStore& store, const Inputs& in) {
    return label_gain_loss(store, config, in.tokens, in.mask, in.labels, in.weights, Mode::train);
  };
  const LossBuilder with_model = [&](ParameterStore& store, const Inputs& in) {
    return joint_loss(store, config, in.tokens, in.mask, in.labels, in.row_weights, UnsupervisedTask::language_model,
                      /*unsupervised_weight=*/0.1f, Mode::train);
  };
  const float alone = accuracy(data, config, classified, Layout::plain, nullptr);
  const float pretrained = accuracy(data, config, classified, Layout::plain, &resumed);
  fmt::print("right of 200 others: {:.0f} % from nothing\n", 100 * alone);
  fmt::print("{:.0f} % after the language model, {:.0f} % with its loss added\n", 100 * pretrained,
             100 * accuracy(data, config, with_model, Layout::plain, &resumed));
  fmt::print("{:.0f} % after the pooled autoencoder\n",
             100 * accuracy(data, config, classified, Layout::plain, &pooled));
  fmt::print("{:.0f} % after the autoencoder, {:.0f} % with linear label gain\n",
             100 * accuracy(data, config, classified, Layout::plain, &autoencoder),
             100 * accuracy(data, config, at_every_step, Layout::label_gain, &autoencoder));

  // --- what the file holds ---
  fmt::print("written by {}\n", read_checkpoint_arithmetic(file));
  for (const CheckpointVariable& variable : read_checkpoint_variables(file))
    if (variable.trainable) fmt::print("  {} {}\n", variable.name, to_string(variable.type));
  right = right && read_checkpoint_metadata(file).vocabulary == data.vocabulary.tokens();
  std::filesystem::remove(file);
  return right && pretrained > alone + 0.1f ? 0 : 1;
}
