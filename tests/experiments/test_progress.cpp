// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/experiments/progress.h"
#include "tests/experiments/captured_stream.h"

namespace eddy {
namespace {

std::size_t count_of(const std::string& text, char c) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), c));
}

TEST_CASE("durations and counts are short") {
  CHECK(format_duration(0.42) == "0.4 s");
  CHECK(format_duration(9.96) == "10 s");
  CHECK(format_duration(59.4) == "59 s");
  CHECK(format_duration(59.6) == "1:00");
  CHECK(format_duration(187) == "3:07");
  CHECK(format_duration(3599.7) == "1:00:00");
  CHECK(format_duration(3729) == "1:02:09");
  CHECK(format_duration(2 * 86400 + 3 * 3600 + 4 * 60 + 5) == "2 d 3:04:05");
  CHECK(format_duration(-1) == "?");
  CHECK(format_duration(std::numeric_limits<double>::infinity()) == "?");
  CHECK(format_duration(std::nan("")) == "?");
  CHECK(format_count(950) == "950");
  CHECK(format_count(999.7) == "1.00k");
  CHECK(format_count(12345) == "12.3k");
  CHECK(format_count(4.56e6) == "4.56M");
  CHECK(format_count(123e9) == "123G");
}

TEST_CASE("a pipe gets a line every few seconds or steps") {
  CapturedStream capture;
  double now = 100;
  ProgressOptions options{.label = "train", .total = 40, .style = ProgressStyle::lines, .line_seconds = 10};
  options.out = capture.file();
  options.clock = [&] { return now; };
  {
    Progress progress(options);
    for (int i = 0; i < 40; ++i) {
      now += 1;
      progress.step(2.5, 3000);
    }
    CHECK(progress.rate() == doctest::Approx(3000));
  }
  const std::string text = capture.text();
  CHECK(count_of(text, '\n') == 5);
  CHECK(count_of(text, '\r') == 0);
  CHECK(text.find("train  10/40 25%  loss 2.5  3.00k tokens/s  30 s left\n") == 0);
  CHECK(text.ends_with("train  40/40 100%  loss 2.5  3.00k tokens/s  in 40 s\n"));

  CapturedStream by_steps;
  options.out = by_steps.file();
  options.line_steps = 8;
  options.line_seconds = 1e9;
  {
    Progress progress(options);
    for (int i = 0; i < 20; ++i) progress.step(1, 1);
  }
  CHECK(count_of(by_steps.text(), '\n') == 3);
}

TEST_CASE("the time left is no more than a limit of seconds leaves") {
  double now = 0;
  ProgressOptions options{.label = "train", .total = 1000, .most_seconds = 25, .style = ProgressStyle::quiet};
  options.clock = [&] { return now; };
  Progress progress(options);
  now += 10;
  progress.advance(10, 1, 0);
  CHECK(progress.line() == "train  10/1000 1%  loss 1  15 s left");
  now += 20;
  progress.advance(20, 1, 0);
  CHECK(progress.line() == "train  30/1000 3%  loss 1  0.0 s left");
}

TEST_CASE("a terminal gets one line, redrawn at most five times a second") {
  CapturedStream capture;
  double now = 0;
  ProgressOptions options{.label = "train", .style = ProgressStyle::one_line};
  options.out = capture.file();
  options.clock = [&] { return now; };
  {
    Progress progress(options);
    for (int i = 0; i < 1000; ++i) {
      now += 0.01;
      progress.step(1, 10);
    }
    progress.message("saved");
    progress.finish();
    progress.finish();
  }
  const std::string text = capture.text();
  const std::size_t drawn = count_of(text, '\r');
  CHECK(drawn >= 40);
  CHECK(drawn <= 54);
  CHECK(count_of(text, '\n') == 2);
  CHECK(text.find("\r\x1b[Ksaved\n") != std::string::npos);
}

TEST_CASE("a pass over data shows nothing unless it is long, and goes by its units") {
  double now = 0;
  const auto passes = [&](ProgressOptions options, int steps) {
    CapturedStream capture;
    options.total = 40;
    options.total_units = 4000;
    options.out = capture.file();
    options.clock = [&] { return now; };
    {
      Progress progress(options);
      for (int i = 0; i < steps; ++i) {
        now += 1;
        progress.count(1, i < 20 ? 50 : 150);
      }
    }
    return capture.text();
  };
  CHECK(passes(pass_progress("test", ProgressStyle::lines), 9).empty());
  CHECK(passes(pass_progress("test", ProgressStyle::one_line), 1).empty());
  CHECK(passes(pass_progress("test", ProgressStyle::quiet), 40).empty());
  CHECK(passes(no_progress(), 40).empty());
  const std::string lines = passes(pass_progress("test", ProgressStyle::lines), 40);
  CHECK(count_of(lines, '\n') == 5);
  CHECK(lines.starts_with("test  10/40 25%  50 tokens/s  1:10 left\n"));
  CHECK(lines.ends_with("test  40/40 100%  100 tokens/s  in 40 s\n"));
  CHECK(count_of(passes(pass_progress("test", ProgressStyle::one_line), 40), '\n') == 1);
  // In the midst of another its end is that one's matter.
  CHECK(count_of(passes(inner_progress("test", ProgressStyle::lines), 40), '\n') == 4);
  const std::string inner = passes(inner_progress("test", ProgressStyle::one_line), 40);
  CHECK(inner.starts_with("\rtest  2/40 5%"));
  CHECK(inner.ends_with("\r\x1b[K"));
  CHECK(count_of(inner, '\n') == 0);
}

TEST_CASE("quiet and unused progress print nothing") {
  CapturedStream capture;
  ProgressOptions options{.style = ProgressStyle::quiet};
  options.out = capture.file();
  {
    Progress progress(options);
    progress.step(1, 1);
    progress.message("x");
  }
  options.style = ProgressStyle::lines;
  { const Progress progress(options); }
  CHECK(capture.text().empty());
}

TEST_CASE("rate and time left recover from a pause; the end tells of the whole run") {
  double now = 0;
  ProgressOptions options{.total = 1000, .style = ProgressStyle::quiet};
  options.clock = [&] { return now; };
  Progress progress(options);
  const auto steps = [&](int count) {
    for (int i = 0; i < count; ++i) {
      now += 1;
      progress.step(1, 50);
    }
  };
  steps(100);
  CHECK(progress.line() == "100/1000 10%  loss 1  50 tokens/s  15:00 left");
  now += 600;
  steps(1);
  CHECK(progress.line().find("50 tokens/s") == std::string::npos);
  steps(99);
  CHECK(progress.line() == "200/1000 20%  loss 1  50 tokens/s  13:20 left");
  progress.finish();
  CHECK(progress.line() == "200/1000 20%  loss 1  12 tokens/s  in 13:20");
}

TEST_CASE("a resumed run estimates from its own steps, and a bad loss is shown") {
  double now = 0;
  ProgressOptions options{.total = 100, .done = 90, .style = ProgressStyle::quiet};
  options.clock = [&] { return now; };
  Progress progress(options);
  now = 20;
  progress.advance(5, 1, 0);
  CHECK(progress.line() == "95/100 95%  loss 1  20 s left");
  progress.step(std::nan(""), 0);
  CHECK(progress.line().find("loss nan") != std::string::npos);
  progress.step(3, 0);
  CHECK(progress.line().find("loss 3") != std::string::npos);
}

TEST_CASE("progress into a pipe without reader fails, and a guarded run goes on") {
  const InterruptGuard guard;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  std::FILE* out = ::fdopen(ends[1], "w");
  ProgressOptions options{.label = "train", .style = ProgressStyle::lines, .line_steps = 1};
  options.out = out;
  {
    Progress progress(options);
    for (int i = 0; i < 5; ++i) progress.step(1, 1);
    progress.message("still here");
  }
  CHECK(std::ferror(out) != 0);
  std::fclose(out);
}

}  // namespace
}  // namespace eddy
