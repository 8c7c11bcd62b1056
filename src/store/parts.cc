#include "store/parts.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/utf8.h"
#include "store/json_reader.h"

namespace carat::store {
namespace {

namespace json = boost::json;

json::object to_object(const TextPart& part) {
  return {{"type", "text"}, {"text", replace_invalid_utf8(part.text)}};
}

json::object to_object(const ImagePart& part) {
  return {{"type", "image"},
          {"blob", to_hex(part.blob)},
          {"media_type", replace_invalid_utf8(part.media_type)},
          {"pan_and_scan", part.pan_and_scan}};
}

json::object to_object(const BlobPart& part) {
  return {{"type", "blob"},
          {"blob", to_hex(part.blob)},
          {"media_type", replace_invalid_utf8(part.media_type)},
          {"name", replace_invalid_utf8(part.name)}};
}

json::object to_object(const ToolCallPart& part) {
  return {{"type", "tool_call"},
          {"call_id", replace_invalid_utf8(part.call_id)},
          {"name", replace_invalid_utf8(part.name)},
          {"arguments", replace_invalid_utf8(part.arguments)}};
}

json::object to_object(const ToolResultPart& part) {
  return {{"type", "tool_result"},
          {"call_id", replace_invalid_utf8(part.call_id)},
          {"text", replace_invalid_utf8(part.text)}};
}

Result<Part> read_text(const StoredObject& object) {
  CARAT_TRY(std::string text, object.text("text", kMostPartsBytes));
  return TextPart{std::move(text)};
}

Result<Part> read_image(const StoredObject& object) {
  ImagePart part;
  CARAT_TRY(part.blob, object.digest("blob"));
  CARAT_TRY(part.media_type, object.text("media_type", kMostNameBytes));
  CARAT_TRY(part.pan_and_scan, object.flag("pan_and_scan"));
  return part;
}

Result<Part> read_blob(const StoredObject& object) {
  BlobPart part;
  CARAT_TRY(part.blob, object.digest("blob"));
  CARAT_TRY(part.media_type, object.text("media_type", kMostNameBytes));
  CARAT_TRY(part.name, object.text("name", kMostNameBytes));
  return part;
}

Result<Part> read_tool_call(const StoredObject& object) {
  ToolCallPart part;
  CARAT_TRY(part.call_id, object.text("call_id", kMostNameBytes));
  CARAT_TRY(part.name, object.text("name", kMostNameBytes));
  CARAT_TRY(part.arguments, object.text("arguments", kMostPartsBytes));
  return part;
}

Result<Part> read_tool_result(const StoredObject& object) {
  ToolResultPart part;
  CARAT_TRY(part.call_id, object.text("call_id", kMostNameBytes));
  CARAT_TRY(part.text, object.text("text", kMostPartsBytes));
  return part;
}

struct PartReader {
  std::string_view type;
  Result<Part> (*read)(const StoredObject&);
};
constexpr PartReader kReaders[] = {{"text", read_text},
                                   {"image", read_image},
                                   {"blob", read_blob},
                                   {"tool_call", read_tool_call},
                                   {"tool_result", read_tool_result}};

Result<Part> read_part(const json::value& value, std::size_t index) {
  std::string place = fmt::format("parts[{}]", index);
  if (!value.is_object()) return fail(ErrorKind::kFailed, "{}: expected an object", place);
  const StoredObject object(value.get_object(), std::move(place));
  CARAT_TRY(const std::string type, object.text("type", kMostNameBytes));
  const auto* reader = std::ranges::find(kReaders, type, &PartReader::type);
  if (reader == std::end(kReaders)) return object.expected("a known type", "type");
  return reader->read(object);
}

// Names are read back under a limit, so they are written under it.
bool names_fit(const Part& part) {
  const auto fits = [](const std::string& name) {
    return replace_invalid_utf8(name).size() <= kMostNameBytes;
  };
  if (const auto* image = std::get_if<ImagePart>(&part)) return fits(image->media_type);
  if (const auto* blob = std::get_if<BlobPart>(&part)) return fits(blob->media_type) && fits(blob->name);
  if (const auto* call = std::get_if<ToolCallPart>(&part)) return fits(call->call_id) && fits(call->name);
  if (const auto* result = std::get_if<ToolResultPart>(&part)) return fits(result->call_id);
  return true;
}

}  // namespace

Result<std::string> parts_to_json(const std::vector<Part>& parts) {
  if (parts.size() > kMostParts) {
    return fail(ErrorKind::kQuota, "a message has {} parts, at most {} are stored", parts.size(), kMostParts);
  }
  json::array array;
  for (const Part& part : parts) {
    if (!names_fit(part)) {
      return fail(ErrorKind::kQuota, "a name, type or id in a message is longer than {} bytes",
                  kMostNameBytes);
    }
    array.push_back(std::visit([](const auto& known) { return to_object(known); }, part));
  }
  std::string text = json::serialize(array);
  if (text.size() > kMostPartsBytes) {
    return fail(ErrorKind::kQuota, "a message takes {} bytes, at most {} are stored", text.size(),
                kMostPartsBytes);
  }
  return text;
}

Result<std::vector<Part>> parts_from_json(std::string_view text) {
  if (text.size() > kMostPartsBytes) {
    return fail(ErrorKind::kFailed, "parts: expected at most {} bytes, found {}", kMostPartsBytes,
                text.size());
  }
  CARAT_TRY(const json::value root, parse_stored(text, "parts"));
  if (!root.is_array()) return fail(ErrorKind::kFailed, "parts: expected an array");
  if (root.get_array().size() > kMostParts) {
    return fail(ErrorKind::kFailed, "parts: expected at most {}, found {}", kMostParts,
                root.get_array().size());
  }
  std::vector<Part> parts;
  for (const json::value& value : root.get_array()) {
    CARAT_TRY(Part part, read_part(value, parts.size()));
    parts.push_back(std::move(part));
  }
  return parts;
}

std::vector<Sha256Digest> blobs_of(const std::vector<Part>& parts) {
  std::vector<Sha256Digest> digests;
  for (const Part& part : parts) {
    if (const auto* image = std::get_if<ImagePart>(&part)) digests.push_back(image->blob);
    if (const auto* blob = std::get_if<BlobPart>(&part)) digests.push_back(blob->blob);
  }
  std::ranges::sort(digests);
  const auto repeated = std::ranges::unique(digests);
  digests.erase(repeated.begin(), repeated.end());
  return digests;
}

}  // namespace carat::store
