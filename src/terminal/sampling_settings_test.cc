#include "terminal/sampling_settings.h"

#include <gtest/gtest.h>

namespace carat::terminal {
namespace {

TEST(SamplingSettings, DefaultsAreTheEnginesOwn) {
  const auto resolution = config::resolve({});
  ASSERT_TRUE(resolution);
  const prompt::SamplingParams params = sampling_params(resolution->settings);
  const prompt::SamplingParams expected;
  EXPECT_EQ(params.temperature, expected.temperature);
  EXPECT_EQ(params.top_k, expected.top_k);
  EXPECT_EQ(params.top_p, expected.top_p);
  EXPECT_EQ(params.min_p, expected.min_p);
  EXPECT_EQ(params.repetition_penalty, expected.repetition_penalty);
  EXPECT_EQ(params.presence_penalty, expected.presence_penalty);
  EXPECT_EQ(params.frequency_penalty, expected.frequency_penalty);
  EXPECT_EQ(params.seed, expected.seed);
  EXPECT_EQ(params.max_tokens, expected.max_tokens);
}

// The table's bounds are the engine's: what the settings let through, the engine takes, and no less.
TEST(SamplingSettings, BoundsAreTheEnginesOwn) {
  for (const config::SettingInfo& setting : config::settings_table()) {
    if (setting.group != config::SettingGroup::kSampling || setting.type == config::SettingType::kSwitch)
      continue;
    for (const double bound : {setting.least, setting.most}) {
      SCOPED_TRACE(std::string(setting.key) + " = " + std::to_string(bound));
      config::Sources sources;
      sources.flags = {{setting.id, fmt::format("{}", bound)}};
      if (setting.type == config::SettingType::kInteger) {
        sources.flags = {{setting.id, fmt::format("{}", static_cast<std::int64_t>(bound))}};
      }
      const auto resolution = config::resolve(sources);
      ASSERT_TRUE(resolution) << resolution.error().message;
      EXPECT_TRUE(prompt::validate(sampling_params(resolution->settings), 100));
    }
    if (setting.type != config::SettingType::kReal) continue;
    config::Sources sources;
    sources.flags = {{setting.id, fmt::format("{}", setting.most + 0.001)}};
    EXPECT_FALSE(config::resolve(sources)) << setting.key;
  }
}

TEST(SamplingSettings, EveryParameterIsTakenOver) {
  using enum config::Setting;
  config::Sources sources;
  sources.flags = {{kTemperature, "0.5"},     {kTopK, "3"},
                   {kTopP, "0.25"},           {kMinP, "0.125"},
                   {kRepeatPenalty, "1.5"},   {kPresencePenalty, "0.75"},
                   {kFrequencyPenalty, "-2"}, {kSeed, "9007199254740992"},
                   {kMaxTokens, "7"}};
  const auto resolution = config::resolve(sources);
  ASSERT_TRUE(resolution);
  const prompt::SamplingParams params = sampling_params(resolution->settings);
  EXPECT_EQ(params.temperature, 0.5F);
  EXPECT_EQ(params.top_k, 3);
  EXPECT_EQ(params.top_p, 0.25F);
  EXPECT_EQ(params.min_p, 0.125F);
  EXPECT_EQ(params.repetition_penalty, 1.5F);
  EXPECT_EQ(params.presence_penalty, 0.75F);
  EXPECT_EQ(params.frequency_penalty, -2.0F);
  EXPECT_EQ(params.seed, 9007199254740992U);
  EXPECT_EQ(params.max_tokens, 7U);
}

}  // namespace
}  // namespace carat::terminal
