#include "formats/json.h"

#include <boost/json/parse.hpp>
#include <cmath>

namespace carat::formats {
namespace {

constexpr std::size_t kMaxDepth = 32;

template <class T>
Result<T> required(const Result<std::optional<T>>& found, const std::unexpected<Error>& missing) {
  if (!found) return std::unexpected(found.error());
  if (!found->has_value()) return missing;
  return **found;
}

}  // namespace

const boost::json::value* JsonObject::find(std::string_view name) const {
  const auto* value = object_->if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string JsonObject::path_of(std::string_view name) const {
  return place_.empty() ? std::string(name) : fmt::format("{}.{}", place_, name);
}

std::unexpected<Error> JsonObject::wrong_type(std::string_view name, std::string_view expected,
                                              const boost::json::value& actual) const {
  const auto kind = boost::json::to_string(actual.kind());
  return invalid(name, "expected {}, found {}", expected, std::string_view(kind.data(), kind.size()));
}

std::unexpected<Error> JsonObject::missing(std::string_view name) const { return invalid(name, "missing"); }

Result<std::optional<std::uint64_t>> JsonObject::find_u64(std::string_view name) const {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_uint64()) return value->get_uint64();
  if (value->is_int64() && value->get_int64() >= 0) return static_cast<std::uint64_t>(value->get_int64());
  if (value->is_int64()) return invalid(name, "expected 0 or more, found {}", value->get_int64());
  return wrong_type(name, "an integer", *value);
}

Result<std::optional<float>> JsonObject::find_f32(std::string_view name) const {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) return wrong_type(name, "a number", *value);
  const auto number = static_cast<float>(value->to_number<double>());
  if (!std::isfinite(number)) return invalid(name, "the number does not fit f32");
  return number;
}

Result<std::optional<bool>> JsonObject::find_bool(std::string_view name) const {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) return wrong_type(name, "a bool", *value);
  return value->get_bool();
}

Result<std::optional<std::string>> JsonObject::find_string(std::string_view name) const {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return wrong_type(name, "a string", *value);
  return std::string(value->get_string());
}

Result<std::optional<JsonObject>> JsonObject::find_object(std::string_view name) const {
  const auto* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) return wrong_type(name, "an object", *value);
  return JsonObject(value->get_object(), file_, path_of(name));
}

Result<const boost::json::array*> JsonObject::find_array(std::string_view name) const {
  const auto* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) return wrong_type(name, "an array", *value);
  return &value->get_array();
}

Result<std::uint64_t> JsonObject::get_u64(std::string_view name) const {
  return required(find_u64(name), missing(name));
}

Result<std::string> JsonObject::get_string(std::string_view name) const {
  return required(find_string(name), missing(name));
}

Result<JsonObject> JsonObject::get_object(std::string_view name) const {
  return required(find_object(name), missing(name));
}

Result<const boost::json::array*> JsonObject::get_array(std::string_view name) const {
  CARAT_TRY(const boost::json::array* array, find_array(name));
  if (array == nullptr) return missing(name);
  return array;
}

Result<JsonDocument> JsonDocument::parse(std::string_view text, const std::string& file) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::error_code error;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return fail(ErrorKind::kInvalidModel, "{}: this is no valid JSON: {}", file, error.message());
  if (!value.is_object()) {
    return fail(ErrorKind::kInvalidModel, "{}: expected a JSON object at the top", file);
  }
  return JsonDocument(std::move(value), file);
}

}  // namespace carat::formats
