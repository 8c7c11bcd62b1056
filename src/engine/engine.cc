#include "engine/engine.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

namespace carat::engine {
namespace {

using prompt::GenerationRequest;
using prompt::Piece;

template <class Kind>
bool has_piece(const GenerationRequest& request) {
  return std::ranges::any_of(request.prompt,
                             [](const Piece& piece) { return std::holds_alternative<Kind>(piece); });
}

// Hands what arrives on the engine's thread over to the one that waits.
class Mailbox final : public Receiver {
 public:
  void on_event(Event event) override {
    const std::scoped_lock lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }
  void on_end(Result<GenerationResult> result) override {
    const std::scoped_lock lock(mutex_);
    end_ = std::move(result);
    changed_.notify_one();
  }

  // The next event; none once all were taken and the request is over.
  std::optional<Event> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !events_.empty() || end_; });
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  // After the last event.
  Result<GenerationResult> take_end() {
    const std::scoped_lock lock(mutex_);
    return std::move(*end_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
  std::optional<Result<GenerationResult>> end_;
};

}  // namespace

Result<> check_request(const GenerationRequest& request, const Capabilities& capabilities) {
  const std::size_t vocabulary = capabilities.vocabulary_size;
  CARAT_TRY_VOID(prompt::validate(request, vocabulary == 0 ? SIZE_MAX : vocabulary));
  const auto refuse = [&](const char* what) {
    return fail(ErrorKind::kUsage, "{} is not possible with {}", what, capabilities.model);
  };
  if (has_piece<prompt::Image>(request) && !capabilities.images) {
    const std::string& remark = capabilities.images_remark;
    if (remark.empty()) return refuse("a prompt with images");
    return fail(ErrorKind::kUsage, "{}", remark);
  }
  if (has_piece<prompt::TokenIds>(request) && !capabilities.token_prompts)
    return refuse("a prompt of token ids");
  if (!request.adapters.empty() && !capabilities.adapters) return refuse("a request with adapters");
  if (request.constraint && !capabilities.grammar)
    return fail(ErrorKind::kUsage, "{}answers cannot be constrained with {}", kConstraintError,
                capabilities.model);
  if (request.sampling.logprobs && !capabilities.logprobs) return refuse("logprobs");
  if (request.prompt_logprobs && !capabilities.prompt_logprobs) return refuse("prompt_logprobs");
  if (request.sampling.seed && !capabilities.seeded) return refuse("seed");
  return {};
}

Result<GenerationResult> generate(Engine& engine, GenerationRequest request, const EventSink& sink,
                                  const std::stop_token& stop) {
  const auto mailbox = std::make_shared<Mailbox>();
  CARAT_TRY_VOID(engine.submit(std::move(request), mailbox, stop));
  while (const auto event = mailbox->next()) sink(*event);
  return mailbox->take_end();
}

}  // namespace carat::engine
