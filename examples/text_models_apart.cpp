// SPDX-License-Identifier: Apache-2.0
// The text models taken apart: embeddings, encoder and losses put together by hand give what language_model() and
// text_classifier() give. What lies between is then free to be changed, here by adversarial training (Miyato, Dai &
// Goodfellow 2017): a classifier learns to say the same of embeddings that are moved where it hurts most.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>

using namespace eddy;

constexpr std::int64_t kTime = 6, kBatch = 16, kWords = 30;

/// Random texts; one is of class 1 when more of its words are of the second half of the vocabulary.
struct Texts {
  Tensor tokens{i32, {kTime, kBatch}}, mask{f32, {kTime, kBatch}}, labels{i32, {kBatch}};
  /// 1 for the rows with a label: every fourth.
  Tensor row_weights{f32, {kBatch}};

  explicit Texts(Philox& random) {
    for (std::int64_t b = 0; b < kBatch; ++b) {
      const std::int64_t length = 3 + 2 * static_cast<std::int64_t>(uniform_index(random, 2));
      int high = 0;
      for (std::int64_t t = 0; t < length; ++t) {
        const int word = 2 + static_cast<int>(uniform_index(random, kWords - 2));
        high += word >= kWords / 2 + 1 ? 1 : -1;
        tokens.values<int>()[t * kBatch + b] = word;
        mask.values<float>()[t * kBatch + b] = 1;
      }
      labels.values<int>()[b] = high > 0 ? 1 : 0;
      row_weights.values<float>()[b] = b % 4 == 0 ? 1 : 0;
    }
  }
  std::vector<Binding> bindings() const {
    return {{"tokens", tokens}, {"mask", mask}, {"labels", labels}, {"row_weights", row_weights}};
  }
};

struct Inputs {
  Value tokens, mask, labels, row_weights;
  explicit Inputs(Graph& graph)
      : tokens(graph.input("tokens", i32, {kTime, kBatch})),
        mask(graph.input("mask", f32, {kTime, kBatch})),
        labels(graph.input("labels", i32, {kBatch})),
        row_weights(graph.input("row_weights", f32, {kBatch})) {}
};

TextModelConfig small() {
  TextModelConfig config;
  config.vocabulary_size = kWords;
  config.embedding_size = 12;
  config.encoder.hidden_size = 16;
  config.classes = 2;
  config.pooling = Pooling::mean;
  return config;
}

/// The ready-made models and the same from their parts, on one store; the largest difference.
float difference_of_parts() {
  const TextModelConfig config = small();
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Inputs in(graph);

  const NextTokenTargets next = next_token_targets(config, in.tokens, in.mask);
  const Value whole = language_model(store, config, in.tokens, in.mask, next.targets, next.weights, Mode::infer).loss;
  const Value embedded = embed_tokens(store, config, in.tokens, Mode::infer);
  const Value states = encode_embedded(store, config, embedded, in.mask, Mode::infer).forward.outputs;
  const Value parts = vocabulary_loss(store, config, states, next.targets, next.weights, Mode::infer);
  // And from the scores of all words, as a decoder reads them.
  const EncodedText again = encode_tokens(store, config, in.tokens, in.mask, Mode::infer);
  const Value scores = vocabulary_logits(store, config, again.forward.outputs);
  const Value by_scores = cross_entropy(scores, next.targets, {.weights = next.weights});
  const Value likeliest = likeliest_token(store, config, again.forward.outputs);
  const Value disagree = sum(cast(not_equal(likeliest, argmax(scores)), f32));

  const Value classes = text_classifier(store, config, in.tokens, in.mask, Mode::infer);
  const Value from_embedded = classify_embedded(store, config, embedded, in.mask, Mode::infer);
  Program program =
      compile(graph, {abs(whole - parts), abs(whole - by_scores), disagree, max(abs(classes - from_embedded))});
  Philox random(3);
  float difference = 0;
  for (const Tensor& one : program.run(Texts(random).bindings())) difference = std::max(difference, one.item());
  return difference;
}

/// Perturbations by hand: of one length for every text, one that raises the loss and one that changes the prediction.
bool perturbations_hurt() {
  const TextModelConfig config = small();
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Inputs in(graph);
  const ClassScores model = [&](Value embedded) {
    return classify_embedded(store, config, embedded, in.mask, Mode::infer);
  };
  const auto loss_of = [&](Value scores) { return cross_entropy(scores, in.labels); };
  const Value embedded = embed_tokens(store, config, in.tokens, Mode::infer);
  const Value scores = model(embedded), loss = loss_of(scores), all = full(graph, {f32, {kBatch}}, 1);

  const Value real = expand_dims(in.mask, 2);
  const Value noise = scaled_to_norm(random_normal(random_key(graph, store), embedded.shape()) * real, 0.5f);
  const Value worst = adversarial_perturbation(loss, embedded, in.mask, 0.5f);
  const AdversarialConfig options{.norm = 0.5f, .relative = false, .power_iterations = 2};
  const Value turning = virtual_adversarial_perturbation(model, embedded, in.mask, scores, all, noise, options);
  const auto change = [&](Value by) { return kl_divergence(scores, model(embedded + by), all); };
  Program program = compile(graph, {loss, loss_of(model(embedded + noise)), loss_of(model(embedded + worst)),
                                    change(noise), change(turning), sqrt(sum(square(worst), {0, 2}))});
  Philox random(3);
  const auto is = program.run(Texts(random).bindings());
  fmt::print("loss {:.4f}; {:.4f} after noise, {:.4f} after the worst step of the same length\n", is[0].item(),
             is[1].item(), is[2].item());
  fmt::print("the prediction changes by {:.2g} nats after noise, {:.2g} after the step that turns it most\n",
             is[3].item(), is[4].item());
  return is[2].item() > is[0].item() && is[2].item() > is[1].item() && is[4].item() > is[3].item() &&
         std::abs(is[5].values<float>()[0] - 0.5f) < 1e-3f;
}

/// A quarter of the texts have labels; the share of right answers on others after training.
float accuracy(Perturbation kind, bool by_hand = false) {
  const TextModelConfig config = small();
  const AdversarialConfig adversarial{.kind = kind, .norm = 0.5f};
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Inputs in(graph);
  Value loss;
  if (by_hand) {  // what classifier_loss does
    ClassifierPass pass;
    pass.model = [&](Value x) { return classify_embedded(store, config, x, in.mask, Mode::train); };
    pass.loss = [&](Value scores) { return cross_entropy(scores, in.labels, {.weights = in.row_weights}); };
    pass.embedded = embed_tokens(store, config, in.tokens, Mode::train);
    pass.mask = in.mask;
    pass.scores = pass.model(pass.embedded);
    pass.key = random_key(graph, store);
    loss = pass.loss(pass.scores) + adversarial_loss(pass, adversarial);
  } else {
    loss = classifier_loss(store, config, in.tokens, in.mask, in.labels, in.row_weights, Mode::train, adversarial);
  }
  Program train = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 0.01f, .clip_norm = 1}))});
  Philox random(3);
  std::vector<Texts> texts;
  for (int i = 0; i < 30; ++i) texts.emplace_back(random);
  for (int i = 0; i < 600; ++i) train.run(texts[i % texts.size()].bindings());

  Graph measuring;
  const Inputs others(measuring);
  const Value guess = argmax(text_classifier(store, config, others.tokens, others.mask, Mode::infer));
  Program measure = compile(measuring, {mean(cast(equal(guess, others.labels), f32))});
  float right = 0;
  for (int i = 0; i < 50; ++i) right += measure.run(Texts(random).bindings())[0].item() / 50;
  return right;
}

int main() {
  set_num_threads(1);  // steps this small are not worth sharing
  const float difference = difference_of_parts();
  fmt::print("models and their parts differ by {:.1g}\n", difference);
  const bool hurt = perturbations_hurt();
  const float plain = accuracy(Perturbation::none), adversarial = accuracy(Perturbation::adversarial);
  const float by_hand = accuracy(Perturbation::adversarial, true);
  const float virtual_one = accuracy(Perturbation::virtual_adversarial);
  fmt::print(
      "right: {:.1f} % plain, {:.1f} % adversarially, {:.1f} % the same by hand, {:.1f} % virtually, with texts "
      "without label\n",
      100 * plain, 100 * adversarial, 100 * by_hand, 100 * virtual_one);
  return difference < 1e-5f && hurt && std::abs(by_hand - adversarial) < 0.02f && adversarial > 0.7f ? 0 : 1;
}
