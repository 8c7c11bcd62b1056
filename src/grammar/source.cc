#include "grammar/source.h"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <variant>
#include <vector>

#include "base/utf8.h"
#include "grammar/code_points.h"
#include "grammar/regex.h"
#include "grammar/schema_grammar.h"

namespace carat::grammar {
namespace {

constexpr std::string_view kArguments = "arguments";

struct ToGrammar {
  const SourceLimits& limits;

  Result<GrammarSource> operator()(const prompt::JsonObject&) const {
    JsonRules rules;
    rules.add_rule("root", JsonRules::kAnyObject);
    return GrammarSource{std::move(rules).take(), {}};
  }

  Result<GrammarSource> operator()(const prompt::JsonSchema& source) const {
    CARAT_TRY(const Schema schema, read_schema(source.text, source.strict, limits.schema));
    CARAT_TRY(LengthRules lengths, length_rules({&schema}));
    JsonRules rules;
    rules.add_rule("root", rules.add(schema, "s"));
    return GrammarSource{std::move(rules).take(), {std::move(lengths), ""}};
  }

  Result<GrammarSource> operator()(const prompt::Regex& source) const {
    CARAT_TRY(const std::string expression, regex_to_ebnf(source.pattern, TextForm::kPlain, Match::kWhole));
    return GrammarSource{fmt::format("root ::= {}\n", expression), {}};
  }

  Result<GrammarSource> operator()(const prompt::Ebnf& source) const {
    if (!is_valid_utf8(source.text) || source.text.find('\0') != std::string::npos) {
      return fail(ErrorKind::kUsage, "the grammar is not text in UTF-8");
    }
    return GrammarSource{source.text, {}};
  }

  Result<GrammarSource> operator()(const prompt::ToolCalls& source) const {
    CARAT_TRY_VOID(check(source));
    JsonRules rules;
    std::vector<Schema> schemas;
    std::string calls;
    for (std::size_t i = 0; i < source.tools.size(); ++i) {
      const prompt::ToolCalls::Tool& tool = source.tools[i];
      auto schema = read_schema(tool.arguments.text, tool.arguments.strict, limits.schema);
      if (!schema) return fail(ErrorKind::kUsage, "the tool {}: {}", tool.name, schema.error().message);
      // Rule names are letters: t, then z for every 26 tools before.
      const std::string prefix = fmt::format("t{:z<{}}{}", "", i / 26, static_cast<char>('a' + i % 26));
      const std::string arguments = rules.add(*schema, prefix);
      const std::string head =
          fmt::format("{{\"name\":{},\"{}\":", boost::json::serialize(tool.name), kArguments);
      calls += fmt::format("{}{} {} \"}}\"", calls.empty() ? "" : " | ", ebnf_literal(head), arguments);
      schemas.push_back(std::move(*schema));
    }
    rules.add_rule("call", fmt::format("({}) {}", calls, source.end.empty() ? "" : ebnf_literal(source.end)));
    const std::string trigger = ebnf_literal(source.trigger);
    if (source.required) {
      const std::string more = source.parallel ? fmt::format("({} call)*", trigger) : "";
      rules.add_rule("root", fmt::format("{} call {}", trigger, more));
    } else {
      rules.add_rule(
          "root", fmt::format("TagDispatch(({}, call), loop_after_dispatch={})", trigger, source.parallel));
    }
    std::vector<const Schema*> all;
    for (const Schema& schema : schemas) all.push_back(&schema);
    CARAT_TRY(LengthRules lengths, length_rules(all, std::string(kArguments)));
    return GrammarSource{std::move(rules).take(), {std::move(lengths), source.trigger}};
  }

  Result<> check(const prompt::ToolCalls& source) const {
    if (source.tools.empty() || source.tools.size() > limits.tools) {
      return fail(ErrorKind::kUsage, "{} tools, where 1 to {} are allowed", source.tools.size(),
                  limits.tools);
    }
    for (const std::string& text : {source.trigger, source.end}) {
      if (text.size() > limits.trigger_bytes || !is_valid_utf8(text)) {
        return fail(ErrorKind::kUsage, "the text around a tool call is too long, or not UTF-8");
      }
    }
    if (source.trigger.empty()) return fail(ErrorKind::kUsage, "the text that begins a tool call is empty");
    for (const prompt::ToolCalls::Tool& tool : source.tools) {
      if (tool.name.empty() || !is_valid_utf8(tool.name))
        return fail(ErrorKind::kUsage, "a tool without a name");
    }
    return {};
  }
};

}  // namespace

Result<GrammarSource> to_grammar(const prompt::Constraint& constraint, const SourceLimits& limits) {
  CARAT_TRY(GrammarSource source, std::visit(ToGrammar{limits}, constraint));
  if (source.ebnf.size() > limits.ebnf_bytes) {
    return fail(ErrorKind::kUsage, "the grammar has {} bytes, where {} are allowed", source.ebnf.size(),
                limits.ebnf_bytes);
  }
  return source;
}

}  // namespace carat::grammar
