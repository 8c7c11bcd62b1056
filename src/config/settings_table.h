#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace carat::config {

enum class Setting : std::uint8_t {
  kModel,
  kThreads,
  kContext,
  kKvType,
  kExactActivations,
  kMmproj,
  kVisionPrecision,
  kCpu,
  kStyle,
  kSystem,
  kTemperature,
  kTopK,
  kTopP,
  kMinP,
  kRepeatPenalty,
  kPresencePenalty,
  kFrequencyPenalty,
  kSeed,
  kMaxTokens,
  kStats,
  kImageFileBytes,
  kImageSide,
  kImagePixels,
  kOffline,
  kHuggingFace,
  kOllamaRegistry,
  kPeers,
  kData,
  kHost,
  kPort,
  kApiKeyFile,
  kAlias,
  kAllowHost,
  kAllowOrigin,
  kParallel,
  kMaxQueue,
  kPanAndScan,
  kDrainSeconds,
  kTlsCertificate,
  kTlsKey,
  kLogJson,
  kStore,
  kTrustedProxy,
  kMaxRequests,
  kKeyRequests,
  kResponseDays,
  kModels,
  kPin,
  kModelMemory,
  kKeepAlive,
};
inline constexpr std::size_t kSettingCount = 50;

enum class SettingType : std::uint8_t { kText, kChoice, kInteger, kReal, kSwitch };

// Which commands take the setting as a flag.
enum class SettingGroup : std::uint8_t {
  kModel,        // where a model runs
  kKvType,       // where it runs with a KV cache of the user's choice
  kContext,      // where that cache has a length of the user's choice
  kPrompt,       // where a prompt is rendered from messages
  kSampling,     // where text is generated
  kServer,       // where requests are served
  kStore,        // where conversations, responses or keys are kept
  kEnvironment,  // nowhere: environment variable or file only
};

// One row for each setting: the only place that knows its names, its type and what it may be.
struct SettingInfo {
  Setting id;
  SettingGroup group;
  std::string_view key;       // in config.toml and `config show`
  std::string_view flag;      // as CLI11 spells it: "-m,--model"; empty: no flag
  std::string_view variable;  // environment variable
  SettingType type;
  std::string_view default_text;  // empty: no value
  double least;                   // of kInteger and kReal
  double most;
  std::string_view choices;  // of kChoice, separated by '|'
  std::string_view help;
};

std::span<const SettingInfo> settings_table();
const SettingInfo& info(Setting setting);

// A text that is a list: its items have commas between them, and its flag may be given several times.
bool is_list(Setting setting);

}  // namespace carat::config
