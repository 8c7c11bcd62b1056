#include <boost/json/array.hpp>
#include <boost/json/value_from.hpp>
#include <utility>

#include "base/utf8.h"
#include "prompt/piece.h"
#include "server/chat_prompt.h"
#include "server/json_fields.h"
#include "server/openai/chat_request.h"
#include "server/openai/completion_request.h"
#include "server/openai/routes.h"
#include "server/route_helpers.h"
#include "server/start_answer.h"
#include "server/with_model.h"
#include "tokenizer/tokenizer.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;
using Request = std::shared_ptr<const http::ServerRequest>;
using tokenizer::ControlTokens;
using tokenizer::Tokenizer;

// Each byte may become a token, and each token an object of the answer.
constexpr std::size_t kMostTokenBytes = std::size_t{2} << 20;

struct TokenizerOfModel {
  NamedModel named;
  std::shared_ptr<const Tokenizer> tokenizer;  // never null
};

ApiResult<TokenizerOfModel> tokenizer_of(NamedModel named) {
  auto tokenizer = named.model->engine->tokenizer();
  if (tokenizer == nullptr) return std::unexpected(ApiError{.code = ApiErrorCode::kUnsupportedFeature});
  return TokenizerOfModel{std::move(named), std::move(tokenizer)};
}

// The ids of "messages", images not counted.
ApiResult<std::vector<TokenId>> encode_messages(const TokenizerOfModel& found, const json::object& body,
                                                const std::stop_token& stop) {
  CARAT_TRY(const ChatRequest chat, parse_chat_messages(body));
  for (const ChatMessage& message : chat.turns.messages) {
    if (!message.images.empty())
      return std::unexpected(
          ApiError{.code = ApiErrorCode::kUnsupportedContent, .message = {}, .param = "messages"});
  }
  CARAT_TRY(const prompt::GenerationRequest prompt, render_chat(*found.named.model, chat.turns, stop));
  return prompt::encode(prompt.prompt, *found.tokenizer, {}).ids;
}

// llama-server's "content", without BOS unless add_special, or vLLM's "prompt", with one unless
// add_special_tokens is false.
ApiResult<std::vector<TokenId>> encode_text(const Tokenizer& tokenizer, const json::object& body) {
  FieldReader read(body);
  const auto content = read.text("content");
  const auto prompt = read.text("prompt");
  const bool adds_bos =
      content ? read.flag("add_special").value_or(false) : read.flag("add_special_tokens").value_or(true);
  const bool parses = read.flag("parse_special").value_or(true);
  if (!content && !prompt) read.refuse(ApiErrorCode::kMissingParameter, "content", "is missing");
  if (read.error()) return std::unexpected(*read.error());
  std::vector<TokenId> ids =
      tokenizer.encode(content ? *content : *prompt, parses ? ControlTokens::kParse : ControlTokens::kAsText);
  const auto bos = tokenizer.bos();
  if (adds_bos && bos && (ids.empty() || ids.front() != *bos)) ids.insert(ids.begin(), *bos);
  return ids;
}

// "with_pieces": a piece that is no valid UTF-8 by itself is an array of its bytes, as llama-server has it.
json::array with_pieces(const std::vector<TokenId>& ids, const Tokenizer& tokenizer) {
  json::array list;
  for (const TokenId id : ids) {
    const std::string_view piece = tokenizer.piece(id);
    json::value text(piece);
    if (!is_valid_utf8(piece)) {
      json::array bytes;
      for (const char c : piece) bytes.emplace_back(static_cast<unsigned>(static_cast<unsigned char>(c)));
      text = std::move(bytes);
    }
    list.push_back(json::object{{"id", id}, {"piece", std::move(text)}});
  }
  return list;
}

ApiResult<> tokenize(ServerContext&, NamedModel named, const json::object& body, const Request& request,
                     const http::Responder& responder) {
  CARAT_TRY(const TokenizerOfModel found, tokenizer_of(std::move(named)));
  FieldReader read(body);
  const bool wants_pieces = read.flag("with_pieces").value_or(false);
  CARAT_TRY(const std::vector<TokenId> ids, read.find("messages") != nullptr
                                                ? encode_messages(found, body, request->stop)
                                                : encode_text(*found.tokenizer, body));
  json::object answer = {{"count", ids.size()},
                         {"max_model_len", found.named.model->engine->capabilities().context_length}};
  answer["tokens"] = wants_pieces ? json::value(with_pieces(ids, *found.tokenizer)) : json::value_from(ids);
  responder.send(json_response(answer));
  return {};
}

ApiResult<> detokenize(ServerContext&, NamedModel named, const json::object& body, const Request&,
                       const http::Responder& responder) {
  CARAT_TRY(const TokenizerOfModel found, tokenizer_of(std::move(named)));
  FieldReader read(body);
  const json::array* list = read.array("tokens");
  if (list == nullptr) read.refuse(ApiErrorCode::kMissingParameter, "tokens", "is missing");
  std::vector<TokenId> ids;
  if (list != nullptr && !list->empty()) ids = read_token_ids(read, "tokens", *list);
  for (const TokenId id : ids) {
    if (!found.tokenizer->contains(id))
      read.refuse(ApiErrorCode::kInvalidValue, "tokens", "holds ids that are not in the vocabulary");
  }
  if (read.error()) return std::unexpected(*read.error());
  const std::string text = found.tokenizer->decode(ids, /*show_control=*/true);
  responder.send(json_response({{"content", text}, {"prompt", text}}));
  return {};
}

ApiResult<> tokenizer_info(ServerContext&, NamedModel named, const json::object&, const Request&,
                           const http::Responder& responder) {
  CARAT_TRY(const TokenizerOfModel found, tokenizer_of(std::move(named)));
  const Tokenizer& tokenizer = *found.tokenizer;
  json::object body = {{"tokenizer_class", "GemmaTokenizer"},
                       {"vocab_size", tokenizer.size()},
                       {"model_max_length", found.named.model->engine->capabilities().context_length}};
  const auto add = [&](const char* name, const std::optional<TokenId>& id) {
    if (id) body[name] = tokenizer.piece(*id);
  };
  add("bos_token", tokenizer.bos());
  add("eos_token", tokenizer.eos());
  add("end_of_turn_token", tokenizer.end_of_turn());
  responder.send(json_response(body));
  return {};
}

}  // namespace

void add_token_routes(http::Router& router, ServerContext& context) {
  const auto add = [&](std::string_view method, std::string_view pattern, auto handle) {
    add_both(router, method, pattern, RouteAccess::kInference, with_model(context, handle),
             {.most_body_bytes = kMostTokenBytes});
  };
  add("POST", "/tokenize", tokenize);
  add("POST", "/detokenize", detokenize);
  add("GET", "/tokenizer_info", tokenizer_info);
}

}  // namespace carat::server::openai
