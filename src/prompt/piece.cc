#include "prompt/piece.h"

#include "tokenizer/tokenizer.h"

namespace carat::prompt {
namespace {

using tokenizer::ControlTokens;

struct EncodePiece {
  const tokenizer::Tokenizer& tokenizer;

  std::vector<TokenId> operator()(const PlainText& piece) const {
    return tokenizer.encode(piece.text, ControlTokens::kAsText);
  }
  std::vector<TokenId> operator()(const Markup& piece) const {
    return tokenizer.encode(piece.text, ControlTokens::kParse);
  }
  std::vector<TokenId> operator()(const TokenIds& piece) const { return piece.ids; }
};

}  // namespace

std::vector<TokenId> encode(std::span<const Piece> pieces, const tokenizer::Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  for (const Piece& piece : pieces) {
    const std::vector<TokenId> more = std::visit(EncodePiece{tokenizer}, piece);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  return ids;
}

}  // namespace carat::prompt
