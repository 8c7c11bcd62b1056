#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace carat::chat {

// What the model was sent for one answer, and why: kept beside the answer.
struct ContextPlan {
  static constexpr int kVersion = 1;  // grows when a reader of the JSON must know of a change

  enum class Kind : std::uint8_t { kSystem, kTurn };
  enum class State : std::uint8_t { kKept };   // whether the model sees it
  enum class Reason : std::uint8_t { kFits };  // why

  // A range of the rendered prompt, in tokens.
  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool operator==(const Range&) const = default;
  };

  struct Piece {
    Kind kind = Kind::kTurn;
    std::string role;    // "system", "user", "assistant"
    std::string source;  // id of the message that it comes from; empty: of none that is kept
    State state = State::kKept;
    Reason reason = Reason::kFits;
    std::optional<std::size_t> tokens = {};  // none: the engine cannot tell
    std::optional<Range> range = {};         // none for a system text: it is part of the turn behind it
  };

  std::vector<Piece> pieces = {};          // a piece's id is its place
  std::optional<std::size_t> tokens = {};  // of the whole prompt
  std::size_t context_length = 0;          // tokens of prompt and answer together
};

// {"version":1,"policy":"strict","context":4096,"tokens":12,"pieces":[{"id":0,"kind":"turn","role":"user",
//  "source":"...","state":"kept","reason":"fits","tokens":12,"begin":0,"end":12}]}; what is not known is
//  null.
std::string to_json(const ContextPlan& plan);

}  // namespace carat::chat
