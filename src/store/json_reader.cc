#include "store/json_reader.h"

#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>
#include <tuple>

namespace carat::store {
namespace {

constexpr std::size_t kMostDepth = 8;

}  // namespace

Result<boost::json::value> parse_stored(std::string_view text, std::string_view what) {
  boost::json::parse_options options;
  options.max_depth = kMostDepth;
  boost::json::error_code error;
  boost::json::value value = boost::json::parse(text, error, {}, options);
  if (error) return fail(ErrorKind::kFailed, "{}: no valid JSON: {}", what, error.message());
  return value;
}

std::unexpected<Error> StoredObject::expected(std::string_view what, std::string_view field) const {
  const boost::json::value* found = find(field);
  std::string kind = "nothing";
  if (found != nullptr) kind = std::string_view(boost::json::to_string(found->kind()));
  return fail(ErrorKind::kFailed, "{}: {}: expected {}, found {}", place_, field, what, kind);
}

Result<std::string> StoredObject::text(std::string_view field, std::size_t most_bytes) const {
  const boost::json::value* value = find(field);
  if (value == nullptr || !value->is_string()) return expected("a string", field);
  if (value->get_string().size() > most_bytes) {
    return fail(ErrorKind::kFailed, "{}: {}: expected at most {} bytes, found {}", place_, field, most_bytes,
                value->get_string().size());
  }
  return std::string(value->get_string());
}

Result<bool> StoredObject::flag(std::string_view field) const {
  const boost::json::value* value = find(field);
  if (value == nullptr || !value->is_bool()) return expected("true or false", field);
  return value->get_bool();
}

Result<float> StoredObject::number(std::string_view field) const {
  const boost::json::value* value = find(field);
  if (value == nullptr || !value->is_number()) return expected("a number", field);
  const auto number = value->to_number<double>();
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) return expected("a smaller number", field);
  return static_cast<float>(number);
}

Result<std::int64_t> StoredObject::integer(std::string_view field) const {
  const boost::json::value* value = find(field);
  if (value == nullptr || !value->is_int64()) return expected("an integer", field);
  return value->get_int64();
}

Result<Sha256Digest> StoredObject::digest(std::string_view field) const {
  CARAT_TRY(const std::string hex, text(field, 2 * std::tuple_size_v<Sha256Digest>));
  const auto digest = digest_from_hex(hex);
  if (!digest) return expected("64 hexadecimal digits", field);
  return *digest;
}

}  // namespace carat::store
