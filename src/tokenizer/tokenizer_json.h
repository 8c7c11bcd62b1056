#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "tokenizer/piece_texts.h"

namespace carat::tokenizer {

// What a tokenizer.json says, before anything of it is judged.
struct TokenizerJson {
  struct AddedToken {
    std::int64_t id = -1;
    std::string content;
    bool special = false;
    bool plain_match = true;  // none of the options that change where it matches is set
  };

  PieceTexts vocabulary;          // keys of model.vocab, in file order
  std::vector<std::int64_t> ids;  // their ids
  std::vector<AddedToken> added;
  PieceTexts merged;  // the joined text of each entry of model.merges
  // Every other string, number and boolean, by its path: "model.type", "normalizer.pattern.String".
  std::map<std::string, std::string, std::less<>> settings;
};

// Reads the file's text in one pass, without building a document: it is 33 MB for Gemma 3. kInvalidModel for
// what is not JSON, too deep or too large, or not of this shape; `source` begins the message.
Result<TokenizerJson> parse_tokenizer_json(const std::string& source, std::string_view json);

}  // namespace carat::tokenizer
