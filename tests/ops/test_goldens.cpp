// SPDX-License-Identifier: Apache-2.0
// Values and gradients of ops against those that PyTorch computed in float64 (tests/goldens/record.py).
#include <doctest/doctest.h>

#include <map>

#include "eddy/ops/abs.h"
#include "eddy/ops/add.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/argmin.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/cos.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/cumsum.h"
#include "eddy/ops/div.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/expm1.h"
#include "eddy/ops/gelu.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/hard_sigmoid.h"
#include "eddy/ops/layer_norm.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/log.h"
#include "eddy/ops/log1p.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/logsumexp.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/min.h"
#include "eddy/ops/minimum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/rounding.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/sin.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/softplus.h"
#include "eddy/ops/sqrt.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/top_k.h"
#include "eddy/ops/where.h"
#include "tests/ops/case_program.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

using Inputs = std::span<const Value>;
using Outputs = std::vector<Value>;
/// Builds the case "group/variant" on its inputs.
using Builder = std::function<Outputs(const std::string& variant, Inputs in)>;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

int axis_of(const std::string& variant) {
  return contains(variant, "axis") ? std::stoi(variant.substr(variant.find("axis") + 4)) : -1;
}

Outputs unary(const std::string& variant, Inputs in) {
  using Function = Value (*)(Operand);
  static const std::map<std::string, Function> functions{
      {"neg", [](Operand x) { return neg(x); }},
      {"exp", [](Operand x) { return exp(x); }},
      {"log", [](Operand x) { return log(x); }},
      {"sqrt", [](Operand x) { return sqrt(x); }},
      {"square", [](Operand x) { return square(x); }},
      {"abs", [](Operand x) { return abs(x); }},
      {"tanh", [](Operand x) { return tanh(x); }},
      {"sigmoid", [](Operand x) { return sigmoid(x); }},
      {"relu", [](Operand x) { return relu(x); }},
      {"hard_sigmoid", [](Operand x) { return hard_sigmoid(x); }},
      {"gelu", [](Operand x) { return gelu(x); }},
      {"gelu_tanh", [](Operand x) { return gelu(x, GeluForm::tanh); }},
      {"sin", [](Operand x) { return sin(x); }},
      {"cos", [](Operand x) { return cos(x); }},
      {"expm1", [](Operand x) { return expm1(x); }},
      {"log1p", [](Operand x) { return log1p(x); }},
      {"softplus", [](Operand x) { return softplus(x); }},
      {"floor", [](Operand x) { return floor(x); }},
      {"ceil", [](Operand x) { return ceil(x); }},
      {"round", [](Operand x) { return round(x); }},
  };
  return {functions.at(variant)(in[0])};
}

Outputs binary(const std::string& variant, Inputs in) {
  using Function = Value (*)(Operand, Operand);
  static const std::map<std::string, Function> functions{
      {"add", [](Operand x, Operand y) { return add(x, y); }},
      {"sub", [](Operand x, Operand y) { return sub(x, y); }},
      {"mul", [](Operand x, Operand y) { return mul(x, y); }},
      {"div", [](Operand x, Operand y) { return div(x, y); }},
      {"maximum", [](Operand x, Operand y) { return maximum(x, y); }},
      {"minimum", [](Operand x, Operand y) { return minimum(x, y); }},
      {"where", [](Operand x, Operand y) { return where(less(x, y), x, mul(y, 2)); }},
  };
  return {functions.at(variant)(in[0], in[1])};
}

Outputs cross_entropy_case(const std::string& variant, Inputs in) {
  CrossEntropyOptions options;
  if (variant.starts_with("sum")) options.reduction = Reduction::sum;
  if (variant.starts_with("none")) options.reduction = Reduction::none;
  if (contains(variant, "smoothed")) options.label_smoothing = 0.1F;
  if (contains(variant, "weighted")) options.weights = in[2];
  return {cross_entropy(in[0], in[1], options)};
}

Outputs reduce(const std::string& variant, Inputs in) {
  const std::string kind = variant.substr(0, variant.find('_'));
  if (kind == "argmax") return {argmax(in[0], axis_of(variant))};
  if (kind == "argmin") return {argmin(in[0], axis_of(variant))};
  if (variant == "max_tied") return {max(in[0], 1)};
  if (variant == "min_tied") return {min(in[0], 0)};
  std::vector<int> axes;
  for (std::size_t i = variant.find("axis") + 4; i < variant.size() && variant[i] != '_'; ++i)
    axes.push_back(variant[i] - '0');
  const bool keep = contains(variant, "_keep");
  if (kind == "sum") return {sum(in[0], axes, keep)};
  if (kind == "mean") return {mean(in[0], axes, keep)};
  if (kind == "max") return {max(in[0], axes, keep)};
  return {min(in[0], axes, keep)};
}

Outputs cumsum_case(const std::string& variant, Inputs in) {
  return {cumsum(in[0], axis_of(variant),
                 {.reverse = contains(variant, "reverse"), .exclusive = contains(variant, "exclusive")})};
}

Outputs matmul_case(const std::string& variant, Inputs in) {
  const bool both = contains(variant, "transpose_both");
  return {matmul(in[0], in[1],
                 {.transpose_a = both || variant == "transpose_a", .transpose_b = both || variant == "transpose_b"})};
}

Outputs lstm_case(const std::string& variant, Inputs in) {
  const LstmResult layer = lstm(in[0], in[1], in[2], in[3],
                                {.h0 = in[4],
                                 .c0 = in[5],
                                 .mask = contains(variant, "masked") ? in[6] : Value(),
                                 .reverse = contains(variant, "reverse")});
  return {layer.outputs, layer.final_h, layer.final_c};
}

Outputs gru_case(const std::string& variant, Inputs in) {
  const GruResult layer = gru(in[0], in[1], in[2], in[3],
                              {.h0 = in[5],
                               .mask = contains(variant, "masked") ? in[6] : Value(),
                               .reverse = contains(variant, "reverse"),
                               .recurrent_bias = in[4]});
  return {layer.outputs, layer.final_h};
}

const std::map<std::string, Builder>& builders() {
  static const std::map<std::string, Builder> all{
      {"unary", unary},
      {"binary", binary},
      {"softmax", [](const std::string& v, Inputs in) -> Outputs { return {softmax(in[0], axis_of(v))}; }},
      {"log_softmax", [](const std::string& v, Inputs in) -> Outputs { return {log_softmax(in[0], axis_of(v))}; }},
      {"logsumexp", [](const std::string& v, Inputs in) -> Outputs { return {logsumexp(in[0], axis_of(v))}; }},
      {"cross_entropy", cross_entropy_case},
      {"mse",
       [](const std::string& v, Inputs in) -> Outputs {
         return {v == "weighted" ? mean_squared_error(in[0], in[1], in[2]) : mean_squared_error(in[0], in[1])};
       }},
      {"layer_norm",
       [](const std::string& v, Inputs in) -> Outputs {
         return {layer_norm(in[0], in[1], in[2], {.epsilon = std::stof(v)})};
       }},
      {"matmul", matmul_case},
      {"linear",
       [](const std::string& v, Inputs in) -> Outputs {
         const Activation activation = v == "tanh" ? Activation::tanh : Activation::none;
         return {linear(in[0], in[1], in[2], {.activation = activation})};
       }},
      {"reduce", reduce},
      {"cumsum", cumsum_case},
      {"top_k",
       [](const std::string& v, Inputs in) -> Outputs {
         const TopK top = top_k(in[0], std::stoi(v));
         return {top.values, top.indices};
       }},
      {"embedding", [](const std::string&, Inputs in) -> Outputs { return {embedding(in[0], in[1])}; }},
      {"lstm", lstm_case},
      {"gru", gru_case},
  };
  return all;
}

/// Compares one recorded case with every output the builder gives; a builder may give a second path to the same output.
void check_golden(const Golden& golden, const Builder& builder) {
  const std::string variant = golden.name.substr(golden.name.find('/') + 1);
  OpCase op_case{.name = golden.name};
  for (std::size_t i = 0; i < golden.inputs.size(); ++i)
    op_case.inputs.push_back({.type = golden.inputs[i].type, .differentiable = !golden.gradients[i].values.empty()});
  std::size_t paths = 1;
  for (std::size_t path = 0; path < paths; ++path) {
    op_case.build = [&](Graph&, Inputs in) {
      const Outputs all = builder(variant, in);
      paths = all.size() / golden.outputs.size();
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(path * golden.outputs.size());
      return Outputs(first, first + static_cast<std::ptrdiff_t>(golden.outputs.size()));
    };
    INFO("path ", path);
    const CaseData data = make_data(golden);
    const CaseGraph built = build_graph(op_case, data);
    Program program = compile(*built.graph, built.results());
    const std::vector<Tensor> results = run(program, data.inputs);
    for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
      INFO("output ", i);
      CHECK(results[i].type() == golden.outputs[i].type);
      CHECK(difference(to_doubles(results[i]), golden.outputs[i].values, 1e-5) == "");
    }
    for (std::size_t i = 0; built.differentiable() && i < built.wrt.size(); ++i) {
      INFO("gradient of input ", built.wrt[i]);
      const GoldenArray& expected = golden.gradients[static_cast<std::size_t>(built.wrt[i])];
      CHECK(difference(to_doubles(results[golden.outputs.size() + i]), expected.values, 2e-5) == "");
    }
  }
}

TEST_CASE("goldens: values and gradients equal PyTorch's") {
  for (const auto& [group, builder] : builders()) {
    const std::vector<Golden> goldens = read_goldens(group);
    CHECK(!goldens.empty());
    for (const Golden& golden : goldens) {
      INFO("golden ", golden.name);
      try {
        check_golden(golden, builder);
      } catch (const std::exception& error) {
        FAIL_CHECK(std::string(error.what()));
      }
    }
  }
}

}  // namespace
}  // namespace eddy::test
