#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "grammar/length_rules.h"
#include "grammar/schema.h"
#include "grammar/schema_grammar.h"

// Schemas as clients send them: refused, or made into a grammar, in bounded time and memory.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view json(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto schema = carat::grammar::read_schema(json, (data[0] & 1U) != 0);
  if (!schema) return 0;
  static_cast<void>(carat::grammar::length_rules({&*schema}));
  carat::grammar::JsonRules rules;
  static_cast<void>(rules.add(*schema, "s"));
  static_cast<void>(std::move(rules).take());
  return 0;
}
