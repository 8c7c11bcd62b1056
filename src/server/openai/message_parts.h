#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "server/chat_messages.h"
#include "server/json_fields.h"

namespace carat::server::openai {

// Reads the "content" of a message: a string, or a list of parts (text, refusal, image_url). Parts of text
// are joined by newlines. Images are allowed in user messages only. Errors go to `read`.
void read_content(FieldReader& read, bool allows_images, std::string& text, std::vector<ImageSource>& images);

// The picture of an address in the field `name`, which must be a data: URL in Base64. Errors go to `read`.
void read_data_url(FieldReader& read, std::string_view name, std::string_view url, ImageSource& image);
ImageSource::Detail parse_detail(std::string_view name);

}  // namespace carat::server::openai
