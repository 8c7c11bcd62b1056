#include "model/vision_config.h"

#include "model/config_checker.h"

namespace carat::model {
namespace {

// Bounds of what is accepted: room above Gemma 3's tower (896 pixels, patches of 14, width 1152, 27 layers,
// MLP 4304), and every product of two of them far from overflow.
constexpr std::size_t kMaxImageSize = 4096;
constexpr std::size_t kMaxPatchesPerSide = 128;
constexpr std::size_t kMaxWidth = 8192;
constexpr std::size_t kMaxLayers = 128;
constexpr std::size_t kMaxHeads = 128;
constexpr std::size_t kMaxHeadDim = 512;
constexpr std::size_t kMaxFfn = 65'536;
constexpr std::size_t kMaxDModel = 16'384;
constexpr float kMinEpsilon = 1e-12F;
constexpr float kMaxEpsilon = 0.01F;
constexpr float kMinStd = 1e-3F;

}  // namespace

Result<> validate(const VisionConfig& config, std::string_view file) {
  const ConfigChecker check(file);
  const auto divides = [&](std::string_view part, std::size_t divisor, std::string_view whole,
                           std::size_t value) -> Result<> {
    if (value % divisor == 0) return {};
    return fail(ErrorKind::kInvalidModel, "{}: {} {} is no multiple of {} {}", file, whole, value, part,
                divisor);
  };
  CARAT_TRY_VOID(check.count("image size", config.image_size, 1, kMaxImageSize));
  CARAT_TRY_VOID(check.count("patch size", config.patch_size, 1, config.image_size));
  CARAT_TRY_VOID(divides("the patch size", config.patch_size, "image size", config.image_size));
  CARAT_TRY_VOID(check.count("patches of a side", config.patches_per_side(), 1, kMaxPatchesPerSide));
  CARAT_TRY_VOID(check.count("soft tokens of a side", config.tokens_per_side, 1, config.patches_per_side()));
  CARAT_TRY_VOID(divides("the soft tokens", config.tokens_per_side, "number of patches of a side",
                         config.patches_per_side()));
  CARAT_TRY_VOID(check.count("width of the image tower", config.width, 1, kMaxWidth));
  CARAT_TRY_VOID(check.count("layers of the image tower", config.layers, 1, kMaxLayers));
  CARAT_TRY_VOID(check.count("heads of the image tower", config.heads, 1, kMaxHeads));
  CARAT_TRY_VOID(divides("the number of heads", config.heads, "width of the image tower", config.width));
  CARAT_TRY_VOID(check.count("head width of the image tower", config.head_dim(), 1, kMaxHeadDim));
  CARAT_TRY_VOID(check.count("ffn width of the image tower", config.ffn, 1, kMaxFfn));
  CARAT_TRY_VOID(check.count("d_model", config.d_model, 1, kMaxDModel));
  CARAT_TRY_VOID(check.number("layer norm epsilon", config.norm_epsilon, kMinEpsilon, kMaxEpsilon));
  for (const float mean : config.mean) CARAT_TRY_VOID(check.number("image mean", mean, -1.0F, 1.0F));
  for (const float std : config.std) CARAT_TRY_VOID(check.number("image std", std, kMinStd, 1e3F));
  return {};
}

}  // namespace carat::model
