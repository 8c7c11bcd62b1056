#include "model/adapter_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

namespace carat::model {
namespace {

using enum TensorId;

constexpr std::array kAdapted = {kQProj, kKProj, kVProj, kOProj, kGateProj, kUpProj, kDownProj};

struct Matrix {
  std::size_t layer = 0;
  TensorId id = kQProj;
};

// The layer's number if `name` is `pattern` with a number of at most three digits in place of {}.
std::optional<std::size_t> layer_in(std::string_view name, std::string_view pattern) {
  const std::size_t place = pattern.find("{}");
  const std::string_view before = pattern.substr(0, place);
  const std::string_view after = pattern.substr(place + 2);
  if (!name.starts_with(before) || !name.ends_with(after) || name.size() <= before.size() + after.size()) {
    return std::nullopt;
  }
  constexpr std::size_t kMostDigits = 3;
  const auto digits = name.substr(before.size(), name.size() - before.size() - after.size());
  const bool leading_zero = digits.size() > 1 && digits.front() == '0';
  std::size_t layer = 0;
  const char* begin = std::to_address(digits.begin());
  const char* end = std::to_address(digits.end());
  const auto parsed = std::from_chars(begin, end, layer);
  if (digits.size() > kMostDigits || leading_zero || parsed.ec != std::errc() || parsed.ptr != end) {
    return std::nullopt;
  }
  return layer;
}

std::optional<Matrix> find_matrix(std::string_view name, std::string_view TensorInfo::* source_name) {
  for (const TensorId id : kAdapted) {
    if (const auto layer = layer_in(name, info(id).*source_name)) return Matrix{*layer, id};
  }
  return std::nullopt;
}

bool remove_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool holds_any(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [name](std::string_view part) { return name.find(part) != name.npos; });
}

// Why a tensor is no half of an addition to a decoder's matrix, and what can be done about that.
std::unexpected<Error> refuse(std::string_view name, std::string_view file) {
  constexpr std::string_view kAdvice =
      "train with target_modules among q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj of "
      "the text model, or merge the adapter into its model with PEFT's merge_and_unload() and use the result";
  std::string_view belongs = "is no half of a LoRA addition to a matrix of attention or MLP";
  if (holds_any(name, {"vision", "multi_modal_projector", "v.blk", "mm."})) {
    belongs = "changes the image tower, which adapters cannot do here";
  } else if (holds_any(name, {"embed_tokens", "lm_head", "token_embd", "output.weight", "lora_embedding"})) {
    belongs = "changes the embedding or the head, which adapters cannot do here";
  } else if (holds_any(name, {"lora_magnitude_vector"})) {
    belongs = "belongs to a DoRA adapter, which is not supported";
  } else if (holds_any(name, {"modules_to_save"})) {
    belongs =
        "is a whole layer that was trained beside the adapter (modules_to_save), which is not supported";
  }
  return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' {}: {}", file, name, belongs, kAdvice);
}

}  // namespace

std::span<const TensorId> adapted_tensors() { return kAdapted; }

Result<AdapterPlace> adapter_place_from_peft(std::string_view name, std::string_view file) {
  std::string_view module = name;
  const bool is_up = module.ends_with(".lora_B.weight");
  if (!is_up && !module.ends_with(".lora_A.weight")) return refuse(name, file);
  module.remove_suffix(std::string_view(".lora_A.weight").size());
  // PEFT's wrapper, then that of the model, which depends on its class and on the version that saved it.
  if (remove_prefix(module, "base_model.")) remove_prefix(module, "model.");
  std::string_view inner = module;
  for (const std::string_view prefix : {"model.", "language_model.", "model."}) remove_prefix(inner, prefix);
  const auto matrix = find_matrix(std::string(inner) + ".weight", &TensorInfo::hf_name);
  if (!matrix) return refuse(name, file);
  return AdapterPlace{matrix->layer, matrix->id, is_up, std::string(module)};
}

Result<AdapterPlace> adapter_place_from_gguf(std::string_view name, std::string_view file) {
  std::string_view matrix_name = name;
  const bool is_up = matrix_name.ends_with(".lora_b");
  if (!is_up && !matrix_name.ends_with(".lora_a")) return refuse(name, file);
  matrix_name.remove_suffix(std::string_view(".lora_a").size());
  const auto matrix = find_matrix(matrix_name, &TensorInfo::gguf_name);
  if (!matrix) return refuse(name, file);
  return AdapterPlace{matrix->layer, matrix->id, is_up, std::string(matrix_name)};
}

}  // namespace carat::model
