#include "grammar/schema.h"

#include <boost/json/parse.hpp>
#include <boost/system/error_code.hpp>

#include "grammar/schema_reader.h"

namespace carat::grammar {
namespace {

// JSON levels for one level of schema: "properties" and its members are two.
constexpr std::size_t kLevelsPerDepth = 2;

}  // namespace

Result<Schema> read_schema(std::string_view json, bool strict, const SchemaLimits& limits) {
  if (json.size() > limits.bytes) {
    return fail(ErrorKind::kUsage, "the schema has {} bytes, where {} are allowed", json.size(),
                limits.bytes);
  }
  boost::json::parse_options options;
  options.max_depth = kLevelsPerDepth * limits.depth + kLevelsPerDepth;
  boost::system::error_code error;
  const boost::json::value document = boost::json::parse(json, error, {}, options);
  if (error) return fail(ErrorKind::kUsage, "the schema is not valid JSON ({})", error.message());
  return SchemaReader(document, strict, limits).read();
}

}  // namespace carat::grammar
