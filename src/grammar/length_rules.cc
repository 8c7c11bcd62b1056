#include "grammar/length_rules.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace carat::grammar {
namespace {

constexpr std::size_t kMaxStates = 2000;

// A part of one of the schemas.
struct Part {
  std::size_t schema = 0;
  SchemaId node = 0;
  auto operator<=>(const Part&) const = default;
};
using Parts = std::set<Part>;

std::string key_text(const std::string& name) {
  const std::string quoted = boost::json::serialize(name);
  return quoted.substr(1, quoted.size() - 2);
}

// Sets of parts that a path can lead to, each a state.
class Builder {
 public:
  explicit Builder(const std::vector<const Schema*>& schemas) : schemas_(schemas) {}

  Result<LengthRules> build(const std::optional<std::string>& around) {
    Parts roots;
    for (std::size_t i = 0; i < schemas_.size(); ++i) expand({i, schemas_[i]->root}, roots);
    rules_.states.resize(1);
    sets_.emplace_back();
    known_.emplace(Parts(), LengthRules::kFree);
    rules_.root = state_of(std::move(roots));
    for (std::size_t i = 1; i < sets_.size(); ++i) {
      if (sets_.size() > kMaxStates) return fail(ErrorKind::kUsage, "the schema's alternatives are too many");
      CARAT_TRY_VOID(fill(i));
    }
    if (around) {
      rules_.states.emplace_back().members = {{key_text(*around), rules_.root}};
      rules_.root = static_cast<std::uint32_t>(rules_.states.size() - 1);
    }
    prune();
    return std::move(rules_);
  }

 private:
  const SchemaNode& node(const Part& part) const { return schemas_[part.schema]->nodes[part.node]; }

  // Adds a part, or for alternatives what they lead to.
  void expand(const Part& start, Parts& out) {
    std::vector<Part> open = {start};
    Parts seen;
    while (!open.empty()) {
      const Part part = open.back();
      open.pop_back();
      if (!seen.insert(part).second) continue;
      if (node(part).kind != SchemaNode::Kind::kEither) {
        out.insert(part);
        continue;
      }
      for (const SchemaId option : node(part).options) open.push_back({part.schema, option});
    }
  }

  std::uint32_t state_of(Parts parts) {
    const auto [place, added] = known_.emplace(parts, static_cast<std::uint32_t>(sets_.size()));
    if (added) {
      sets_.push_back(std::move(parts));
      rules_.states.emplace_back();
    }
    return place->second;
  }

  // The state of what `choose` finds in each part, where it finds something.
  template <class Choose>
  std::uint32_t child(std::size_t state, const Choose& choose) {
    Parts parts;
    for (const Part& part : sets_[state]) {
      if (const std::optional<SchemaId> id = choose(node(part))) expand({part.schema, *id}, parts);
    }
    return state_of(std::move(parts));
  }

  Result<> fill(std::size_t state) {
    LengthRules::State out;
    CARAT_TRY_VOID(limit(state, out));
    std::set<std::string> names;
    std::size_t prefix = 0;
    for (const Part& part : sets_[state]) {
      for (const SchemaMember& member : node(part).members) names.insert(member.name);
      prefix = std::max(prefix, node(part).prefix.size());
    }
    for (const std::string& name : names) {
      const auto choose = [&](const SchemaNode& from) {
        const auto member = std::ranges::find(from.members, name, &SchemaMember::name);
        return member != from.members.end() ? std::optional(member->value) : from.additional;
      };
      out.members.emplace_back(key_text(name), child(state, choose));
    }
    out.other_members = child(state, [](const SchemaNode& from) { return from.additional; });
    for (std::size_t i = 0; i < prefix; ++i) {
      out.prefix.push_back(child(state, [i](const SchemaNode& from) {
        return i < from.prefix.size() ? std::optional(from.prefix[i]) : from.items;
      }));
    }
    out.items = child(state, [](const SchemaNode& from) { return from.items; });
    rules_.states[state] = std::move(out);
    return {};
  }

  Result<> limit(std::size_t state, LengthRules::State& out) const {
    bool fixed = false;
    for (const Part& part : sets_[state]) {
      const SchemaNode& one = node(part);
      fixed = fixed || (one.kind == SchemaNode::Kind::kText && one.text_is_string);
      if (one.kind != SchemaNode::Kind::kString) continue;
      out.least = std::max(out.least, one.least_length);
      if (one.most_length) out.most = std::min(out.most.value_or(*one.most_length), *one.most_length);
    }
    const bool limited = out.least > 0 || out.most;
    if (limited && (fixed || (out.most && out.least > *out.most))) {
      return fail(ErrorKind::kUsage,
                  "the schema has alternatives for one string of which some have minLength or maxLength and "
                  "others a pattern, a constant or other limits: this is not supported");
    }
    return {};
  }

  // What leads to no limit becomes the free state, so that an answer without limits is not followed at all.
  void prune() {
    std::vector<bool> needed(rules_.states.size(), false);
    const auto is_needed = [&](std::uint32_t state) { return static_cast<bool>(needed[state]); };
    const auto matters = [&](const LengthRules::State& state) {
      return state.least > 0 || state.most || is_needed(state.other_members) || is_needed(state.items) ||
             std::ranges::any_of(state.prefix, is_needed) ||
             std::ranges::any_of(state.members, [&](const auto& member) { return is_needed(member.second); });
    };
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = 1; i < needed.size(); ++i) {
        if (needed[i] || !matters(rules_.states[i])) continue;
        needed[i] = changed = true;
      }
    }
    const auto keep = [&](std::uint32_t& state) {
      if (!needed[state]) state = LengthRules::kFree;
    };
    for (LengthRules::State& state : rules_.states) {
      for (auto& member : state.members) keep(member.second);
      for (std::uint32_t& one : state.prefix) keep(one);
      keep(state.other_members);
      keep(state.items);
    }
    keep(rules_.root);
    if (rules_.empty()) rules_.states.resize(1);
  }

  const std::vector<const Schema*>& schemas_;
  LengthRules rules_;
  std::vector<Parts> sets_;  // by state
  std::map<Parts, std::uint32_t> known_;
};

}  // namespace

Result<LengthRules> length_rules(const std::vector<const Schema*>& schemas,
                                 const std::optional<std::string>& around) {
  return Builder(schemas).build(around);
}

}  // namespace carat::grammar
