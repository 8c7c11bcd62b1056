#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/token_id.h"
#include "engine/stop_matcher.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer.h"

namespace carat::engine {

// The text side of an answer: generated ids go in, text that may be shown comes out, cut before the first
// stop string. Knows in the end which ids make up exactly that text.
class AnswerText {
 public:
  AnswerText(std::shared_ptr<const tokenizer::Tokenizer> tokenizer, std::vector<std::string> stops)
      : tokenizer_(std::move(tokenizer)), decoder_(tokenizer_), matcher_(std::move(stops)) {}

  // Returns the text that can be shown now; see TokenEvent. Once stopped() nothing more may be added.
  std::string add(TokenId id);

  // The answer ended: returns what was held back.
  std::string finish();

  bool stopped() const { return matcher_.stopped(); }
  const std::string& stop_string() const { return matcher_.stop_string(); }  // where it stopped
  const std::string& shown() const { return shown_; }                        // all that was returned

  // After the end: the ids added, without those that only spell the stop string. Where it begins inside a
  // token, the part before it is encoded anew, so that the ids give the shown text again.
  std::vector<TokenId> ids() const;

 private:
  std::string show(std::string text);

  // The end of a token that left no incomplete character behind.
  struct Border {
    std::size_t ids = 0;    // up to here
    std::size_t bytes = 0;  // of decoded text
  };

  std::shared_ptr<const tokenizer::Tokenizer> tokenizer_;
  tokenizer::StreamDecoder decoder_;
  StopMatcher matcher_;
  std::string shown_;
  std::vector<TokenId> ids_;
  std::size_t decoded_bytes_ = 0;
  std::vector<Border> borders_;
};

}  // namespace carat::engine
