#include "server/start_answer.h"

#include <utility>

#include "server/route_helpers.h"

namespace carat::server {

AnswerStarter::AnswerStarter(ServerContext& context, NamedModel model, const GenerationOptions& options,
                             std::shared_ptr<const http::ServerRequest> request)
    : context_(context),
      model_(std::move(model)),
      options_(options),
      request_(std::move(request)),
      seed_(options.sampling.seed.value_or(random_seed())),
      // A seed that was asked for is passed on in any case, so that an engine without any refuses it.
      is_seeded_(options.sampling.seed.has_value() || model_.model->engine->capabilities().seeded) {}

AnswerHead AnswerStarter::head(std::string_view id_prefix) const {
  return {.id = random_id(id_prefix),
          .created = context_.unix_time(),
          .model = model_.name,
          .fingerprint = model_.model->fingerprint,
          .seed = seed_};
}

void AnswerStarter::start(std::vector<prompt::GenerationRequest> prompts,
                          std::unique_ptr<AnswerFormat> format, const http::Responder& responder,
                          std::shared_ptr<session::KeptAnswer> kept) {
  std::vector<prompt::GenerationRequest> choices;
  choices.reserve(prompts.size() * options_.choices);
  for (prompt::GenerationRequest& prompt : prompts) {
    prompt.sampling = options_.sampling;
    prompt.constraint = options_.constraint;
    prompt.owner = context_.access.owner_of(*request_);
    prompt.reuse_cache = options_.reuse_cache;
    prompt.adapters = model_.model->adapters;
    for (std::size_t i = 0; i < options_.choices; ++i) {
      if (is_seeded_) prompt.sampling.seed = seed_ + i;
      choices.push_back(prompt);
    }
  }
  start_run(context_.run_environment(), {.model = model_.model,
                                         .choices = std::move(choices),
                                         .choices_of_prompt = options_.choices,
                                         .constraint_field = options_.constraint_field,
                                         .format = std::move(format),
                                         .request = request_,
                                         .responder = responder,
                                         .kept = std::move(kept)});
}

}  // namespace carat::server
