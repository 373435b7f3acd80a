// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/caught_up_rows.h"

#include "eddy/core/threads.h"
#include "eddy/optimizers/caught_up_impl.h"
#include "eddy/optimizers/parameter_settings.h"

namespace eddy {
namespace {

/// A parameter with rows that are behind.
struct BehindTable {
  std::shared_ptr<Variable> parameter;
  Tensor m, v, row_steps, rates;
  std::int64_t done = 0;
  CatchUpAttributes attributes;

  /// From now on no row is behind.
  void note_as_done() const { std::ranges::fill(row_steps.values<std::int32_t>(), static_cast<std::int32_t>(done)); }
  /// Updates the parameter and, unless they are null, the slots.
  void catch_up(float* m_out, float* v_out) const {
    const auto memory = allocate_aligned(sizeof(RowCatchUp));
    RowCatchUp* rows_of = attributes.make(memory.get(), rates.values<const float>().data(), done);
    const std::int32_t* steps = row_steps.values<const std::int32_t>().data();
    const std::int64_t rows = row_steps.elements(), width = row_width(parameter->value.shape());
    for (std::int64_t row = 0; row < rows; ++row) prepare_for(*rows_of, steps, row, done);
    auto* p = static_cast<float*>(parameter->value.data());
    const auto from = [](auto* array, std::int64_t offset) { return array == nullptr ? nullptr : array + offset; };
    parallel_for(rows, grain_of(width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t at = row * width;
        rows_of->apply(done - steps[row],
                       {p + at, static_cast<const float*>(m.data()) + at, static_cast<const float*>(v.data()) + at,
                        p + at, from(m_out, at), from(v_out, at)},
                       width);
      }
    });
  }
};

/// Calls `body` for every parameter of `store` whose rows `optimizer` leaves behind.
template <class Body>
void for_each_table(const ParameterStore& store, const Optimizer& optimizer, Body&& body) {
  const std::string& name = optimizer.options.name;
  const auto value_of = [&](const std::string& variable) {
    const std::shared_ptr<Variable> found = store.find(variable);
    require<UsageError>(found != nullptr, "rows are behind, but there is no variable '{}'", variable);
    return found;
  };
  const std::string prefix = row_steps_prefix(name);
  for (const std::shared_ptr<Variable>& steps : store.all()) {
    if (!steps->name.starts_with(prefix)) continue;
    const std::string parameter = steps->name.substr(prefix.size());
    const UpdateSettings settings = settings_of(optimizer, parameter);
    BehindTable table{.parameter = value_of(parameter),
                      .m = value_of(name + "/adam_m/" + parameter)->value,
                      .v = value_of(name + "/adam_v/" + parameter)->value,
                      .row_steps = steps->value,
                      .rates = recent_rates_of(store, name, parameter, settings.rate_multiplier),
                      .done = 0,
                      .attributes = {}};
    const Tensor step = value_of(name + "/step")->value;
    table.done = step.values<const std::int32_t>()[0];
    table.attributes.rule = settings.rule;
    body(table);
  }
}

}  // namespace

std::vector<std::string> tables_behind(const ParameterStore& store, const std::string& name, bool all) {
  std::vector<std::string> tables;
  const std::string prefix = row_steps_prefix(name);
  const std::shared_ptr<Variable> step = store.find(name + "/step");
  for (const std::shared_ptr<Variable>& steps : store.all()) {
    if (!steps->name.starts_with(prefix)) continue;
    const auto is_behind = [&](std::int32_t row) { return step && row < step->value.values<const std::int32_t>()[0]; };
    if (all || std::ranges::any_of(steps->value.values<const std::int32_t>(), is_behind))
      tables.push_back(steps->name.substr(prefix.size()));
  }
  return tables;
}

void bring_rows_up_to_date(const ParameterStore& store, const Optimizer& optimizer) {
  for_each_table(store, optimizer, [](const BehindTable& table) {
    table.catch_up(static_cast<float*>(table.m.data()), static_cast<float*>(table.v.data()));
    table.note_as_done();
  });
}

CurrentRows::CurrentRows(const ParameterStore& store, const Optimizer& optimizer) {
  try {
    for_each_table(store, optimizer, [this](const BehindTable& table) {
      for (const Tensor& changed : {table.parameter->value, table.row_steps})
        saved_.emplace_back(changed, changed.clone());
      table.catch_up(nullptr, nullptr);
      table.note_as_done();
    });
  } catch (...) {
    restore();
    throw;
  }
}

CurrentRows::~CurrentRows() { restore(); }

void CurrentRows::restore() const {
  for (const auto& [memory, value] : saved_) Tensor(memory).copy_from(value);
}

}  // namespace eddy
