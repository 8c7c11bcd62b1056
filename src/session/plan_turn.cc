#include "session/plan_turn.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"
#include "chat/prompt_style.h"

namespace carat::session {
namespace {

using chat::ContextPlan;
using prompt::Role;

std::string role_name(Role role) {
  if (role == Role::kSystem) return "system";
  return role == Role::kUser ? "user" : "assistant";
}

// Pieces are encoded apart from one another, so counts of parts add up to that of the whole.
Result<std::size_t> count(engine::Engine& engine, std::span<const prompt::Piece> pieces) {
  prompt::GenerationRequest part;
  part.prompt.assign(pieces.begin(), pieces.end());
  part.one_bos = false;
  return engine.count_tokens(part);
}

Result<> count_pieces(engine::Engine& engine, const prompt::GenerationRequest& request, ContextPlan& plan) {
  const std::span<const prompt::Piece> pieces(request.prompt);
  const std::vector<std::size_t> ends = chat::message_ends(pieces, request.messages);
  std::size_t message = 0;
  std::size_t begin = 0;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < plan.pieces.size(); ++i) {
    ContextPlan::Piece& piece = plan.pieces[i];
    if (piece.kind == ContextPlan::Kind::kSystem) {
      const prompt::Piece alone = prompt::PlainText{request.messages[i].text};
      CARAT_TRY(piece.tokens, count(engine, std::span(&alone, 1)));
      continue;
    }
    const std::size_t end = ends[message++];
    CARAT_TRY(piece.tokens, count(engine, pieces.subspan(begin, end - begin)));
    piece.range = ContextPlan::Range{tokens, tokens + *piece.tokens};
    tokens += *piece.tokens;
    begin = end;
  }
  plan.tokens = tokens;
  return {};
}

}  // namespace

Result<ContextPlan> plan_turn(engine::Engine& engine, const prompt::GenerationRequest& request,
                              std::span<const std::string> sources) {
  CARAT_CHECK(sources.size() == request.messages.size());
  ContextPlan plan;
  plan.context_length = engine.capabilities().context_length;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Role role = request.messages[i].role;
    plan.pieces.push_back(
        {.kind = role == Role::kSystem ? ContextPlan::Kind::kSystem : ContextPlan::Kind::kTurn,
         .role = role_name(role),
         .source = sources[i]});
  }
  if (engine.tokenizer() == nullptr) return plan;
  CARAT_TRY_VOID(count_pieces(engine, request, plan));
  if (*plan.tokens >= plan.context_length) {
    return fail(ErrorKind::kContextExceeded,
                "the prompt has {} tokens and leaves no room for an answer in the context of {} tokens",
                *plan.tokens, plan.context_length);
  }
  return plan;
}

}  // namespace carat::session
