#include "store/sampling_json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <limits>

#include "base/utf8.h"
#include "store/json_reader.h"

namespace carat::store {
namespace {

namespace json = boost::json;
using prompt::SamplingParams;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

struct NumberField {
  std::string_view name;
  float SamplingParams::* member;
};
constexpr NumberField kNumbers[] = {{"temperature", &SamplingParams::temperature},
                                    {"top_p", &SamplingParams::top_p},
                                    {"min_p", &SamplingParams::min_p},
                                    {"repetition_penalty", &SamplingParams::repetition_penalty},
                                    {"presence_penalty", &SamplingParams::presence_penalty},
                                    {"frequency_penalty", &SamplingParams::frequency_penalty}};

template <class Integer>
Result<Integer> read_integer(const StoredObject& object, std::string_view field) {
  CARAT_TRY(const std::int64_t value, object.integer(field));
  if (value < std::numeric_limits<Integer>::min() || value > std::numeric_limits<Integer>::max()) {
    return object.expected("a smaller number", field);
  }
  return static_cast<Integer>(value);
}

Result<> read_logit_bias(const StoredObject& object, SamplingParams& sampling) {
  const json::value* list = object.find("logit_bias");
  if (list == nullptr || !list->is_array()) return object.expected("an array", "logit_bias");
  for (const json::value& value : list->get_array()) {
    if (!value.is_object()) return object.expected("objects in it", "logit_bias");
    const StoredObject row(value.get_object(), "sampling: logit_bias");
    CARAT_TRY(const auto token, read_integer<TokenId>(row, "token"));
    CARAT_TRY(const float bias, row.number("bias"));
    sampling.logit_bias.push_back({token, bias});
  }
  return {};
}

Result<> read_stop(const StoredObject& object, SamplingParams& sampling) {
  const json::value* list = object.find("stop");
  if (list == nullptr || !list->is_array()) return object.expected("an array", "stop");
  for (const json::value& value : list->get_array()) {
    if (!value.is_string()) return object.expected("strings in it", "stop");
    sampling.stop.emplace_back(value.get_string());
  }
  return {};
}

}  // namespace

std::string sampling_to_json(const SamplingParams& sampling) {
  json::object object;
  for (const NumberField& field : kNumbers) object[field.name] = sampling.*field.member;
  object["top_k"] = sampling.top_k;
  json::array biases;
  for (const prompt::LogitBias& bias : sampling.logit_bias) {
    biases.push_back(json::object{{"token", bias.token}, {"bias", bias.bias}});
  }
  object["logit_bias"] = std::move(biases);
  json::array stops;
  for (const std::string& stop : sampling.stop) stops.push_back(json::string(replace_invalid_utf8(stop)));
  object["stop"] = std::move(stops);
  if (sampling.max_tokens) object["max_tokens"] = *sampling.max_tokens;
  if (sampling.logprobs) object["logprobs"] = *sampling.logprobs;
  return json::serialize(object);
}

Result<SamplingParams> sampling_from_json(std::string_view text) {
  if (text.size() > kMostBytes)
    return fail(ErrorKind::kFailed, "sampling: {} bytes are too many", text.size());
  CARAT_TRY(const json::value root, parse_stored(text, "sampling"));
  if (!root.is_object()) return fail(ErrorKind::kFailed, "sampling: expected an object");
  const StoredObject object(root.get_object(), "sampling");
  SamplingParams sampling;
  for (const NumberField& field : kNumbers) {
    CARAT_TRY(sampling.*field.member, object.number(field.name));
  }
  CARAT_TRY(sampling.top_k, read_integer<std::int32_t>(object, "top_k"));
  CARAT_TRY_VOID(read_logit_bias(object, sampling));
  CARAT_TRY_VOID(read_stop(object, sampling));
  if (object.find("max_tokens") != nullptr) {
    CARAT_TRY(sampling.max_tokens, read_integer<std::uint32_t>(object, "max_tokens"));
  }
  if (object.find("logprobs") != nullptr) {
    CARAT_TRY(sampling.logprobs, read_integer<std::int32_t>(object, "logprobs"));
  }
  const auto valid = prompt::validate(sampling, std::numeric_limits<TokenId>::max());
  if (!valid) return fail(ErrorKind::kFailed, "sampling: {}", valid.error().message);
  return sampling;
}

}  // namespace carat::store
