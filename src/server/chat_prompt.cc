#include "server/chat_prompt.h"

#include <utility>
#include <vector>

#include "chat/prompt_style.h"

namespace carat::server {
namespace {

ApiResult<prompt::Image> decode(const ServedModel& model, const ImageSource& source,
                                const std::stop_token& stop) {
  const engine::Capabilities capabilities = model.engine->capabilities();
  if (!capabilities.images || !model.decode_image) {
    std::string why = capabilities.images_remark;
    if (why.empty()) why = "this model does not see images";
    return std::unexpected(
        ApiError{.code = ApiErrorCode::kUnsupportedContent, .message = std::move(why), .param = "messages"});
  }
  auto picture = model.decode_image(source.file, stop);
  if (!picture && picture.error().kind == ErrorKind::kOverloaded)
    return std::unexpected(ApiError{.code = ApiErrorCode::kOutOfMemory});
  if (!picture) {
    return std::unexpected(ApiError{.code = ApiErrorCode::kInvalidImage,
                                    .message = std::move(picture.error().message),
                                    .param = "messages"});
  }
  return prompt::Image{.picture = std::move(*picture), .pan_and_scan = source.scans(model.pan_and_scan)};
}

}  // namespace

ApiResult<prompt::GenerationRequest> render_chat(const ServedModel& model, const ChatTurns& turns,
                                                 const std::stop_token& stop) {
  prompt::GenerationRequest request;
  for (const ChatMessage& source : turns.messages) {
    prompt::Message& message = request.messages.emplace_back();
    message.role = source.role;
    message.text = source.text;
    message.generated_ids = source.generated_ids;
    for (const ImageSource& image : source.images) {
      CARAT_TRY(message.images.emplace_back(), decode(model, image, stop));
    }
  }
  auto pieces = turns.continues_answer ? chat::render_begun_answer(model.style, request.messages)
                                       : chat::render(model.style, request.messages);
  if (!pieces)
    return std::unexpected(ApiError{
        .code = ApiErrorCode::kInvalidValue, .message = pieces.error().message, .param = "messages"});
  request.prompt = std::move(*pieces);
  return request;
}

}  // namespace carat::server
