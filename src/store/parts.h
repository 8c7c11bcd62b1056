#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"

namespace carat::store {

struct TextPart {
  std::string text;
  bool operator==(const TextPart&) const = default;
};

// A picture among the owner's blobs.
struct ImagePart {
  Sha256Digest blob = {};
  std::string media_type;
  bool pan_and_scan = false;
  bool operator==(const ImagePart&) const = default;
};

// A file among the owner's blobs.
struct BlobPart {
  Sha256Digest blob = {};
  std::string media_type;
  std::string name;  // as its owner called it; never a path to be opened
  bool operator==(const BlobPart&) const = default;
};

struct ToolCallPart {
  std::string call_id;
  std::string name;
  std::string arguments;  // as the model wrote them, JSON if all went well
  bool operator==(const ToolCallPart&) const = default;
};

struct ToolResultPart {
  std::string call_id;
  std::string text;
  bool operator==(const ToolResultPart&) const = default;
};

// What a message consists of, in order.
using Part = std::variant<TextPart, ImagePart, BlobPart, ToolCallPart, ToolResultPart>;

inline constexpr std::size_t kMostParts = 1024;                        // of a message
inline constexpr std::size_t kMostPartsBytes = std::size_t{16} << 20;  // of them all as JSON
inline constexpr std::size_t kMostNameBytes = 1024;                    // of a name, type or call id

// A JSON array with one object a part, its "type" first. kQuota beyond the limits above; text that is no
// UTF-8 is mended.
Result<std::string> parts_to_json(const std::vector<Part>& parts);

// The reverse. What was stored is believed no more than what comes from outside: kFailed names the part and
// the field, what was expected and what was found there, never a text.
Result<std::vector<Part>> parts_from_json(std::string_view json);

// The digests that parts refer to, each once.
std::vector<Sha256Digest> blobs_of(const std::vector<Part>& parts);

}  // namespace carat::store
