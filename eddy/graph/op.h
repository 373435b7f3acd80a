// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/shape.h"
#include "eddy/graph/attributes.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/value.h"

namespace eddy {

/// What one run of a node costs: floating-point operations and bytes that must move.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// How an output may or must use the memory of an input.
struct Alias {
  enum class Kind {
    view,    ///< the output is bytes of the input, from `offset` on; no kernel runs for it
    share,   ///< the kernel may write the output over the input when nothing else needs that input any more
    update,  ///< the kernel writes the output over the input, which must be a variable
  };
  int output = 0;
  int input = 0;
  Kind kind = Kind::share;
  std::size_t offset = 0;
  /// Of `share`: elements are read just before they are written, so that the input may stand among the inputs twice.
  bool elementwise = false;
};

/// Addresses of one execution of a kernel. An unused optional input or output is null. They are valid for the call
/// alone.
struct KernelArgs {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
  void* scratch = nullptr;

  template <class T>
  const T* in(int i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <class T>
  T* out(int i) const {
    return static_cast<T*>(outputs[i]);
  }
};

/// What compiling a node yields: a function that computes it, and the scratch memory that function needs.
/// `run` must not allocate, and must not throw from inside a team of threads. It throws an Error when it refuses its
/// data, which the program gives op and line. Runs on one thread at a time.
struct Kernel {
  std::function<void(const KernelArgs&)> run;
  std::size_t scratch_bytes = 0;
  /// Called once before the steps of a loop, with the same arguments, to fill the scratch from invariant inputs; the
  /// scratch is then kept for all steps. Only for a kernel made with invariant inputs.
  std::function<void(const KernelArgs&)> prepare = nullptr;
};

struct CompileOptions;

/// What is known of a node when its kernel is made. The spans live as long as the call.
struct KernelContext {
  std::span<const TensorType> inputs;
  std::span<const TensorType> outputs;
  /// Outputs nobody reads are false here and null at run time.
  std::span<const bool> output_used;
  /// Inputs that stay the same over all steps of the loop the kernel runs in; empty outside a loop.
  std::span<const bool> input_invariant = {};
  /// Of the program the kernel is for, when it is for one: what it compiles in turn is to be compiled so.
  const CompileOptions* options = nullptr;

  bool invariant(std::size_t input) const { return input < input_invariant.size() && input_invariant[input]; }
};

/// The inputs of an op that a loop applies at each step, seen from outside the loop: a stepped input has one leading
/// axis more, of size `time`; the others are the same at all steps. The span lives as long as the call.
struct TimeContext {
  std::span<const Value> inputs;
  std::vector<bool> stepped;
  std::int64_t time = 0;

  const Value& in(std::size_t i) const { return inputs[i]; }
};

/// A part of a tensor seen as rows: `width` elements from `begin` on in each of `rows` rows `stride` elements apart.
struct Window {
  std::int64_t rows = 1;
  std::int64_t width = 0;
  std::int64_t stride = 0;
  std::int64_t begin = 0;
};

/// Computes n elements of an elementwise op's output from the same elements of its inputs; the output may lie over an
/// input of the same element size.
using TileFunction = std::function<void(const void* const* inputs, void* output, std::int64_t n)>;

struct PassSwitches;

/// One kind of computation. An op is immutable once its node is made and may be shared between graphs and threads.
/// Derive from `OpClass`, which writes everything that follows from the attribute list.
class Op {
 public:
  virtual ~Op() = default;

  virtual std::string_view name() const = 0;
  /// Types of the outputs. Throws GraphError with the values that do not fit; the graph adds op name, line and scope.
  virtual std::vector<TensorType> infer(std::span<const TensorType> inputs) const = 0;
  /// Gradients of the inputs as graph values; see GradientContext. An op that has none throws GraphError; op name, line
  /// and scope are added to an error that does not name them.
  virtual std::vector<Gradient> gradient(const GradientContext& context) const;
  /// Which inputs a gradient can reach from each output, [output][input]; empty: each from all. What it cannot reach is
  /// a constant to gradients.
  virtual std::vector<std::vector<bool>> gradient_paths() const { return {}; }
  /// By default every byte is touched once and every output element costs one operation.
  virtual Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const;
  virtual Kernel make_kernel(const KernelContext& context) const = 0;
  virtual std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const;
  /// A simpler equal value for each output in terms of `inputs`, or nothing. Used by the algebraic clean-up pass.
  virtual std::vector<Value> simplify(std::span<const Value> inputs) const;
  /// For an op whose outputs, added up, have a better form: fewer values with the same sum as `terms`, one of which is
  /// of this op; or nothing.
  virtual std::vector<Value> fewer_terms(std::span<const Value> terms) const;

  /// Values equal to the outputs, in terms of `inputs`, given which outputs are used at all (an unused one may be
  /// empty), or nothing. Called once per compilation, after the clean-up passes: where an op with graphs inside
  /// optimises them.
  virtual std::vector<Value> lower(std::span<const Value> inputs, const std::vector<bool>& used,
                                   const PassSwitches& switches) const;
  /// The outputs at all steps, each with a leading axis `time`, computed at once, or nothing when the op cannot.
  virtual std::vector<Value> over_time(const TimeContext& context) const;
  /// The sum over all steps of the only output, computed at once, or an empty value when the op has no better way than
  /// adding up.
  virtual Value summed_over_time(const TimeContext& context) const;

  /// For an op whose output element i depends on elements i of its inputs, once these are broadcast to the output's
  /// shape: how to compute a run of them. Null for any other op.
  virtual TileFunction tile(std::span<const TensorType> inputs) const;

  /// For an op whose outputs are parts of its only input: the part that `output` is. Nothing for any other op.
  virtual std::optional<Window> input_window(std::span<const TensorType> inputs, int output) const;
  /// For an op that puts its inputs side by side: the part of its only output that `input` becomes.
  virtual std::optional<Window> output_window(std::span<const TensorType> inputs, int input) const;

  virtual std::shared_ptr<const Op> clone() const = 0;
  virtual std::string attribute_text() const = 0;
  /// Two ops of one name that have these in common compute the same of equal inputs.
  virtual std::string attribute_bytes() const = 0;
};

/// Base of every op. `Derived` has `static constexpr std::string_view kName` and, if it has attributes,
/// `static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); … }`: the one place they are listed.
template <class Derived>
class OpClass : public Op {
 public:
  std::string_view name() const final { return Derived::kName; }
  std::string attribute_text() const final { return visited(AttributePrinter{}); }
  std::string attribute_bytes() const final { return visited(AttributeSerializer{}); }
  std::shared_ptr<const Op> clone() const final {
    return std::make_shared<const Derived>(static_cast<const Derived&>(*this));
  }
  static void attributes(auto&, auto&&) {}

 private:
  template <class Visitor>
  std::string visited(Visitor visitor) const {
    Derived::attributes(static_cast<const Derived&>(*this), visitor);
    return visitor.take();
  }
};

}  // namespace eddy
