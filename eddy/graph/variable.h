// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/core/tensor.h"
#include "eddy/graph/initializer.h"
#include "eddy/graph/value.h"

namespace eddy {

class Graph;

/// A named tensor outside all graphs. Programs hold its address: give it other numbers with `value.copy_from(…)` or
/// through `value.values<float>()`, while no program that uses it runs. Stores, graphs and programs share its
/// ownership.
struct Variable {
  const std::string name;
  const Tensor value;
  bool trainable = true;  ///< optimizers touch only trainable variables; optimizer slots and counters are not
};

/// Variables by name: a model's weights, its optimizer's slots and its counters. Shared by training, validation and
/// decoding graphs. Must be used by one thread at a time; programs keep their variables alive.
class ParameterStore {
 public:
  explicit ParameterStore(std::uint64_t seed = 0) : seed_(seed) {}

  /// The variable of that name; made with `initializer` at first use. The initial value depends only on the store's
  /// seed, the name and the type. Throws GraphError with the user's line when it exists with another type. The same for
  /// another trainable flag, an empty name, and what the initializer cannot fill.
  std::shared_ptr<Variable> get(std::string_view name, const TensorType& type, const Initializer& initializer,
                                bool trainable = true, SourceLocation where = SourceLocation::current());
  /// From now on get() makes no variable, but throws GraphError for a name that is not there: for programs that use
  /// weights of a file, where a misspelt name would otherwise be a new random weight.
  void seal() { sealed_ = true; }
  bool sealed() const { return sealed_; }
  /// nullptr when there is none.
  std::shared_ptr<Variable> find(std::string_view name) const;
  /// All variables in order of name.
  std::vector<std::shared_ptr<Variable>> all() const;
  /// Number of elements of all trainable variables.
  std::int64_t parameter_count() const;
  /// Forgets a variable (programs that hold it keep it alive). One that is not there is no error.
  void erase(std::string_view name);
  std::uint64_t seed() const { return seed_; }

 private:
  std::uint64_t seed_;
  bool sealed_ = false;
  std::map<std::string, std::shared_ptr<Variable>, std::less<>> variables_;
};

/// A trainable weight f32[shape] in `graph`, made in `store` at first use. Throws GraphError as get().
Value parameter(Graph& graph, ParameterStore& store, std::string_view name, const Shape& shape,
                const Initializer& initializer, SourceLocation where = SourceLocation::current());

/// Other state: counters, carried hidden states, moving averages. Optimizers leave it alone. Throws GraphError as
/// get().
Value state(Graph& graph, ParameterStore& store, std::string_view name, const TensorType& type,
            const Initializer& initializer = zeros(), SourceLocation where = SourceLocation::current());

}  // namespace eddy
