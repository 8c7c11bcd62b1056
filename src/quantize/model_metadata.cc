#include "quantize/model_metadata.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace carat::quantize {
namespace {

using model::GemmaConfig;
using tokenizer::PieceKind;

constexpr std::uint32_t kQuantizationVersion = 2;  // of ggml's block formats
constexpr std::string_view kSpaceMark = "\u2581";

// llama.cpp's numbers of token types.
enum TokenType : std::int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
constexpr float kAddedScore = -1000.0F;
constexpr float kPaddingScore = -10'000.0F;

// What is written anew, and what describes files that are no more.
bool is_replaced(std::string_view key) {
  return key == "general.file_type" || key == "general.quantization_version" || key == "general.alignment" ||
         key.starts_with("split.");
}

bool any_local_differs(const GemmaConfig& config) {
  constexpr std::size_t kGemmaPeriod = 6;
  return config.layer_kinds != model::periodic_layer_kinds(config.layers, kGemmaPeriod);
}

void write_config(const GemmaConfig& config, formats::GgufWriter& writer) {
  const auto number = [&](const std::string& key, std::size_t value) {
    writer.set_u32("gemma3." + key, static_cast<std::uint32_t>(value));
  };
  writer.set_string("general.architecture", "gemma3");
  writer.set_string("general.type", "model");
  writer.set_string("general.name", config.name);
  number("context_length", config.max_context);
  number("embedding_length", config.d_model);
  number("block_count", config.layers);
  number("feed_forward_length", config.ffn);
  number("attention.head_count", config.heads);
  number("attention.head_count_kv", config.kv_heads);
  number("attention.key_length", config.head_dim);
  number("attention.value_length", config.head_dim);
  number("attention.sliding_window", config.sliding_window);
  writer.set_f32("gemma3.attention.layer_norm_rms_epsilon", config.norm_epsilon);
  writer.set_f32("gemma3.rope.freq_base", config.rope_theta_global);
  // llama.cpp knows the rest by heart and reads no key for it; Carat does, where a model departs from it.
  const GemmaConfig usual;
  if (config.rope_theta_local != usual.rope_theta_local) {
    writer.set_f32("gemma3.rope.freq_base_swa", config.rope_theta_local);
  }
  writer.set_string("gemma3.rope.scaling.type", config.rope_factor_global == 1.0F ? "none" : "linear");
  if (config.rope_factor_global != 1.0F) {
    writer.set_f32("gemma3.rope.scaling.factor", config.rope_factor_global);
  }
  writer.set_f32("gemma3.attention.scale", config.query_scale);
  if (any_local_differs(config)) {
    std::vector<bool> is_local;
    for (std::size_t layer = 0; layer < config.layers; ++layer) is_local.push_back(!config.is_global(layer));
    writer.set_bool_array("gemma3.attention.sliding_window_pattern", is_local);
  }
}

std::string with_space_marks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += kSpaceMark;
    } else {
      out.push_back(c);
    }
  }
  return out;
}

struct TokenArrays {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> types;

  void add(std::string text, float score, TokenType type) {
    texts.push_back(std::move(text));
    scores.push_back(score);
    types.push_back(type);
  }
};

// As llama.cpp's converter names kinds: added tokens that look like control ones count as such.
TokenType added_type(std::string_view text) {
  return text == "<mask>" || text.starts_with("<unused") ? kControl : kUserDefined;
}

// One entry an embedding row.
TokenArrays token_arrays(const tokenizer::Vocabulary& vocabulary, std::size_t rows) {
  TokenArrays arrays;
  const auto lowest = -static_cast<float>(vocabulary.size());
  for (std::size_t i = 0; i < std::min(vocabulary.size(), rows); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view text = vocabulary.text(id);
    switch (vocabulary.kind(id)) {
      case PieceKind::kNormal: {
        const std::uint32_t rank = vocabulary.merge_rank(id);
        const float score = rank == tokenizer::kNoRank ? lowest : -static_cast<float>(rank);
        arrays.add(with_space_marks(text), score, kNormal);
        break;
      }
      case PieceKind::kControl: arrays.add(std::string(text), kAddedScore, kControl); break;
      case PieceKind::kAdded: arrays.add(std::string(text), kAddedScore, added_type(text)); break;
      case PieceKind::kByte:
        arrays.add(fmt::format("<0x{:02X}>", static_cast<unsigned char>(text.front())), kAddedScore, kByte);
        break;
      case PieceKind::kUnused: arrays.add(std::string(text), kPaddingScore, kUnused); break;
    }
  }
  for (std::size_t i = arrays.texts.size(); i < rows; ++i) {
    arrays.add(fmt::format("[PAD{}]", i), kPaddingScore, kUnused);
  }
  return arrays;
}

void write_tokenizer(const tokenizer::Tokenizer& tokenizer, std::size_t rows, formats::GgufWriter& writer) {
  const TokenArrays arrays = token_arrays(tokenizer.vocabulary(), rows);
  writer.set_string("tokenizer.ggml.model", "llama");
  writer.set_string("tokenizer.ggml.pre", "default");
  writer.set_string_array("tokenizer.ggml.tokens", arrays.texts);
  writer.set_f32_array("tokenizer.ggml.scores", arrays.scores);
  writer.set_i32_array("tokenizer.ggml.token_type", arrays.types);
  const auto set_id = [&](std::string_view key, std::optional<TokenId> id) {
    if (id) writer.set_u32(fmt::format("tokenizer.ggml.{}_token_id", key), static_cast<std::uint32_t>(*id));
  };
  set_id("bos", tokenizer.bos());
  set_id("eos", tokenizer.eos());
  set_id("unknown", tokenizer.vocabulary().find_control("<unk>"));
  set_id("padding", tokenizer.vocabulary().find_control("<pad>"));
  writer.set_bool("tokenizer.ggml.add_bos_token", true);
  writer.set_bool("tokenizer.ggml.add_eos_token", false);
  writer.set_bool("tokenizer.ggml.add_space_prefix", false);
}

// What a config.json has for 1 / sqrt(scalar): a whole number, wherever one gives the same scale.
double query_scalar(float scale) {
  const double scalar = 1.0 / (static_cast<double>(scale) * scale);
  const double whole = std::nearbyint(scalar);
  return 1.0F / std::sqrt(static_cast<float>(whole)) == scale ? whole : scalar;
}

}  // namespace

Result<> write_gguf_metadata(const model::Checkpoint& source, Precision precision,
                             formats::GgufWriter& writer) {
  if (const formats::GgufFile* gguf = source.gguf()) {
    for (const auto& [key, value] : gguf->metadata()) {
      if (!is_replaced(key)) writer.set_value(key, value);
    }
  } else {
    write_config(source.config(), writer);
    CARAT_TRY(const auto vocabulary, source.vocabulary());
    if (const auto* json = std::get_if<model::TokenizerJson>(&vocabulary)) {
      CARAT_TRY(const auto tokenizer, tokenizer::Tokenizer::from_tokenizer_json(json->path));
      write_tokenizer(*tokenizer, source.config().vocab, writer);
    } else {
      write_gguf_tokenizer(*source.tokenizer_gguf(), writer);
    }
    if (source.chat_template() && source.tokenizer_gguf() == nullptr) {
      writer.set_string("tokenizer.chat_template", *source.chat_template());
    }
  }
  writer.set_u32("general.file_type", info(precision).gguf_file_type);
  writer.set_u32("general.quantization_version", kQuantizationVersion);
  return {};
}

void write_gguf_tokenizer(const formats::GgufFile& source, formats::GgufWriter& writer) {
  for (const auto& [key, value] : source.metadata()) {
    if (key.starts_with("tokenizer.")) writer.set_value(key, value);
  }
}

std::string config_json(const GemmaConfig& config, bool tied_head) {
  boost::json::array layer_types;
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    layer_types.emplace_back(config.is_global(layer) ? "full_attention" : "sliding_attention");
  }
  boost::json::object root = {
      {"architectures", boost::json::array{"Gemma3ForCausalLM"}},
      {"model_type", "gemma3_text"},
      {"num_hidden_layers", config.layers},
      {"hidden_size", config.d_model},
      {"intermediate_size", config.ffn},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"vocab_size", config.vocab},
      {"max_position_embeddings", config.max_context},
      {"sliding_window", config.sliding_window},
      {"layer_types", std::move(layer_types)},
      {"rms_norm_eps", config.norm_epsilon},
      {"rope_theta", config.rope_theta_global},
      {"rope_local_base_freq", config.rope_theta_local},
      {"query_pre_attn_scalar", query_scalar(config.query_scale)},
      {"hidden_activation", "gelu_pytorch_tanh"},
      {"tie_word_embeddings", tied_head},
  };
  if (config.rope_factor_global != 1.0F) {
    root["rope_scaling"] = {{"rope_type", "linear"}, {"factor", config.rope_factor_global}};
  }
  return boost::json::serialize(root) + "\n";
}

}  // namespace carat::quantize
