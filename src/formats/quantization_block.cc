#include "formats/quantization_block.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <map>
#include <set>

#include "formats/json.h"

namespace carat::formats {
namespace {

using tensor::ElementType;

constexpr std::string_view kMethod = "carat";
constexpr std::uint64_t kVersion = 1;
// Far above any vocabulary; a single scale becomes one for each row in memory.
constexpr std::uint64_t kMaxRows = std::uint64_t{1} << 22;

struct TypeName {
  ElementType type;
  std::string_view name;
  std::uint64_t values_per_byte;
};
constexpr std::array<TypeName, 2> kTypeNames = {
    {{ElementType::kInt4, "int4_per_channel", 2}, {ElementType::kSFP8, "sfp8", 1}}};

using EntryByName = std::map<std::string, TensorEntry*, std::less<>>;

// The scales of a tensor of `rows` rows, one each.
Result<std::vector<float>> read_scales(const JsonObject& block, const TensorEntry& entry,
                                       std::uint64_t rows) {
  const bool one_for_all = entry.shape == std::vector<std::uint64_t>{1};
  if (entry.type != ElementType::kF32 || (!one_for_all && entry.shape != std::vector{rows})) {
    return block.invalid("scale", "'{}': expected F32 of shape [{}] or [1], found {} {}", entry.name, rows,
                         tensor::info(entry.type).name, shape_text(entry.shape));
  }
  std::vector<float> scales(static_cast<std::size_t>(one_for_all ? 1 : rows));
  CARAT_TRY_VOID(entry.source->read_at(entry.offset, std::as_writable_bytes(std::span(scales))));
  for (std::size_t row = 0; row < scales.size(); ++row) {
    if (!std::isfinite(scales[row]) || scales[row] <= 0.0F) {
      return block.invalid("scale", "'{}': expected positive numbers, found {} for row {}", entry.name,
                           scales[row], row);
    }
  }
  if (one_for_all) scales.assign(static_cast<std::size_t>(rows), scales.front());
  return scales;
}

Result<> describe_tensor(const JsonObject& block, std::string_view name, const EntryByName& by_name,
                         std::set<std::string, std::less<>>& scale_names) {
  const auto found = by_name.find(name);
  if (found == by_name.end()) return block.invalid("type", "the file has no such tensor");
  TensorEntry& entry = *found->second;
  CARAT_TRY(const std::string type_name, block.get_string("type"));
  const auto type = std::ranges::find(kTypeNames, type_name, &TypeName::name);
  if (type == kTypeNames.end()) {
    return block.invalid("type", "expected {} or {}, found '{}'", kTypeNames[0].name, kTypeNames[1].name,
                         type_name);
  }
  // Bytes come as SFP8, see the header; so the count of values cannot overflow: the file has half as many.
  if (entry.type != ElementType::kSFP8 || entry.shape.size() != 2) {
    return block.invalid("type", "expected a tensor of dtype U8 with two extents, found {} {}",
                         tensor::info(entry.type).name, shape_text(entry.shape));
  }
  if (entry.shape[0] > kMaxRows) {
    return block.invalid("type", "at most {} rows are allowed, found {}", kMaxRows, entry.shape[0]);
  }
  entry.shape[1] *= type->values_per_byte;
  entry.type = type->type;
  if (tensor_bytes(entry.type, entry.shape) != entry.bytes) {
    return block.invalid("type", "rows of {} hold multiples of {} values, found {}", type->name,
                         tensor::info(entry.type).block_values, entry.shape[1]);
  }
  CARAT_TRY(const std::string scale, block.get_string("scale"));
  const auto scale_entry = by_name.find(scale);
  if (scale_entry == by_name.end()) return block.invalid("scale", "the file has no tensor '{}'", scale);
  CARAT_TRY(entry.row_scales, read_scales(block, *scale_entry->second, entry.shape[0]));
  scale_names.insert(scale);
  return {};
}

}  // namespace

std::string quantization_text(std::span<const QuantizedTensor> tensors) {
  boost::json::object described;
  for (const QuantizedTensor& tensor : tensors) {
    const auto type = std::ranges::find(kTypeNames, tensor.type, &TypeName::type);
    described[tensor.name] = {{"type", type->name}, {"scale", tensor.scale}};
  }
  return boost::json::serialize(
      boost::json::object{{"method", kMethod}, {"version", kVersion}, {"tensors", std::move(described)}});
}

Result<> apply_quantization(std::string_view text, const std::string& file,
                            std::vector<TensorEntry>& entries) {
  const std::string place = fmt::format("{}: __metadata__.{}", file, kQuantizationKey);
  std::set<std::string, std::less<>> scale_names;
  if (!text.empty()) {
    CARAT_TRY(const JsonDocument document, JsonDocument::parse(text, place));
    const JsonObject root = document.root();
    CARAT_TRY(const std::string method, root.get_string("method"));
    CARAT_TRY(const std::uint64_t version, root.get_u64("version"));
    if (method != kMethod || version != kVersion) {
      return root.invalid("method", "expected '{}' in version {}, found '{}' in version {}", kMethod,
                          kVersion, method, version);
    }
    EntryByName by_name;
    for (TensorEntry& entry : entries) by_name.emplace(entry.name, &entry);
    CARAT_TRY(const JsonObject described, root.get_object("tensors"));
    for (const auto& member : described.members()) {
      CARAT_TRY(const JsonObject block, described.get_object(member.key()));
      CARAT_TRY_VOID(describe_tensor(block, member.key(), by_name, scale_names));
    }
  }
  for (const TensorEntry& entry : entries) {
    if (tensor::info(entry.type).row_scaled && entry.row_scales.empty()) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: tensor '{}': expected F32, F16 or BF16, found bytes that {} does not describe", file,
                  entry.name, place);
    }
  }
  std::erase_if(entries, [&](const TensorEntry& entry) { return scale_names.contains(entry.name); });
  return {};
}

}  // namespace carat::formats
