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

}  // namespace carat::server::openai
