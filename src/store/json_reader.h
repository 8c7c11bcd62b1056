#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/sha256.h"

namespace carat::store {

// A stored JSON text; kFailed, with `what` in front, when it is none or nested deeper than 8.
Result<boost::json::value> parse_stored(std::string_view text, std::string_view what);

// Typed members of a stored object. Messages name the place and the field and the types, never a value.
class StoredObject {
 public:
  StoredObject(const boost::json::object& object, std::string place)
      : object_(object), place_(std::move(place)) {}

  Result<std::string> text(std::string_view field, std::size_t most_bytes) const;
  Result<bool> flag(std::string_view field) const;
  Result<float> number(std::string_view field) const;
  Result<std::int64_t> integer(std::string_view field) const;
  Result<Sha256Digest> digest(std::string_view field) const;

  const boost::json::value* find(std::string_view field) const { return object_.if_contains(field); }
  std::unexpected<Error> expected(std::string_view what, std::string_view field) const;

 private:
  const boost::json::object& object_;
  std::string place_;
};

}  // namespace carat::store
