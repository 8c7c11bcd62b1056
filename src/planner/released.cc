#include "planner/released.h"

#include <cctype>
#include <cmath>
#include <string>

namespace carat::planner {
namespace {

// What differs from size to size (arXiv:2503.19786, and the configurations published with the weights).
struct Shape {
  ReleasedSize size;
  std::string_view name;
  std::size_t layers, d_model, heads, kv_heads, head_dim, ffn, vocab, max_context, sliding_window;
  float query_divisor;  // query_scale is 1 / sqrt of it
  bool has_vision;      // these also scale the rotation of global layers
};

constexpr std::array<Shape, kReleasedSizes.size()> kShapes = {{
    {ReleasedSize::k270M, "270m", 18, 640, 4, 1, 256, 2048, 262'144, 32'768, 512, 256.0F, false},
    {ReleasedSize::k1B, "1b", 26, 1152, 4, 1, 256, 6912, 262'144, 32'768, 512, 256.0F, false},
    {ReleasedSize::k4B, "4b", 34, 2560, 8, 4, 256, 10'240, 262'208, 131'072, 1024, 256.0F, true},
    {ReleasedSize::k12B, "12b", 48, 3840, 16, 8, 256, 15'360, 262'208, 131'072, 1024, 256.0F, true},
    {ReleasedSize::k27B, "27b", 62, 5376, 32, 16, 128, 21'504, 262'208, 131'072, 1024, 168.0F, true},
}};

constexpr std::size_t kLayerPeriod = 6;
constexpr float kVisionRopeFactor = 8.0F;

model::VisionConfig released_tower(std::size_t d_model) {
  return {.image_size = 896,
          .patch_size = 14,
          .width = 1152,
          .layers = 27,
          .heads = 16,
          .ffn = 4304,
          .tokens_per_side = 16,
          .d_model = d_model};
}

const Shape& shape_of(ReleasedSize size) { return kShapes[static_cast<std::size_t>(size)]; }

bool drop_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string_view name_of(ReleasedSize size) { return shape_of(size).name; }

model::GemmaConfig released_config(ReleasedSize size) {
  const Shape& shape = shape_of(size);
  model::GemmaConfig config;
  config.name = "Gemma 3 " + std::string(shape.name);
  config.layers = shape.layers;
  config.d_model = shape.d_model;
  config.heads = shape.heads;
  config.kv_heads = shape.kv_heads;
  config.head_dim = shape.head_dim;
  config.ffn = shape.ffn;
  config.vocab = shape.vocab;
  config.max_context = shape.max_context;
  config.sliding_window = shape.sliding_window;
  config.layer_kinds = model::periodic_layer_kinds(shape.layers, kLayerPeriod);
  config.query_scale = 1.0F / std::sqrt(shape.query_divisor);
  if (shape.has_vision) {
    config.rope_factor_global = kVisionRopeFactor;
    config.vision = released_tower(shape.d_model);
  }
  return config;
}

std::optional<ReleasedSize> find_released(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = c == ':' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view rest = lower;
  if (const std::size_t slash = rest.rfind('/'); slash != std::string_view::npos)
    rest.remove_prefix(slash + 1);
  if (!drop_prefix(rest, "gemma-3-")) drop_prefix(rest, "gemma3-");
  for (const Shape& shape : kShapes) {
    if (rest.starts_with(shape.name) && (rest.size() == shape.name.size() || rest[shape.name.size()] == '-'))
      return shape.size;
  }
  return std::nullopt;
}

}  // namespace carat::planner
