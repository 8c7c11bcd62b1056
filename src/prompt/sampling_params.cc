#include "prompt/sampling_params.h"

#include <unordered_set>

namespace carat::prompt {
namespace {

struct Range {
  const char* field;
  float value;
  float least;
  float most;
};

// Written so that NaN, which compares false with everything, is out of range.
Result<> check(const Range& range) {
  if (range.value >= range.least && range.value <= range.most) return {};
  return fail(ErrorKind::kUsage, "{} must be between {} and {}, found {}", range.field, range.least,
              range.most, range.value);
}

Result<> check_logit_bias(const std::vector<LogitBias>& biases, std::size_t vocabulary_size) {
  if (biases.size() > SamplingParams::kMaxLogitBiases) {
    return fail(ErrorKind::kUsage, "logit_bias may name at most {} tokens, found {}",
                SamplingParams::kMaxLogitBiases, biases.size());
  }
  std::unordered_set<TokenId> seen;
  for (const LogitBias& bias : biases) {
    if (bias.token < 0 || static_cast<std::size_t>(bias.token) >= vocabulary_size) {
      return fail(ErrorKind::kUsage, "logit_bias names token {}, but the vocabulary has {} tokens",
                  bias.token, vocabulary_size);
    }
    if (!seen.insert(bias.token).second) {
      return fail(ErrorKind::kUsage, "logit_bias names token {} twice", bias.token);
    }
    CARAT_TRY_VOID(check({"logit_bias", bias.bias, -100.0F, 100.0F}));
  }
  return {};
}

Result<> check_stop(const std::vector<std::string>& stop) {
  if (stop.size() > SamplingParams::kMaxStopStrings) {
    return fail(ErrorKind::kUsage, "stop may hold at most {} strings, found {}",
                SamplingParams::kMaxStopStrings, stop.size());
  }
  for (const std::string& text : stop) {
    if (text.empty()) return fail(ErrorKind::kUsage, "stop holds an empty string, which would stop at once");
    if (text.size() > SamplingParams::kMaxStopBytes) {
      return fail(ErrorKind::kUsage, "a stop string may have at most {} bytes, found {}",
                  SamplingParams::kMaxStopBytes, text.size());
    }
  }
  return {};
}

}  // namespace

Result<> validate(const SamplingParams& params, std::size_t vocabulary_size) {
  const Range ranges[] = {
      {"temperature", params.temperature, 0.0F, 100.0F},
      {"top_p", params.top_p, 0.0F, 1.0F},
      {"min_p", params.min_p, 0.0F, 1.0F},
      {"repetition_penalty", params.repetition_penalty, 0.01F, 100.0F},
      {"presence_penalty", params.presence_penalty, -100.0F, 100.0F},
      {"frequency_penalty", params.frequency_penalty, -100.0F, 100.0F},
  };
  for (const Range& range : ranges) CARAT_TRY_VOID(check(range));
  if (params.top_k < 0) return fail(ErrorKind::kUsage, "top_k must be 0 or more, found {}", params.top_k);
  if (params.logprobs && (*params.logprobs < 0 || *params.logprobs > SamplingParams::kMaxLogprobs)) {
    return fail(ErrorKind::kUsage, "logprobs must be between 0 and {}, found {}",
                SamplingParams::kMaxLogprobs, *params.logprobs);
  }
  CARAT_TRY_VOID(check_logit_bias(params.logit_bias, vocabulary_size));
  return check_stop(params.stop);
}

}  // namespace carat::prompt
