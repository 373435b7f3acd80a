// SPDX-License-Identifier: Apache-2.0
// Models of number rows against one LSTM over all steps, with the error written out.
#include <doctest/doctest.h>

#include "eddy/core/random.h"
#include "eddy/models/row_models.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "tests/models/reference.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 4, kBatch = 3, kWidth = 5;

TextModelConfig small_config() { return {.encoder = {.hidden_size = 6}, .classes = 3}; }

Tensor some_rows() {
  Philox random(2);
  std::vector<float> values(kTime * kBatch * kWidth);
  for (float& value : values) value = uniform_float(random, -1.0f, 1.0f);
  return Tensor::from(values, {kTime, kBatch, kWidth});
}

Tensor all_real() { return Tensor::from(std::vector<float>(kTime * kBatch, 1.0f), {kTime, kBatch}); }

/// Mean squared error of predicting `targets` from the last steps of the encoder over `steps`.
Value reference_error(FedGraph& graph, const ParameterStore& store, Value steps, Value targets) {
  const Value outputs = lstm(steps, weight(graph, store, "encoder0/w_x"), weight(graph, store, "encoder0/w_h"),
                             weight(graph, store, "encoder0/bias"))
                            .outputs;
  const Value last = slice(outputs, 0, steps.dim(0) - targets.dim(0));
  return mean(square(linear(last, weight(graph, store, "rows/w"), weight(graph, store, "rows/b")) - targets));
}

TEST_CASE("the next row is predicted from those before it") {
  ParameterStore store;
  FedGraph graph, reference;
  const Value loss = next_row_loss(store, small_config(), graph.feed(some_rows()), graph.feed(all_real()), Mode::infer);
  randomize(store);
  const Value rows = reference.feed(some_rows());
  const Value expected = reference_error(reference, store, slice(rows, 0, 0, kTime - 1), slice(rows, 0, 1));
  CHECK(difference(evaluate(graph, store, loss), evaluate(reference, store, expected)) == "");
}

TEST_CASE("the row autoencoder is one LSTM over the rows, zeros and the rows again but the last") {
  ParameterStore store;
  FedGraph graph, reference;
  const Value loss =
      row_autoencoder_loss(store, small_config(), graph.feed(some_rows()), graph.feed(all_real()), Mode::infer);
  randomize(store);
  const Value rows = reference.feed(some_rows());
  const Value steps = concat({rows, reference.feed(Tensor(f32, {1, kBatch, kWidth})), slice(rows, 0, 0, kTime - 1)}, 0);
  CHECK(difference(evaluate(graph, store, loss),
                   evaluate(reference, store, reference_error(reference, store, steps, rows))) == "");
}

TEST_CASE("the pooled row autoencoder predicts each row from the state before it and the features of them all") {
  ParameterStore store;
  FedGraph graph, reference;
  const Value loss =
      row_pooled_autoencoder_loss(store, small_config(), graph.feed(some_rows()), graph.feed(all_real()), Mode::infer);
  randomize(store);
  const Value rows = reference.feed(some_rows());
  const Value states = lstm(rows, weight(reference, store, "encoder0/w_x"), weight(reference, store, "encoder0/w_h"),
                            weight(reference, store, "encoder0/bias"))
                           .outputs;
  const Value before = concat({reference.feed(Tensor(f32, {1, kBatch, 6})), slice(states, 0, 0, kTime - 1)}, 0);
  const Value context =
      linear(slice(states, 0, kTime - 1), weight(reference, store, "context/w"), weight(reference, store, "context/b"));
  const Value predicted =
      linear(before + context, weight(reference, store, "rows/w"), weight(reference, store, "rows/b"));
  CHECK(difference(evaluate(graph, store, loss), evaluate(reference, store, mean(square(predicted - rows)))) == "");
}

TEST_CASE("a sequence without real rows changes no error, and the classifier takes the encoder's weights") {
  const TextModelConfig config = small_config();
  Tensor mask = all_real();
  for (std::int64_t t = 0; t < kTime; ++t) mask.values<float>()[static_cast<std::size_t>(t * kBatch + 2)] = 0;
  Tensor other = some_rows();
  for (std::int64_t t = 0; t < kTime; ++t)
    for (std::int64_t i = 0; i < kWidth; ++i)
      other.values<float>()[static_cast<std::size_t>((t * kBatch + 2) * kWidth + i)] = 7;
  const SourceLocation here = SourceLocation::current();
  for (const auto& model : {next_row_loss, row_autoencoder_loss, row_pooled_autoencoder_loss}) {
    ParameterStore store;
    FedGraph one, two;
    const Value first = model(store, config, one.feed(some_rows()), one.feed(mask), Mode::infer, here);
    const Value second = model(store, config, two.feed(other), two.feed(mask), Mode::infer, here);
    randomize(store);
    CHECK(difference(evaluate(one, store, first), evaluate(two, store, second)) == "");
    FedGraph three;
    const std::size_t before = store.all().size();
    text_classifier(store, config, three.feed(some_rows()), three.feed(mask), Mode::infer);
    CHECK(store.all().size() == before + 2);  // its own output layer only
    CHECK(store.find("embedding") == nullptr);
  }
}

TEST_CASE("two directions, or one row to predict the next from, are refused") {
  ParameterStore store;
  TextModelConfig config = small_config();
  FedGraph graph;
  const Value one = graph.feed(Tensor(f32, {1, 2, kWidth})), mask = graph.feed(Tensor(f32, {1, 2}));
  CHECK_THROWS_WITH_AS(next_row_loss(store, config, one, mask, Mode::infer), doctest::Contains("not 1"), GraphError);
  config.encoder.reverse = true;
  CHECK_THROWS_WITH_AS(next_row_loss(store, config, one, mask, Mode::infer), doctest::Contains("reads backwards"),
                       GraphError);
  config.bidirectional = true;
  CHECK_THROWS_WITH_AS(row_autoencoder_loss(store, config, one, mask, Mode::infer), doctest::Contains("one direction"),
                       GraphError);
}

}  // namespace
}  // namespace eddy::test
