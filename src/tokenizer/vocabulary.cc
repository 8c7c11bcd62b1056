#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/utf8.h"
#include "tokenizer/space_mark.h"

namespace carat::tokenizer {
namespace {

// Bounds against hostile files, far above the 262,208 pieces of 2 MB (93 bytes at most) that Gemma 3 has.
constexpr std::size_t kMaxPieceBytes = 256;
constexpr std::size_t kMaxTotalBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxAddedBytes = std::size_t{4} << 20;

// The byte that <0xHH> stands for.
std::optional<unsigned char> parse_byte_piece(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  unsigned value = 0;
  const char* end = text.data() + 5;
  const auto [stop, error] = std::from_chars(text.data() + 3, end, value, 16);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return static_cast<unsigned char>(value);
}

bool is_space_run(std::string_view text) {
  return !text.empty() && text.find_first_not_of(' ') == std::string_view::npos;
}

std::string spaces_to_marks(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out.append(kSpaceMark);
  return out;
}

}  // namespace

Result<> check_sizes(const std::string& source, std::span<const std::string_view> texts) {
  if (texts.empty() || texts.size() > PieceTable::kMaxPieces) {
    return fail(ErrorKind::kInvalidModel, "{}: the vocabulary must have between 1 and {} pieces, found {}",
                source, PieceTable::kMaxPieces, texts.size());
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t bytes = texts[i].size();
    if (bytes == 0 || bytes > kMaxPieceBytes) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: vocabulary piece {} must have between 1 and {} bytes, found {}", source, i,
                  kMaxPieceBytes, bytes);
    }
    total += bytes;
  }
  if (total > kMaxTotalBytes) {
    return fail(ErrorKind::kInvalidModel, "{}: the vocabulary may have {} bytes of text, found {}", source,
                kMaxTotalBytes, total);
  }
  return {};
}

Result<Vocabulary> Vocabulary::build(const std::string& source, const VocabularyParts& parts) {
  CARAT_CHECK(parts.kinds.size() == parts.texts.size() && parts.merge_ranks.size() == parts.texts.size());
  CARAT_TRY_VOID(check_sizes(source, parts.texts));
  const std::size_t size = parts.texts.size();
  Vocabulary vocabulary;
  vocabulary.kinds_ = parts.kinds;
  vocabulary.byte_pieces_.fill(-1);
  std::size_t bytes = 0;
  for (const std::string_view text : parts.texts) bytes += text.size();
  vocabulary.texts_.reserve(size, bytes);
  for (std::size_t i = 0; i < size; ++i) {
    CARAT_TRY_VOID(vocabulary.add_piece(source, parts, static_cast<TokenId>(i)));
  }
  CARAT_TRY_VOID(vocabulary.index_mergeable(source, parts));
  vocabulary.number_ranks(parts.merge_ranks);
  return vocabulary;
}

Result<> Vocabulary::add_piece(const std::string& source, const VocabularyParts& parts, TokenId id) {
  const auto index = static_cast<std::size_t>(id);
  const std::string_view raw = parts.texts[index];
  const PieceKind kind = kinds_[index];
  if (!is_valid_utf8(raw)) {
    return fail(ErrorKind::kInvalidModel, "{}: vocabulary piece {} is not valid UTF-8", source, id);
  }
  if (kind == PieceKind::kByte) {
    const std::optional<unsigned char> byte = parse_byte_piece(raw);
    if (!byte) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: vocabulary piece {} has the byte type, but its text is not <0xHH>", source, id);
    }
    const char text = static_cast<char>(*byte);
    texts_.append({&text, 1});
    if (byte_pieces_[*byte] < 0) byte_pieces_[*byte] = id;
    return {};
  }
  if (has_space_mark(raw)) {
    texts_.append(marks_to_spaces(raw));
  } else {
    texts_.append(raw);
  }

  const std::string_view text = texts_[id];
  if (kind == PieceKind::kControl || kind == PieceKind::kAdded) {
    // Space runs are matched in raw text by their marks, never by spaces: those are left to merging. GGUF
    // files write such pieces with spaces, tokenizer.json with marks.
    const std::string matched = is_space_run(text) ? spaces_to_marks(text.size()) : std::string(raw);
    added_bytes_ += matched.size();
    if (added_bytes_ > kMaxAddedBytes) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: control and added tokens may have {} bytes of text in all, found more", source,
                  kMaxAddedBytes);
    }
    added_.insert(matched, id);
  }
  return {};
}

Result<> Vocabulary::index_mergeable(const std::string& source, const VocabularyParts& parts) {
  std::vector<TokenId> ids;
  ids.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) {
    if (kinds_[i] != PieceKind::kNormal && parts.merge_ranks[i] == kNoRank) continue;
    ids.push_back(static_cast<TokenId>(i));
    longest_mergeable_ = std::max(longest_mergeable_, text(ids.back()).size());
  }
  mergeable_ = PieceTable(ids.size());
  if (const std::optional<TokenId> id = mergeable_.insert(texts_, ids)) {
    return fail(ErrorKind::kInvalidModel, "{}: vocabulary piece {} collides with too many others", source,
                *id);
  }
  return {};
}

// Replaces ranks by their positions in the order, so that a rank names its piece. Linear: sources give small
// numbers.
void Vocabulary::number_ranks(const std::vector<std::uint32_t>& merge_ranks) {
  std::uint32_t end = 0;
  for (const std::uint32_t rank : merge_ranks) end = rank == kNoRank ? end : std::max(end, rank + 1);
  std::vector<TokenId> by_given_rank(end, -1);
  for (std::size_t i = 0; i < merge_ranks.size(); ++i) {
    if (merge_ranks[i] == kNoRank) continue;
    CARAT_CHECK(by_given_rank[merge_ranks[i]] < 0);
    by_given_rank[merge_ranks[i]] = static_cast<TokenId>(i);
  }
  ranks_.assign(merge_ranks.size(), kNoRank);
  by_rank_.reserve(merge_ranks.size());
  for (const TokenId id : by_given_rank) {
    if (id < 0) continue;
    ranks_[static_cast<std::size_t>(id)] = static_cast<std::uint32_t>(by_rank_.size());
    by_rank_.push_back(id);
  }
}

std::optional<TokenId> Vocabulary::find_control(std::string_view text) const {
  const PrefixTrie::Match match = added_.longest_prefix(text);
  if (match.length != text.size() || kind(match.id) != PieceKind::kControl) return std::nullopt;
  return match.id;
}

}  // namespace carat::tokenizer
