#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "tokenizer/bpe_merger.h"
#include "tokenizer/space_mark.h"

namespace carat::tokenizer {
namespace {

// Largest length up to `most` at which `text` may be cut without splitting a character.
std::size_t cut_at_character(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  while ((static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80) --most;
  return most;
}

void encode_stretch(std::string_view text, BpeMerger& merger, std::vector<TokenId>& ids) {
  std::string without_marks;
  if (has_space_mark(text)) {
    without_marks = marks_to_spaces(text);
    text = without_marks;
  }
  while (!text.empty()) {
    const std::size_t length = cut_at_character(text, BpeMerger::kMaxTextBytes);
    merger.encode(text.substr(0, length), ids);
    text.remove_prefix(length);
  }
}

void append_bytes(std::string& bytes, std::string& out) {
  if (is_valid_utf8(bytes)) {
    out += bytes;
  } else {
    for (std::size_t i = 0; i < bytes.size(); ++i) out += kReplacementCharacter;
  }
  bytes.clear();
}

bool covers_all_bytes(const Vocabulary& vocabulary) {
  for (int byte = 0; byte < 256; ++byte) {
    if (vocabulary.byte_piece(static_cast<unsigned char>(byte)) < 0) return false;
  }
  return true;
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary)
    : vocabulary_(std::move(vocabulary)),
      bos_(vocabulary_.find_control("<bos>")),
      eos_(vocabulary_.find_control("<eos>")),
      unknown_(vocabulary_.find_control("<unk>")),
      start_of_turn_(vocabulary_.find_control("<start_of_turn>")),
      end_of_turn_(vocabulary_.find_control("<end_of_turn>")) {}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_parts(const std::string& source,
                                                               const VocabularyParts& parts) {
  CARAT_TRY(Vocabulary vocabulary, Vocabulary::build(source, parts));
  const bool covered = covers_all_bytes(vocabulary);
  std::shared_ptr<const Tokenizer> tokenizer(new Tokenizer(std::move(vocabulary)));
  if (!covered && !tokenizer->unknown_) {
    return fail(ErrorKind::kInvalidModel,
                "{}: the vocabulary must have either a piece for every byte or the control token <unk>, "
                "found neither",
                source);
  }
  return tokenizer;
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, ControlTokens mode) const {
  std::string valid;
  if (!is_valid_utf8(text)) {
    valid = replace_invalid_utf8(text);
    text = valid;
  }
  std::vector<TokenId> ids;
  BpeMerger merger(vocabulary_, unknown_.value_or(-1));
  std::size_t stretch = 0;  // where the text that is still to be merged begins
  for (std::size_t at = 0; at < text.size();) {
    if (!vocabulary_.may_start_added(text[at])) {
      ++at;
      continue;
    }
    const PrefixTrie::Match match = vocabulary_.longest_added(text.substr(at));
    if (match.length == 0) {
      ++at;
      continue;
    }
    if (mode == ControlTokens::kParse || !is_control(match.id)) {
      encode_stretch(text.substr(stretch, at - stretch), merger, ids);
      ids.push_back(match.id);
      stretch = at + match.length;
    }
    at += match.length;
  }
  encode_stretch(text.substr(stretch), merger, ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool show_control) const {
  std::string out;
  std::string bytes;  // of the byte pieces since the last piece that is not one
  for (const TokenId id : ids) {
    if (!contains(id) || (is_control(id) && !show_control)) continue;
    if (is_byte(id)) {
      bytes += piece(id);
    } else {
      append_bytes(bytes, out);
      out += piece(id);
    }
  }
  append_bytes(bytes, out);
  return out;
}

}  // namespace carat::tokenizer
