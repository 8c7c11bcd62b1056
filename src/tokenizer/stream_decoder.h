#pragma once

#include <memory>
#include <string>

#include "base/token_id.h"
#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {

// Decodes an answer while it is generated. Everything given out is whole, valid UTF-8: the bytes of a
// character that is not complete are held back, three at most. Gives what Tokenizer::decode gives, except
// that valid characters in a run of byte pieces that is invalid elsewhere are kept, since they have been
// shown already.
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool show_control = false);

  // The text that `id` completes; often empty for byte pieces. Ids out of range and hidden control tokens
  // give nothing.
  std::string push(TokenId id);

  // The end of the answer: U+FFFD for each byte that is still held back. Another answer may follow.
  std::string finish();

 private:
  void take_complete(std::string& out);

  std::shared_ptr<const Tokenizer> tokenizer_;
  bool show_control_;
  std::string held_;
};

}  // namespace carat::tokenizer
