#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/token_id.h"
#include "prompt/image.h"

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
// border: a renderer puts borders beside control tokens, where nothing could merge anyway. An image brings
// text of its own, two newlines on either side among it, which belongs to its neighbours and does merge.
using Piece = std::variant<PlainText, Markup, TokenIds, Image>;

// Plain text in which each <start_of_image> is the place of the next image. kUsage when there are more or
// fewer of them than images.
Result<std::vector<Piece>> place_images(std::string_view text, std::span<const Image> images);

// What the images of a prompt take up in it.
struct ImageForm {
  std::size_t soft_tokens = 0;          // of one view
  std::vector<std::size_t> crops = {};  // of each image in order: views beside that of the whole image
};

// The place of one view of an image: ids [begin, begin + soft_tokens).
struct SoftSpan {
  std::size_t begin = 0;
  std::size_t image = 0;  // counted from the prompt's first
  std::size_t view = 0;   // 0: the whole image; others: its crops
  bool operator==(const SoftSpan&) const = default;
};

// Stands in `ids` where an image's soft tokens go: every vocabulary has it, unlike the reference's id 262144.
inline constexpr TokenId kSoftToken = 0;

struct EncodedPrompt {
  std::vector<TokenId> ids;
  std::vector<SoftSpan> spans;  // in order
};

// The ids of a prompt, as the reference's processor writes images into the rendered text. Adds no BOS:
// renderers write <bos> where it belongs.
EncodedPrompt encode(std::span<const Piece> pieces, const tokenizer::Tokenizer& tokenizer,
                     const ImageForm& form);

}  // namespace carat::prompt
