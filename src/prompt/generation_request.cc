#include "prompt/generation_request.h"

namespace carat::prompt {

Result<> validate(const GenerationRequest& request, std::size_t vocabulary_size) {
  if (request.owner.size() > GenerationRequest::kMaxOwnerBytes) {
    return fail(ErrorKind::kUsage, "owner may have at most {} bytes, found {}",
                GenerationRequest::kMaxOwnerBytes, request.owner.size());
  }
  const auto& logprobs = request.prompt_logprobs;
  if (logprobs && (*logprobs < 0 || *logprobs > SamplingParams::kMaxLogprobs)) {
    return fail(ErrorKind::kUsage, "prompt_logprobs must be between 0 and {}, found {}",
                SamplingParams::kMaxLogprobs, *logprobs);
  }
  return validate(request.sampling, vocabulary_size);
}

}  // namespace carat::prompt
