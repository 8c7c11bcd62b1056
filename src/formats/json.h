#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace carat::formats {

// A view of one JSON object that checks types: a member of another type is kInvalidModel naming file, member,
// expected and actual type. A member that is null counts as absent. Lives no longer than its document.
class JsonObject {
 public:
  JsonObject(const boost::json::object& object, std::string file, std::string place)
      : object_(&object), file_(std::move(file)), place_(std::move(place)) {}

  Result<std::optional<std::uint64_t>> find_u64(std::string_view name) const;
  Result<std::optional<float>> find_f32(std::string_view name) const;  // any finite number
  Result<std::optional<bool>> find_bool(std::string_view name) const;
  Result<std::optional<std::string>> find_string(std::string_view name) const;
  Result<std::optional<JsonObject>> find_object(std::string_view name) const;
  Result<const boost::json::array*> find_array(std::string_view name) const;  // null when absent

  // The same for members that must be there.
  Result<std::uint64_t> get_u64(std::string_view name) const;
  Result<std::string> get_string(std::string_view name) const;
  Result<JsonObject> get_object(std::string_view name) const;
  Result<const boost::json::array*> get_array(std::string_view name) const;

  const boost::json::object& members() const { return *object_; }
  std::string path_of(std::string_view name) const;  // "text_config.rope_scaling.factor"

  template <class... Args>
  std::unexpected<Error> invalid(std::string_view name, fmt::format_string<Args...> format,
                                 Args&&... args) const {
    return fail(ErrorKind::kInvalidModel, "{}: {}: {}", file_, path_of(name),
                fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  const boost::json::value* find(std::string_view name) const;
  std::unexpected<Error> wrong_type(std::string_view name, std::string_view expected,
                                    const boost::json::value& actual) const;
  std::unexpected<Error> missing(std::string_view name) const;

  const boost::json::object* object_;
  std::string file_;
  std::string place_;  // path of this object in the document, empty for the root
};

// A parsed JSON text whose root is an object, at most 32 levels deep.
class JsonDocument {
 public:
  // `file` begins error messages. kInvalidModel when the text is no JSON object.
  static Result<JsonDocument> parse(std::string_view text, const std::string& file);

  JsonObject root() const { return {value_.get_object(), file_, ""}; }

 private:
  JsonDocument(boost::json::value value, std::string file)
      : value_(std::move(value)), file_(std::move(file)) {}

  boost::json::value value_;
  std::string file_;
};

}  // namespace carat::formats
