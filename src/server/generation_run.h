#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "http/responder.h"
#include "http/server_request.h"
#include "prompt/generation_request.h"
#include "server/answer_format.h"
#include "server/served_model.h"
#include "server/task_thread.h"
#include "session/kept_answer.h"

namespace carat::server {

// How many requests are not over: what they use must not go before.
class RunCount {
 public:
  void enter();
  void leave();
  void wait_for_none();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

// What a request's generation needs of the server.
struct RunEnvironment {
  RunCount& runs;     // outlives every run
  TaskThread& tasks;  // outlives every run
  // Each choice that ended with a result, on a thread of the engine's: must not wait. May be empty.
  std::function<void(const ServedModel&, const engine::GenerationResult&)> on_result = {};
  // Details of a failure that the client is not told, for the log. May be empty.
  std::function<void(std::string_view request_id, std::string_view message)> on_failure = {};
};

// One request: its choices, prompt by prompt, how they are written, and whom they go to.
struct RunRequest {
  std::shared_ptr<const ServedModel> model;
  std::vector<prompt::GenerationRequest> choices;
  std::size_t choices_of_prompt = 1;
  std::string constraint_field = {};  // of the request: what refusals of a constraint name
  std::unique_ptr<AnswerFormat> format;
  std::shared_ptr<const http::ServerRequest> request;
  http::Responder responder;
  // Of a request with one choice: where its answer is kept. It ends for the client when it is kept; that it
  // could not be is the client's to know. Null: nowhere.
  std::shared_ptr<session::KeptAnswer> kept = nullptr;
};

// Has the engine generate all choices and sends them. The first choice of a prompt goes ahead: the others
// follow once its prompt is read, and find it in the KV cache. The head of a stream is sent when the engine
// has admitted the first choice, so that what it refuses before has a status of its own; later errors are
// told in the stream. A client that is gone stops all choices. May wait for the tokenizer; not for the
// engine.
void start_run(const RunEnvironment& environment, RunRequest request);

}  // namespace carat::server
