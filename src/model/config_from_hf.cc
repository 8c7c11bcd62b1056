#include <boost/json/string.hpp>
#include <cmath>
#include <optional>

#include "formats/json.h"
#include "model/read_config.h"

namespace carat::model {
namespace {

using formats::JsonObject;

// Defaults of the reference's Gemma3TextConfig, which released configurations leave out.
constexpr std::size_t kDefaultVocab = 262'208;
constexpr std::size_t kDefaultHeads = 8;
constexpr std::size_t kDefaultKvHeads = 4;
constexpr std::size_t kDefaultHeadDim = 256;
constexpr std::size_t kDefaultContext = 131'072;
constexpr std::size_t kDefaultPeriod = 6;
constexpr float kDefaultQueryScalar = 256.0F;
constexpr std::string_view kActivation = "gelu_pytorch_tanh";

Result<std::size_t> count_or(const JsonObject& text, std::string_view name, std::size_t otherwise) {
  CARAT_TRY(const auto value, text.find_u64(name));
  return value ? static_cast<std::size_t>(*value) : otherwise;
}

Result<float> number_or(const JsonObject& text, std::string_view name, float otherwise) {
  CARAT_TRY(const auto value, text.find_f32(name));
  return value ? *value : otherwise;
}

Result<> expect_string(const JsonObject& object, std::string_view name, std::string_view expected) {
  CARAT_TRY(const auto actual, object.find_string(name));
  if (!actual || *actual == expected) return {};
  return object.invalid(name, "expected {}, found {}", expected, *actual);
}

// Settings of the class that no Gemma 3 has and that this decoder does not do.
Result<> check_supported(const JsonObject& text) {
  CARAT_TRY_VOID(expect_string(text, "hidden_activation", kActivation));
  for (const std::string_view name : {"attention_bias", "use_bidirectional_attention"}) {
    CARAT_TRY(const auto flag, text.find_bool(name));
    if (flag && *flag) return text.invalid(name, "expected false, found true");
  }
  for (const std::string_view name : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    CARAT_TRY(const auto cap, text.find_f32(name));
    if (cap) return text.invalid(name, "expected null, found {}", *cap);
  }
  return {};
}

Result<std::vector<LayerKind>> layer_kinds(const JsonObject& text, std::size_t layers) {
  CARAT_TRY(const boost::json::array* types, text.find_array("layer_types"));
  if (types == nullptr) {
    std::size_t period = kDefaultPeriod;
    for (const std::string_view name : {"sliding_window_pattern", "_sliding_window_pattern"}) {
      CARAT_TRY(period, count_or(text, name, period));
      if (period == 0) return text.invalid(name, "expected 1 or more, found 0");
    }
    return periodic_layer_kinds(layers, period);
  }
  std::vector<LayerKind> kinds;
  for (const boost::json::value& type : *types) {
    if (type == "full_attention") {
      kinds.push_back(LayerKind::kGlobal);
    } else if (type == "sliding_attention") {
      kinds.push_back(LayerKind::kLocal);
    } else {
      return text.invalid("layer_types", "element {} is neither full_attention nor sliding_attention",
                          kinds.size());
    }
  }
  return kinds;
}

// The factor by which an object {"rope_type" or "type", "factor"} divides positions.
Result<float> scaling_factor(const JsonObject& rope) {
  CARAT_TRY(auto type, rope.find_string("rope_type"));
  if (!type) {
    CARAT_TRY(type, rope.find_string("type"));
  }
  if (!type || *type == "default") return 1.0F;
  if (*type != "linear") return rope.invalid("rope_type", "expected default or linear, found {}", *type);
  CARAT_TRY(const auto factor, rope.find_f32("factor"));
  if (!factor) return rope.invalid("factor", "missing");
  return *factor;
}

// Either rope_parameters, by kind of layer, or the older rope_theta, rope_local_base_freq and rope_scaling.
Result<> read_rope(const JsonObject& text, GemmaConfig& config) {
  CARAT_TRY(const auto parameters, text.find_object("rope_parameters"));
  if (parameters) {
    CARAT_TRY(const JsonObject global, parameters->get_object("full_attention"));
    CARAT_TRY(const JsonObject local, parameters->get_object("sliding_attention"));
    CARAT_TRY(config.rope_theta_global, number_or(global, "rope_theta", config.rope_theta_global));
    CARAT_TRY(config.rope_factor_global, scaling_factor(global));
    CARAT_TRY(config.rope_theta_local, number_or(local, "rope_theta", config.rope_theta_local));
    return expect_string(local, "rope_type", "default");
  }
  CARAT_TRY(config.rope_theta_global, number_or(text, "rope_theta", config.rope_theta_global));
  CARAT_TRY(config.rope_theta_local, number_or(text, "rope_local_base_freq", config.rope_theta_local));
  CARAT_TRY(const auto scaling, text.find_object("rope_scaling"));
  if (scaling) {
    CARAT_TRY(config.rope_factor_global, scaling_factor(*scaling));
  }
  return {};
}

// The object with the text model's fields: the root of a gemma3_text file, or a gemma3 file's text_config.
Result<JsonObject> text_config(const JsonObject& root) {
  CARAT_TRY(const std::string model_type, root.get_string("model_type"));
  if (model_type == "gemma3_text") return root;
  if (model_type != "gemma3") {
    return root.invalid("model_type", "expected gemma3 or gemma3_text, found {}", model_type);
  }
  CARAT_TRY(JsonObject text, root.get_object("text_config"));
  CARAT_TRY_VOID(expect_string(text, "model_type", "gemma3_text"));
  return text;
}

}  // namespace

Result<HfConfig> config_from_hf(std::string_view json, const std::string& file) {
  CARAT_TRY(const formats::JsonDocument document, formats::JsonDocument::parse(json, file));
  CARAT_TRY(const JsonObject text, text_config(document.root()));
  CARAT_TRY_VOID(check_supported(text));
  HfConfig hf;
  GemmaConfig& config = hf.config;
  CARAT_TRY(config.layers, text.get_u64("num_hidden_layers"));
  CARAT_TRY_VOID(validate_layer_count(config.layers, file));
  CARAT_TRY(config.layer_kinds, layer_kinds(text, config.layers));
  CARAT_TRY(config.d_model, text.get_u64("hidden_size"));
  CARAT_TRY(config.ffn, text.get_u64("intermediate_size"));
  CARAT_TRY(config.heads, count_or(text, "num_attention_heads", kDefaultHeads));
  CARAT_TRY(config.kv_heads, count_or(text, "num_key_value_heads", kDefaultKvHeads));
  CARAT_TRY(config.head_dim, count_or(text, "head_dim", kDefaultHeadDim));
  CARAT_TRY(config.vocab, count_or(text, "vocab_size", kDefaultVocab));
  CARAT_TRY(config.max_context, count_or(text, "max_position_embeddings", kDefaultContext));
  CARAT_TRY(config.sliding_window, text.get_u64("sliding_window"));
  CARAT_TRY(config.norm_epsilon, number_or(text, "rms_norm_eps", config.norm_epsilon));
  CARAT_TRY(const float query_scalar, number_or(text, "query_pre_attn_scalar", kDefaultQueryScalar));
  config.query_scale = 1.0F / std::sqrt(query_scalar);
  CARAT_TRY_VOID(read_rope(text, config));
  // A multimodal file has the field at its root, where text_config may have it too.
  CARAT_TRY(const auto tied_below, text.find_bool("tie_word_embeddings"));
  CARAT_TRY(const auto tied_above, document.root().find_bool("tie_word_embeddings"));
  hf.tied_head = tied_below ? *tied_below : tied_above.value_or(true);
  CARAT_TRY_VOID(validate(config, file));
  return hf;
}

}  // namespace carat::model
