#include <utility>

#include "server/openai/completion_answer.h"
#include "server/openai/completion_request.h"
#include "server/openai/routes.h"
#include "server/route_helpers.h"
#include "server/start_answer.h"
#include "server/with_model.h"
#include "tokenizer/tokenizer.h"

namespace carat::server::openai {
namespace {

using Request = std::shared_ptr<const http::ServerRequest>;

constexpr std::string_view kBosText = "<bos>";

prompt::GenerationRequest to_generation(const CompletionPrompt& prompt) {
  prompt::GenerationRequest request;
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    request.prompt.emplace_back(prompt::Markup{*text});
  } else {
    request.prompt.emplace_back(prompt::TokenIds{std::get<std::vector<TokenId>>(prompt)});
    request.one_bos = false;
  }
  return request;
}

ApiResult<EchoedPrompt> echo_of(const CompletionPrompt& prompt, const engine::Engine& engine) {
  if (const auto* text = std::get_if<std::string>(&prompt))
    return EchoedPrompt{.text = *text, .gains_bos = !text->starts_with(kBosText)};
  const auto tokenizer = engine.tokenizer();
  if (tokenizer == nullptr) {
    return std::unexpected(ApiError{.code = ApiErrorCode::kUnsupportedParameter,
                                    .message = "echo is not possible with prompts of token ids here",
                                    .param = "echo"});
  }
  return EchoedPrompt{.text =
                          tokenizer->decode(std::get<std::vector<TokenId>>(prompt), /*show_control=*/true)};
}

ApiResult<> complete(ServerContext& context, NamedModel named, const boost::json::object& body,
                     const Request& request, const http::Responder& responder) {
  CARAT_TRY(const CompletionRequest completion, parse_completion_request(body, named.model->sampling));
  std::vector<prompt::GenerationRequest> prompts;
  std::vector<EchoedPrompt> echo;
  for (const CompletionPrompt& source : completion.prompts) {
    prompt::GenerationRequest& prompt = prompts.emplace_back(to_generation(source));
    if (!completion.echo) continue;
    prompt.prompt_logprobs = completion.options.sampling.logprobs;
    CARAT_TRY(echo.emplace_back(), echo_of(source, *named.model->engine));
  }
  AnswerStarter starter(context, std::move(named), completion.options, request);
  auto format = make_completion_format(starter.head("cmpl-"), completion.options, prompts.size(), echo);
  starter.start(std::move(prompts), std::move(format), responder);
  return {};
}

}  // namespace

void add_completion_routes(http::Router& router, ServerContext& context) {
  add_both(router, "POST", "/completions", RouteAccess::kInference, with_model(context, complete),
           {.most_body_bytes = kMostPromptBytes});
}

}  // namespace carat::server::openai
