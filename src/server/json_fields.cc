#include "server/json_fields.h"

#include <fmt/format.h>

#include <boost/json/value.hpp>
#include <cmath>

namespace carat::server {
namespace {

namespace json = boost::json;

// Beyond 2^63, doubles are no int64.
constexpr double kInt64Bound = 9223372036854775808.0;

std::optional<std::int64_t> to_integer(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64() && value.get_uint64() <= INT64_MAX)
    return static_cast<std::int64_t>(value.get_uint64());
  if (!value.is_double()) return std::nullopt;
  const double number = value.get_double();
  if (number != std::trunc(number) || number < -kInt64Bound || number >= kInt64Bound) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

const json::value* FieldReader::find(std::string_view name) const {
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::string_view> FieldReader::text(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const json::string* string = value->if_string()) return std::string_view(*string);
  expected(name, "a string");
  return std::nullopt;
}

std::optional<bool> FieldReader::flag(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (const bool* flag = value->if_bool()) return *flag;
  expected(name, "true or false");
  return std::nullopt;
}

std::optional<double> FieldReader::number(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->is_number() ? value->to_number<double>(error) : NAN;
  if (!error && std::isfinite(number)) return number;
  expected(name, "a number");
  return std::nullopt;
}

std::optional<std::int64_t> FieldReader::integer(std::string_view name, std::int64_t least,
                                                 std::int64_t most) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto integer = to_integer(*value);
  if (!integer) {
    expected(name, "an integer");
  } else if (*integer < least || *integer > most) {
    refuse(ApiErrorCode::kInvalidValue, name, fmt::format("must be between {} and {}", least, most));
  } else {
    return integer;
  }
  return std::nullopt;
}

const json::object* FieldReader::object(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) expected(name, "an object");
  return value->if_object();
}

const json::array* FieldReader::array(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) expected(name, "an array");
  return value->if_array();
}

std::string FieldReader::path(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void FieldReader::refuse(ApiErrorCode code, std::string_view name, std::string_view message) {
  if (*error_) return;
  const std::string where = path(name);
  *error_ = ApiError{.code = code, .message = fmt::format("{} {}", where, message), .param = where};
}

void FieldReader::expected(std::string_view name, std::string_view what) {
  refuse(ApiErrorCode::kInvalidType, name, fmt::format("must be {}", what));
}

}  // namespace carat::server
