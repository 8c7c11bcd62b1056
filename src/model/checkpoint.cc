#include "model/checkpoint.h"

#include <algorithm>
#include <cmath>

#include "model/checkpoint_reader.h"
#include "tensor/dequantize.h"

namespace carat::model {

Result<Checkpoint> Checkpoint::open(const std::string& path, const CheckpointOptions& options) {
  return CheckpointReader(path, options).open();
}

bool Checkpoint::has(TensorId id, std::size_t layer) const {
  const std::size_t index = layer * kTensorIdCount + static_cast<std::size_t>(id);
  return index < tensors_.size() && tensors_[index].has_value();
}

Result<tensor::StoredTensor> Checkpoint::tensor(TensorId id, std::size_t layer) const {
  if (!has(id, layer)) {
    return fail(ErrorKind::kInvalidModel, "{}: there is no tensor {} in layer {}", path_, info(id).name,
                layer);
  }
  return *tensors_[layer * kTensorIdCount + static_cast<std::size_t>(id)];
}

Result<std::vector<float>> Checkpoint::vector(TensorId id, std::size_t layer) const {
  CARAT_TRY(const tensor::StoredTensor stored, tensor(id, layer));
  std::vector<std::byte> bytes(static_cast<std::size_t>(*tensor::row_bytes(stored.type, stored.columns)));
  CARAT_TRY_VOID(stored.source->read_at(stored.offset, bytes));
  std::vector<float> values(static_cast<std::size_t>(stored.columns));
  tensor::dequantize(stored.type, bytes, values);
  const float offset = info(id).is_norm ? norm_offset_ : 0.0F;
  for (float& value : values) value += offset;
  const auto bad = std::ranges::find_if_not(values, [](float value) { return std::isfinite(value); });
  if (bad != values.end()) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': value {} is {}, not a finite number",
                stored.source->name(), stored.name, bad - values.begin(), *bad);
  }
  return values;
}

Result<std::variant<VocabularyArrays, TokenizerJson>> Checkpoint::vocabulary() const {
  const formats::GgufFile* gguf = gguf_ ? &*gguf_ : tokenizer_gguf();
  if (gguf == nullptr) {
    if (tokenizer_json_) return TokenizerJson{*tokenizer_json_};
    return fail(ErrorKind::kNotFound, "{}: there is no tokenizer.json beside the weights", path_);
  }
  const auto expect = [&](std::string_view key, const auto& expected, const auto& found) -> Result<> {
    if (found == expected) return {};
    return fail(ErrorKind::kInvalidModel, "{}: {}: expected {}, found {}", gguf->name(), key, expected,
                found);
  };
  CARAT_TRY(const std::string kind, gguf->get_string("tokenizer.ggml.model"));
  CARAT_TRY_VOID(expect("tokenizer.ggml.model", std::string("llama"), kind));
  CARAT_TRY(const formats::StringArray* texts, gguf->get_string_array("tokenizer.ggml.tokens"));
  CARAT_TRY(auto scores, gguf->get_f32_array("tokenizer.ggml.scores"));
  CARAT_TRY(auto types, gguf->get_i32_array("tokenizer.ggml.token_type"));
  CARAT_TRY_VOID(expect("elements of tokenizer.ggml.scores", texts->size(), scores.size()));
  CARAT_TRY_VOID(expect("elements of tokenizer.ggml.token_type", texts->size(), types.size()));
  // Ids without an embedding row, such as HF's 262144 in a table of 262,144 rows, cannot be used.
  const std::size_t size = std::min(texts->size(), config_.vocab);
  VocabularyArrays arrays{texts->views(), std::move(scores), std::move(types)};
  arrays.texts.resize(size);
  arrays.scores.resize(size);
  arrays.types.resize(size);
  return arrays;
}

}  // namespace carat::model
