#include "tokenizer/stream_decoder.h"

#include <utility>

#include "base/utf8.h"

namespace carat::tokenizer {

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool show_control)
    : tokenizer_(std::move(tokenizer)), show_control_(show_control) {}

std::string StreamDecoder::push(TokenId id) {
  if (!tokenizer_->contains(id) || (tokenizer_->is_control(id) && !show_control_)) return {};
  if (!tokenizer_->is_byte(id)) {
    std::string out = finish();
    out += tokenizer_->piece(id);
    return out;
  }
  held_ += tokenizer_->piece(id);
  std::string out;
  take_complete(out);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out;
  for (std::size_t i = 0; i < held_.size(); ++i) out += kReplacementCharacter;
  held_.clear();
  return out;
}

void StreamDecoder::take_complete(std::string& out) {
  std::size_t at = 0;
  while (at < held_.size()) {
    const Utf8Unit unit = first_utf8_unit(std::string_view(held_).substr(at));
    if (unit.kind == Utf8Unit::kIncomplete) break;
    if (unit.kind == Utf8Unit::kCharacter) {
      out += std::string_view(held_).substr(at, unit.length);
    } else {
      for (std::size_t i = 0; i < unit.length; ++i) out += kReplacementCharacter;
    }
    at += unit.length;
  }
  held_.erase(0, at);
}

}  // namespace carat::tokenizer
