#include "engine/testing/scripted_engine.h"

#include <algorithm>
#include <utility>

namespace carat::engine {

using std::chrono::nanoseconds;

struct ScriptedEngine::Request {
  prompt::GenerationRequest request;
  Script script;
  std::shared_ptr<Receiver> receiver;
  std::stop_token stop;
  nanoseconds since = {};  // of its latest event
  bool admitted = false;
  bool prefilled = false;
  GenerationResult result;
  // Wakes the engine up. Goes away without the engine's lock, which it may be waiting for.
  std::optional<std::stop_callback<std::function<void()>>> on_stop;

  std::size_t most() const {
    return std::min<std::size_t>(script.tokens.size(),
                                 request.sampling.max_tokens.value_or(script.tokens.size()));
  }
};

Capabilities ScriptedEngine::everything() {
  Capabilities capabilities;
  capabilities.model = "scripted";
  capabilities.context_length = 4096;
  capabilities.token_prompts = true;
  capabilities.images = true;
  capabilities.logprobs = true;
  capabilities.prompt_logprobs = true;
  capabilities.seeded = true;
  capabilities.cached_tokens = true;
  capabilities.adapters = true;
  capabilities.grammar = true;
  return capabilities;
}

ScriptedEngine::ScriptedEngine(Choose choose, Options options)
    : choose_(std::move(choose)), options_(std::move(options)), thread_([this] { run(); }) {}

ScriptedEngine::~ScriptedEngine() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ScriptedEngine::advance(nanoseconds time) {
  {
    const std::scoped_lock lock(mutex_);
    clock_.advance(time);
  }
  changed_.notify_all();
}

std::vector<prompt::GenerationRequest> ScriptedEngine::requests() const {
  const std::scoped_lock lock(mutex_);
  return seen_;
}

Result<> ScriptedEngine::submit(prompt::GenerationRequest request, std::shared_ptr<Receiver> receiver,
                                const std::stop_token& stop) {
  Script script = choose_(request);
  auto live = std::make_shared<Request>();
  // A stop that was requested before calls back at once: not under the lock.
  live->on_stop.emplace(stop, [this] {
    {
      const std::scoped_lock lock(mutex_);
    }  // not between the thread's look and its sleep
    changed_.notify_all();
  });
  {
    const std::scoped_lock lock(mutex_);
    seen_.push_back(request);
    CARAT_TRY_VOID(check_request(request, options_.capabilities));
    if (script.refusal) return std::unexpected(*script.refusal);
    if (status_.waiting >= options_.max_waiting) {
      return fail(ErrorKind::kOverloaded, "{} requests are waiting already", status_.waiting);
    }
    live->result.seed = request.sampling.seed.value_or(1);
    live->result.usage.prompt_tokens = script.prompt_tokens;
    live->result.usage.cached_tokens = script.cached_tokens;
    live->request = std::move(request);
    live->script = std::move(script);
    live->receiver = std::move(receiver);
    live->stop = stop;
    live->since = clock_.now();
    live_.push_back(live);
    ++status_.waiting;
  }
  changed_.notify_all();
  return {};
}

Result<std::size_t> ScriptedEngine::count_tokens(const prompt::GenerationRequest& request) {
  CARAT_TRY_VOID(check_request(request, options_.capabilities));
  return choose_(request).prompt_tokens;
}

EngineStatus ScriptedEngine::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

void ScriptedEngine::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (const auto request = next_due()) {
      act(*request, lock);
    } else if (stopping_) {
      break;
    } else {
      changed_.wait(lock);
    }
  }
}

// When the next thing happens to a request; none: not before another one ends.
std::optional<nanoseconds> ScriptedEngine::due(const Request& request) const {
  if (stopping_ || request.stop.stop_requested()) return nanoseconds::min();
  const auto& deadline = request.request.deadline;
  if (deadline && clock_.now() >= *deadline) return deadline;
  if (!request.admitted && status_.running >= options_.max_running) return std::nullopt;
  const nanoseconds delay = !request.admitted    ? request.script.before_admission
                            : !request.prefilled ? request.script.before_first_token
                                                 : request.script.between_tokens;
  if (delay > nanoseconds::max() - request.since) return std::nullopt;
  return request.since + delay;
}

std::shared_ptr<ScriptedEngine::Request> ScriptedEngine::next_due() {
  std::shared_ptr<Request> next;
  nanoseconds earliest = clock_.now();
  for (const auto& request : live_) {
    const auto time = due(*request);
    if (!time || *time > earliest || (next && *time == earliest)) continue;
    earliest = *time;
    next = request;
  }
  return next;
}

// The next thing that happens to a request. Its receiver is called without the lock.
void ScriptedEngine::act(Request& request, std::unique_lock<std::mutex>& lock) {
  const auto tell = [&](Event event) {
    lock.unlock();
    request.receiver->on_event(std::move(event));
    lock.lock();
  };
  GenerationResult& result = request.result;
  const auto finish = [&](FinishReason reason) {
    result.finish = reason;
    end(request, std::move(result), lock);
  };
  if (request.stop.stop_requested()) return finish(FinishReason::kInterrupted);
  if (stopping_) {
    return end(request, fail(ErrorKind::kInterrupted, "the engine is going away"), lock);
  }
  if (request.request.deadline && clock_.now() >= *request.request.deadline)
    return finish(FinishReason::kDeadline);
  request.since = *due(request);
  ++status_.steps;
  status_.last_step = clock_.now();
  if (!request.admitted) {
    request.admitted = true;
    --status_.waiting;
    ++status_.running;
    return tell(Admitted{request.script.prompt_tokens, request.script.cached_tokens});
  }
  if (!request.prefilled) {
    request.prefilled = true;
    const std::size_t read = request.script.prompt_tokens - request.script.cached_tokens;
    tell(PrefillProgress{read, read});
    // The first token comes with the end of the prompt.
  }
  const std::size_t said = result.usage.generated_tokens;
  if (said < request.most()) {
    const std::string& text = request.script.tokens[said];
    const auto id = static_cast<TokenId>(1000 + said);
    ++result.usage.generated_tokens;
    ++status_.generated_tokens;
    result.text += text;
    result.ids.push_back(id);
    TokenEvent token{id, text, text, {}};
    if (request.request.sampling.logprobs) token.logprobs = Logprobs{.chosen = {id, -0.5F, text}, .top = {}};
    tell(std::move(token));
  }
  if (result.usage.generated_tokens < request.most()) return;
  if (request.script.error) return end(request, std::unexpected(*request.script.error), lock);
  const bool cut = request.most() < request.script.tokens.size();
  finish(cut ? FinishReason::kLength : request.script.finish);
}

void ScriptedEngine::end(Request& request, Result<GenerationResult> result,
                         std::unique_lock<std::mutex>& lock) {
  const auto found = std::ranges::find(live_, &request, &std::shared_ptr<Request>::get);
  const std::shared_ptr<Request> ended = std::move(*found);
  live_.erase(found);
  --(request.admitted ? status_.running : status_.waiting);
  ++(result ? status_.finished : status_.failed);
  status_.prompt_tokens += request.script.prompt_tokens;
  status_.cached_tokens += request.script.cached_tokens;
  lock.unlock();
  request.on_stop.reset();
  request.receiver->on_end(std::move(result));
  lock.lock();
}

}  // namespace carat::engine
