// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/chart_svg.h"

#include <fmt/format.h>

#include <algorithm>

#include "eddy/data/unicode.h"

namespace eddy {

std::string escape_markup(std::string_view text) {
  const std::string repaired = repaired_utf8(text);
  std::string out;
  out.reserve(repaired.size());
  for (const char c : repaired) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\t':
      case '\n':
      case '\r':
        out += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
    }
  }
  return out;
}

std::string shortened_label(const std::string& label) {
  constexpr int kLongest = 24;
  int characters = 0;
  std::size_t keep = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    if ((static_cast<unsigned char>(label[i]) & 0xC0) == 0x80) continue;
    if (++characters == kLongest) keep = i;
  }
  return characters <= kLongest ? label : label.substr(0, keep) + "…";
}

double text_width(std::string_view text, double font_size) {
  double em = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;
    // Three-byte sequences hold the wide scripts; Latin, Greek and Cyrillic take less.
    const bool widest = std::string_view("WM@%mw").find(c) != std::string_view::npos;
    em += byte >= 0xE0 || widest ? 1.02 : byte >= 0x80 || (byte >= 'A' && byte <= 'Z') ? 0.72 : 0.58;
  }
  return em * font_size;
}

double text_width(const std::vector<std::string>& texts, double font_size) {
  double width = 0;
  for (const std::string& text : texts) width = std::max(width, text_width(text, font_size));
  return width;
}

SvgWriter::SvgWriter(double width, double height, std::string_view title) {
  body_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\" font-family=\"'DejaVu Sans', 'Noto Sans', 'Segoe UI', Helvetica, Arial, 'Noto Sans CJK SC', "
      "'Microsoft YaHei', 'PingFang SC', 'WenQuanYi Zen Hei', sans-serif\" "
      "fill=\"#1a1a1a\">\n<title>{2}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      width, height, escape_markup(title));
}

void SvgWriter::rectangle(double x, double y, double width, double height, std::string_view attributes) {
  body_ += fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" {}/>\n", x, y, width, height,
                       attributes);
}

void SvgWriter::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  body_ +=
      fmt::format("<line x1=\"{:.2f}\" y1=\"{:.2f}\" x2=\"{:.2f}\" y2=\"{:.2f}\" {}/>\n", x1, y1, x2, y2, attributes);
}

void SvgWriter::path(std::string_view data, std::string_view attributes) {
  body_ += fmt::format("<path d=\"{}\" {}/>\n", data, attributes);
}

void SvgWriter::text(double x, double y, std::string_view content, double size, std::string_view anchor, double angle,
                     std::string_view attributes) {
  if (content.empty()) return;
  const std::string turn = angle == 0 ? "" : fmt::format(" transform=\"rotate({} {:.2f} {:.2f})\"", angle, x, y);
  body_ += fmt::format("<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"{:g}\" text-anchor=\"{}\"{} {}>{}</text>\n", x, y,
                       size, anchor, turn, attributes, escape_markup(content));
}

std::string SvgWriter::finish() && { return std::move(body_) + "</svg>\n"; }

}  // namespace eddy
