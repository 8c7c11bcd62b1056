#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/logprobs.h"

namespace carat::server::openai {

// A token as the completions API writes it: its text, or "bytes:\xe2\x80" where that is no valid UTF-8.
std::string completion_token(std::string_view bytes);

// The log-probabilities of one text, token by token: tokens, token_logprobs, top_logprobs and text_offset,
// which counts characters from the text's beginning.
class CompletionLogprobs {
 public:
  // `is_in_text`: false for a BOS that the prompt was given. No logprobs: the first token of a prompt, before
  // which nothing stands.
  void add(std::string_view bytes, const std::optional<engine::Logprobs>& logprobs, bool is_in_text = true);

  // What was added since the last time.
  boost::json::object take();

 private:
  boost::json::array tokens_;
  boost::json::array token_logprobs_;
  boost::json::array top_logprobs_;
  boost::json::array text_offset_;
  std::size_t characters_ = 0;  // that have begun so far
};

}  // namespace carat::server::openai
