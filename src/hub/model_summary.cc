#include "hub/model_summary.h"

#include <algorithm>
#include <array>
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

// What general.file_type says, as llama.cpp numbers and names it. A mix such as Q4_K_M has tensors of several
// types, and its embedding another one than most.
struct FileType {
  std::uint32_t number;
  std::string_view name;
};
constexpr auto kFileTypes =
    std::to_array<FileType>({{0, "F32"},     {1, "F16"},     {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
                             {8, "Q5_0"},    {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},
                             {13, "Q3_K_L"}, {14, "Q4_K_S"}, {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},
                             {18, "Q6_K"},   {21, "Q2_K_S"}, {25, "IQ4_NL"}, {30, "IQ4_XS"}, {32, "BF16"}});

std::optional<std::string> stated_type(const model::Checkpoint& checkpoint) {
  if (checkpoint.gguf() == nullptr) return std::nullopt;
  const auto number = checkpoint.gguf()->find_u32("general.file_type");
  if (!number || !*number) return std::nullopt;
  const auto* found = std::ranges::find(kFileTypes, **number, &FileType::number);
  return found == kFileTypes.end() ? std::nullopt : std::optional<std::string>(found->name);
}

// Whether it is a matrix of a decoder layer: not the embedding, which often has a type of its own, and not
// the image tower.
bool is_layer_matrix(const formats::TensorEntry& entry) {
  const bool in_layer =
      entry.name.starts_with("blk.") || entry.name.find("model.layers.") != std::string::npos;
  return in_layer && entry.shape.size() == 2 && entry.name.find("vision") == std::string::npos;
}

std::string dominant_type(const formats::TensorDirectory& tensors) {
  std::map<std::string_view, std::uint64_t> bytes;
  for (const formats::TensorEntry& entry : tensors.entries()) {
    if (is_layer_matrix(entry)) bytes[tensor::info(entry.type).name] += entry.bytes;
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

Result<std::optional<ModelSummary>> summarize_model(
    const fs::path& path, const std::function<void(const model::Checkpoint&)>& look) {
  if (foreign_family(path)) return std::nullopt;
  CARAT_TRY(const model::Checkpoint checkpoint, model::Checkpoint::open(path.string()));
  if (look) look(checkpoint);
  return ModelSummary{.bytes = checkpoint.files().file_bytes(),
                      .precision = stated_type(checkpoint).value_or(dominant_type(checkpoint.files())),
                      .has_vision = checkpoint.config().vision.has_value(),
                      .instruction_tuned = checkpoint.config().instruction_tuned,
                      .remark = checkpoint.vision_remark()};
}

}  // namespace carat::hub
