#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/token_id.h"

namespace carat::tokenizer {
class Tokenizer;
}

namespace carat::prompt {

// Text from people, files and tools: a control token spelled in it stays plain text.
struct PlainText {
  std::string text;
  bool operator==(const PlainText&) const = default;
};

// Markup from a prompt renderer: control tokens such as <start_of_turn> become their ids.
struct Markup {
  std::string text;
  bool operator==(const Markup&) const = default;
};

// Ids to be used as they are.
struct TokenIds {
  std::vector<TokenId> ids;
  bool operator==(const TokenIds&) const = default;
};

// A prompt is an ordered list of pieces. Each piece is encoded on its own, so tokens never merge across a
// border: a renderer puts borders beside control tokens, where nothing could merge anyway.
using Piece = std::variant<PlainText, Markup, TokenIds>;

// The ids of a prompt. Adds no BOS: renderers write <bos> where it belongs.
std::vector<TokenId> encode(std::span<const Piece> pieces, const tokenizer::Tokenizer& tokenizer);

}  // namespace carat::prompt
