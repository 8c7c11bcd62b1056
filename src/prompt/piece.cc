#include "prompt/piece.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "tokenizer/tokenizer.h"

namespace carat::prompt {
namespace {

using tokenizer::ControlTokens;

constexpr std::string_view kImagePlace = "<start_of_image>";

class Encoder {
 public:
  Encoder(const tokenizer::Tokenizer& tokenizer, const ImageForm& form)
      : tokenizer_(tokenizer), form_(form) {}

  void operator()(const PlainText& piece) { begin_text(piece.text, ControlTokens::kAsText); }
  void operator()(const Markup& piece) { begin_text(piece.text, ControlTokens::kParse); }
  void operator()(const TokenIds& piece) {
    flush();
    append(piece.ids);
  }
  void operator()(const Image&) {
    CARAT_CHECK(images_ < form_.crops.size());
    const std::size_t crops = form_.crops[images_];
    if (crops > 0) text_ += "Here is the original image ";
    add_view(0);
    if (crops > 0) text_ += " and here are some crops to help you see better ";
    for (std::size_t view = 1; view <= crops; ++view) {
      if (view > 1) text_ += " ";
      add_view(view);
    }
    ++images_;
  }

  EncodedPrompt finish() {
    flush();
    return std::move(prompt_);
  }

 private:
  // A piece of text begins: it goes on from what an image has left behind, not from another piece.
  void begin_text(std::string_view text, ControlTokens mode) {
    if (mode_) flush();
    mode_ = mode;
    text_ += text;
  }
  // An image's own text has no control tokens in it, so it can be of either kind.
  void add_view(std::size_t view) {
    text_ += "\n\n";
    flush();
    append(tokenizer_.encode(kImagePlace, ControlTokens::kParse));
    prompt_.spans.push_back({prompt_.ids.size(), images_, view});
    prompt_.ids.insert(prompt_.ids.end(), form_.soft_tokens, kSoftToken);
    append(tokenizer_.encode("<end_of_image>", ControlTokens::kParse));
    text_ = "\n\n";
  }
  void flush() {
    append(tokenizer_.encode(text_, mode_.value_or(ControlTokens::kAsText)));
    text_.clear();
    mode_.reset();
  }
  void append(const std::vector<TokenId>& ids) {
    prompt_.ids.insert(prompt_.ids.end(), ids.begin(), ids.end());
  }

  const tokenizer::Tokenizer& tokenizer_;
  const ImageForm& form_;
  std::string text_;                   // not yet encoded
  std::optional<ControlTokens> mode_;  // of the piece in text_; none: only an image's own text
  std::size_t images_ = 0;
  EncodedPrompt prompt_;
};

}  // namespace

Result<std::vector<Piece>> place_images(std::string_view text, std::span<const Image> images) {
  std::vector<Piece> pieces;
  std::size_t places = 0;
  while (true) {
    const std::size_t at = text.find(kImagePlace);
    if (at == std::string_view::npos) break;
    if (at > 0) pieces.emplace_back(PlainText{std::string(text.substr(0, at))});
    if (places < images.size()) pieces.emplace_back(images[places]);
    text.remove_prefix(at + kImagePlace.size());
    ++places;
  }
  if (!text.empty()) pieces.emplace_back(PlainText{std::string(text)});
  if (places == images.size()) return pieces;
  return fail(ErrorKind::kUsage, "the text has {} {} for {} images", places, kImagePlace, images.size());
}

EncodedPrompt encode(std::span<const Piece> pieces, const tokenizer::Tokenizer& tokenizer,
                     const ImageForm& form) {
  Encoder encoder(tokenizer, form);
  for (const Piece& piece : pieces) std::visit(encoder, piece);
  return encoder.finish();
}

}  // namespace carat::prompt
