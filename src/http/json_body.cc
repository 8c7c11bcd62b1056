#include "http/json_body.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace carat::http {
namespace {

namespace json = boost::json;
using boost::system::error_code;

constexpr std::size_t kMostShownKey = 64;

// What Boost.JSON's parser calls for each thing it meets. Builds the value, and knows at which place it is.
class Builder {
 public:
  // NOLINTBEGIN(readability-identifier-naming): names that the parser looks for
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);
  // NOLINTEND(readability-identifier-naming)

  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& error) { return begin(/*is_array=*/false, error); }
  bool on_object_end(std::size_t count, error_code&) {
    values_.push_object(count);
    places_.pop_back();
    return next();
  }
  bool on_array_begin(error_code& error) { return begin(/*is_array=*/true, error); }
  bool on_array_end(std::size_t count, error_code&) {
    values_.push_array(count);
    places_.pop_back();
    return next();
  }

  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    values_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view rest, std::size_t, error_code& error) {
    key_.append(rest.data(), rest.size());
    values_.push_key(rest);
    Place& place = places_.back();
    place.key = std::exchange(key_, {});
    if (!place.keys.insert(place.key).second) return refuse("this key is there twice", error);
    if (place.keys.size() > limits_.most_members) return refuse("the object has too many members", error);
    return true;
  }

  bool on_string_part(json::string_view part, std::size_t, error_code&) {
    values_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view rest, std::size_t, error_code& error) {
    values_.push_string(rest);
    return count(error) && next();
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, error_code& error) {
    values_.push_int64(number);
    return count(error) && next();
  }
  bool on_uint64(std::uint64_t number, json::string_view, error_code& error) {
    values_.push_uint64(number);
    return count(error) && next();
  }
  bool on_double(double number, json::string_view, error_code& error) {
    if (!std::isfinite(number)) return refuse("the number is too large", error);
    values_.push_double(number);
    return count(error) && next();
  }
  bool on_bool(bool value, error_code& error) {
    values_.push_bool(value);
    return count(error) && next();
  }
  bool on_null(error_code& error) {
    values_.push_null();
    return count(error) && next();
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

  json::value_stack& values() { return values_; }
  const std::string& refusal() const { return refusal_; }

  // "messages[3].content"; empty for the root.
  std::string path() const {
    std::string text;
    for (const Place& place : places_) {
      if (place.is_array) {
        text += fmt::format("[{}]", place.index);
      } else if (!place.key.empty()) {
        if (!text.empty()) text += '.';
        text += replace_invalid_utf8(place.key.substr(0, kMostShownKey));
      }
    }
    return text;
  }

 private:
  struct Place {
    bool is_array = false;
    std::size_t index = 0;  // of the element that comes
    std::string key;        // of the member that comes
    std::set<std::string> keys;
  };

  bool begin(bool is_array, error_code& error) {
    if (!count(error)) return false;
    places_.push_back({.is_array = is_array, .index = 0, .key = {}, .keys = {}});
    return true;
  }

  bool count(error_code& error) {
    return ++count_ <= limits_.most_values || refuse("there are too many values", error);
  }

  bool next() {
    if (!places_.empty() && places_.back().is_array) ++places_.back().index;
    return true;
  }

  bool refuse(std::string why, error_code& error) {
    refusal_ = std::move(why);
    error = json::error::syntax;  // any error ends the parser; refusal_ says which
    return false;
  }

  const JsonLimits& limits_;
  json::value_stack values_;
  std::vector<Place> places_;
  std::string key_;
  std::string refusal_;
  std::size_t count_ = 0;
};

std::string describe(const Builder& builder, const error_code& error, std::size_t position) {
  if (!builder.refusal().empty()) return builder.refusal();
  if (error == json::error::too_deep) return "arrays and objects are nested too deeply";
  if (error == json::error::incomplete) return "the text ends too early";
  return fmt::format("no valid JSON at byte {}: {}", position, error.message());
}

}  // namespace

Result<json::value> parse_json_body(std::string_view text, const JsonLimits& limits) {
  json::parse_options options;
  options.max_depth = limits.most_depth;
  json::basic_parser<Builder> parser(options, limits);
  parser.handler().values().reset();
  error_code error;
  const std::size_t used = parser.write_some(/*more=*/false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (!error) return parser.handler().values().release();

  const std::string path = parser.handler().path();
  const std::string what = describe(parser.handler(), error, used);
  if (path.empty()) return fail(ErrorKind::kUsage, "{}", what);
  return fail(ErrorKind::kUsage, "{}: {}", path, what);
}

}  // namespace carat::http
