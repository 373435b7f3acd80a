// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Pure functions, safe to call concurrently; an SvgWriter owns its text and is for one thread.
namespace eddy {

/// Text safe inside XML and HTML elements and attributes; bytes that XML forbids become U+FFFD.
std::string escape_markup(std::string_view text);

/// Generous estimate of the width of a text in a sans-serif font, in pixels.
double text_width(std::string_view text, double font_size);
/// At most 24 characters of UTF-8, the last one "…" where some are left out.
std::string shortened_label(const std::string& label);
/// Of the widest one.
double text_width(const std::vector<std::string>& texts, double font_size);

/// Collects the elements of one picture.
class SvgWriter {
 public:
  SvgWriter(double width, double height, std::string_view title);

  void rectangle(double x, double y, double width, double height, std::string_view attributes);
  void line(double x1, double y1, double x2, double y2, std::string_view attributes);
  /// `data` is the d of a path.
  void path(std::string_view data, std::string_view attributes);
  /// `anchor` is start, middle or end; `angle` turns about (x, y), in degrees.
  void text(double x, double y, std::string_view content, double size, std::string_view anchor, double angle = 0,
            std::string_view attributes = {});
  void raw(std::string_view markup) { body_ += markup; }
  std::string finish() &&;

 private:
  std::string body_;
};

}  // namespace eddy
