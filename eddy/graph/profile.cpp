// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "eddy/core/number_text.h"
#include "eddy/graph/profile_totals.h"

namespace eddy {
namespace {

std::string rates(double seconds, double flops, double bytes, double peak_gflops) {
  const double gflops = seconds > 0 ? flops / seconds * 1e-9 : 0;
  const double gbytes = seconds > 0 ? bytes / seconds * 1e-9 : 0;
  std::string text = fmt::format("{:>9.1f} GFLOP/s {:>7.1f} GB/s", gflops, gbytes);
  if (peak_gflops > 0) text += fmt::format(" {:>5.1f} % of peak", 100 * gflops / peak_gflops);
  return text;
}

}  // namespace

double Profile::total_flops() const {
  return std::accumulate(nodes.begin(), nodes.end(), 0.0,
                         [](double sum, const NodeProfile& n) { return sum + n.flops; });
}

double Profile::total_bytes() const {
  return std::accumulate(nodes.begin(), nodes.end(), 0.0,
                         [](double sum, const NodeProfile& n) { return sum + n.bytes; });
}

std::vector<OpTotal> totals_by_op(const Profile& profile) {
  std::map<std::string, OpTotal> by_op;
  for (const NodeProfile& node : profile.nodes) {
    OpTotal& total = by_op[node.op];
    total.op = node.op;
    total.seconds += node.seconds;
    total.flops += node.flops;
    total.bytes += node.bytes;
    ++total.count;
  }
  std::vector<OpTotal> ops;
  for (const auto& [name, total] : by_op) ops.push_back(total);
  std::ranges::stable_sort(ops, std::greater(), &OpTotal::seconds);
  return ops;
}

std::string to_string(const Profile& profile, double peak_gflops) {
  const double whole = std::max(profile.total_seconds, 1e-12);
  std::string text =
      fmt::format("{:.3f} ms a run, {}, {}\n", profile.total_seconds * 1e3, counted(std::ssize(profile.nodes), "node"),
                  rates(profile.total_seconds, profile.total_flops(), profile.total_bytes(), peak_gflops));
  if (peak_gflops > 0 && profile.total_flops() / whole > peak_gflops * 1e9)
    text += "the run was faster than the peak, which other programs must have held up while it was measured\n";
  text += "by op:\n";
  for (const OpTotal& total : totals_by_op(profile))
    text +=
        fmt::format("  {:>9.3f} ms {:>5.1f} %  {:>4}x {:<28} {}\n", total.seconds * 1e3, 100 * total.seconds / whole,
                    total.count, total.op, rates(total.seconds, total.flops, total.bytes, peak_gflops));
  std::vector<const NodeProfile*> slowest;
  for (const NodeProfile& node : profile.nodes) slowest.push_back(&node);
  std::ranges::stable_sort(slowest, [](const auto* a, const auto* b) { return a->seconds > b->seconds; });
  text += "slowest nodes:\n";
  for (std::size_t i = 0; i < std::min<std::size_t>(slowest.size(), 20); ++i) {
    const NodeProfile& node = *slowest[i];
    text += fmt::format("  {:>9.3f} ms {:>5.1f} %  {}  {}\n", node.seconds * 1e3, 100 * node.seconds / whole,
                        rates(node.seconds, node.flops, node.bytes, peak_gflops), node.label);
  }
  return text;
}

std::string chrome_trace(const Profile& profile) {
  nlohmann::json events = nlohmann::json::array();
  for (const NodeProfile& node : profile.nodes)
    events.push_back({{"name", node.op},
                      {"cat", "op"},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", 1},
                      {"ts", node.start * 1e6},
                      {"dur", node.seconds * 1e6},
                      {"args",
                       {{"node", node.label},
                        {"GFLOP/s", node.seconds > 0 ? node.flops / node.seconds * 1e-9 : 0.0},
                        {"bytes", node.bytes}}}});
  // Names of scopes and files may be any bytes.
  return nlohmann::json{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}}.dump(
      1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace eddy
