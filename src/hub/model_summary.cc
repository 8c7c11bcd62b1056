#include "hub/model_summary.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/byte_source.h"
#include "formats/gguf.h"
#include "formats/header_reader.h"
#include "formats/json.h"
#include "model/checkpoint.h"
#include "tensor/element_type.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostPeekBytes = 4096;
constexpr std::size_t kMostTextBytes = 1024;
constexpr std::size_t kMostConfigBytes = std::size_t{1} << 20;

// The architecture that a GGUF file names among its first keys, where writers put it; nullopt when that is
// not known without reading more.
Result<std::optional<std::string>> peek_architecture(const std::string& path) {
  CARAT_TRY(const auto source, open_file(path));
  formats::HeaderReader reader(*source, std::min(source->size(), kMostPeekBytes));
  for (const char* part : {"the magic number", "the GGUF version"}) {
    CARAT_TRY([[maybe_unused]] const auto number, reader.read<std::uint32_t>(part));
  }
  CARAT_TRY([[maybe_unused]] const auto tensors, reader.read<std::uint64_t>("the number of tensors"));
  CARAT_TRY(const auto keys, reader.read<std::uint64_t>("the number of metadata keys"));
  for (std::uint64_t i = 0; i < keys; ++i) {
    CARAT_TRY(const std::string key, reader.read_string(kMostTextBytes, "a metadata key"));
    CARAT_TRY(const auto type, reader.read<std::uint32_t>(key));
    if (type != static_cast<std::uint32_t>(formats::GgufType::kString)) return std::nullopt;
    CARAT_TRY(std::string text, reader.read_string(kMostTextBytes, key));
    if (key == "general.architecture") return text;
  }
  return std::nullopt;
}

std::string dominant_type(const formats::TensorDirectory& tensors) {
  std::map<std::string_view, std::uint64_t> bytes;
  for (const formats::TensorEntry& entry : tensors.entries()) {
    bytes[tensor::info(entry.type).name] += entry.bytes;
  }
  using Row = std::pair<const std::string_view, std::uint64_t>;
  const auto most = std::ranges::max_element(bytes, {}, &Row::second);
  return most == bytes.end() ? "" : std::string(most->first);
}

}  // namespace

std::optional<std::string> foreign_family(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto architecture = peek_architecture(path.string());
    const bool foreign = architecture && *architecture && **architecture != "gemma3";
    return foreign ? *architecture : std::nullopt;
  }
  const std::string config = (path / "config.json").string();
  const auto text = read_whole_file(config, kMostConfigBytes);
  if (!text) return std::nullopt;
  const auto document = formats::JsonDocument::parse(*text, config);
  const auto type =
      document ? document->root().find_string("model_type") : Result<std::optional<std::string>>();
  const bool foreign = type && *type && **type != "gemma3" && **type != "gemma3_text";
  return foreign ? *type : std::nullopt;
}

Result<std::optional<ModelSummary>> summarize_model(const fs::path& path) {
  if (foreign_family(path)) return std::nullopt;
  CARAT_TRY(const model::Checkpoint checkpoint, model::Checkpoint::open(path.string()));
  return ModelSummary{.bytes = checkpoint.files().file_bytes(),
                      .precision = dominant_type(checkpoint.files()),
                      .has_vision = checkpoint.config().vision.has_value(),
                      .instruction_tuned = checkpoint.config().instruction_tuned,
                      .remark = checkpoint.vision_remark()};
}

}  // namespace carat::hub
