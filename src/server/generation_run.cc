#include "server/generation_run.h"

#include <cstddef>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>

#include "http/event_stream.h"
#include "http/json_lines.h"
#include "server/admission.h"
#include "server/token_estimate.h"

namespace carat::server {
namespace {

// More would only wait inside of the engine, where they take queue places from others.
constexpr std::size_t kMostAtOnce = 8;

// Counts a run for as long as it holds anything.
class CountedRun {
 public:
  explicit CountedRun(RunCount& runs) : runs_(runs) { runs_.enter(); }
  ~CountedRun() { runs_.leave(); }
  CountedRun(const CountedRun&) = delete;
  CountedRun& operator=(const CountedRun&) = delete;

 private:
  RunCount& runs_;
};

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(const RunEnvironment& environment, RunRequest request)
      : counted_(environment.runs),
        environment_(environment),
        parts_(std::move(request)),
        leader_is_read_(parts_.choices.size(), false),
        client_gone_(parts_.request->stop, [source = stop_]() mutable { source.request_stop(); }) {}

  // Submits the choices whose turn it is. On a thread that may wait for the tokenizer.
  void launch() {
    while (const auto choice = take_next()) submit(*choice);
  }

  void on_event(std::size_t choice, const engine::Event& event) {
    if (parts_.kept) parts_.kept->on_event(event);
    const std::scoped_lock lock(mutex_);
    if (over_) return;
    if (std::holds_alternative<engine::Admitted>(event)) start_stream();
    if (std::holds_alternative<engine::TokenEvent>(event)) on_prompt_read(choice);
    AnswerFormat::Texts texts;
    parts_.format->on_event(choice, event, texts);
    for (const AnswerText& text : texts) write(text);
  }

  void on_end(std::size_t choice, const Result<engine::GenerationResult>& result) {
    if (result) count_use(choice, result->usage);
    if (!parts_.kept) return conclude(choice, result);
    parts_.kept->finish(result, [self = shared_from_this(), choice, result](const Result<>& kept) {
      // Not on the store's thread, which others wait for.
      self->tasks().post([self, choice, result, kept] {
        if (result && !kept) return self->fail(not_stored(kept.error()), kept.error().message);
        self->conclude(choice, result);
      });
    });
  }

  TaskThread& tasks() const { return environment_.tasks; }

 private:
  void conclude(std::size_t choice, const Result<engine::GenerationResult>& result) {
    if (!result) return fail(api_error(result.error()), result.error().message);
    if (environment_.on_result) environment_.on_result(*parts_.model, *result);
    if (result->finish == engine::FinishReason::kInterrupted)
      return fail({.code = ApiErrorCode::kShuttingDown}, {});
    const std::scoped_lock lock(mutex_);
    if (over_) return;
    --active_;
    ++ended_;
    AnswerFormat::Texts texts;
    parts_.format->on_result(choice, *result, texts);
    if (ended_ == parts_.choices.size()) {
      over_ = true;
      parts_.format->finish(texts);
    }
    for (const AnswerText& text : texts) write(text);
    if (over_) {
      end_stream();
    } else {
      on_prompt_read(choice);
      launch_later();
    }
  }

  bool leads(std::size_t choice) const { return choice % parts_.choices_of_prompt == 0; }
  std::size_t leader_of(std::size_t choice) const { return choice - choice % parts_.choices_of_prompt; }

  // A prompt is read once for all of its choices.
  void count_use(std::size_t choice, const engine::Usage& usage) {
    Admission* admission = Admission::of(*parts_.request);
    if (admission == nullptr) return;
    const std::size_t tokens = usage.generated_tokens + (leads(choice) ? usage.prompt_tokens : 0);
    admission->use(static_cast<std::int64_t>(tokens));
  }

  std::optional<std::size_t> take_next() {
    const std::scoped_lock lock(mutex_);
    if (over_ || next_ == parts_.choices.size() || active_ == kMostAtOnce) return std::nullopt;
    if (!leads(next_) && !leader_is_read_[leader_of(next_)]) return std::nullopt;
    ++active_;
    return next_++;
  }

  void submit(std::size_t choice);

  // Of the same prompt as `choice`, others may follow now. Under the lock.
  void on_prompt_read(std::size_t choice) {
    if (!leads(choice) || leader_is_read_[choice]) return;
    leader_is_read_[choice] = true;
    if (parts_.choices_of_prompt > 1) launch_later();
  }

  ApiError api_error(const Error& error) const {
    ApiError found = from_engine(error);
    if (error.message.starts_with(engine::kConstraintError)) found.param = parts_.constraint_field;
    return found;
  }

  void launch_later() {
    if (next_ < parts_.choices.size()) tasks().post([self = shared_from_this()] { self->launch(); });
  }

  // The request is over with an error, and so are its other choices.
  void fail(const ApiError& error, std::string_view details) {
    const bool is_ours = info(error.code).status >= 500;
    if (is_ours && environment_.on_failure && !details.empty())
      environment_.on_failure(parts_.request->id, details);
    // Not from here: this may be the engine's thread, and stopping calls into the engine.
    tasks().post([source = stop_]() mutable { source.request_stop(); });
    const std::scoped_lock lock(mutex_);
    if (std::exchange(over_, true)) return;
    if (streams_) {
      AnswerFormat::Texts texts;
      parts_.format->on_error(error, texts);
      for (const AnswerText& text : texts) write(text);
      end_stream();
    } else {
      parts_.responder.send(error_response(error, parts_.format->error_shape()));
    }
  }

  // All under the lock.
  void start_stream() {
    if (streams_ || parts_.format->transport() == Transport::kWhole) return;
    streams_ = true;
    if (parts_.format->transport() == Transport::kEvents) {
      http::EventStream(parts_.responder).start();
    } else {
      http::JsonLines(parts_.responder).start();
    }
  }
  void write(const AnswerText& text) {
    switch (parts_.format->transport()) {
      case Transport::kWhole:
        parts_.responder.send(
            {.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = text.json});
        break;
      case Transport::kEvents: write_event(text); break;
      case Transport::kLines: http::JsonLines(parts_.responder).line(text.json); break;
    }
  }
  void write_event(const AnswerText& text) {
    const http::EventStream stream(parts_.responder);
    if (text.event.empty()) {
      stream.data(text.json);
    } else {
      stream.event(text.event, text.json);
    }
  }
  void end_stream() {
    if (streams_) parts_.responder.end();
  }

  CountedRun counted_;  // first: it goes last
  const RunEnvironment environment_;
  RunRequest parts_;
  std::stop_source stop_;
  std::mutex mutex_;  // of everything below, and of the format
  std::size_t next_ = 0;
  std::size_t active_ = 0;
  std::size_t ended_ = 0;
  bool over_ = false;  // nothing more is sent
  bool streams_ = false;
  std::vector<bool> leader_is_read_;
  std::stop_callback<std::function<void()>> client_gone_;  // last: it may fire at once
};

// The engine's view of one choice.
class ChoiceReceiver final : public engine::Receiver {
 public:
  ChoiceReceiver(std::shared_ptr<Run> run, std::size_t choice) : run_(std::move(run)), choice_(choice) {}

  void on_event(engine::Event event) override { run_->on_event(choice_, event); }

  // The run goes on another thread than the engine's: it may be the last to hold the engine.
  void on_end(Result<engine::GenerationResult> result) override {
    run_->on_end(choice_, result);
    TaskThread& tasks = run_->tasks();
    tasks.post([run = std::move(run_)] {});
  }

 private:
  std::shared_ptr<Run> run_;
  std::size_t choice_;
};

void Run::submit(std::size_t choice) {
  engine::Engine& engine = *parts_.model->engine;
  const prompt::GenerationRequest& request = parts_.choices[choice];
  const auto sent =
      engine.submit(request, std::make_shared<ChoiceReceiver>(shared_from_this(), choice), stop_.get_token());
  if (sent) return;
  if (parts_.kept) parts_.kept->discard();
  ApiError error = api_error(sent.error());
  if (error.code == ApiErrorCode::kContextLengthExceeded) {
    const auto tokens = engine.count_tokens(request);
    error = context_exceeded({tokens.value_or(0), engine.capabilities().context_length});
  }
  fail(error, sent.error().message);
}

}  // namespace

void RunCount::enter() {
  const std::scoped_lock lock(mutex_);
  ++count_;
}

void RunCount::leave() {
  const std::scoped_lock lock(mutex_);
  --count_;
  changed_.notify_all();
}

void RunCount::wait_for_none() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return count_ == 0; });
}

void start_run(const RunEnvironment& environment, RunRequest request) {
  if (Admission* admission = Admission::of(*request.request)) {
    const std::int64_t most = most_tokens(request.choices, request.choices_of_prompt,
                                          request.model->engine->capabilities().context_length);
    if (const auto reserved = admission->reserve(most); !reserved) {
      request.responder.send(error_response(reserved.error(), request.format->error_shape()));
      return;
    }
  }
  const auto run = std::make_shared<Run>(environment, std::move(request));
  run->launch();
}

}  // namespace carat::server
