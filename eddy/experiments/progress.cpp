// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"

namespace eddy {
namespace {

constexpr double kRedrawSeconds = 0.2;
/// The loss shown is a running mean that forgets a step after about this many.
constexpr double kLossMemory = 20;
constexpr double kMarkSeconds = 30;
/// A pass that ends by then needs no progress.
constexpr double kShortPass = 2;

std::size_t terminal_columns(std::FILE* out) {
  winsize size{};
  if (::ioctl(::fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

/// The first `count` characters, never half of one.
std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const bool begins_character = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins_character && count-- == 0) break;
  }
  return text.substr(0, i);
}

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const std::int64_t hours = whole / 3600;
  const std::int64_t minutes = whole / 60 % 60;
  if (whole < 60) return fmt::format("{} s", whole);
  if (hours == 0) return fmt::format("{}:{:02}", minutes, whole % 60);
  const std::string clock = fmt::format("{}:{:02}:{:02}", hours % 24, minutes, whole % 60);
  return hours < 24 ? clock : fmt::format("{} d {}", hours / 24, clock);
}

std::string format_count(double value) {
  constexpr const char* kSuffixes[] = {"", "k", "M", "G", "T"};
  std::size_t suffix = 0;
  while (std::abs(value) >= 999.5 && suffix < 4) {
    value /= 1000;
    ++suffix;
  }
  if (suffix == 0) return fmt::format("{:.0f}", value);
  const double size = std::abs(value);
  return fmt::format("{:.{}f}{}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0, kSuffixes[suffix]);
}

void show_text(std::FILE* out, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

void flush_results() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  const std::string why = errno == 0 ? "" : fmt::format(": {}", std::strerror(errno));
  fail<DataError>("the standard output cannot be written{}", why);
}

ProgressOptions pass_progress(std::string label, ProgressStyle style) {
  ProgressOptions options;
  options.label = std::move(label);
  options.style = style;
  options.quiet_seconds = kShortPass;
  return options;
}

ProgressOptions inner_progress(std::string label, ProgressStyle style) {
  ProgressOptions options = pass_progress(std::move(label), style);
  options.stays = false;
  return options;
}

ProgressOptions no_progress() { return pass_progress({}, ProgressStyle::quiet); }

Progress::Progress(ProgressOptions options) : options_(std::move(options)), resumed_at_(options_.done) {
  if (!options_.clock) options_.clock = steady_seconds;
  if (options_.style == ProgressStyle::automatic)
    options_.style = ::isatty(::fileno(options_.out)) != 0 ? ProgressStyle::one_line : ProgressStyle::lines;
  started_ = options_.clock();
  last_shown_ = started_;
  last_shown_step_ = options_.done;
  before_ = latest_ = mark();
}

Progress::~Progress() {
  try {
    finish();
  } catch (...) {  // a report that cannot be shown must not end the run
  }
}

double Progress::elapsed() const { return options_.clock() - started_; }

double Progress::rate() const {
  const double seconds = elapsed();
  return seconds > 0 ? units_ / seconds : 0;
}

void Progress::advance(std::int64_t steps, double loss, double units) {
  // A loss that is not finite is shown at once and does not spoil the mean for ever.
  loss_ = has_loss_ && std::isfinite(loss_) && std::isfinite(loss) ? loss_ + (loss - loss_) / kLossMemory : loss;
  has_loss_ = true;
  count(steps, units);
}

void Progress::count(std::int64_t steps, double units) {
  options_.done += steps;
  units_ += units;
  const double now = options_.clock();
  if (now - latest_.time >= kMarkSeconds) before_ = std::exchange(latest_, mark());
  const bool due = options_.style == ProgressStyle::one_line
                       ? now - last_shown_ >= kRedrawSeconds
                       : now - last_shown_ >= options_.line_seconds ||
                             (options_.line_steps > 0 && options_.done - last_shown_step_ >= options_.line_steps);
  if (due && now - started_ >= options_.quiet_seconds) show();
}

std::string Progress::line() const {
  std::string text = options_.label;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "  ") + part; };
  if (options_.total > 0) {
    add(fmt::format("{}/{} {:.0f}%", options_.done, options_.total,
                    100.0 * static_cast<double>(options_.done) / static_cast<double>(options_.total)));
  } else {
    add(fmt::format("step {}", options_.done));
  }
  if (has_loss_) add(fmt::format("loss {:.4g}", loss_));
  const double seconds = options_.clock() - before_.time;
  const double made_units = units_ - before_.units;
  const auto made = static_cast<double>(options_.done - before_.done);
  if (units_ > 0) {
    const double recent = seconds > 0 ? made_units / seconds : 0;
    add(fmt::format("{} {}/s", format_count(finished_ ? rate() : recent), options_.unit));
  }
  if (finished_) {
    add("in " + format_duration(elapsed()));
  } else if (options_.total > 0 && made > 0) {
    const bool by_units = options_.total_units > 0 && made_units > 0;
    const double left = by_units ? (options_.total_units - units_) / made_units
                                 : static_cast<double>(options_.total - options_.done) / made;
    const double most = std::max(options_.most_seconds - elapsed(), 0.0);
    add(format_duration(std::min(seconds * std::max(left, 0.0), most)) + " left");
  }
  return text;
}

void Progress::show() {
  last_shown_ = options_.clock();
  last_shown_step_ = options_.done;
  if (options_.style == ProgressStyle::quiet) return;
  shown_ = true;
  const std::string text = line();
  if (options_.style == ProgressStyle::one_line) {
    // The last column stays free: some terminals wrap there.
    const std::string_view part = first_characters(text, terminal_columns(options_.out) - 1);
    show_text(options_.out, fmt::format("\r{}\x1b[K", part));
    line_open_ = true;
  } else {
    show_text(options_.out, text + "\n");
  }
}

void Progress::message(std::string_view text) {
  if (options_.style == ProgressStyle::quiet) return;
  if (line_open_) {
    show_text(options_.out, fmt::format("\r\x1b[K{}\n", text));
    line_open_ = false;
    if (!finished_) show();
  } else {
    show_text(options_.out, fmt::format("{}\n", text));
  }
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (options_.style == ProgressStyle::quiet || (options_.done == resumed_at_ && !line_open_)) return;
  if (options_.quiet_seconds > 0 && !shown_) return;
  if (!options_.stays) {
    if (line_open_) show_text(options_.out, "\r\x1b[K");
    return;
  }
  show();
  if (line_open_) show_text(options_.out, "\n");
  line_open_ = false;
}

}  // namespace eddy
