#include "engine/local_engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/token_chooser.h"

namespace carat::engine {
namespace {

// A constraint's tokens without a choice go into the next step together, as many as this.
constexpr std::size_t kMostForced = 32;
// How long a request may wait for its constraint before its stop and its deadline are looked at again.
constexpr std::chrono::milliseconds kLookAfter{5};

// An image is read in one step, however short the chunks are.
std::size_t longest_step(const LoadedModel& model, const LocalEngineOptions& options) {
  const std::size_t image = model.vision ? model.vision->config().tokens() : 0;
  return std::min(std::max(options.prefill_chunk, image), options.context_length);
}

Result<> check_options(const LoadedModel& model, const LocalEngineOptions& options) {
  const std::size_t longest = model.model->config().max_context;
  if (options.context_length < 2 || options.context_length > longest) {
    return fail(ErrorKind::kUsage,
                "the context must be between 2 and the {} tokens that {} can use, found {}", longest,
                model.name, options.context_length);
  }
  const std::pair<const char*, std::size_t> counts[] = {{"prefill chunk", options.prefill_chunk},
                                                        {"number of conversations", options.conversations},
                                                        {"number of running requests", options.max_running},
                                                        {"length of the queue", options.max_waiting}};
  for (const auto& [name, count] : counts) {
    if (count == 0) return fail(ErrorKind::kUsage, "the {} must be 1 or more, found 0", name);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LocalEngine>> LocalEngine::create(LoadedModel& model,
                                                         const LocalEngineOptions& options,
                                                         const Clock& clock) {
  CARAT_TRY_VOID(check_options(model, options));
  const model::KvGeometry geometry(model.model->config(), options.kv_type);
  WorkLimits limits{.capacity = {},
                    .longest_step = longest_step(model, options),
                    .prefill_chunk = options.prefill_chunk,
                    .rollback_tokens = std::min(options.rollback_tokens, options.context_length),
                    .step_seconds = options.step_seconds};
  limits.capacity = model::sequence_capacity(geometry, {.context_length = options.context_length,
                                                        .step_rows = limits.longest_step,
                                                        .rollback_tokens = limits.rollback_tokens});
  const std::size_t one = limits.capacity.bytes(geometry);
  if (one > options.max_kv_bytes / options.conversations) {
    return fail(
        ErrorKind::kDoesNotFit,
        "{} conversations of {} tokens need up to {} MiB each for their KV cache, allowed are {} for all",
        options.conversations, options.context_length, (one >> 20) + 1, options.max_kv_bytes >> 20);
  }
  limits.capacity.global_blocks *= options.conversations;
  limits.capacity.local_blocks *= options.conversations;
  return std::unique_ptr<LocalEngine>(new LocalEngine(model, options, geometry, limits, clock));
}

LocalEngine::LocalEngine(LoadedModel& model, const LocalEngineOptions& options,
                         const model::KvGeometry& geometry, const WorkLimits& limits, const Clock& clock)
    : model_(model),
      options_(options),
      clock_(clock),
      mask_(sampling_mask(*model.tokenizer, model.model->config().vocab)),
      surroundings_{model, mask_, clock, options.context_length,
                    std::min(kMostForced, limits.longest_step - 1)},
      images_(model.vision ? std::optional<ImageReader>(std::in_place, *model.vision, options.image_cache)
                           : std::nullopt),
      running_(model, geometry, limits, images_ ? &*images_ : nullptr, clock) {
  status_.kv_bytes_total = limits.capacity.bytes(geometry);
  constraints_.emplace(model.tokenizer, options.grammar, [this] {
    {
      const std::scoped_lock lock(mutex_);
    }  // not between the loop's look and its sleep
    changed_.notify_all();
  });
  loop_ = std::thread([this] { run(); });
}

LocalEngine::~LocalEngine() {
  {
    const std::scoped_lock lock(mutex_);
    shutdown_.request_stop();
  }
  changed_.notify_all();
  loop_.join();
}

Capabilities LocalEngine::capabilities() const {
  Capabilities capabilities;
  capabilities.model = model_.name;
  capabilities.context_length = options_.context_length;
  capabilities.vocabulary_size = mask_.vocabulary();
  capabilities.token_prompts = true;
  capabilities.images = model_.vision != nullptr;
  if (!capabilities.images)
    capabilities.images_remark = sees_nothing(model_.name, model_.vision_remark).message;
  capabilities.logprobs = true;
  capabilities.prompt_logprobs = true;
  capabilities.seeded = true;
  capabilities.cached_tokens = true;
  capabilities.adapters = true;
  capabilities.grammar = true;
  return capabilities;
}

EngineStatus LocalEngine::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

Result<PromptTokens> LocalEngine::encode(const prompt::GenerationRequest& request) {
  return encode_prompt(request.prompt, model_, images_ ? &*images_ : nullptr, request.one_bos);
}

Result<std::size_t> LocalEngine::count_tokens(const prompt::GenerationRequest& request) {
  CARAT_TRY_VOID(check_request(request, capabilities()));
  CARAT_TRY(const PromptTokens prompt, encode(request));
  return prompt.ids.size();
}

Result<> LocalEngine::check_queue() const {
  if (shutdown_.stop_requested()) return fail(ErrorKind::kInterrupted, "the engine is going away");
  if (waiting() < options_.max_waiting) return {};
  return fail(ErrorKind::kOverloaded, "{} requests are waiting already; please try again later", waiting());
}

Result<> LocalEngine::submit(prompt::GenerationRequest request, std::shared_ptr<Receiver> receiver,
                             const std::stop_token& stop) {
  CARAT_TRY_VOID(check_request(request, capabilities()));
  {
    const std::scoped_lock lock(mutex_);
    CARAT_TRY_VOID(check_queue());  // before the work of encoding
  }
  CARAT_TRY(std::vector<model::WeightedAdapter> adapters, model_.adapters.resolve(request.adapters));
  CARAT_TRY(PromptTokens prompt, encode(request));
  const std::size_t answer = request.sampling.max_tokens == 0U ? 0 : 1;
  if (prompt.ids.size() + answer > options_.context_length) {
    return fail(ErrorKind::kContextExceeded,
                "the prompt has {} tokens and leaves no room for an answer in the context of {} tokens",
                prompt.ids.size(), options_.context_length);
  }
  std::shared_ptr<CompilingConstraint> constraint;
  if (request.constraint) {
    CARAT_TRY(constraint, constraints_->add(*request.constraint, request.owner));
    request.constraint.reset();
  }
  auto active = std::make_unique<ActiveRequest>(std::move(request), std::move(prompt), std::move(adapters),
                                                std::move(receiver), stop, surroundings_);
  if (constraint) active->wait_for(std::move(constraint));
  const std::scoped_lock lock(mutex_);
  CARAT_TRY_VOID(check_queue());
  if (active->compiles()) {
    compiling_.push_back(std::move(active));
  } else {
    queue_.push(std::move(active));
  }
  status_.waiting = waiting();
  changed_.notify_all();
  return {};
}

void LocalEngine::run() {
  while (wait_for_work()) {
    finish(admit());
    running_.step(shutdown_.get_token());
    put_back(running_.take_preempted());
    finish(running_.take_finished());
  }
  end_all();
}

// False: the engine is going away.
bool LocalEngine::wait_for_work() {
  std::unique_lock lock(mutex_);
  if (running_.empty() && queue_.empty()) {
    status_.working_since = {};
    changed_.wait(lock, [this] { return shutdown_.stop_requested() || waiting() > 0; });
    // Nothing tells of a stop or a deadline of those whose constraint is still on its way: they are looked
    // at.
    if (queue_.empty() && !shutdown_.stop_requested()) changed_.wait_for(lock, kLookAfter);
  }
  return !shutdown_.stop_requested();
}

// Takes requests from the queue for as long as there is room; returns those that are over already.
LocalEngine::Requests LocalEngine::admit() {
  const std::scoped_lock lock(mutex_);
  Requests over = queue_.remove_if([](ActiveRequest& request) { return request.check_over(); });
  take_compiled(over);
  while (!queue_.empty() && running_.size() < options_.max_running && running_.has_room_for(*queue_.next())) {
    running_.add(queue_.pop());
  }
  status_.waiting = waiting();
  status_.running = running_.size();
  if (!running_.empty() && status_.working_since == std::chrono::nanoseconds(0))
    status_.working_since = clock_.now();
  return over;
}

// Requests whose constraint is there go into the queue, those that are over to the others.
void LocalEngine::take_compiled(Requests& over) {
  for (auto& request : compiling_) {
    if (request->check_over() || (!request->compiles() && request->check_over())) {
      over.push_back(std::move(request));
    } else if (!request->compiles()) {
      queue_.push(std::move(request));
    }
  }
  std::erase(compiling_, nullptr);
}

// Counts first, so that who hears of the end finds the slot free.
void LocalEngine::finish(const Requests& finished) {
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& request : finished) {
      ++(request->failed() ? status_.failed : status_.finished);
      if (!request->admitted()) continue;
      status_.prompt_tokens += request->usage().prompt_tokens;
      status_.cached_tokens += request->usage().cached_tokens;
      status_.generated_tokens += request->usage().generated_tokens;
    }
    status_.running = running_.size();
    status_.kept = running_.kept();
    status_.kv_bytes_used = running_.kv_bytes();
    if (running_.steps() != status_.steps) status_.last_step = clock_.now();
    status_.steps = running_.steps();
  }
  for (const auto& request : finished) request->end();
}

void LocalEngine::put_back(Requests preempted) {
  const std::scoped_lock lock(mutex_);
  status_.preemptions += preempted.size();
  for (auto request = preempted.rbegin(); request != preempted.rend(); ++request)
    queue_.put_back(std::move(*request));
  status_.waiting = waiting();
}

void LocalEngine::end_all() {
  Requests left;
  {
    const std::scoped_lock lock(mutex_);
    left = queue_.remove_if([](ActiveRequest&) { return true; });
    for (auto& request : std::exchange(compiling_, {})) left.push_back(std::move(request));
  }
  for (Requests running = running_.take_all(); auto& request : running) left.push_back(std::move(request));
  for (const auto& request : left) {
    if (!request->outcome()) request->set_outcome(Error{ErrorKind::kInterrupted, "the engine is going away"});
  }
  finish(left);
}

}  // namespace carat::engine
