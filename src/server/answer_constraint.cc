#include "server/answer_constraint.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "prompt/constraint.h"

namespace carat::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostChoicesOfText = 1000;
constexpr std::string_view kMustBeSchema = "a JSON schema: an object";

// Takes over what a field asks for; a second one is refused.
void set(FieldReader& read, std::string_view name, prompt::Constraint constraint,
         GenerationOptions& options) {
  if (options.constraint)
    return read.refuse(ApiErrorCode::kInvalidValue, name,
                       fmt::format("cannot be combined with {}", options.constraint_field));
  options.constraint = std::move(constraint);
  options.constraint_field = read.path(name);
}

// A schema as an object, a truth value, or (vLLM) the text of one.
void read_schema(FieldReader& read, std::string_view name, bool strict, GenerationOptions& options) {
  const json::value* value = read.find(name);
  if (value == nullptr) return;
  if (const json::string* text = value->if_string()) {
    set(read, name, prompt::JsonSchema{std::string(*text), strict}, options);
  } else if (value->is_object() || value->is_bool()) {
    set(read, name, prompt::JsonSchema{json::serialize(*value), strict}, options);
  } else {
    read.expected(name, kMustBeSchema);
  }
}

template <class Source>
void read_source(FieldReader& read, std::string_view name, GenerationOptions& options) {
  const auto text = read.text(name);
  if (text && !text->empty()) set(read, name, Source{std::string(*text)}, options);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(R"(\^$.|?*+()[]{}/)").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// One of some texts, as it is.
void read_choice(FieldReader& read, std::string_view name, GenerationOptions& options) {
  const json::array* list = read.array(name);
  if (list == nullptr || list->empty()) return;
  if (list->size() > kMostChoicesOfText)
    return read.refuse(ApiErrorCode::kInvalidValue, name, "holds too many texts");
  std::string pattern;
  for (const json::value& item : *list) {
    const json::string* text = item.if_string();
    if (text == nullptr || text->empty())
      return read.expected(name, "an array of strings that are not empty");
    if (!pattern.empty()) pattern += '|';
    pattern += escaped(*text);
  }
  set(read, name, prompt::Regex{std::move(pattern)}, options);
}

void read_response_format(FieldReader& read, GenerationOptions& options) {
  const json::object* format = read.object("response_format");
  if (format == nullptr) return;
  FieldReader fields(read, *format, "response_format");
  const std::string_view type = fields.text("type").value_or("text");
  if (type == "text") return;
  if (type == "json_object") {
    // A schema beside it is llama-server's way.
    if (fields.find("schema") != nullptr) return read_schema(fields, "schema", false, options);
    return set(read, "response_format", prompt::JsonObject{}, options);
  }
  if (type != "json_schema")
    return fields.refuse(ApiErrorCode::kUnsupportedParameter, "type",
                         "must be text, json_object or json_schema");
  const json::object* named = fields.object("json_schema");
  if (named == nullptr) return fields.refuse(ApiErrorCode::kMissingParameter, "json_schema", "is missing");
  FieldReader parts(fields, *named, fields.path("json_schema"));
  parts.text("name");
  if (parts.find("schema") == nullptr)
    return parts.refuse(ApiErrorCode::kMissingParameter, "schema", "is missing");
  read_schema(parts, "schema", parts.flag("strict").value_or(false), options);
}

// vLLM's newer form of guided_*.
void read_structured_outputs(FieldReader& read, GenerationOptions& options) {
  const json::object* outputs = read.object("structured_outputs");
  if (outputs == nullptr) return;
  FieldReader fields(read, *outputs, "structured_outputs");
  read_schema(fields, "json", false, options);
  read_source<prompt::Regex>(fields, "regex", options);
  read_source<prompt::Ebnf>(fields, "grammar", options);
  read_choice(fields, "choice", options);
  if (fields.flag("json_object").value_or(false)) set(fields, "json_object", prompt::JsonObject{}, options);
  if (fields.find("structural_tag") != nullptr)
    fields.refuse(ApiErrorCode::kUnsupportedParameter, "structural_tag", "is not supported by this server");
}

}  // namespace

void read_answer_constraint(FieldReader& read, GenerationOptions& options) {
  read_response_format(read, options);
  read_source<prompt::Ebnf>(read, "grammar", options);
  read_schema(read, "json_schema", false, options);
  read_schema(read, "guided_json", false, options);
  read_source<prompt::Regex>(read, "guided_regex", options);
  read_source<prompt::Ebnf>(read, "guided_grammar", options);
  read_choice(read, "guided_choice", options);
  read_structured_outputs(read, options);
}

void read_format(FieldReader& read, GenerationOptions& options) {
  const json::value* format = read.find("format");
  if (format == nullptr) return;
  if (const json::string* text = format->if_string()) {
    if (text->empty()) return;
    if (*text != "json")
      return read.refuse(ApiErrorCode::kInvalidValue, "format", "must be json, or a JSON schema");
    return set(read, "format", prompt::JsonObject{}, options);
  }
  if (!format->is_object()) return read.expected("format", "json, or a JSON schema");
  read_schema(read, "format", false, options);
}

}  // namespace carat::server
