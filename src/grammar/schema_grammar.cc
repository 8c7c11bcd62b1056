#include "grammar/schema_grammar.h"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/utf8.h"
#include "grammar/code_points.h"

namespace carat::grammar {
namespace {

// Strings recurse to the right: so XGrammar knows the tokens inside one beforehand, where a starred rule
// would cost it up to a second a token. Lone surrogates are left out, for they are no text.
constexpr std::string_view kAnyRules = R"ebnf(
json_value ::= json_string | json_number | json_object | json_array | "true" | "false" | "null"
json_string ::= "\"" json_rest
json_rest ::= "\"" | [\u0020-\u0021\u0023-\u005B\u005D-\uD7FF\uE000-\U0010FFFF] json_rest | "\\" json_escape json_rest
json_escape ::= ["\\/bfnrt] | "u" [0-9a-cA-Ce-fE-F] [0-9a-fA-F]{3} | "u" [dD] [0-7] [0-9a-fA-F]{2}
json_number ::= "-"? ("0" | [1-9] [0-9]{0,17}) ("." [0-9]{1,18})? ([eE] [+-]? [0-9]{1,2})?
json_object ::= "{" ("}" | json_string ":" json_value json_members)
json_members ::= "}" | "," json_string ":" json_value json_members
json_array ::= "[" ("]" | json_value json_items)
json_items ::= "]" | "," json_value json_items
)ebnf";

std::uint32_t first_code_point(std::string_view text) {
  const std::size_t length = first_utf8_unit(text).length;
  const auto lead = static_cast<unsigned char>(text[0]);
  std::uint32_t value = length == 1 ? lead : lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return value;
}

// The rules of one schema.
class Writer {
 public:
  Writer(const Schema& schema, const std::string& prefix, JsonRules& out)
      : schema_(schema), prefix_(prefix), out_(out) {}

  std::string write() {
    for (SchemaId id = 0; id < schema_.nodes.size(); ++id) write_node(id);
    return name(schema_.root);
  }

 private:
  std::string name(SchemaId id) const { return fmt::format("{}_{}", prefix_, letters(id)); }

  // Rule names keep to letters and underscores, whatever number they stand for.
  static std::string letters(std::size_t number) {
    std::string text;
    do {
      text += static_cast<char>('a' + number % 26);
      number /= 26;
    } while (number > 0);
    return text;
  }

  std::string reference(SchemaId id) const {
    const SchemaNode& node = schema_.nodes[id];
    if (node.kind == SchemaNode::Kind::kAny) return "json_value";
    if (node.kind == SchemaNode::Kind::kString) return node.most_length == 0U ? R"("\"\"")" : "json_string";
    return name(id);
  }

  void write_node(SchemaId id) {
    const SchemaNode& node = schema_.nodes[id];
    switch (node.kind) {
      case SchemaNode::Kind::kAny:
      case SchemaNode::Kind::kString:
        if (id == schema_.root) out_.add_rule(name(id), reference(id));
        break;
      case SchemaNode::Kind::kText: out_.add_rule(name(id), node.ebnf); break;
      case SchemaNode::Kind::kEither: {
        std::string body;
        for (const SchemaId option : node.options) body += (body.empty() ? "" : " | ") + reference(option);
        out_.add_rule(name(id), body);
        break;
      }
      case SchemaNode::Kind::kArray: out_.add_rule(name(id), "\"[\" " + elements(id, node, 0)); break;
      case SchemaNode::Kind::kObject: write_object(id, node); break;
    }
  }

  // Elements from number i on, up to the closing bracket.
  std::string elements(SchemaId id, const SchemaNode& node, std::size_t i) {
    if (node.most_items && i >= *node.most_items) return "\"]\"";
    const std::string comma = i > 0 ? "\",\" " : "";
    if (i < node.prefix.size()) {
      const std::string one = comma + reference(node.prefix[i]) + " " + elements(id, node, i + 1);
      return i < node.least_items ? one : "(\"]\" | " + one + ")";
    }
    if (!node.items) return "\"]\"";
    const std::string item = reference(*node.items);
    const std::size_t least = std::max<std::size_t>(node.least_items, i) - i;
    if (!node.most_items && least <= 1) return unbounded(id, comma + item, item, least == 1);
    if (i == 0) {
      const std::string rest = counted("(\",\" " + item + ")", std::max<std::size_t>(least, 1) - 1, node, 1);
      return least > 0 ? item + " " + rest + " \"]\"" : "(\"]\" | " + item + " " + rest + " \"]\")";
    }
    return counted("(\",\" " + item + ")", least, node, i) + " \"]\"";
  }

  static std::string counted(const std::string& one, std::size_t least, const SchemaNode& node,
                             std::size_t before) {
    if (!node.most_items) return fmt::format("{}{{{},}}", one, least);
    return fmt::format("{}{{{},{}}}", one, least, *node.most_items - before);
  }

  std::string unbounded(SchemaId id, const std::string& first, const std::string& item, bool needs_one) {
    const std::string more = name(id) + "_more";
    out_.add_rule(more, fmt::format("\"]\" | \",\" {} {}", item, more));
    return needs_one ? first + " " + more : fmt::format("(\"]\" | {} {})", first, more);
  }

  // Rules x_r: the members from one on where others stand before them; x_f: where none do.
  void write_object(SchemaId id, const SchemaNode& node) {
    const std::string base = name(id);
    const std::size_t count = node.members.size();
    std::string end = "\"}\"";
    if (node.additional) {
      const std::string more = base + "_more";
      const std::string other = additional_key(node) + " \":\" " + reference(*node.additional) + " " + more;
      out_.add_rule(more, "\"}\" | \",\" " + other);
      out_.add_rule(base + "_f" + letters(count), "\"}\" | " + other);
      end = more;
    } else {
      out_.add_rule(base + "_f" + letters(count), end);
    }
    out_.add_rule(base + "_r" + letters(count), end);
    for (std::size_t i = 0; i < count; ++i) {
      const SchemaMember& member = node.members[i];
      const std::string rest = base + "_r" + letters(i + 1);
      const std::string one = ebnf_literal(boost::json::serialize(member.name) + ":") + " " +
                              reference(member.value) + " " + rest;
      const std::string skip = member.required ? "" : " | " + rest;
      const std::string skip_first = member.required ? "" : " | " + base + "_f" + letters(i + 1);
      std::string after_comma = "\",\" ";
      out_.add_rule(base + "_r" + letters(i), after_comma.append(one).append(skip));
      out_.add_rule(base + "_f" + letters(i), one + skip_first);
    }
    out_.add_rule(base, "\"{\" " + base + "_f" + letters(0));
  }

  // Another key must not be one of the members, or a member's value would escape its schema: so it begins
  // with another character.
  std::string additional_key(const SchemaNode& node) const {
    if (!node.key_ebnf.empty()) return R"("\"" )" + node.key_ebnf + R"( "\"")";
    if (node.members.empty()) return "json_string";
    CodePoints first = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    for (const SchemaMember& member : node.members) {
      if (member.name.empty()) continue;
      const std::uint32_t code_point = first_code_point(member.name);
      first.add(code_point, code_point);
    }
    return R"("\"" )" + ebnf_class(first.complement()) + " json_rest";
  }

  const Schema& schema_;
  const std::string& prefix_;
  JsonRules& out_;
};

}  // namespace

std::string JsonRules::add(const Schema& schema, const std::string& prefix) {
  return Writer(schema, prefix, *this).write();
}

void JsonRules::add_rule(std::string_view name, std::string_view body) {
  text_ += fmt::format("{} ::= {}\n", name, body);
}

std::string JsonRules::take() && { return std::move(text_) + std::string(kAnyRules); }

}  // namespace carat::grammar
