#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/testing/manual_clock.h"

namespace carat::engine {

// What a ScriptedEngine does with one request. Times are the engine's own, see ScriptedEngine::advance.
struct Script {
  using Duration = std::chrono::nanoseconds;
  static constexpr Duration kNever = Duration::max();

  Duration before_admission = {};    // in the queue
  Duration before_first_token = {};  // after that, in one step of prefill
  Duration between_tokens = {};
  std::vector<std::string> tokens = {"Hello", ", ", "world", "!"};  // their ids count from 1,000
  FinishReason finish = FinishReason::kStop;
  std::optional<Error> refusal = {};  // submit() fails with it
  std::optional<Error> error = {};    // after the tokens, the request does
  std::size_t prompt_tokens = 7;
  std::size_t cached_tokens = 0;
};

// An engine without a model, for tests of everything above the seam. It says what a script says, honours
// stops, deadlines, max_tokens and the bounds of its queue, and is told what time it is: with the delays of
// the script above zero nothing happens until somebody advances its clock. Events come from a thread of its
// own, those of one request in order, of all requests in order of their time.
class ScriptedEngine final : public Engine {
 public:
  // Called by submit(), on its thread, for each request: what is to happen with it.
  using Choose = std::function<Script(const prompt::GenerationRequest&)>;

  struct Options {
    Capabilities capabilities = everything();
    std::size_t max_running = SIZE_MAX;
    std::size_t max_waiting = SIZE_MAX;
  };
  static Capabilities everything();

  explicit ScriptedEngine(const Script& script)
      : ScriptedEngine([script](const prompt::GenerationRequest&) { return script; }, Options()) {}
  ScriptedEngine(Choose choose, Options options);
  ~ScriptedEngine() override;

  // Time goes on by so much: what is due by then happens, soon.
  void advance(std::chrono::nanoseconds time);
  // The engine's clock, which deadlines refer to.
  const Clock& clock() const { return clock_; }

  // Copies of the requests that submit() was given, refused ones included.
  std::vector<prompt::GenerationRequest> requests() const;

  Result<> submit(prompt::GenerationRequest request, std::shared_ptr<Receiver> receiver,
                  const std::stop_token& stop) override;
  Result<std::size_t> count_tokens(const prompt::GenerationRequest& request) override;
  Capabilities capabilities() const override { return options_.capabilities; }
  EngineStatus status() const override;
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer() const override { return nullptr; }

 private:
  struct Request;

  void run();
  std::optional<std::chrono::nanoseconds> due(const Request& request) const;
  std::shared_ptr<Request> next_due();
  void act(Request& request, std::unique_lock<std::mutex>& lock);
  void end(Request& request, Result<GenerationResult> result, std::unique_lock<std::mutex>& lock);

  Choose choose_;
  Options options_;
  ManualClock clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<prompt::GenerationRequest> seen_;
  std::deque<std::shared_ptr<Request>> live_;  // in order of submission
  EngineStatus status_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace carat::engine
