#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/generation.h"
#include "server/api_error.h"

namespace carat::server {

// What an answer says of itself.
struct AnswerHead {
  std::string id;
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
  std::string fingerprint;
  std::uint64_t seed = 0;
};

// How an answer travels.
enum class Transport : std::uint8_t {
  kWhole,   // one JSON text
  kEvents,  // server-sent events
  kLines,   // one JSON text a line
};

// One JSON text of an answer, and the name of the event that it is, where the API names its events.
struct AnswerText {
  explicit AnswerText(std::string its_json, std::string_view its_event = {})
      : json(std::move(its_json)), event(its_event) {}

  std::string json;
  std::string event;
};

// Writes what happens to the choices of one request down for one API. Pure: no threads, no network. Whatever
// is appended to `out` goes to the client at once; with Transport::kWhole that is one text, after the results
// of all choices.
class AnswerFormat {
 public:
  using Texts = std::vector<AnswerText>;

  virtual ~AnswerFormat() = default;

  virtual Transport transport() const = 0;

  // Events of a choice in their order, each choice's first is Admitted.
  virtual void on_event(std::size_t choice, const engine::Event& event, Texts& out) = 0;

  // The end of a choice.
  virtual void on_result(std::size_t choice, const engine::GenerationResult& result, Texts& out) = 0;

  // After the results of all choices.
  virtual void finish(Texts& out) = 0;

  // Of an error in place of the answer.
  virtual ErrorShape error_shape() const = 0;

  // The last of a stream that an error ends.
  virtual void on_error(const ApiError& error, Texts& out);
};

// A request's choices together. Choices of one prompt share its reading, so that counts once.
class UsageTotal {
 public:
  // `leads`: whether the choice is its prompt's first.
  void add(const engine::Usage& usage, bool leads);
  const engine::Usage& total() const { return total_; }

 private:
  engine::Usage total_;
};

}  // namespace carat::server
