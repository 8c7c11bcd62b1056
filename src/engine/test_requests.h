#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "backend/reference/reference_backend.h"
#include "base/test_fixture.h"
#include "engine/engine.h"
#include "engine/load_model.h"
#include "engine/local_engine.h"
#include "engine/test_hooked_backend.h"
#include "engine/testing/manual_clock.h"

namespace carat::engine {

// Random weights, a window of 16 positions in one of two layers, a context of 512. What its backend does can
// be hooked into.
struct TinyChat {
  TinyChat() {
    auto owned = std::make_unique<HookedBackend>(backend::make_reference_backend());
    backend = owned.get();
    model = load_model(test_fixture("tiny_models/chat"), std::move(owned), [](auto, auto) {}, {}).value();
  }
  HookedBackend* backend = nullptr;
  std::unique_ptr<LoadedModel> model;
};

inline TinyChat& tiny_chat() {
  static TinyChat chat;
  return chat;
}

inline std::string words(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += i % 3 == 0 ? " the" : i % 3 == 1 ? " is" : " a";
  return text;
}

inline prompt::GenerationRequest ask(std::vector<prompt::Piece> pieces, std::uint32_t max_tokens = 40) {
  prompt::GenerationRequest request{.prompt = std::move(pieces), .sampling = {}};
  request.sampling.seed = 11;
  request.sampling.max_tokens = max_tokens;
  request.sampling.logit_bias = {{1, -100.0F}};  // an answer of random weights should not end by chance
  if (const auto end = tiny_chat().model->tokenizer->end_of_turn())
    request.sampling.logit_bias.push_back({*end, -100.0F});
  return request;
}

// Keeps what happens to a request. The hook is called on the engine's thread, before the event is kept, so
// what it does happens at a known place.
class Recorder final : public Receiver {
 public:
  using Hook = std::function<void(const Event&)>;
  explicit Recorder(Hook hook = {}) : hook_(std::move(hook)) {}

  void on_event(Event event) override {
    if (hook_) hook_(event);
    const std::scoped_lock lock(mutex_);
    events_.push_back(std::move(event));
  }
  void on_end(Result<GenerationResult> result) override {
    const std::scoped_lock lock(mutex_);
    EXPECT_FALSE(end_) << "a second end";
    end_ = std::move(result);
    ended_.notify_all();
  }

  // Waits for the end.
  const Result<GenerationResult>& outcome() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return end_.has_value(); });
    return *end_;
  }
  const GenerationResult& result() {
    const Result<GenerationResult>& end = outcome();
    EXPECT_TRUE(end) << end.error().message;
    static const GenerationResult nothing;
    return end ? *end : nothing;
  }
  // Those of one kind, after the end.
  template <class Kind>
  std::vector<Kind> events() {
    outcome();
    std::vector<Kind> found;
    for (const Event& event : events_) {
      if (const auto* kind = std::get_if<Kind>(&event)) found.push_back(*kind);
    }
    return found;
  }

 private:
  Hook hook_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<Event> events_;
  std::optional<Result<GenerationResult>> end_;
};

// Holds the engine at the admission of a request of its own, so that others can be queued behind it.
class Gate {
 public:
  explicit Gate(Engine& engine) {
    recorder_ = std::make_shared<Recorder>([this](const Event& event) {
      if (!std::holds_alternative<Admitted>(event)) return;
      std::unique_lock lock(mutex_);
      reached_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
    });
    prompt::GenerationRequest request = ask({prompt::PlainText{" in"}}, /*max_tokens=*/1);
    request.owner = "gate";
    EXPECT_TRUE(engine.submit(request, recorder_, {}));
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }
  ~Gate() { open(); }
  void open() {
    {
      const std::scoped_lock lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
    recorder_->outcome();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
  bool open_ = false;
  std::shared_ptr<Recorder> recorder_;
};

class LocalEngineTest : public testing::Test {
 protected:
  static LocalEngineOptions options() {
    LocalEngineOptions options;
    options.context_length = 400;
    options.rollback_tokens = 64;
    options.kv_type = tensor::KvType::kF32;
    return options;
  }
  void TearDown() override {
    engine_.reset();
    tiny_chat().backend->after_residual = {};
  }

  std::unique_ptr<LocalEngine> make(const LocalEngineOptions& options) const {
    return LocalEngine::create(*tiny_chat().model, options, clock_).value();
  }
  void restart(const LocalEngineOptions& options) {
    engine_.reset();  // one engine at a time uses the model
    engine_ = make(options);
  }
  void restart() { restart(options()); }

  std::shared_ptr<Recorder> submit(prompt::GenerationRequest request, Recorder::Hook hook = {},
                                   const std::stop_token& stop = {}) {
    auto recorder = std::make_shared<Recorder>(std::move(hook));
    const Result<> submitted = engine_->submit(std::move(request), recorder, stop);
    EXPECT_TRUE(submitted) << submitted.error().message;
    if (!submitted) recorder->on_end(std::unexpected(submitted.error()));
    return recorder;
  }
  GenerationResult answer(const prompt::GenerationRequest& request) { return submit(request)->result(); }
  // By an engine that has seen nothing else.
  GenerationResult fresh_answer(const prompt::GenerationRequest& request) {
    restart();
    return answer(request);
  }

  ManualClock clock_;
  std::unique_ptr<LocalEngine> engine_ = make(options());
};

}  // namespace carat::engine
