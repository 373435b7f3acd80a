// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

/// Expressions and what should come out of them, for the examples that walk along a row of ops. All are computed by one
/// program, which then says what they are.
class Tour {
 public:
  /// `text` is the expression as it was written, see SHOW.
  void show(std::string text, eddy::Value value, std::vector<double> expected) {
    stops_.push_back({std::move(text), value, std::move(expected)});
  }

  /// Prints every expression with its value; how many are not what they should be.
  int wrong(const eddy::Graph& graph, std::initializer_list<eddy::Binding> inputs = {}) const {
    std::vector<eddy::Value> values;
    for (const Stop& stop : stops_) values.push_back(stop.value);
    eddy::Program program = compile(graph, values);
    const std::span<const eddy::Tensor> results = program.run(inputs);
    int count = 0;
    for (std::size_t i = 0; i < stops_.size(); ++i) {
      const std::vector<double> numbers = numbers_of(results[i]);
      bool right = numbers.size() == stops_[i].expected.size();
      std::string text;
      for (std::size_t k = 0; k < numbers.size(); ++k) {
        text += fmt::format(" {:.4g}", numbers[k]);
        right = right && std::abs(numbers[k] - stops_[i].expected[k]) < 1e-4;
      }
      fmt::print("{:<48} {:<10}{}{}\n", stops_[i].text, to_string(results[i].type()), text, right ? "" : "  WRONG");
      count += !right;
    }
    return count;
  }

 private:
  struct Stop {
    std::string text;
    eddy::Value value;
    std::vector<double> expected;
  };

  static std::vector<double> numbers_of(const eddy::Tensor& tensor) {
    std::vector<double> numbers;
    if (tensor.dtype() == eddy::f32) {
      for (const float x : tensor.values<float>()) numbers.push_back(x);
    } else if (tensor.dtype() == eddy::i32) {
      for (const int x : tensor.values<int>()) numbers.push_back(x);
    } else {
      for (const bool x : tensor.values<bool>()) numbers.push_back(x);
    }
    return numbers;
  }

  std::vector<Stop> stops_;
};

/// SHOW(a + b, {1, 2}): notes the expression, its text and what it should be.
#define SHOW(expression, ...) tour.show(#expression, expression, __VA_ARGS__)
