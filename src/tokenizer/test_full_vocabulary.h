#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {

// The arrays of the tokenizer in a GGUF file; `views` refers to `file`.
struct GgufTokenizer {
  formats::GgufFile file;
  std::vector<std::string_view> views;
  std::vector<float> scores;
  std::vector<std::int32_t> types;

  PieceArrays arrays() const { return {.texts = views, .scores = scores, .types = types}; }
};

// $CARAT_MODEL, or where the default model is installed.
inline std::string default_model_path() {
  if (const char* path = std::getenv("CARAT_MODEL")) return path;
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  const std::filesystem::path base =
      data != nullptr && *data != '\0' ? std::filesystem::path(data)
                                       : std::filesystem::path(home != nullptr ? home : "") / ".local/share";
  return base / "carat/models/gemma-3-270m-q4_k_m.gguf";
}

inline Result<GgufTokenizer> read_gguf_tokenizer(const std::string& path) {
  CARAT_TRY(formats::GgufFile file, formats::open_gguf(path));
  GgufTokenizer out{.file = std::move(file), .views = {}, .scores = {}, .types = {}};
  CARAT_TRY(const formats::StringArray* texts, out.file.get_string_array("tokenizer.ggml.tokens"));
  CARAT_TRY(out.scores, out.file.get_f32_array("tokenizer.ggml.scores"));
  CARAT_TRY(out.types, out.file.get_i32_array("tokenizer.ggml.token_type"));
  out.views = texts->views();
  return out;
}

}  // namespace carat::tokenizer
