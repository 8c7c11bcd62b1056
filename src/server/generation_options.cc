#include "server/generation_options.h"

#include <array>
#include <boost/json/value.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

namespace carat::server {
namespace {

namespace json = boost::json;

// Bounds only keep a value within its type: prompt::validate has the ranges.
void read_real(FieldReader& read, std::string_view name, float& value) {
  const auto number = read.number(name);
  if (!number) return;
  if (*number < -1e6 || *number > 1e6)
    return read.refuse(ApiErrorCode::kInvalidValue, name, "is out of range");
  value = static_cast<float>(*number);
}

void read_top_k(FieldReader& read, prompt::SamplingParams& sampling) {
  // -1 is vLLM's way of saying that all tokens are kept.
  const auto top_k = read.integer("top_k", -1, std::numeric_limits<std::int32_t>::max());
  if (top_k) sampling.top_k = *top_k < 0 ? 0 : static_cast<std::int32_t>(*top_k);
}

void read_seed(FieldReader& read, prompt::SamplingParams& sampling) {
  using Limits = std::numeric_limits<std::int64_t>;
  const auto seed = read.integer("seed", Limits::min(), Limits::max());
  if (!seed) return;
  sampling.seed.reset();
  if (*seed != -1)
    sampling.seed = static_cast<std::uint64_t>(*seed);  // -1: a fresh one, as llama-server has it
}

void read_max_tokens(FieldReader& read, prompt::SamplingParams& sampling) {
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    const auto count = read.integer(name, -1, std::numeric_limits<std::uint32_t>::max());
    if (!count) continue;
    sampling.max_tokens.reset();
    if (*count >= 0) sampling.max_tokens = static_cast<std::uint32_t>(*count);
  }
}

void read_stop(FieldReader& read, prompt::SamplingParams& sampling) {
  const json::value* stop = read.find("stop");
  if (stop == nullptr) return;
  sampling.stop.clear();
  // An empty one, which some clients send where they have none, would stop at once.
  const auto add = [&](const json::string& text) {
    if (!text.empty()) sampling.stop.emplace_back(text);
  };
  if (const json::string* text = stop->if_string()) return add(*text);
  const json::array* list = stop->if_array();
  if (list == nullptr) return read.expected("stop", "a string or an array of strings");
  for (const json::value& item : *list) {
    if (!item.is_string()) return read.expected("stop", "a string or an array of strings");
    add(item.get_string());
  }
}

void read_logit_bias(FieldReader& read, prompt::SamplingParams& sampling) {
  const json::object* biases = read.object("logit_bias");
  if (biases == nullptr) return;
  if (biases->size() > prompt::SamplingParams::kMaxLogitBiases)
    return read.refuse(ApiErrorCode::kInvalidValue, "logit_bias", "names too many tokens");
  sampling.logit_bias.clear();
  for (const json::key_value_pair& entry : *biases) {
    prompt::LogitBias bias;
    const std::string_view key = entry.key();
    const auto id = std::from_chars(key.data(), key.data() + key.size(), bias.token);
    if (id.ec != std::errc() || id.ptr != key.data() + key.size())
      return read.refuse(ApiErrorCode::kInvalidValue, "logit_bias", "must have token ids as its keys");
    if (!entry.value().is_number()) return read.expected("logit_bias", "an object of numbers");
    const auto number = entry.value().to_number<double>();
    if (!(number >= -100.0 && number <= 100.0))
      return read.refuse(ApiErrorCode::kInvalidValue, "logit_bias", "must have values between -100 and 100");
    bias.bias = static_cast<float>(number);
    sampling.logit_bias.push_back(bias);
  }
}

// Null, false, 0, and what is empty ask for nothing.
bool asks_for_nothing(const json::value& value, double neutral) {
  if (value.is_number()) return value.to_number<double>() == neutral;
  if (const bool* flag = value.if_bool()) return !*flag;
  if (const json::string* text = value.if_string()) return text->empty();
  if (const json::array* list = value.if_array()) return list->empty();
  if (const json::object* object = value.if_object()) return object->empty();
  return true;
}

struct RefusedField {
  std::string_view name;
  double neutral = 0;  // the number that asks for nothing
};
constexpr auto kRefusedFields = std::to_array<RefusedField>({
    {"functions"},
    {"audio"},
    {"suffix"},
    {"ignore_eos"},
    {"min_tokens"},
    {"mirostat"},
    {"dry_multiplier"},
    {"xtc_probability"},
    {"dynatemp_range"},
    {"prompt_logprobs"},
    {"stop_token_ids"},
    {"allowed_token_ids"},
    {"bad_words"},
    {"use_beam_search"},
    {"typical_p", 1},
    {"tfs_z", 1},
    {"best_of", 1},
    {"web_search_options"},
});

constexpr std::string_view kNotHere = "is not supported by this server";

void refuse_tools(FieldReader& read) {
  const json::value* tools = read.find("tools");
  if (tools == nullptr || asks_for_nothing(*tools, 0)) return;
  const json::value* choice = read.find("tool_choice");
  const json::string* name = choice == nullptr ? nullptr : choice->if_string();
  if (name == nullptr || *name != "none")
    read.refuse(ApiErrorCode::kUnsupportedParameter, "tools", "are not supported unless tool_choice is none");
}

void refuse_modalities(FieldReader& read) {
  const json::array* modalities = read.array("modalities");
  if (modalities == nullptr) return;
  for (const json::value& item : *modalities) {
    const json::string* name = item.if_string();
    if (name == nullptr || *name != "text")
      return read.refuse(ApiErrorCode::kUnsupportedParameter, "modalities", "may only hold text");
  }
}

}  // namespace

void read_generation_options(FieldReader& read, GenerationOptions& options) {
  prompt::SamplingParams& sampling = options.sampling;
  read_real(read, "temperature", sampling.temperature);
  read_real(read, "top_p", sampling.top_p);
  read_real(read, "min_p", sampling.min_p);
  read_real(read, "repeat_penalty", sampling.repetition_penalty);
  read_real(read, "repetition_penalty", sampling.repetition_penalty);
  read_real(read, "presence_penalty", sampling.presence_penalty);
  read_real(read, "frequency_penalty", sampling.frequency_penalty);
  read_top_k(read, sampling);
  read_seed(read, sampling);
  read_max_tokens(read, sampling);
  read_stop(read, sampling);
  read_logit_bias(read, sampling);
  if (const auto count = read.integer("n", 1, kMostChoices))
    options.choices = static_cast<std::size_t>(*count);
  options.stream = read.flag("stream").value_or(options.stream);
  options.return_progress = read.flag("return_progress").value_or(options.return_progress);
  options.reuse_cache = read.flag("cache_prompt").value_or(options.reuse_cache);
  if (const json::object* stream_options = read.object("stream_options")) {
    FieldReader fields(read, *stream_options, "stream_options");
    options.include_usage = fields.flag("include_usage").value_or(false);
  }
}

void refuse_unsupported_fields(FieldReader& read) {
  for (const RefusedField& field : kRefusedFields) {
    const json::value* value = read.find(field.name);
    if (value != nullptr && !asks_for_nothing(*value, field.neutral))
      read.refuse(ApiErrorCode::kUnsupportedParameter, field.name, kNotHere);
  }
  refuse_tools(read);
  refuse_modalities(read);
}

}  // namespace carat::server
