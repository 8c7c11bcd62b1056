#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/api_error.h"

namespace carat::server {

// Reads the fields of a JSON object. A field that is absent or null is nullopt (or a null pointer); one of
// another type or out of range is so too, and becomes the error that error() has: the first one counts. So a
// whole object can be read without looking at each field, as long as error() is looked at in the end.
class FieldReader {
 public:
  // `path`: where the object stands, "messages[2]"; empty for the body itself.
  explicit FieldReader(const boost::json::object& object, std::string path = {})
      : object_(object), path_(std::move(path)), error_(&own_error_) {}
  // An object within what `outer` reads: errors are the outer one's.
  FieldReader(FieldReader& outer, const boost::json::object& object, std::string path)
      : object_(object), path_(std::move(path)), error_(outer.error_) {}
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  // nullptr: absent or null.
  const boost::json::value* find(std::string_view name) const;

  std::optional<std::string_view> text(std::string_view name);
  std::optional<bool> flag(std::string_view name);
  std::optional<double> number(std::string_view name);  // finite
  // Also as 16.0, which some clients write.
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t least, std::int64_t most);
  const boost::json::object* object(std::string_view name);
  const boost::json::array* array(std::string_view name);

  std::string path(std::string_view name) const;  // "messages[2].content"
  const boost::json::object& source() const { return object_; }

  // For whoever finds something wrong with a field; only the first is kept. `message` goes on from the
  // field's name: "must be ...".
  void refuse(ApiErrorCode code, std::string_view name, std::string_view message);
  void expected(std::string_view name, std::string_view what);  // kInvalidType

  const std::optional<ApiError>& error() const { return *error_; }

 private:
  const boost::json::object& object_;
  std::string path_;
  std::optional<ApiError> own_error_;
  std::optional<ApiError>* error_;
};

}  // namespace carat::server
