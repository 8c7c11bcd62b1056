// tokenizer.json brought to VocabularyParts, after checking that it is a tokenizer that ours does exactly.

#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "base/byte_source.h"
#include "base/utf8.h"
#include "tokenizer/piece_table.h"
#include "tokenizer/space_mark.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

namespace carat::tokenizer {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;  // Gemma 3's has 33 MB

struct ExpectedSetting {
  std::string_view path;
  std::string_view value;
};

constexpr std::array kExpected = {
    ExpectedSetting{"model.type", "BPE"},
    ExpectedSetting{"model.byte_fallback", "true"},
    ExpectedSetting{"normalizer.type", "Replace"},
    ExpectedSetting{"normalizer.pattern.String", " "},
    ExpectedSetting{"normalizer.content", kSpaceMark},
};

Result<> check_settings(const std::string& source, const TokenizerJson& file) {
  for (const auto& [path, value] : kExpected) {
    const auto found = file.settings.find(path);
    const std::string_view actual =
        found == file.settings.end() ? "nothing" : std::string_view(found->second);
    if (actual != value) {
      return fail(ErrorKind::kInvalidModel, "{}: {} must be '{}' as in Gemma 3's tokenizer, found '{}'",
                  source, path, value, actual);
    }
  }
  return {};
}

Result<> place(const std::string& source, std::int64_t id, std::string_view text, VocabularyParts& parts) {
  if (id < 0 || id >= static_cast<std::int64_t>(PieceTable::kMaxPieces)) {
    return fail(ErrorKind::kInvalidModel, "{}: token ids must be between 0 and {}, found {}", source,
                PieceTable::kMaxPieces - 1, id);
  }
  const auto index = static_cast<std::size_t>(id);
  if (index >= parts.texts.size()) parts.texts.resize(index + 1);
  std::string_view& slot = parts.texts[index];
  if (!slot.empty() && slot != text) {
    return fail(ErrorKind::kInvalidModel, "{}: token id {} is given to both '{}' and '{}'", source, id, slot,
                text);
  }
  slot = text;
  return {};
}

bool looks_like_byte(std::string_view text) {
  return text.size() == 6 && text.starts_with("<0x") && text.ends_with('>');
}

Result<VocabularyParts> place_pieces(const std::string& source, const TokenizerJson& file) {
  VocabularyParts parts;
  for (std::size_t i = 0; i < file.ids.size(); ++i) {
    CARAT_TRY_VOID(place(source, file.ids[i], file.vocabulary[static_cast<TokenId>(i)], parts));
  }
  for (const TokenizerJson::AddedToken& token : file.added) {
    if (!token.plain_match) {
      return fail(
          ErrorKind::kInvalidModel,
          "{}: added token {} sets single_word, lstrip, rstrip or normalized, which Gemma 3's never do",
          source, token.id);
    }
    CARAT_TRY_VOID(place(source, token.id, token.content, parts));
  }
  const auto hole = std::ranges::find(parts.texts, std::string_view());
  if (hole != parts.texts.end()) {
    return fail(ErrorKind::kInvalidModel, "{}: token id {} has no text", source, hole - parts.texts.begin());
  }
  for (const std::string_view text : parts.texts) {
    parts.kinds.push_back(looks_like_byte(text) ? PieceKind::kByte : PieceKind::kNormal);
  }
  for (const TokenizerJson::AddedToken& token : file.added) {
    parts.kinds[static_cast<std::size_t>(token.id)] = token.special ? PieceKind::kControl : PieceKind::kAdded;
  }
  return parts;
}

// The merge list, reduced to a rank for each result. That loses nothing if the list is what Gemma 3's is:
// every way to put a piece together from two others is in it, and all ways of one piece stand together.
// (Those of added pieces, runs of one character, may be interleaved: runs come out the same in any such
// order.)
class MergeRanks {
 public:
  MergeRanks(const std::string& source, const TokenizerJson& file, const VocabularyParts& parts)
      : source_(source), file_(file), parts_(parts), table_(parts.texts.size()) {}

  Result<std::vector<std::uint32_t>> compute() {
    for (const std::string_view text : parts_.texts) texts_.append(text);
    std::vector<TokenId> ids(texts_.size());
    std::iota(ids.begin(), ids.end(), 0);
    if (table_.insert(texts_, ids)) return unusable("too many texts of model.vocab collide");
    ranks_.assign(texts_.size(), kNoRank);
    ways_.assign(texts_.size(), 0);
    TokenId previous = -1;
    for (std::size_t i = 0; i < file_.merged.size(); ++i) {
      const std::optional<TokenId> id = table_.find(texts_, file_.merged[static_cast<TokenId>(i)]);
      if (!id) return unusable("an entry gives a text that is not in model.vocab");
      const auto index = static_cast<std::size_t>(*id);
      const bool seen = ranks_[index] != kNoRank;
      if (seen && *id != previous && parts_.kinds[index] == PieceKind::kNormal) {
        return unusable("the entries of one piece do not stand together");
      }
      if (!seen) ranks_[index] = static_cast<std::uint32_t>(i);
      ++ways_[index];
      previous = *id;
    }
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (ranks_[i] != kNoRank && count_ways(texts_[static_cast<TokenId>(i)]) != ways_[i]) {
        return unusable("a way to put a piece together is missing");
      }
    }
    return std::move(ranks_);
  }

 private:
  std::unexpected<Error> unusable(std::string_view reason) const {
    return fail(ErrorKind::kInvalidModel, "{}: model.merges is not like that of Gemma 3's tokenizer: {}",
                source_, reason);
  }

  std::size_t count_ways(std::string_view text) const {
    std::size_t ways = 0;
    for (std::size_t at = first_utf8_unit(text).length; at < text.size();
         at += first_utf8_unit(text.substr(at)).length) {
      if (table_.find(texts_, text.substr(0, at)) && table_.find(texts_, text.substr(at))) ++ways;
    }
    return ways;
  }

  const std::string& source_;
  const TokenizerJson& file_;
  const VocabularyParts& parts_;
  PieceTexts texts_;
  PieceTable table_;
  std::vector<std::uint32_t> ranks_;
  std::vector<std::size_t> ways_;  // entries seen, by result
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_json_text(const std::string& source,
                                                                   std::string_view json) {
  CARAT_TRY(const TokenizerJson file, parse_tokenizer_json(source, json));
  CARAT_TRY_VOID(check_settings(source, file));
  CARAT_TRY(VocabularyParts parts, place_pieces(source, file));
  CARAT_TRY_VOID(check_sizes(source, parts.texts));
  CARAT_TRY(parts.merge_ranks, MergeRanks(source, file, parts).compute());
  return from_parts(source, parts);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_tokenizer_json(const std::string& path) {
  CARAT_TRY(const std::string text, read_whole_file(path, kMaxFileBytes));
  return from_json_text(path, text);
}

}  // namespace carat::tokenizer
