#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "tokenizer/vocabulary.h"

namespace carat::tokenizer {

// What a control token that is spelled in a text becomes.
enum class ControlTokens {
  kAsText,  // plain text: for everything that people, files and tools write
  kParse,   // its id: for markup from a prompt renderer
};

// The tokenizer of a GGUF file, as three arrays of equal length.
struct PieceArrays {
  std::span<const std::string_view> texts;
  std::span<const float> scores;        // among normal pieces the higher one is merged first
  std::span<const std::int32_t> types;  // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};

// Gemma 3's tokenizer: text to ids and back, as the reference does it. Immutable; threads may share one.
class Tokenizer {
 public:
  // `source` begins error messages (the file). Copies what it needs. Rows named [PAD...] at the end, which
  // some files have to match a padded embedding table, are dropped. In a vocabulary of Gemma 3's full size
  // the known control tokens are control tokens whatever their type says, since early files have wrong types,
  // and <mask> and <unused...> are not. kInvalidModel.
  static Result<std::shared_ptr<const Tokenizer>> from_pieces(const std::string& source,
                                                              const PieceArrays& pieces);

  // Reads a tokenizer.json with a BPE model of Gemma's kind. kNotFound, kFailed or kInvalidModel.
  static Result<std::shared_ptr<const Tokenizer>> from_tokenizer_json(const std::string& path);
  static Result<std::shared_ptr<const Tokenizer>> from_json_text(const std::string& source,
                                                                 std::string_view json);

  // For those two: kInvalidModel when the parts are not usable.
  static Result<std::shared_ptr<const Tokenizer>> from_parts(const std::string& source,
                                                             const VocabularyParts& parts);

  // The ids of `text`, without BOS. Each maximal invalid subpart of UTF-8 counts as U+FFFD. Time n log n in
  // the bytes of a stretch without added tokens, memory some 40 bytes a character of it. A stretch over 16
  // MiB, which no context holds, is cut there, so its ids may differ from the reference's around the cut.
  std::vector<TokenId> encode(std::string_view text, ControlTokens mode) const;

  // The text of `ids`; control tokens only with `show_control`. Bytes of byte pieces that are not valid UTF-8
  // give one U+FFFD each, and so do all others of the same run, as in the reference. Ids out of range give
  // nothing.
  std::string decode(std::span<const TokenId> ids, bool show_control) const;

  std::size_t size() const { return vocabulary_.size(); }
  bool contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < size(); }

  // `id` must be contained. A byte piece is its byte, so the text may be part of a character.
  std::string_view piece(TokenId id) const { return vocabulary_.text(id); }
  bool is_byte(TokenId id) const { return vocabulary_.kind(id) == PieceKind::kByte; }
  // Everything known of the pieces, for writing them elsewhere.
  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool is_control(TokenId id) const { return vocabulary_.kind(id) == PieceKind::kControl; }

  // Whether generation stops at `id`: <eos> or <end_of_turn>, whatever the file names as its end token.
  bool is_end_of_generation(TokenId id) const { return id >= 0 && (id == eos_ || id == end_of_turn_); }

  // Tiny vocabularies may lack any of these.
  std::optional<TokenId> bos() const { return bos_; }
  std::optional<TokenId> eos() const { return eos_; }
  std::optional<TokenId> start_of_turn() const { return start_of_turn_; }
  std::optional<TokenId> end_of_turn() const { return end_of_turn_; }

 private:
  explicit Tokenizer(Vocabulary vocabulary);

  Vocabulary vocabulary_;
  std::optional<TokenId> bos_;
  std::optional<TokenId> eos_;
  std::optional<TokenId> unknown_;
  std::optional<TokenId> start_of_turn_;
  std::optional<TokenId> end_of_turn_;
};

}  // namespace carat::tokenizer
