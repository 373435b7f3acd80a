// SPDX-License-Identifier: Apache-2.0
// The attention decoder of TensorFlow's legacy seq2seq, against its equations written out in double.
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/models/sequence_to_sequence.h"
#include "eddy/ops/scan.h"
#include "tests/models/model_runs.h"
#include "tests/models/plain_vectors.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

class Plain {
 public:
  explicit Plain(const ParameterStore& store) : store_(store) {}

  Vector vector(const std::string& name) const { return to_doubles(store_.find(name)->value); }
  Vector product(const Vector& x, const std::string& name) const { return test::product(x, vector(name)); }
  static Vector joined(Vector a, const Vector& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  /// A layer of an LSTM: h and c move, h comes back.
  Vector lstm(const std::string& layer, const Vector& x, Vector& h, Vector& c) const {
    const Vector gates = plus(plus(product(x, layer + "/w_x"), product(h, layer + "/w_h")), vector(layer + "/bias"));
    const std::size_t n = h.size();
    const auto gate = [&](std::size_t i) { return 1 / (1 + std::exp(-gates[i])); };
    for (std::size_t k = 0; k < n; ++k) {
      c[k] = gate(n + k) * c[k] + gate(k) * std::tanh(gates[2 * n + k]);
      h[k] = gate(3 * n + k) * std::tanh(c[k]);
    }
    return h;
  }
  /// sum_j softmax_j(v . tanh(W1 m_j + W2 query + b)) m_j
  Vector attend(const std::vector<Vector>& memory, const Vector& query) const {
    const Vector v = vector("attention/w_energy");
    const Vector asked = plus(product(query, "attention/w_query"), vector("attention/b_query"));
    Vector found(memory[0].size()), shares;
    double sum = 0;
    for (const Vector& position : memory) {
      const Vector inner = plus(product(position, "attention/w_memory"), asked);
      double energy = 0;
      for (std::size_t i = 0; i < v.size(); ++i) energy += v[i] * std::tanh(inner[i]);
      shares.push_back(std::exp(energy));
      sum += shares.back();
    }
    for (std::size_t j = 0; j < memory.size(); ++j)
      for (std::size_t i = 0; i < found.size(); ++i) found[i] += shares[j] / sum * memory[j][i];
    return found;
  }

 private:
  const ParameterStore& store_;
};

Vector stretch(const Tensor& tensor, std::size_t row, std::size_t width) {
  const Vector all = to_doubles(tensor);
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(row * width);
  return Vector(first, first + static_cast<std::ptrdiff_t>(width));
}

TEST_CASE("input feeding reads what attention found after the step before, and attends with all states") {
  constexpr std::size_t kHidden = 5, kEmbedding = 4, kSource = 3, kSteps = 4, kBatch = 2;
  SequenceToSequenceConfig config;
  config.source_vocabulary = config.target_vocabulary = config.classes = 7;
  config.embedding_size = kEmbedding;
  config.encoder.hidden_size = kHidden;
  config.encoder.layers = config.decoder_layers = 2;
  config.attention_size = 3;
  config.input_feeding = true;
  const std::vector<Ints> sources = {{1, 2, 3}, {5, 6}};
  const std::vector<Ints> targets = {{1, 4, 2, 6}, {3, 3, 5, 0}};

  FedGraph fed;
  ParameterStore store;
  const EncodedSource encoded =
      encode_source(store, config, fed.feed(columns(sources, 0)), fed.feed(mask_of(sources)), Mode::infer);
  const SequenceDecoder decoder(fed.graph, store, config, encoded);
  const auto step = [&](Value token, const State& state) { return decoder(token, state); };
  const ScanResult run = scan(step, decoder.embed(fed.feed(columns(targets, 0))), encoded.initial);
  randomize(store);
  const std::vector<Tensor> got = fed.run({run.output, encoded.read["memory"], encoded.initial["h0"],
                                           encoded.initial["c0"], encoded.initial["h1"], encoded.initial["c1"]});

  const Plain plain(store);
  const Vector table = plain.vector("target/table");
  for (std::size_t b = 0; b < kBatch; ++b) {
    std::vector<Vector> memory;
    for (std::size_t j = 0; j < sources[b].size(); ++j) memory.push_back(stretch(got[1], b * kSource + j, kHidden));
    Vector h0 = stretch(got[2], b, kHidden), c0 = stretch(got[3], b, kHidden);
    Vector h1 = stretch(got[4], b, kHidden), c1 = stretch(got[5], b, kHidden);
    Vector found(kHidden);
    for (std::size_t t = 0; t < kSteps; ++t) {
      CAPTURE(b);
      CAPTURE(t);
      const auto token = table.begin() + targets[b][t] * static_cast<std::ptrdiff_t>(kEmbedding);
      const Vector read = Plain::joined(Vector(token, token + kEmbedding), found);
      const Vector x = plus(plain.product(read, "decoder/w_input"), plain.vector("decoder/b_input"));
      plain.lstm("decoder1", plain.lstm("decoder0", x, h0, c0), h1, c1);
      found = plain.attend(memory, Plain::joined(Plain::joined(h0, c0), Plain::joined(h1, c1)));
      const Vector expected = plus(plain.product(Plain::joined(h1, found), "readout/w"), plain.vector("readout/b"));
      const Vector output = stretch(got[0], t * kBatch + b, kHidden);
      for (std::size_t k = 0; k < kHidden; ++k) CHECK(output[k] == doctest::Approx(expected[k]).epsilon(1e-5));
    }
  }
}

}  // namespace
}  // namespace eddy::test
