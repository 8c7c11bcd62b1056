// The tokenizer of a GGUF file: types, scores and the known errors of such files, brought to VocabularyParts.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "tokenizer/space_mark.h"
#include "tokenizer/tokenizer.h"

namespace carat::tokenizer {
namespace {

enum GgufTokenType : std::int32_t {
  kTypeNormal = 1,
  kTypeUnknown = 2,
  kTypeControl = 3,
  kTypeUserDefined = 4,
  kTypeUnused = 5,
  kTypeByte = 6,
};

struct NamedPiece {
  std::size_t id;
  std::string_view text;
};

// The control tokens of Gemma 3. They also tell its vocabulary from any other.
constexpr std::array kGemmaControl = {
    NamedPiece{0, "<pad>"},
    NamedPiece{1, "<eos>"},
    NamedPiece{2, "<bos>"},
    NamedPiece{3, "<unk>"},
    NamedPiece{105, "<start_of_turn>"},
    NamedPiece{106, "<end_of_turn>"},
    NamedPiece{255'999, "<start_of_image>"},
    NamedPiece{256'000, "<end_of_image>"},
};
constexpr std::size_t kGemmaPieces = 262'144;

bool is_gemma3(std::span<const std::string_view> texts) {
  return texts.size() >= kGemmaPieces &&
         std::ranges::all_of(kGemmaControl, [&](const NamedPiece& p) { return texts[p.id] == p.text; });
}

// Converters mark whatever looks special as control; the reference matches these in any text.
bool is_gemma_placeholder(std::string_view text) { return text == "<mask>" || text.starts_with("<unused"); }

void correct_gemma_kinds(VocabularyParts& parts) {
  for (std::size_t i = 0; i < parts.texts.size(); ++i) {
    if (parts.kinds[i] == PieceKind::kControl && is_gemma_placeholder(parts.texts[i])) {
      parts.kinds[i] = PieceKind::kAdded;
    }
  }
  for (const NamedPiece& piece : kGemmaControl) parts.kinds[piece.id] = PieceKind::kControl;
}

Result<PieceKind> kind_of(const std::string& source, std::int32_t type, std::size_t id) {
  switch (type) {
    case kTypeNormal: return PieceKind::kNormal;
    case kTypeUnknown:
    case kTypeControl: return PieceKind::kControl;
    case kTypeUserDefined: return PieceKind::kAdded;
    case kTypeUnused: return PieceKind::kUnused;
    case kTypeByte: return PieceKind::kByte;
    default:
      return fail(ErrorKind::kInvalidModel,
                  "{}: tokenizer.ggml.token_type[{}] must be between 1 and 6, found {}", source, id, type);
  }
}

std::size_t size_without_padding(const PieceArrays& pieces) {
  std::size_t size = pieces.texts.size();
  while (size > 0 && pieces.types[size - 1] == kTypeUnused && pieces.texts[size - 1].starts_with("[PAD"))
    --size;
  return size;
}

// A run of two spaces or more, whichever way the file writes spaces; 0 for any other text.
std::size_t space_run_length(std::string_view text) {
  const std::size_t mark_bytes = text.starts_with(' ') ? 1 : kSpaceMark.size();
  const std::size_t count = text.size() / mark_bytes;
  for (std::size_t at = 0; at < text.size(); at += mark_bytes) {
    const std::string_view mark = text.substr(at, mark_bytes);
    if (mark != " " && mark != kSpaceMark) return 0;
  }
  return count < 2 ? 0 : count;
}

// Normal pieces by falling score. Before them the added space runs, longest first: the reference's merge list
// begins with those, though their score says nothing of it.
std::vector<std::uint32_t> ranks_of(const VocabularyParts& parts, std::span<const float> scores) {
  std::vector<std::size_t> normal;
  std::vector<std::size_t> runs;
  for (std::size_t i = 0; i < parts.texts.size(); ++i) {
    if (parts.kinds[i] == PieceKind::kNormal) normal.push_back(i);
    if (parts.kinds[i] == PieceKind::kAdded && space_run_length(parts.texts[i]) > 0) runs.push_back(i);
  }
  // A complement is least for the longest.
  const auto by_length = [&](std::size_t i) { return std::pair(~space_run_length(parts.texts[i]), i); };
  std::ranges::sort(runs, {}, by_length);
  const auto by_score = [&](std::size_t i) { return std::pair(-scores[i], i); };
  // Gemma's files are in that order, and sorting would take longer than all the rest.
  if (!std::ranges::is_sorted(normal, {}, by_score)) std::ranges::sort(normal, {}, by_score);

  std::vector<std::uint32_t> ranks(parts.texts.size(), kNoRank);
  std::uint32_t rank = 0;
  for (const std::size_t i : runs) ranks[i] = rank++;
  for (const std::size_t i : normal) ranks[i] = rank++;
  return ranks;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_pieces(const std::string& source,
                                                                const PieceArrays& pieces) {
  if (pieces.scores.size() != pieces.texts.size() || pieces.types.size() != pieces.texts.size()) {
    return fail(ErrorKind::kInvalidModel,
                "{}: tokenizer.ggml.tokens has {} entries, but scores has {} and token_type has {}", source,
                pieces.texts.size(), pieces.scores.size(), pieces.types.size());
  }
  const std::size_t size = size_without_padding(pieces);
  VocabularyParts parts;
  parts.texts.assign(pieces.texts.begin(), pieces.texts.begin() + static_cast<std::ptrdiff_t>(size));
  parts.kinds.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    CARAT_TRY(const PieceKind kind, kind_of(source, pieces.types[i], i));
    parts.kinds.push_back(kind);
    if (std::isnan(pieces.scores[i])) {
      return fail(ErrorKind::kInvalidModel, "{}: tokenizer.ggml.scores[{}] must be a number, found NaN",
                  source, i);
    }
  }
  if (is_gemma3(parts.texts)) correct_gemma_kinds(parts);
  parts.merge_ranks = ranks_of(parts, pieces.scores);
  return from_parts(source, parts);
}

}  // namespace carat::tokenizer
