// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/safetensors_header.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "eddy/core/error.h"

namespace eddy {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<std::string_view, FileElement>, 13> kElementNames{{
    {"BOOL", FileElement::boolean},
    {"I8", FileElement::i8},
    {"U8", FileElement::u8},
    {"I16", FileElement::i16},
    {"U16", FileElement::u16},
    {"I32", FileElement::i32},
    {"U32", FileElement::u32},
    {"I64", FileElement::i64},
    {"U64", FileElement::u64},
    {"F16", FileElement::f16},
    {"BF16", FileElement::bf16},
    {"F32", FileElement::f32},
    {"F64", FileElement::f64},
}};

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::i32:
      return "I32";
    case DType::boolean:
      return "BOOL";
  }
  return "?";
}

/// Names come from the file, so only their beginning goes into a message.
std::string shown(std::string_view name) {
  return name.size() <= 80 ? std::string(name) : std::string(name.substr(0, 80)) + "...";
}

/// Receives the header's JSON event by event, so that repeated keys are seen and nesting costs nothing.
class HeaderParser : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderParser(const std::string& file) : file_(file) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t value) override { return unexpected(fmt::format("the number {}", value)); }
  bool number_float(number_float_t, const string_t& text) override {
    return unexpected(fmt::format("the number {}", shown(text)));
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::numbers) return unexpected(fmt::format("the number {}", value));
    require<DataError>(numbers_.size() < 64, "{}: header: '{}' of tensor '{}' is too long", file_, field_,
                       shown(name_));
    numbers_.push_back(value);
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata) {
      header_.metadata.emplace(key_, std::move(text));
    } else if (place_ == Place::tensor && field_ == "dtype") {
      for (const auto& [name, element] : kElementNames)
        if (name == text) element_ = element;
      require<DataError>(element_.has_value(), "{}: tensor '{}' has dtype '{}', which is not supported", file_,
                         shown(name_), shown(text));
    } else {
      return unexpected(fmt::format("the text '{}'", shown(text)));
    }
    return true;
  }

  bool key(string_t& text) override {
    if (place_ == Place::top) {
      require<DataError>(names_.insert(text).second, "{}: header: the name '{}' stands twice", file_, shown(text));
      name_ = text;
    } else if (place_ == Place::metadata) {
      require<DataError>(!header_.metadata.contains(text), "{}: header: metadata '{}' stands twice", file_,
                         shown(text));
      key_ = text;
    } else {
      require<DataError>(text == "dtype" || text == "shape" || text == "data_offsets",
                         "{}: header: tensor '{}' has the unknown field '{}'", file_, shown(name_), shown(text));
      const bool repeated =
          (text == "dtype" && element_) || (text == "shape" && shape_) || (text == "data_offsets" && offsets_);
      require<DataError>(!repeated, "{}: header: '{}' of tensor '{}' stands twice", file_, text, shown(name_));
      field_ = text;
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::top && name_ == kSafetensorsMetadataKey) {
      place_ = Place::metadata;
    } else if (place_ == Place::top) {
      place_ = Place::tensor;
      element_.reset();
      shape_.reset();
      offsets_.reset();
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) add_tensor();
    place_ = place_ == Place::top ? Place::end : Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || field_ == "dtype") return unexpected("an array");
    place_ = Place::numbers;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    (field_ == "shape" ? shape_ : offsets_) = numbers_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    // The library's text begins with its own tag and repeats the position.
    std::string_view reason = error.what();
    if (const auto colon = reason.find(": "); colon != std::string_view::npos) reason.remove_prefix(colon + 2);
    fail<DataError>("{}: byte {}: the header is not valid JSON: {}", file_, 8 + (position > 0 ? position - 1 : 0),
                    reason.substr(0, 200));
  }

 private:
  enum class Place : std::uint8_t { start, top, metadata, tensor, numbers, end };

  [[noreturn]] bool unexpected(const std::string& found) const {
    switch (place_) {
      case Place::metadata:
        fail<DataError>("{}: header: metadata '{}' must be text, not {}", file_, shown(key_), found);
      case Place::tensor:
        fail<DataError>("{}: header: '{}' of tensor '{}' cannot be {}", file_, field_, shown(name_), found);
      case Place::numbers:
        fail<DataError>("{}: header: '{}' of tensor '{}' must hold whole numbers from 0, not {}", file_, field_,
                        shown(name_), found);
      case Place::top:
        fail<DataError>("{}: header: '{}' must be an object, not {}", file_, shown(name_), found);
      default:
        fail<DataError>("{}: the header must be a JSON object, not {}", file_, found);
    }
  }

  void add_tensor() {
    require<DataError>(element_ && shape_ && offsets_, "{}: header: tensor '{}' lacks '{}'", file_, shown(name_),
                       !element_ ? "dtype"
                       : !shape_ ? "shape"
                                 : "data_offsets");
    require<DataError>(offsets_->size() == 2, "{}: header: tensor '{}' has {} data_offsets instead of 2", file_,
                       shown(name_), offsets_->size());
    const std::uint64_t begin = (*offsets_)[0];
    const std::uint64_t end = (*offsets_)[1];
    require<DataError>(begin <= end, "{}: tensor '{}' ends at byte {} of the data, before its begin {}", file_,
                       shown(name_), end, begin);
    SafetensorsEntry entry;
    entry.name = name_;
    entry.element = *element_;
    entry.shape = checked_shape(*shape_, fmt::format("{}: tensor '{}'", file_, shown(name_)));
    entry.offset = begin;
    entry.bytes = end - begin;
    const std::uint64_t expected = static_cast<std::uint64_t>(entry.shape.elements()) * size_of(entry.element);
    require<DataError>(entry.bytes == expected, "{}: tensor '{}' of shape {} needs {} bytes, but its offsets span {}",
                       file_, shown(name_), to_string(entry.shape), expected, entry.bytes);
    header_.entries.push_back(std::move(entry));
  }

  const std::string& file_;
  SafetensorsHeader header_;
  std::set<std::string> names_;
  Place place_ = Place::start;
  std::string name_;   // of the tensor
  std::string field_;  // of the tensor
  std::string key_;    // of the metadata
  std::optional<FileElement> element_;
  std::optional<std::vector<std::uint64_t>> shape_;
  std::optional<std::vector<std::uint64_t>> offsets_;
  std::vector<std::uint64_t> numbers_;
};

/// JSON text of a string; DataError unless it is UTF-8.
std::string quoted(const std::string& text, const std::string& file) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    fail<DataError>("{}: the name or metadata '{}' is not UTF-8 and cannot be written", file,
                    Json(shown(text)).dump(-1, ' ', true, Json::error_handler_t::replace));
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file) {
  HeaderParser parser(file);
  Json::sax_parse(json.begin(), json.end(), &parser);
  return parser.take();
}

std::string make_safetensors_header(const std::vector<const NamedTensor*>& tensors,
                                    const std::map<std::string, std::string>& metadata, const std::string& file) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += fmt::format("\"{}\":{{", kSafetensorsMetadataKey);
    for (bool first = true; const auto& [key, value] : metadata) {
      if (!std::exchange(first, false)) header += ',';
      header += quoted(key, file) + ":" + quoted(value, file);
    }
    header += '}';
  }
  std::size_t offset = 0;
  for (const NamedTensor* tensor : tensors) {
    if (header.size() > 1) header += ',';
    const std::size_t end = offset + tensor->value.bytes();
    header += fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", quoted(tensor->name, file),
                          name_of(tensor->value.dtype()),
                          fmt::join(tensor->value.shape().begin(), tensor->value.shape().end(), ","), offset, end);
    offset = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  require<DataError>(header.size() <= kSafetensorsLargestHeader,
                     "{}: the header would take {} bytes, but the format allows {}", file, header.size(),
                     kSafetensorsLargestHeader);
  return header;
}

}  // namespace eddy
