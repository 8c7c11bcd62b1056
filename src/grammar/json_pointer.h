#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::grammar {

// The pointer (RFC 6901) of a member or element.
std::string child(const std::string& pointer, std::string_view name);

// Undoes the percent escapes of a URI fragment; nullopt where they are wrong.
std::optional<std::string> unescape_fragment(std::string_view fragment);

// Null where there is nothing.
const boost::json::value* find_pointer(const boost::json::value& document, std::string_view pointer);

// Types as JSON schema names them.
bool is_type_name(std::string_view name);
bool has_type(const boost::json::value& value, std::string_view type);
// The types that keywords of a schema without "type" are about.
std::vector<std::string> types_meant(const boost::json::object& schema);

// A refusal that says where: "schema at #/properties/a: ...".
template <class... Args>
[[nodiscard]] std::unexpected<Error> refuse(const std::string& pointer, fmt::format_string<Args...> format,
                                            Args&&... args) {
  return fail(ErrorKind::kUsage, "schema at #{}: {}", pointer,
              fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace carat::grammar
