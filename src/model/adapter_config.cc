#include "model/adapter_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/json.h"

namespace carat::model {
namespace {

using formats::JsonObject;

constexpr std::string_view kRetrain =
    "train it as plain LoRA, or merge it into its model with PEFT's merge_and_unload() and use the result";

// Members of adapter_config.json that make an adapter more than LoRA unless they are null, false or empty.
struct Extension {
  std::string_view member;
  std::string_view meaning;
};
constexpr std::array<Extension, 13> kExtensions = {{
    {"use_dora", "a DoRA adapter, which also rescales the matrices it adds to"},
    {"modules_to_save", "whole layers that were trained beside the adapter"},
    {"lora_bias", "biases of the adapter's own"},
    {"fan_in_fan_out", "matrices of the other orientation"},
    {"trainable_token_indices", "embeddings that were trained beside the adapter"},
    {"target_parameters", "parameters that are no linear layers"},
    {"layer_replication", "a model with repeated layers"},
    {"alora_invocation_tokens", "an adapter that switches itself on at a token"},
    {"arrow_config", "a mixture of adapters"},
    {"use_qalora", "a QALoRA adapter, which pools its input"},
    {"use_bdlora", "an adapter of block-diagonal matrices"},
    {"kasa_config", "a KaSA adapter, which has a third matrix"},
    {"monteclora_config", "a MonteCLoRA adapter, which samples its matrices"},
}};

// Ways to start the training that leave the base model as it is; the others change its weights.
constexpr std::array<std::string_view, 3> kPlainStarts = {"gaussian", "eva", "orthogonal"};

bool is_off(const boost::json::value& value) {
  if (value.is_bool()) return !value.get_bool();
  if (value.is_array()) return value.get_array().empty();
  if (value.is_object()) return value.get_object().empty();
  return value.is_null() || (value.is_string() && value.get_string().empty());
}

Result<> refuse_extensions(const JsonObject& root) {
  CARAT_TRY(const auto type, root.find_string("peft_type"));
  if (type.value_or("") != "LORA") {
    return root.invalid("peft_type", "expected 'LORA', found '{}'; only LoRA adapters are applied",
                        type.value_or(""));
  }
  for (const auto& [member, meaning] : kExtensions) {
    const boost::json::value* value = root.members().if_contains({member.data(), member.size()});
    if (value == nullptr || is_off(*value)) continue;
    return root.invalid(member, "this is {}, which is not supported: {}", meaning, kRetrain);
  }
  CARAT_TRY(const auto bias, root.find_string("bias"));
  if (bias.value_or("none") != "none") {
    return root.invalid("bias", "expected 'none', found '{}': trained biases are not supported: {}", *bias,
                        kRetrain);
  }
  const boost::json::value* start = root.members().if_contains("init_lora_weights");
  if (start == nullptr || !start->is_string()) return {};
  const std::string_view name = start->get_string();
  if (std::ranges::find(kPlainStarts, name) != kPlainStarts.end()) return {};
  return root.invalid("init_lora_weights",
                      "'{}' belongs to a base model whose weights were changed too: save the adapter with "
                      "PEFT's path_initial_model_for_weight_conversion, which makes it plain LoRA",
                      name);
}

// PEFT reads the keys of a pattern as regular expressions that a module's name ends in; nearly all are plain.
Result<> check_pattern_key(const JsonObject& root, std::string_view member, std::string_view key) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  if (!key.empty() && std::ranges::all_of(key, plain)) return {};
  return root.invalid(member, "'{}': only the plain ends of module names are supported, such as 'q_proj'",
                      key);
}

template <class T, class Get>
Result<AdapterConfig::Pattern<T>> read_pattern(const JsonObject& root, std::string_view member,
                                               const Get& get) {
  AdapterConfig::Pattern<T> pattern;
  CARAT_TRY(const auto object, root.find_object(member));
  if (!object) return pattern;
  for (const auto& [key, value] : object->members()) {
    CARAT_TRY_VOID(check_pattern_key(root, member, {key.data(), key.size()}));
    CARAT_TRY(const T number, get(*object, std::string_view(key.data(), key.size())));
    pattern.emplace_back(std::string(key), number);
  }
  return pattern;
}

Result<std::size_t> read_rank(const JsonObject& object, std::string_view member) {
  CARAT_TRY(const std::uint64_t rank, object.get_u64(member));
  if (rank == 0 || rank > kMaxAdapterRank) {
    return object.invalid(member, "expected a rank between 1 and {}, found {}", kMaxAdapterRank, rank);
  }
  return static_cast<std::size_t>(rank);
}

Result<float> read_alpha(const JsonObject& object, std::string_view member) {
  CARAT_TRY(const auto alpha, object.find_f32(member));
  if (!alpha || *alpha == 0.0F) return object.invalid(member, "expected a number other than 0");
  return *alpha;
}

template <class T>
T find_in(const AdapterConfig::Pattern<T>& pattern, std::string_view module, T otherwise) {
  for (const auto& [end, value] : pattern) {
    if (!module.ends_with(end)) continue;
    const std::size_t begin = module.size() - end.size();
    if (begin == 0 || module[begin - 1] == '.') return value;
  }
  return otherwise;
}

}  // namespace

std::size_t AdapterConfig::rank_of(std::string_view module) const { return find_in(ranks, module, rank); }

float AdapterConfig::scale_of(std::string_view module, std::size_t matrix_rank) const {
  const double own_alpha = find_in(alphas, module, alpha);
  if (own_alpha == 0.0) return 1.0F;
  const auto divisor = static_cast<double>(matrix_rank);
  return static_cast<float>(own_alpha / (rank_stabilized ? std::sqrt(divisor) : divisor));
}

Result<AdapterConfig> adapter_config_from_peft(std::string_view text, const std::string& file) {
  CARAT_TRY(const formats::JsonDocument document, formats::JsonDocument::parse(text, file));
  const JsonObject root = document.root();
  CARAT_TRY_VOID(refuse_extensions(root));
  AdapterConfig config;
  CARAT_TRY(config.rank, read_rank(root, "r"));
  CARAT_TRY(config.alpha, read_alpha(root, "lora_alpha"));
  CARAT_TRY(const auto rank_stabilized, root.find_bool("use_rslora"));
  config.rank_stabilized = rank_stabilized.value_or(false);
  CARAT_TRY(config.ranks, read_pattern<std::size_t>(root, "rank_pattern", read_rank));
  CARAT_TRY(config.alphas, read_pattern<float>(root, "alpha_pattern", read_alpha));
  CARAT_TRY(auto base_model, root.find_string("base_model_name_or_path"));
  config.base_model = std::move(base_model).value_or("");
  return config;
}

Result<AdapterConfig> adapter_config_from_gguf(const formats::GgufFile& gguf) {
  const auto expect = [&gguf](std::string_view key, std::string_view expected) -> Result<> {
    CARAT_TRY(const auto found, gguf.find_string(key));
    if (found == expected) return {};
    return fail(ErrorKind::kInvalidModel,
                "{}: this is no LoRA adapter of a Gemma 3 model: {}: expected '{}', found '{}'", gguf.name(),
                key, expected, found.value_or(""));
  };
  CARAT_TRY_VOID(expect("general.type", "adapter"));
  CARAT_TRY_VOID(expect("adapter.type", "lora"));
  CARAT_TRY_VOID(expect("general.architecture", "gemma3"));
  if (gguf.metadata().contains("adapter.alora.invocation_tokens")) {
    return fail(ErrorKind::kInvalidModel,
                "{}: adapter.alora.invocation_tokens: an adapter that switches itself on at a token is not "
                "supported: {}",
                gguf.name(), kRetrain);
  }
  AdapterConfig config;
  CARAT_TRY(const auto alpha, gguf.find_f32("adapter.lora.alpha"));
  config.alpha = alpha.value_or(0.0F);
  if (!std::isfinite(config.alpha)) {
    return fail(ErrorKind::kInvalidModel, "{}: adapter.lora.alpha: expected a finite number, found {}",
                gguf.name(), config.alpha);
  }
  CARAT_TRY(auto base_model, gguf.find_string("general.base_model.0.name"));
  config.base_model = std::move(base_model).value_or("");
  return config;
}

}  // namespace carat::model
