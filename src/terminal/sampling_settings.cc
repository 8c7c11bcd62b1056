#include "terminal/sampling_settings.h"

namespace carat::terminal {

// The table bounds every number to what its field can hold.
prompt::SamplingParams sampling_params(const config::Settings& settings) {
  using enum config::Setting;
  const auto real = [&](config::Setting setting) { return static_cast<float>(settings.real(setting)); };
  prompt::SamplingParams params;
  params.temperature = real(kTemperature);
  params.top_p = real(kTopP);
  params.min_p = real(kMinP);
  params.repetition_penalty = real(kRepeatPenalty);
  params.presence_penalty = real(kPresencePenalty);
  params.frequency_penalty = real(kFrequencyPenalty);
  if (const auto top_k = settings.integer(kTopK)) params.top_k = static_cast<std::int32_t>(*top_k);
  if (const auto seed = settings.integer(kSeed)) params.seed = static_cast<std::uint64_t>(*seed);
  if (const auto most = settings.integer(kMaxTokens)) params.max_tokens = static_cast<std::uint32_t>(*most);
  return params;
}

}  // namespace carat::terminal
