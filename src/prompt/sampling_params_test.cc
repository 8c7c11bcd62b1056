#include "prompt/sampling_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace carat::prompt {
namespace {

constexpr std::size_t kVocabulary = 1000;

std::string problem(const SamplingParams& params) {
  const auto result = validate(params, kVocabulary);
  if (result) return "";
  EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
  return result.error().message;
}

TEST(SamplingParamsTest, DefaultsAreGemmas) {
  const SamplingParams params;
  EXPECT_EQ(problem(params), "");
  EXPECT_EQ(params.temperature, 1.0F);
  EXPECT_EQ(params.top_k, 64);
  EXPECT_EQ(params.top_p, 0.95F);
  EXPECT_EQ(params.min_p, 0.0F);
  EXPECT_EQ(params.repetition_penalty, 1.0F);
}

struct Field {
  const char* name;
  float SamplingParams::* member;
  float least;
  float most;
};

TEST(SamplingParamsTest, ChecksTheRangeOfEveryNumber) {
  const Field fields[] = {
      {"temperature", &SamplingParams::temperature, 0.0F, 100.0F},
      {"top_p", &SamplingParams::top_p, 0.0F, 1.0F},
      {"min_p", &SamplingParams::min_p, 0.0F, 1.0F},
      {"repetition_penalty", &SamplingParams::repetition_penalty, 0.01F, 100.0F},
      {"presence_penalty", &SamplingParams::presence_penalty, -100.0F, 100.0F},
      {"frequency_penalty", &SamplingParams::frequency_penalty, -100.0F, 100.0F},
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Field& field : fields) {
    SamplingParams params;
    for (const float good : {field.least, field.most}) {
      params.*field.member = good;
      EXPECT_EQ(problem(params), "") << field.name;
    }
    for (const float bad : {std::nextafter(field.least, -kInfinity), std::nextafter(field.most, kInfinity),
                            kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
      params.*field.member = bad;
      EXPECT_THAT(problem(params), testing::StartsWith(field.name)) << bad;
    }
  }
}

TEST(SamplingParamsTest, ChecksCounts) {
  SamplingParams params;
  params.top_k = 0;
  params.max_tokens = 0;
  params.logprobs = SamplingParams::kMaxLogprobs;
  EXPECT_EQ(problem(params), "");
  params.top_k = -1;
  EXPECT_THAT(problem(params), testing::StartsWith("top_k"));
  params.top_k = 0;
  params.max_tokens.reset();
  for (const std::int32_t bad : {-1, SamplingParams::kMaxLogprobs + 1}) {
    params.logprobs = bad;
    EXPECT_THAT(problem(params), testing::StartsWith("logprobs"));
  }
}

TEST(SamplingParamsTest, ChecksLogitBiases) {
  const auto with = [](std::vector<LogitBias> biases) {
    SamplingParams params;
    params.logit_bias = std::move(biases);
    return problem(params);
  };
  EXPECT_EQ(with({{0, -100.0F}, {999, 100.0F}}), "");
  EXPECT_THAT(with({{-1, 0.0F}}), testing::HasSubstr("token -1"));
  EXPECT_THAT(with({{1000, 0.0F}}), testing::HasSubstr("token 1000, but the vocabulary has 1000"));
  EXPECT_THAT(with({{5, 0.0F}, {5, 1.0F}}), testing::HasSubstr("token 5 twice"));
  EXPECT_THAT(with({{5, std::numeric_limits<float>::quiet_NaN()}}), testing::StartsWith("logit_bias"));
  EXPECT_THAT(with(std::vector<LogitBias>(SamplingParams::kMaxLogitBiases + 1)),
              testing::HasSubstr("at most 1024"));
}

TEST(SamplingParamsTest, ChecksStopStrings) {
  SamplingParams params;
  params.stop.assign(SamplingParams::kMaxStopStrings, std::string(SamplingParams::kMaxStopBytes, 'x'));
  EXPECT_EQ(problem(params), "");
  params.stop.emplace_back("y");
  EXPECT_THAT(problem(params), testing::HasSubstr("at most 16 strings, found 17"));
  params.stop = {"x", ""};
  EXPECT_THAT(problem(params), testing::HasSubstr("empty string"));
  params.stop = {std::string(SamplingParams::kMaxStopBytes + 1, 'x')};
  EXPECT_THAT(problem(params), testing::HasSubstr("1024 bytes, found 1025"));
}

}  // namespace
}  // namespace carat::prompt
