#include "hub/refusal.h"

namespace carat::hub {
namespace {

template <class... Args>
Error error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return {kind, fmt::format(format, std::forward<Args>(args)...)};
}

Error no_permission(const http::ResponseHead& head, const HuggingFaceName& name, const Services& services) {
  const std::string page = fmt::format("{}/{}", services.hugging_face, name.repository);
  // Without a token, the hub says 401 also for repositories that do not exist.
  if (head.find("X-Error-Code") == "RepoNotFound") {
    return error(ErrorKind::kNotFound,
                 "{}: there is no such repository, or it is private: then set HF_TOKEN to a "
                 "token that may read it",
                 name.repository);
  }
  if (services.token.empty()) {
    return error(ErrorKind::kFailed,
                 "{} asks for agreement first (status {}): accept the Gemma terms at {}, make a "
                 "token with read access at {}/settings/tokens, set HF_TOKEN to it, and pull again",
                 name.repository, head.status, page, services.hugging_face);
  }
  return error(ErrorKind::kFailed,
               "{}: HF_TOKEN is not accepted (status {}): its owner must have accepted the Gemma "
               "terms at {}, and it needs read access to gated repositories",
               name.repository, head.status, page);
}

}  // namespace

Error refusal(const http::ResponseHead& head, const PullName& name, const Services& services) {
  const std::string place = to_text(name);
  const auto* hub_name = std::get_if<HuggingFaceName>(&name);
  switch (head.status) {
    case 401:
    case 403:
      if (hub_name != nullptr) return no_permission(head, *hub_name, services);
      return error(ErrorKind::kFailed, "{}: the registry does not give it out (status {})", place,
                   head.status);
    case 404:
      return error(ErrorKind::kNotFound, "{}: there is no such {} (status 404)", place,
                   hub_name != nullptr ? "repository or file" : "model or tag");
    case 416: return error(ErrorKind::kNetwork, "{}: the file is shorter than promised (status 416)", place);
    case 429: return error(ErrorKind::kNetwork, "{}: too many requests (status 429); try again later", place);
    default: return error(ErrorKind::kNetwork, "{}: unexpected status {}", place, head.status);
  }
}

}  // namespace carat::hub
