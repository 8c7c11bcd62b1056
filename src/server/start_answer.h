#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "http/responder.h"
#include "http/server_request.h"
#include "prompt/generation_request.h"
#include "server/generation_options.h"
#include "server/server_context.h"
#include "session/kept_answer.h"

namespace carat::server {

inline constexpr std::size_t kMostPromptBytes = std::size_t{64} << 20;  // of a body that may hold images

// What is the same for every request that generates: the owner, the seed, and `options.choices` choices of
// each prompt, choice i with the seed + i.
class AnswerStarter {
 public:
  AnswerStarter(ServerContext& context, NamedModel model, const GenerationOptions& options,
                std::shared_ptr<const http::ServerRequest> request);

  AnswerHead head(std::string_view id_prefix) const;

  // `prompts` have their pieces and messages; the rest is filled in here. `kept`: see RunRequest.
  void start(std::vector<prompt::GenerationRequest> prompts, std::unique_ptr<AnswerFormat> format,
             const http::Responder& responder, std::shared_ptr<session::KeptAnswer> kept = nullptr);

 private:
  ServerContext& context_;
  NamedModel model_;
  const GenerationOptions& options_;
  std::shared_ptr<const http::ServerRequest> request_;
  std::uint64_t seed_;
  bool is_seeded_;
};

}  // namespace carat::server
