#include "model/vision_tensors.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/dequantize.h"

namespace carat::model {
namespace {

using formats::TensorDirectory;
using formats::TensorEntry;

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

// The first prefix below which the directory has the tensor, else the first of all.
std::string find_prefix(const TensorDirectory& directory, VisionTensorId id,
                        std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes) {
    if (directory.find(fmt::format("{}{}", prefix, info(id).hf_name)) != nullptr) return std::string(prefix);
  }
  return std::string(*prefixes.begin());
}

std::string_view without_model_prefix(std::string_view name) {
  if (name.starts_with("model.")) name.remove_prefix(std::string_view("model.").size());
  return name;
}

}  // namespace

std::string VisionNames::name_of(VisionTensorId id, std::size_t layer) const {
  return fmt::format("{}{}", info(id).of_projector ? projector_prefix : tower_prefix,
                     vision_tensor_name(id, naming, layer));
}

VisionNames gguf_vision_names(const TensorDirectory& directory, const VisionConfig& config) {
  if (directory.find(info(VisionTensorId::kPatchEmbedding).ollama_name) != nullptr) {
    return {.naming = VisionNaming::kOllama};
  }
  // The first MLP layer is the one with the tower's width as its input.
  const TensorEntry* up = directory.find(vision_tensor_name(VisionTensorId::kFc1, VisionNaming::kMmproj, 0));
  const bool swapped = up != nullptr && config.width != config.ffn &&
                       up->shape == std::vector<std::uint64_t>{config.width, config.ffn};
  return {.naming = swapped ? VisionNaming::kMmprojSwapped : VisionNaming::kMmproj};
}

VisionNames hf_vision_names(const TensorDirectory& directory) {
  return {.naming = VisionNaming::kHf,
          .tower_prefix = find_prefix(directory, VisionTensorId::kPatchEmbedding,
                                      {"vision_tower.vision_model.", "model.vision_tower.vision_model.",
                                       "vision_tower.", "model.vision_tower."}),
          .projector_prefix = find_prefix(directory, VisionTensorId::kProjection,
                                          {"multi_modal_projector.", "model.multi_modal_projector."}),
          .norm_offset = 1.0F};
}

bool is_gguf_vision_name(std::string_view name) { return starts_with_any(name, {"v.", "mm."}); }

bool is_hf_vision_name(std::string_view name) {
  return starts_with_any(without_model_prefix(name), {"vision_tower.", "multi_modal_projector."});
}

bool is_hf_vision_head(std::string_view name) {
  return starts_with_any(without_model_prefix(name),
                         {"vision_tower.head.", "vision_tower.vision_model.head."});
}

Result<VisionTensors> VisionTensors::find(const TensorDirectory& directory, const VisionConfig& config,
                                          const VisionNames& names, const std::string& path) {
  VisionTensors found;
  found.config_ = config;
  found.norm_offset_ = names.norm_offset;
  found.tensors_.resize(config.layers * kVisionTensorIdCount);
  for (const VisionTensorInfo& tensor : vision_tensor_table()) {
    const std::size_t copies = tensor.per_layer ? config.layers : 1;
    const std::vector<std::uint64_t> expected = expected_shape(tensor, config);
    for (std::size_t layer = 0; layer < copies; ++layer) {
      const std::string name = names.name_of(tensor.id, layer);
      found.known_.insert(name);
      const TensorEntry* entry = directory.find(name);
      if (entry == nullptr) {
        return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' of the image tower is missing", path, name);
      }
      if (entry->shape != expected) {
        return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': expected shape {}, found {}",
                    entry->source->name(), name, formats::shape_text(expected),
                    formats::shape_text(entry->shape));
      }
      const std::uint64_t columns = extent(tensor.columns, config);
      if (!tensor::row_bytes(entry->type, columns)) {
        return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': rows of {} values are no whole blocks of {}",
                    entry->source->name(), name, columns, tensor::info(entry->type).name);
      }
      if (tensor::info(entry->type).row_scaled) {
        return fail(ErrorKind::kInvalidModel,
                    "{}: tensor '{}': expected an image tower in F32, F16, BF16 or a type of GGUF, found {}",
                    entry->source->name(), name, tensor::info(entry->type).name);
      }
      found.tensors_[layer * kVisionTensorIdCount + static_cast<std::size_t>(tensor.id)] = {
          .name = name,
          .source = entry->source,
          .offset = entry->offset,
          .type = entry->type,
          .rows = extent(tensor.rows, config),
          .columns = columns,
      };
    }
  }
  return found;
}

const tensor::StoredTensor& VisionTensors::tensor(VisionTensorId id, std::size_t layer) const {
  const std::size_t index = layer * kVisionTensorIdCount + static_cast<std::size_t>(id);
  CARAT_CHECK(index < tensors_.size() && tensors_[index].source != nullptr);
  return tensors_[index];
}

std::uint64_t VisionTensors::stored_bytes() const {
  std::uint64_t bytes = 0;
  for (const tensor::StoredTensor& stored : tensors_) {
    if (stored.source != nullptr) bytes += stored.rows * *tensor::row_bytes(stored.type, stored.columns);
  }
  return bytes;
}

Result<std::vector<float>> VisionTensors::values(VisionTensorId id, std::size_t layer) const {
  const tensor::StoredTensor& stored = tensor(id, layer);
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(stored.rows * *tensor::row_bytes(stored.type, stored.columns)));
  CARAT_TRY_VOID(stored.source->read_at(stored.offset, bytes));
  std::vector<float> values(static_cast<std::size_t>(stored.rows * stored.columns));
  tensor::dequantize(stored.type, bytes, values);
  if (id == VisionTensorId::kSoftTokenNorm) {
    for (float& value : values) value += norm_offset_;
  }
  const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (bad != values.end()) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': value {} is {}, not a finite number",
                stored.source->name(), stored.name, bad - values.begin(), *bad);
  }
  return values;
}

}  // namespace carat::model
