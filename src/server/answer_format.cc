#include "server/answer_format.h"

#include <algorithm>

#include <boost/json/serialize.hpp>

namespace carat::server {

void AnswerFormat::on_error(const ApiError& error, Texts& out) {
  const ErrorShape shape = error_shape();
  out.emplace_back(boost::json::serialize(error_object(error, shape)),
                   shape == ErrorShape::kAnthropic ? "error" : "");
}

void UsageTotal::add(const engine::Usage& usage, bool leads) {
  if (leads) {
    total_.prompt_tokens += usage.prompt_tokens;
    total_.cached_tokens += usage.cached_tokens;
    total_.queue_seconds = std::max(total_.queue_seconds, usage.queue_seconds);
    total_.prefill_seconds += usage.prefill_seconds;
  }
  total_.generated_tokens += usage.generated_tokens;
  total_.decode_seconds = std::max(total_.decode_seconds, usage.decode_seconds);
}

}  // namespace carat::server
