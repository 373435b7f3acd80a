// SPDX-License-Identifier: Apache-2.0
// The training workloads of bench/workload.cpp in DyNet, under the same protocol as eddy_workloads (see its --help).
//
//   dynet_workloads NAME VOCABULARY TIME BATCH EMBEDDING HIDDEN FOLDER
//
// FOLDER has weights and batch under eddy's names and layouts, a .npy file each: what torch_workloads.py --save writes,
// unpacked. Not part of eddy's build, as Debian has no DyNet; with DyNet built in the folder DYNET from its sources:
//
//   g++ -O3 -march=native -std=c++17 bench/peers/dynet_workloads.cpp -I DYNET -I /usr/include/eigen3
//       -L DYNET/build/dynet -Wl,-rpath,DYNET/build/dynet -ldynet -o dynet_workloads
//   python3 bench/compare.py --dynet ./dynet_workloads
#include <dynet/dynet.h>
#include <dynet/expr.h>
#include <dynet/lstm.h>
#include <dynet/training.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using dynet::Expression;

struct Sizes {
  std::string name;
  unsigned vocabulary, time, batch, embedding, hidden;
  bool is(const std::string& kind) const { return name.rfind(kind, 0) == 0; }
  /// -1 for the models without a decoder of their own.
  int mode() const { return is("dec") || is("toy") ? name[3] - '0' : -1; }
};

/// The numbers of a .npy file of four-byte elements in C order.
template <class T>
std::vector<T> read_array(const std::string& folder, const std::string& name, std::size_t count) {
  const std::string path = folder + "/" + name + ".npy";
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::size_t start = bytes.find('\n') + 1;
  if (bytes.size() != start + count * sizeof(T) || bytes.find("'fortran_order': False") > start)
    throw std::runtime_error(path + " does not hold " + std::to_string(count) + " numbers in C order");
  std::vector<T> values(count);
  std::copy_n(bytes.data() + start, count * sizeof(T), reinterpret_cast<char*>(values.data()));
  return values;
}

/// Rows become columns.
std::vector<float> transposed(const std::vector<float>& values, std::size_t rows, std::size_t columns) {
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) result[j * rows + i] = values[i * columns + j];
  return result;
}

/// eddy orders the gates i, f, g, o, DyNet i, f, o, g.
std::vector<float> reordered(std::vector<float> values, std::size_t hidden) {
  for (auto gates = values.begin(); gates != values.end(); gates += static_cast<std::ptrdiff_t>(4 * hidden))
    std::rotate(gates + static_cast<std::ptrdiff_t>(2 * hidden), gates + static_cast<std::ptrdiff_t>(3 * hidden),
                gates + static_cast<std::ptrdiff_t>(4 * hidden));
  return values;
}

/// DyNet adds epsilon to a second moment that is not corrected for its start; with this epsilon it is PyTorch's Adam.
struct Adam : dynet::AdamTrainer {
  using dynet::AdamTrainer::AdamTrainer;
  void step() {
    epsilon = 1e-8F * std::sqrt(1 - std::pow(beta_2, updates + 1));
    update();
  }
};

class Session {
 public:
  Session(const Sizes& sizes, const std::string& folder)
      : sizes_(sizes),
        folder_(folder),
        trainer_(model_),
        encoder_(1, sizes.embedding, sizes.hidden, model_, false, 0.0F),
        decoder_(1, sizes.hidden * (sizes.mode() >= 2 ? 2 : 1), sizes.hidden, model_, false, 0.0F) {
    trainer_.clip_threshold = 1;
    const unsigned v = sizes.vocabulary, e = sizes.embedding, h = sizes.hidden;
    table_ = model_.add_lookup_parameters(v, {e});
    const std::vector<float> rows = floats("embedding", v * e);
    for (unsigned word = 0; word < v; ++word)
      table_.initialize(word, {rows.begin() + word * e, rows.begin() + (word + 1) * e});
    set_layer(encoder_, "encoder0", e);
    if (sizes.mode() >= 0) set_layer(decoder_, "decoder", h * (sizes.mode() >= 2 ? 2 : 1));
    softmax_ = parameter({v, h}, transposed(floats("softmax/table", v * h), v, h));
    bias_ = parameter({v}, floats("softmax/bias", v));
    if (sizes.mode() == 3) {
      w_memory_ = parameter({h, h}, floats("attention/w_memory", h * h));
      b_memory_ = parameter({h}, floats("attention/b_memory", h));
      w_query_ = parameter({h, h}, floats("attention/w_query", h * h));
      w_energy_ = parameter({1, h}, floats("attention/w_energy", h));
    }
    tokens_ = words("tokens");
    targets_ = words("targets");
  }

  std::string values(double steps) {
    std::ostringstream text;
    text.precision(9);
    for (int i = 0; i < steps; ++i) text << (i > 0 ? ", " : "") << step();
    return "{\"values\": [" + text.str() + "]}";
  }

  std::string time(double seconds) {
    constexpr std::size_t kLeastSteps = 5;  // as eddy_workloads
    step();
    std::vector<double> times;
    while (std::accumulate(times.begin(), times.end(), 0.0) < seconds || times.size() < kLeastSteps) {
      const auto start = std::chrono::steady_clock::now();
      step();
      times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(times.begin(), times.end());
    const double median = (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2;
    std::ostringstream text;
    text << "{\"steps\": " << times.size() << ", \"median\": " << median << "}";
    return text.str();
  }

  static std::string memory() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
      if (line.rfind("VmHWM:", 0) == 0)
        return "{\"peak_resident\": " + std::to_string(std::stoull(line.substr(6)) * 1024) + "}";
    throw std::runtime_error("/proc/self/status does not say VmHWM");
  }

 private:
  using Words = std::vector<std::vector<unsigned>>;

  std::vector<float> floats(const std::string& name, std::size_t count) const {
    return read_array<float>(folder_, name, count);
  }
  Words words(const std::string& name) const {
    const auto all = read_array<std::int32_t>(folder_, name, std::size_t{sizes_.time} * sizes_.batch);
    Words steps;
    for (auto row = all.begin(); row != all.end(); row += sizes_.batch) steps.emplace_back(row, row + sizes_.batch);
    return steps;
  }
  dynet::Parameter parameter(const dynet::Dim& dim, const std::vector<float>& values) {
    dynet::Parameter made = model_.add_parameters(dim);
    made.set_value(values);
    return made;
  }
  void set_layer(dynet::VanillaLSTMBuilder& layer, const std::string& name, std::size_t input) {
    const std::size_t hidden = sizes_.hidden;
    std::vector<dynet::Parameter>& parameters = layer.params[0];  // of the input, of the state, bias
    parameters[0].set_value(reordered(floats(name + "/w_x", input * 4 * hidden), hidden));
    parameters[1].set_value(reordered(floats(name + "/w_h", hidden * 4 * hidden), hidden));
    parameters[2].set_value(reordered(floats(name + "/bias", 4 * hidden), hidden));
  }

  /// The loss before the weights move.
  float step() {
    dynet::ComputationGraph graph;
    encoder_.new_graph(graph);
    decoder_.new_graph(graph);
    const Expression table = dynet::parameter(graph, softmax_), bias = dynet::parameter(graph, bias_);
    std::vector<Expression> losses;
    const auto add_loss = [&](const Expression& output) {
      losses.push_back(
          dynet::pickneglogsoftmax(dynet::affine_transform({bias, table, output}), targets_[losses.size()]));
    };
    const auto word = [&](unsigned t) { return dynet::lookup(graph, table_, tokens_[t]); };
    encoder_.start_new_sequence();
    std::vector<Expression> source;
    for (unsigned t = 0; t < sizes_.time; ++t) source.push_back(encoder_.add_input(word(t)));
    if (sizes_.is("lm_")) {
      for (const Expression& output : source) add_loss(output);
    } else if (sizes_.is("sa_")) {
      encoder_.start_new_sequence(encoder_.final_s());
      for (unsigned t = 0; t < sizes_.time; ++t)
        add_loss(encoder_.add_input(t > 0 ? word(t - 1) : zeros(graph, sizes_.embedding)));
    } else {
      decode(graph, source, add_loss);
    }
    const Expression loss = dynet::sum_batches(dynet::sum(losses)) / static_cast<float>(sizes_.time * sizes_.batch);
    const float value = dynet::as_scalar(graph.forward(loss));
    graph.backward(loss);
    trainer_.step();
    return value;
  }

  template <class AddLoss>
  void decode(dynet::ComputationGraph& graph, const std::vector<Expression>& source, const AddLoss& add_loss) {
    const int mode = sizes_.mode();
    const Expression context = source.back();
    Expression output = context, memory, keys, query, energy;
    if (mode == 0)
      decoder_.start_new_sequence();
    else if (mode == 3)
      decoder_.start_new_sequence({zeros(graph, sizes_.hidden), context});
    else
      decoder_.start_new_sequence(encoder_.final_s());
    if (mode == 3) {
      memory = dynet::concatenate_cols(source);
      keys = dynet::colwise_add(dynet::parameter(graph, w_memory_) * memory, dynet::parameter(graph, b_memory_));
      query = dynet::parameter(graph, w_query_);
      energy = dynet::parameter(graph, w_energy_);
    }
    const auto attended = [&] {
      const Expression scores = energy * dynet::tanh(dynet::colwise_add(keys, query * output));
      return memory * dynet::softmax(dynet::transpose(scores));
    };
    for (unsigned t = 0; t < sizes_.time; ++t) {
      Expression read = mode == 0 ? context : output;
      if (mode >= 2) read = dynet::concatenate({output, mode == 2 ? context : attended()});
      output = decoder_.add_input(read);
      add_loss(output);
    }
  }

  Expression zeros(dynet::ComputationGraph& graph, unsigned size) const {
    return dynet::zeros(graph, dynet::Dim({size}, sizes_.batch));
  }

  Sizes sizes_;
  std::string folder_;
  dynet::ParameterCollection model_;
  Adam trainer_;
  dynet::VanillaLSTMBuilder encoder_, decoder_;
  dynet::LookupParameter table_;
  dynet::Parameter softmax_, bias_, w_memory_, b_memory_, w_query_, w_energy_;
  Words tokens_, targets_;
};

int run(int argc, char** argv) {
  if (argc != 8) throw std::runtime_error("NAME VOCABULARY TIME BATCH EMBEDDING HIDDEN FOLDER are wanted");
  const auto size = [&](int i) { return static_cast<unsigned>(std::stoul(argv[i])); };
  const Sizes sizes{argv[1], size(2), size(3), size(4), size(5), size(6)};
  const std::string folder = argv[7];
  dynet::DynetParams params;
  params.random_seed = 1;
  params.mem_descriptor = "16";  // megabytes to begin with; pools grow
  std::streambuf* const messages = std::cerr.rdbuf(nullptr);
  dynet::initialize(params);
  std::cerr.rdbuf(messages);
  Session session(sizes, folder);
  std::cout << "{\"workload\": \"" << sizes.name << "\"}" << std::endl;
  for (std::string command; std::cin >> command && command != "quit";) {
    double number = 0;
    if (command != "memory") std::cin >> number;
    if (command != "memory" && command != "values" && command != "time")
      throw std::runtime_error("there is no command '" + command + "'");
    std::cout << (command == "memory"   ? Session::memory()
                  : command == "values" ? session.values(number)
                                        : session.time(number))
              << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "dynet_workloads: " << error.what() << std::endl;
    return 1;
  }
}
