#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/token_id.h"
#include "engine/image_reader.h"
#include "engine/load_model.h"
#include "engine/soft_token_files.h"
#include "model/batch.h"
#include "prompt/piece.h"

namespace carat::engine {

// Soft tokens of one view of an image at positions [begin, end) of a prompt.
struct ImageSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  prompt::Image image = {};
  std::size_t view = 0;
  Sha256Digest key = {};                               // tells views with other soft tokens apart
  std::shared_ptr<const SoftTokens> soft_tokens = {};  // null until read_images
};

// An encoded prompt, ready to become rows of a batch.
struct PromptTokens {
  std::vector<TokenId> ids;
  std::vector<ImageSpan> spans;  // in order, apart from one another
};

// What is said to who shows an image to a text-only model: kUsage, with the models that see. `remark`: why
// a projector file beside it was not taken; else empty.
Error sees_nothing(std::string_view model, std::string_view remark);

// Encodes a prompt. With `one_bos` it starts with exactly one BOS whether its pieces bring one or not. kUsage
// for ids that the model does not have, for an empty prompt, and for images where `images` is null, since the
// model has no tower: the message says which models see. Any thread may call it.
Result<PromptTokens> encode_prompt(std::span<const prompt::Piece> pieces, const LoadedModel& model,
                                   ImageReader* images, bool one_bos = true);

// Reads the images of spans that end after position `from`. `progress` is called with the number of views
// done and their total before each and after the last. Errors are those of ImageReader::read.
Result<> read_images(PromptTokens& prompt, std::size_t from, ImageReader& images, const std::stop_token& stop,
                     const std::function<void(std::size_t done, std::size_t total)>& progress);

// How many positions two prompts share: the same ids and soft tokens of the same images, no image in part.
std::size_t common_prefix(const PromptTokens& a, const PromptTokens& b);

// `length`, or the beginning of the image that it would cut in two.
std::size_t whole_images(const PromptTokens& prompt, std::size_t length);

// Where the step that begins at `begin` ends: after `rows` rows, fewer where an image would be cut, or more
// where one image alone has more.
std::size_t step_end(const PromptTokens& prompt, std::size_t begin, std::size_t rows);

// Appends rows for positions [begin, end) of sequence 0, without outputs. The images among them were read.
void append_rows(const PromptTokens& prompt, std::size_t begin, std::size_t end, std::size_t d_model,
                 std::vector<model::Row>& rows);

}  // namespace carat::engine
