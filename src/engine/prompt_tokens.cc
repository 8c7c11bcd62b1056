#include "engine/prompt_tokens.h"

#include <algorithm>
#include <variant>

#include "base/check.h"

namespace carat::engine {
namespace {

using prompt::Image;

std::vector<Image> images_of(std::span<const prompt::Piece> pieces) {
  std::vector<Image> images;
  for (const prompt::Piece& piece : pieces) {
    if (const auto* image = std::get_if<Image>(&piece)) images.push_back(*image);
  }
  return images;
}

}  // namespace

Error sees_nothing(std::string_view model, std::string_view remark) {
  const std::string reason = remark.empty() ? "" : fmt::format(" ({})", remark);
  return {ErrorKind::kUsage,
          fmt::format(
              "{} is text-only here and cannot see images{}; the 4B, 12B and 27B models of Gemma 3 can, with "
              "their image tower in the model's files, beside them as mmproj-*.gguf, or named by --mmproj",
              model, reason)};
}

Result<PromptTokens> encode_prompt(std::span<const prompt::Piece> pieces, const LoadedModel& model,
                                   ImageReader* images, bool one_bos) {
  const std::vector<Image> pictures = images_of(pieces);
  prompt::ImageForm form;
  if (!pictures.empty()) {
    if (images == nullptr) return std::unexpected(sees_nothing(model.name, model.vision_remark));
    form.soft_tokens = images->config().tokens();
    for (const Image& picture : pictures) form.crops.push_back(ImageReader::crops(picture));
  }
  prompt::EncodedPrompt encoded = prompt::encode(pieces, *model.tokenizer, form);
  std::ptrdiff_t shift = 0;
  if (const auto bos = model.tokenizer->bos(); bos && one_bos) {
    const auto text = std::ranges::find_if(encoded.ids, [&bos](TokenId id) { return id != *bos; });
    shift = 1 - (text - encoded.ids.begin());
    encoded.ids.erase(encoded.ids.begin(), text);
    encoded.ids.insert(encoded.ids.begin(), *bos);
  }
  const std::size_t vocabulary = model.model->config().vocab;
  for (const TokenId id : encoded.ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary) {
      return fail(ErrorKind::kUsage, "the prompt holds token {}, but the model has {} tokens", id,
                  vocabulary);
    }
  }
  if (encoded.ids.empty()) return fail(ErrorKind::kUsage, "the prompt is empty");
  PromptTokens out{.ids = std::move(encoded.ids), .spans = {}};
  for (const prompt::SoftSpan& span : encoded.spans) {
    const auto begin = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(span.begin) + shift);
    CARAT_TRY(const Sha256Digest key, images->key(pictures[span.image], span.view));
    out.spans.push_back({.begin = begin,
                         .end = begin + form.soft_tokens,
                         .image = pictures[span.image],
                         .view = span.view,
                         .key = key});
  }
  return out;
}

Result<> read_images(PromptTokens& prompt, std::size_t from, ImageReader& images, const std::stop_token& stop,
                     const std::function<void(std::size_t done, std::size_t total)>& progress) {
  const auto wanted =
      std::span(prompt.spans)
          .subspan(static_cast<std::size_t>(
              std::ranges::upper_bound(prompt.spans, from, {}, &ImageSpan::end) - prompt.spans.begin()));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    progress(i, wanted.size());
    CARAT_TRY(wanted[i].soft_tokens, images.read(wanted[i].image, wanted[i].view, /*owner=*/{}, stop));
  }
  if (!wanted.empty()) progress(wanted.size(), wanted.size());
  return {};
}

std::size_t whole_images(const PromptTokens& prompt, std::size_t length) {
  for (const ImageSpan& span : prompt.spans) {
    if (span.begin < length && length < span.end) return span.begin;
  }
  return length;
}

std::size_t common_prefix(const PromptTokens& a, const PromptTokens& b) {
  auto common = static_cast<std::size_t>(std::ranges::mismatch(a.ids, b.ids).in1 - a.ids.begin());
  const auto same = [](const ImageSpan& x, const ImageSpan& y) {
    return x.begin == y.begin && x.end == y.end && x.key == y.key;
  };
  const auto [in_a, in_b] = std::ranges::mismatch(a.spans, b.spans, same);
  if (in_a != a.spans.end()) common = std::min(common, in_a->begin);
  if (in_b != b.spans.end()) common = std::min(common, in_b->begin);
  return whole_images(a, common);
}

std::size_t step_end(const PromptTokens& prompt, std::size_t begin, std::size_t rows) {
  const std::size_t end = std::min(prompt.ids.size(), begin + rows);
  const std::size_t whole = whole_images(prompt, end);
  if (whole > begin) return whole;
  const auto first = std::ranges::find(prompt.spans, begin, &ImageSpan::begin);
  CARAT_CHECK(first != prompt.spans.end());  // steps begin between images
  return first->end;
}

void append_rows(const PromptTokens& prompt, std::size_t begin, std::size_t end, std::size_t d_model,
                 std::vector<model::Row>& rows) {
  const std::size_t first_row = rows.size();
  for (std::size_t position = begin; position < end; ++position) {
    model::Row& row = rows.emplace_back();
    row.token = prompt.ids[position];
    row.position = static_cast<std::uint32_t>(position);
  }
  for (const ImageSpan& span : prompt.spans) {
    if (span.end <= begin || span.begin >= end) continue;
    CARAT_CHECK(span.begin >= begin && span.end <= end && span.soft_tokens != nullptr);
    for (std::size_t position = span.begin; position < span.end; ++position) {
      model::Row& row = rows[first_row + position - begin];
      row.embedding = span.soft_tokens->data() + (position - span.begin) * d_model;
      row.span = {static_cast<std::uint32_t>(span.begin), static_cast<std::uint32_t>(span.end)};
    }
  }
}

}  // namespace carat::engine
