#include "store/parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "formats/test_files.h"
#include "store/sampling_json.h"

namespace carat::store {
namespace {

using formats::is_error;

Sha256Digest digest_of(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

std::vector<Part> one_of_each() {
  return {TextPart{"a \"quoted\" line\nand \u00e9"},
          ImagePart{digest_of("picture"), "image/png", true},
          BlobPart{digest_of("file"), "application/pdf", "../notes.pdf"},
          ToolCallPart{"call_1", "weather", R"({"place":"Oslo"})"},
          ToolResultPart{"call_1", "rain"},
          TextPart{""}};
}

TEST(PartsTest, ReadsBackWhatItWrote) {
  const std::vector<Part> parts = one_of_each();
  EXPECT_EQ(parts_from_json(*parts_to_json(parts)), parts);
  EXPECT_EQ(*parts_to_json({}), "[]");
  EXPECT_EQ(*parts_to_json({TextPart{"hi"}}), R"([{"type":"text","text":"hi"}])");
}

TEST(PartsTest, MendsWhatIsNoUtf8) {
  const auto back = parts_from_json(*parts_to_json({TextPart{"a\xFF"}}));
  EXPECT_EQ(back, std::vector<Part>{TextPart{"a\uFFFD"}});
}

TEST(PartsTest, NamesEachBlobOnce) {
  std::vector<Part> parts = one_of_each();
  parts.push_back(ImagePart{digest_of("file"), "image/png"});
  EXPECT_THAT(blobs_of(parts), testing::UnorderedElementsAre(digest_of("file"), digest_of("picture")));
}

TEST(PartsTest, RefusesStoredTextInWordsThatShowNothingOfIt) {
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  const std::pair<std::string, std::string> cases[] = {
      {"", "no valid JSON"},
      {"{}", "expected an array"},
      {"[1]", "parts[0]: expected an object"},
      {deep, "no valid JSON"},
      {"[{}]", "type: expected a string, found nothing"},
      {R"([{"type":"text","text":"x"},{"type":"secret"}])", "parts[1]: type: expected a known type"},
      {R"([{"type":"text","text":["secret"]}])", "text: expected a string, found array"},
      {R"([{"type":"text"}])", "text: expected a string, found nothing"},
      {R"([{"type":"image","blob":"secret","media_type":"a","pan_and_scan":false}])",
       "64 hexadecimal digits"},
      {R"([{"type":"image","blob":")" + to_hex(digest_of("a")) +
           R"(","media_type":"a","pan_and_scan":"secret"}])",
       "pan_and_scan: expected true or false, found string"},
      {R"([{"type":"tool_call","call_id":")" + std::string(kMostNameBytes + 1, 's') + R"("}])",
       "call_id: expected at most 1024 bytes, found 1025"},
      {"[{\"type\":\"text\",\"text\":\"secret\xFF\"}]", "no valid JSON"},
  };
  for (const auto& [json, words] : cases) {
    const auto parts = parts_from_json(json);
    EXPECT_TRUE(is_error(parts, ErrorKind::kFailed, {words})) << json;
    if (parts) continue;
    EXPECT_EQ(parts.error().message.find("secret"), std::string::npos) << parts.error().message;
  }
}

TEST(PartsTest, BoundsBothDirections) {
  EXPECT_TRUE(
      is_error(parts_to_json(std::vector<Part>(kMostParts + 1, TextPart{})), ErrorKind::kQuota, {"1025"}));
  EXPECT_TRUE(is_error(parts_to_json({TextPart{std::string(kMostPartsBytes, 'x')}}), ErrorKind::kQuota, {}));
  EXPECT_TRUE(is_error(parts_to_json({ToolResultPart{std::string(kMostNameBytes + 1, 'x'), ""}}),
                       ErrorKind::kQuota, {"longer than"}));
  std::string many = "[";
  for (std::size_t i = 0; i <= kMostParts; ++i) many += R"({"type":"text","text":""},)";
  many.back() = ']';
  EXPECT_TRUE(is_error(parts_from_json(many), ErrorKind::kFailed, {"at most 1024"}));
  EXPECT_TRUE(
      is_error(parts_from_json(std::string(kMostPartsBytes + 1, ' ')), ErrorKind::kFailed, {"bytes"}));
}

prompt::SamplingParams unusual_sampling() {
  prompt::SamplingParams sampling;
  sampling.temperature = 0.1F;
  sampling.top_k = 7;
  sampling.top_p = 0.123456789F;
  sampling.min_p = 0.05F;
  sampling.repetition_penalty = 1.1F;
  sampling.presence_penalty = -0.5F;
  sampling.frequency_penalty = 0.25F;
  sampling.logit_bias = {{5, -100.0F}, {0, 1.5F}};
  sampling.max_tokens = 4'000'000'000U;
  sampling.stop = {"\n\n", "###"};
  sampling.logprobs = 3;
  return sampling;
}

TEST(SamplingJsonTest, ReadsBackWhatItWroteToTheBit) {
  const prompt::SamplingParams sampling = unusual_sampling();
  const auto back = sampling_from_json(sampling_to_json(sampling));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->temperature, sampling.temperature);
  EXPECT_EQ(back->top_k, sampling.top_k);
  EXPECT_EQ(back->top_p, sampling.top_p);
  EXPECT_EQ(back->min_p, sampling.min_p);
  EXPECT_EQ(back->repetition_penalty, sampling.repetition_penalty);
  EXPECT_EQ(back->presence_penalty, sampling.presence_penalty);
  EXPECT_EQ(back->frequency_penalty, sampling.frequency_penalty);
  ASSERT_EQ(back->logit_bias.size(), 2U);
  EXPECT_EQ(back->logit_bias[0].token, 5);
  EXPECT_EQ(back->logit_bias[1].bias, 1.5F);
  EXPECT_EQ(back->max_tokens, sampling.max_tokens);
  EXPECT_EQ(back->stop, sampling.stop);
  EXPECT_EQ(back->logprobs, sampling.logprobs);
}

TEST(SamplingJsonTest, RefusesWhatNoSamplerTakes) {
  const std::string good = sampling_to_json({});
  ASSERT_TRUE(sampling_from_json(good));
  const std::pair<std::string, std::string> changes[] = {
      {R"("temperature":1E0)", R"("temperature":1E39)"},
      {R"("temperature":1E0)", R"("temperature":-1)"},
      {R"("temperature":1E0)", R"("temperature":"1")"},
      {R"("top_k":64)", R"("top_k":99999999999)"},
      {R"("top_k":64)", R"("top_k":1.5)"},
      {R"("stop":[])", R"("stop":[1])"},
      {R"("stop":[])", R"("stop":[""])"},
      {R"("stop":[])", R"("stop":{})"},
      {R"("logit_bias":[])", R"("logit_bias":[{"token":-1,"bias":1}])"},
      {R"("logit_bias":[])", R"("logit_bias":[[1,2]])"},
      {R"("stop":[])", R"("stop":[],"max_tokens":-1)"},
      {R"("stop":[])", R"("stop":[],"logprobs":1000)"},
  };
  for (const auto& [from, to] : changes) {
    std::string bad = good;
    const std::size_t place = bad.find(from);
    ASSERT_NE(place, std::string::npos) << from << " in " << good;
    bad.replace(place, from.size(), to);
    EXPECT_TRUE(is_error(sampling_from_json(bad), ErrorKind::kFailed, {"sampling"})) << bad;
  }
  for (const char* text : {"", "[]", "{}", "null"}) {
    EXPECT_TRUE(is_error(sampling_from_json(text), ErrorKind::kFailed, {"sampling"})) << text;
  }
}

}  // namespace
}  // namespace carat::store
