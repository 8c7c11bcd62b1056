#include "chat/context_plan.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

namespace carat::chat {
namespace {

namespace json = boost::json;

std::string_view name_of(ContextPlan::Kind kind) {
  return kind == ContextPlan::Kind::kSystem ? "system" : "turn";
}

json::value number(const std::optional<std::size_t>& value) {
  return value ? json::value(*value) : json::value();
}

json::object piece_object(const ContextPlan::Piece& piece, std::size_t id) {
  json::object out = {{"id", id}, {"kind", name_of(piece.kind)}, {"role", piece.role}};
  out["source"] = piece.source.empty() ? json::value() : json::value(piece.source);
  out["state"] = "kept";
  out["reason"] = "fits";
  out["tokens"] = number(piece.tokens);
  out["begin"] = piece.range ? json::value(piece.range->begin) : json::value();
  out["end"] = piece.range ? json::value(piece.range->end) : json::value();
  return out;
}

}  // namespace

std::string to_json(const ContextPlan& plan) {
  json::array pieces;
  for (std::size_t id = 0; id < plan.pieces.size(); ++id) pieces.push_back(piece_object(plan.pieces[id], id));
  return json::serialize(json::object{{"version", ContextPlan::kVersion},
                                      {"policy", "strict"},
                                      {"context", plan.context_length},
                                      {"tokens", number(plan.tokens)},
                                      {"pieces", std::move(pieces)}});
}

}  // namespace carat::chat
