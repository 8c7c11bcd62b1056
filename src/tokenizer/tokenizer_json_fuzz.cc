#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "tokenizer/tokenizer.h"

// Any bytes as a tokenizer.json: an error, or a tokenizer that can be used.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using carat::tokenizer::ControlTokens;
  const auto built =
      carat::tokenizer::Tokenizer::from_json_text("fuzz", {reinterpret_cast<const char*>(data), size});
  if (!built) {
    CARAT_CHECK(!built.error().message.empty());
    return 0;
  }
  for (const ControlTokens mode : {ControlTokens::kAsText, ControlTokens::kParse}) {
    for (const carat::TokenId id : (*built)->encode("ab  a\n<unk> \xE2\x96\x81\xFF", mode)) {
      CARAT_CHECK((*built)->contains(id));
    }
  }
  return 0;
}
