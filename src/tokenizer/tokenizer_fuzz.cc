#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/space_mark.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/test_tiny_vocabulary.h"

namespace {

using carat::TokenId;
using carat::tokenizer::ControlTokens;
using carat::tokenizer::StreamDecoder;
using carat::tokenizer::Tokenizer;

const std::shared_ptr<const Tokenizer>& tiny() {
  static const auto tokenizer = carat::tokenizer::TinyVocabulary().build().value();
  return tokenizer;
}

void check_text(std::string_view text) {
  // A space mark reads as a space; nothing else is lost.
  const std::string expected = carat::tokenizer::marks_to_spaces(carat::replace_invalid_utf8(text));
  for (const ControlTokens mode : {ControlTokens::kAsText, ControlTokens::kParse}) {
    const std::vector<TokenId> ids = tiny()->encode(text, mode);
    CARAT_CHECK(tiny()->decode(ids, /*show_control=*/true) == expected);
    if (mode == ControlTokens::kParse) continue;
    for (const TokenId id : ids) CARAT_CHECK(!tiny()->is_control(id));
  }
}

void check_ids(std::string_view bytes) {
  std::vector<TokenId> ids;
  StreamDecoder decoder(tiny());
  std::string streamed;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    ids.push_back(static_cast<unsigned char>(bytes[i]) + 256 * (bytes[i + 1] & 1));
    const std::string part = decoder.push(ids.back());
    CARAT_CHECK(carat::is_valid_utf8(part));
    streamed += part;
  }
  streamed += decoder.finish();
  const std::string whole = tiny()->decode(ids, /*show_control=*/false);
  CARAT_CHECK(carat::is_valid_utf8(whole));
  CARAT_CHECK(streamed == whole || whole.find(carat::kReplacementCharacter) != std::string::npos);
}

}  // namespace

// Any bytes as text, which must come back, and as ids, which must stream as they decode.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_text(bytes);
  check_ids(bytes);
  return 0;
}
