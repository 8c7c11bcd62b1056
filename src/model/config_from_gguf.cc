#include <cmath>
#include <optional>

#include "model/read_config.h"
#include "model/tensor_table.h"

namespace carat::model {
namespace {

using formats::GgufFile;

constexpr std::size_t kGemmaLayerPeriod = 6;
// Contexts from here on are those of 4B and larger, whose global layers were stretched by this factor.
constexpr std::size_t kStretchedContext = 131'072;
constexpr float kStretchFactor = 8.0F;
// Files have no key for the query scale; this number of blocks is that of 27B, which alone departs from the
// rule.
constexpr std::size_t kBlocksOf27B = 62;

// The text model's key `gemma3.<name>`.
std::string key(std::string_view name) { return fmt::format("gemma3.{}", name); }

Result<> check_architecture(const GgufFile& file) {
  CARAT_TRY(const std::string architecture, file.get_string("general.architecture"));
  if (architecture == "gemma3") return {};
  if (architecture == "clip") {
    return fail(ErrorKind::kInvalidModel,
                "{}: this is an image projector (mmproj); give the text model's file instead", file.name());
  }
  return fail(ErrorKind::kInvalidModel, "{}: general.architecture: expected gemma3, found {}", file.name(),
              architecture);
}

// Extent `axis` of a tensor's shape, for what the metadata does not tell; the checkpoint checks the rest
// later.
Result<std::size_t> extent_of(const GgufFile& file, TensorId id, std::size_t axis) {
  const std::string name = tensor_name(info(id).gguf_name, 0);
  const formats::TensorEntry* entry = file.tensors().find(name);
  if (entry == nullptr)
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' is missing", file.name(), name);
  if (axis >= entry->shape.size()) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' has the wrong shape {}", file.name(), name,
                formats::shape_text(entry->shape));
  }
  return static_cast<std::size_t>(entry->shape[axis]);
}

Result<std::size_t> head_dim(const GgufFile& file) {
  CARAT_TRY(const auto key_length, file.find_u32(key("attention.key_length")));
  CARAT_TRY(const auto value_length, file.find_u32(key("attention.value_length")));
  if (key_length && value_length && *key_length != *value_length) {
    return fail(ErrorKind::kInvalidModel, "{}: gemma3.attention.value_length: expected {}, found {}",
                file.name(), *key_length, *value_length);
  }
  if (key_length) return *key_length;
  return extent_of(file, TensorId::kQNorm, 0);
}

Result<std::vector<LayerKind>> layer_kinds(const GgufFile& file, std::size_t layers) {
  const std::string pattern_key = key("attention.sliding_window_pattern");
  if (!file.is_array(pattern_key)) {
    CARAT_TRY(const auto period, file.find_u32(pattern_key));
    if (period && *period == 0) {
      return fail(ErrorKind::kInvalidModel, "{}: {}: expected 1 or more, found 0", file.name(), pattern_key);
    }
    return periodic_layer_kinds(layers, period ? *period : kGemmaLayerPeriod);
  }
  CARAT_TRY(const std::vector<bool> is_local, file.get_bool_array(pattern_key));
  std::vector<LayerKind> kinds;
  for (const bool local : is_local) kinds.push_back(local ? LayerKind::kLocal : LayerKind::kGlobal);
  return kinds;
}

// The first of the keys that the file has, else `otherwise`.
Result<float> first_f32(const GgufFile& file, std::initializer_list<std::string_view> names,
                        float otherwise) {
  for (const std::string_view name : names) {
    CARAT_TRY(const auto value, file.find_f32(key(name)));
    if (value) return *value;
  }
  return otherwise;
}

Result<float> rope_factor(const GgufFile& file, std::size_t max_context) {
  CARAT_TRY(const auto type, file.find_string(key("rope.scaling.type")));
  CARAT_TRY(const auto factor, file.find_f32(key("rope.scaling.factor")));
  if (type && *type == "none") return 1.0F;
  if (type && *type != "linear") {
    return fail(ErrorKind::kInvalidModel, "{}: gemma3.rope.scaling.type: expected linear or none, found {}",
                file.name(), *type);
  }
  if (factor) return *factor;
  return max_context >= kStretchedContext ? kStretchFactor : 1.0F;
}

Result<float> query_scale(const GgufFile& file, const GemmaConfig& config) {
  CARAT_TRY(const auto scale, file.find_f32(key("attention.scale")));
  if (scale) return *scale;
  const bool by_width = config.layers == kBlocksOf27B && config.heads != 0;
  const std::size_t scalar = by_width ? config.d_model / config.heads : config.head_dim;
  return 1.0F / std::sqrt(static_cast<float>(scalar));
}

Result<> find_tuning(const GgufFile& file, GemmaConfig& config) {
  for (const std::string_view field : {"general.finetune", "general.name"}) {
    CARAT_TRY(const auto text, file.find_string(field));
    const auto tuned = text ? instruction_tuned_by_name(*text) : std::nullopt;
    if (!tuned) continue;
    config.instruction_tuned = *tuned;
    config.instruction_tuned_source = fmt::format("{} is '{}'", field, *text);
    return {};
  }
  CARAT_TRY(const auto chat_template, file.find_string("tokenizer.chat_template"));
  config.instruction_tuned = chat_template.has_value();
  config.instruction_tuned_source = chat_template ? "there is a chat template" : "there is no chat template";
  return {};
}

}  // namespace

Result<GemmaConfig> config_from_gguf(const GgufFile& file) {
  CARAT_TRY_VOID(check_architecture(file));
  GemmaConfig config;
  CARAT_TRY(const auto name, file.find_string("general.name"));
  config.name = name.value_or("");
  CARAT_TRY(config.layers, file.get_u32(key("block_count")));
  CARAT_TRY_VOID(validate_layer_count(config.layers, file.name()));
  CARAT_TRY(config.layer_kinds, layer_kinds(file, config.layers));
  CARAT_TRY(config.d_model, file.get_u32(key("embedding_length")));
  CARAT_TRY(config.ffn, file.get_u32(key("feed_forward_length")));
  CARAT_TRY(config.heads, file.get_u32(key("attention.head_count")));
  CARAT_TRY(const auto kv_heads, file.find_u32(key("attention.head_count_kv")));
  config.kv_heads = kv_heads ? *kv_heads : config.heads;
  CARAT_TRY(config.head_dim, head_dim(file));
  CARAT_TRY(config.vocab, extent_of(file, TensorId::kEmbedding, 0));
  CARAT_TRY(config.max_context, file.get_u32(key("context_length")));
  CARAT_TRY(config.sliding_window, file.get_u32(key("attention.sliding_window")));
  CARAT_TRY(config.norm_epsilon, first_f32(file, {"attention.layer_norm_rms_epsilon"}, config.norm_epsilon));
  CARAT_TRY(config.rope_theta_global,
            first_f32(file, {"rope.freq_base", "rope.global.freq_base"}, config.rope_theta_global));
  CARAT_TRY(config.rope_theta_local,
            first_f32(file, {"rope.freq_base_swa", "rope.local.freq_base"}, config.rope_theta_local));
  CARAT_TRY(config.rope_factor_global, rope_factor(file, config.max_context));
  CARAT_TRY(config.query_scale, query_scale(file, config));
  CARAT_TRY_VOID(find_tuning(file, config));
  CARAT_TRY_VOID(validate(config, file.name()));
  return config;
}

}  // namespace carat::model
