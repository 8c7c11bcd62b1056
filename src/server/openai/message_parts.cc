#include "server/openai/message_parts.h"

#include <fmt/format.h>

#include <utility>

#include "server/base64.h"

namespace carat::server::openai {
namespace {

namespace json = boost::json;

// "image_url" is an object with the address, or the address itself.
void read_image(FieldReader& part, std::vector<ImageSource>& images) {
  ImageSource image;
  const json::value* value = part.find("image_url");
  if (value == nullptr) return part.refuse(ApiErrorCode::kMissingParameter, "image_url", "is missing");
  if (const json::string* address = value->if_string()) {
    read_data_url(part, "image_url", *address, image);
  } else if (const json::object* object = part.object("image_url")) {
    FieldReader fields(part, *object, part.path("image_url"));
    const auto url = fields.text("url");
    if (!url) return fields.refuse(ApiErrorCode::kMissingParameter, "url", "is missing");
    image.detail = parse_detail(fields.text("detail").value_or("auto"));
    read_data_url(fields, "url", *url, image);
  }
  images.push_back(std::move(image));
}

void read_part(FieldReader& part, bool allows_images, std::string& text, std::vector<ImageSource>& images) {
  const std::string_view type = part.text("type").value_or("");
  if (type == "text" || type == "refusal") {
    const auto piece = part.text(type);
    if (!piece) return part.refuse(ApiErrorCode::kMissingParameter, type, "is missing");
    append_line(text, *piece);
  } else if (type == "image_url" && allows_images) {
    read_image(part, images);
  } else if (type == "image_url") {
    part.refuse(ApiErrorCode::kUnsupportedContent, "type", "may be image_url in messages of the user only");
  } else {
    part.refuse(ApiErrorCode::kUnsupportedContent, "type", "must be text or image_url");
  }
}

}  // namespace

// "data:image/png;base64,iVBORw0..."
void read_data_url(FieldReader& read, std::string_view name, std::string_view url, ImageSource& image) {
  constexpr std::string_view kMark = ";base64,";
  if (!url.starts_with("data:"))
    return read.refuse(ApiErrorCode::kImageUrlNotAllowed, name, "must be a data: URL");
  const std::size_t mark = url.substr(0, 256).find(kMark);
  if (mark == std::string_view::npos)
    return read.refuse(ApiErrorCode::kInvalidImage, name, "must be a data: URL in Base64");
  auto file = decode_base64(url.substr(mark + kMark.size()));
  if (!file || file->empty()) return read.refuse(ApiErrorCode::kInvalidImage, name, "is not valid Base64");
  image.file = std::move(*file);
}

ImageSource::Detail parse_detail(std::string_view name) {
  if (name == "high") return ImageSource::Detail::kHigh;
  return name == "low" ? ImageSource::Detail::kLow : ImageSource::Detail::kAuto;
}

void read_content(FieldReader& read, bool allows_images, std::string& text,
                  std::vector<ImageSource>& images) {
  const json::value* content = read.find("content");
  if (content == nullptr) return;
  if (const json::string* string = content->if_string()) {
    text = std::string_view(*string);
    return;
  }
  const json::array* parts = content->if_array();
  if (parts == nullptr) return read.expected("content", "a string or an array of parts");
  for (std::size_t i = 0; i < parts->size() && !read.error(); ++i) {
    const std::string path = fmt::format("{}[{}]", read.path("content"), i);
    const json::object* part = (*parts)[i].if_object();
    if (part == nullptr) return read.expected("content", "an array of objects");
    FieldReader fields(read, *part, path);
    read_part(fields, allows_images, text, images);
  }
}

}  // namespace carat::server::openai
