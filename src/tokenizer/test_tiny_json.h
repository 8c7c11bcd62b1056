#pragma once

#include <string_view>

namespace carat::tokenizer {

// A tokenizer.json of Gemma's kind. Byte pieces are left out, so <unk> is
// needed.
inline constexpr std::string_view kTinyTokenizerJson = R"({
  "version": "1.0", "truncation": null,
  "added_tokens": [
    {"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
     "special": true},
    {"id": 1, "content": "\n", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
     "special": false},
    {"id": 9, "content": "<extra>", "special": true}
  ],
  "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
  "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"},
  "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
  "model": {
    "type": "BPE", "dropout": null, "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
    "vocab": {"<unk>": 0, "\n": 1, "a": 2, "b": 3, "▁": 4, "ab": 5, "▁a": 6, "aab": 7, "aa": 8},
    "merges": [["a", "b"], ["▁", "a"], ["a", "ab"], ["aa", "b"], ["a", "a"]]
  }
})";

}  // namespace carat::tokenizer
