// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

namespace eddy {

/// "0.4 s", "12 s", "3:07", "1:02:09" or "2 d 3:04:05"; "?" for what is not finite or negative.
std::string format_duration(double seconds);
/// "950", "12.3k", "4.56M"
std::string format_count(double value);

/// Writes at once what is of interest but no result. A stream that cannot be written, such as a pipe whose reader has
/// gone, is no error: no work is worth less for it.
void show_text(std::FILE* out, std::string_view text);

/// Sends off what was printed so far; DataError, which says why, when it cannot be written.
void flush_results();

enum class ProgressStyle : std::uint8_t {
  automatic,  ///< one_line on a terminal, lines elsewhere
  one_line,   ///< redrawn in place, at most 5 times a second
  lines,      ///< one line every few seconds or steps
  quiet,
};

struct ProgressOptions {
  std::string label{};     ///< "pretrain lm seed 1"
  std::int64_t total = 0;  ///< steps in all; 0 when unknown
  std::int64_t done = 0;   ///< steps already done when a run is resumed
  /// After so many it ends, whatever is left to do.
  double most_seconds = std::numeric_limits<double>::infinity();
  std::string unit = "tokens";  ///< what the rate counts
  /// Where known, the time left goes by these rather than by steps, which need not take equally long.
  double total_units = 0;
  ProgressStyle style = ProgressStyle::automatic;
  double line_seconds = 10;     ///< between two lines
  std::int64_t line_steps = 0;  ///< also a line every so many steps; 0 = never
  /// Before, nothing is shown, nor of what ends before anything was.
  double quiet_seconds = 0;
  bool stays = true;  ///< else its end is not shown, and on a terminal it gives its place back
  std::FILE* out = stderr;
  std::function<double()> clock{};  ///< seconds; for tests
};

/// Of a pass over data that trains nothing: a short one shows nothing.
ProgressOptions pass_progress(std::string label, ProgressStyle style = ProgressStyle::automatic);
/// Of one in the midst of a training, whose own line comes back after it.
ProgressOptions inner_progress(std::string label, ProgressStyle style = ProgressStyle::automatic);
/// None at all.
ProgressOptions no_progress();

/// Tells how a long loop is doing; changes nothing of its results. For one thread. `out` must outlive it.
class Progress {
 public:
  explicit Progress(ProgressOptions options);
  /// Completes the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more step: its loss and how many units it worked through.
  void step(double loss, double units) { advance(1, loss, units); }
  void advance(std::int64_t steps, double loss, double units);
  /// The same where there is no loss to show.
  void count(std::int64_t steps, double units);
  /// A line of its own, above the progress line.
  void message(std::string_view text);
  /// Shows the final state once. Later calls do nothing.
  void finish();

  /// What would be shown now: "label 120/400 30% loss 4.213 15.2k tokens/s 0:42 left". Rate and time left go by the
  /// last minute, so that they recover from a pause.
  std::string line() const;
  /// Units per second since the beginning.
  double rate() const;

 private:
  struct Mark {
    double time = 0;
    std::int64_t done = 0;
    double units = 0;
  };
  double elapsed() const;
  Mark mark() const { return {options_.clock(), options_.done, units_}; }
  void show();

  ProgressOptions options_;
  std::int64_t resumed_at_;
  double started_;
  Mark before_, latest_;  ///< half a minute apart at least, once the run is that old
  double last_shown_;
  std::int64_t last_shown_step_;
  double loss_ = 0;
  bool has_loss_ = false;
  double units_ = 0;
  bool shown_ = false;
  bool line_open_ = false;
  bool finished_ = false;
};

}  // namespace eddy
