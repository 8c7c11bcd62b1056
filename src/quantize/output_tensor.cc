#include "quantize/output_tensor.h"

#include <functional>
#include <numeric>

#include "formats/tensor_directory.h"
#include "model/vision_tensors.h"

namespace carat::quantize {
namespace {

using model::Checkpoint;
using model::TensorInfo;

// A tensor outside the text model, as it lies in its file.
OutputTensor copy_of(const formats::TensorEntry& entry) {
  OutputTensor copy;
  copy.name = entry.name;
  copy.type = entry.type;
  copy.shape = entry.shape;
  const std::uint64_t columns = entry.shape.empty() ? 1 : entry.shape.back();
  copy.source = {
      .name = entry.name,
      .source = entry.source,
      .offset = entry.offset,
      .type = entry.type,
      .rows = std::accumulate(entry.shape.begin(), entry.shape.end(), std::uint64_t{1}, std::multiplies<>()) /
              columns,
      .columns = columns,
      .row_scales = entry.row_scales};
  return copy;
}

using MakeNorm = std::function<Result<OutputTensor>(const TensorInfo&, std::size_t layer)>;
using NameOf = std::function<std::string(const TensorInfo&, std::size_t layer)>;

Result<std::vector<OutputTensor>> text_tensors(const Checkpoint& source, Precision precision,
                                               const NameOf& name_of, const MakeNorm& make_norm) {
  std::vector<OutputTensor> tensors;
  for (const TensorInfo& info : model::tensor_table()) {
    for (std::size_t layer = 0; layer < (info.per_layer ? source.config().layers : 1); ++layer) {
      if (!source.has(info.id, layer)) continue;
      OutputTensor tensor;
      if (info.is_norm) {
        CARAT_TRY(tensor, make_norm(info, layer));
      } else {
        CARAT_TRY(tensor.source, source.tensor(info.id, layer));
        tensor.type = type_for(precision, info.id, layer, source.config());
      }
      tensor.name = name_of(info, layer);
      tensor.shape = model::expected_shape(info, source.config());
      tensors.push_back(std::move(tensor));
    }
  }
  return tensors;
}

OutputTensor norm_of_values(std::vector<float> gains, float offset) {
  for (float& gain : gains) gain += offset;
  OutputTensor norm;
  norm.values = std::move(gains);
  return norm;
}

// Appends the tower's tensors where the formats agree, or says that they are left out.
void add_tower(const Checkpoint& source, bool same_format, OutputTensors& out) {
  if (source.vision() == nullptr) return;
  if (!same_format) {
    out.remarks.push_back(
        "the image tower is left out: it is carried along from safetensors to safetensors and from GGUF to "
        "GGUF only");
    return;
  }
  for (const formats::TensorEntry& entry : source.files().entries()) {
    // A projector file beside a GGUF model stays what it is.
    const bool inside = source.gguf() == nullptr || source.gguf()->tensors().find(entry.name) != nullptr;
    if (inside && source.vision()->names().contains(entry.name)) out.tensors.push_back(copy_of(entry));
  }
}

}  // namespace

std::uint64_t OutputTensor::scale_count() const {
  if (!tensor::info(type).row_scaled) return 0;
  return type == tensor::ElementType::kSFP8 && !is_copy() ? 1 : shape.front();
}

std::uint64_t OutputTensor::bytes() const {
  return *formats::tensor_bytes(type, shape) + scale_count() * sizeof(float);
}

Result<OutputTensors> gguf_tensors(const Checkpoint& source, Precision precision) {
  OutputTensors out;
  CARAT_TRY(out.tensors, text_tensors(
                             source, precision,
                             [](const TensorInfo& info, std::size_t layer) {
                               return model::tensor_name(info.gguf_name, layer);
                             },
                             [&](const TensorInfo& info, std::size_t layer) -> Result<OutputTensor> {
                               CARAT_TRY(std::vector<float> gains, source.vector(info.id, layer));
                               return norm_of_values(std::move(gains), 0.0F);
                             }));
  add_tower(source, source.gguf() != nullptr, out);
  return out;
}

Result<OutputTensors> safetensors_tensors(const Checkpoint& source, Precision precision) {
  OutputTensors out;
  const bool from_safetensors = source.gguf() == nullptr;
  const auto name_of = [&](const TensorInfo& info, std::size_t layer) {
    if (from_safetensors) return source.tensor(info.id, layer)->name;
    const bool is_head = info.id == model::TensorId::kHead;
    return fmt::format("{}{}", is_head ? "" : "model.", model::tensor_name(info.hf_name, layer));
  };
  const auto make_norm = [&](const TensorInfo& info, std::size_t layer) -> Result<OutputTensor> {
    OutputTensor norm;
    if (from_safetensors) {
      CARAT_TRY(norm.source, source.tensor(info.id, layer));
      norm.type = norm.source.type;
      return norm;
    }
    CARAT_TRY(std::vector<float> gains, source.vector(info.id, layer));
    return norm_of_values(std::move(gains), -1.0F);
  };
  CARAT_TRY(out.tensors, text_tensors(source, precision, name_of, make_norm));
  add_tower(source, from_safetensors, out);
  return out;
}

}  // namespace carat::quantize
