#include "server/metrics.h"

#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <sstream>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace carat::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// Seconds to the first token and of whole answers: a picture takes some, a long prompt minutes.
const Buckets& long_times() {
  static const Buckets bounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                 2.5,   5,    10,    20,   40,  80,   160, 320};
  return bounds;
}

// Seconds from one token to the next.
const Buckets& token_times() {
  static const Buckets bounds = {0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03,
                                 0.04,  0.05,   0.075, 0.1,    0.15, 0.2,   0.5,  1};
  return bounds;
}

const Buckets& token_counts() {
  static const Buckets bounds = {1, 4, 16, 64, 256, 1024, 4096, 16'384, 65'536, 131'072};
  return bounds;
}

std::string_view name_of(engine::FinishReason reason) {
  switch (reason) {
    case engine::FinishReason::kStop: return "stop";
    case engine::FinishReason::kLength: return "length";
    case engine::FinishReason::kInterrupted: return "abort";
    case engine::FinishReason::kDeadline: return "deadline";
  }
  return "unknown";
}

Family<Histogram>& histogram(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

Family<Counter>& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

// One number of an engine's status, as a metric.
struct StatusMetric {
  const char* name;
  const char* help;
  prometheus::MetricType type;
  std::function<double(const engine::EngineStatus&)> value;
};

double ratio(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// The status's counters only grow, as counters must.
const std::vector<StatusMetric>& status_metrics() {
  using Status = engine::EngineStatus;
  using prometheus::MetricType;
  static const std::vector<StatusMetric> metrics = {
      {"carat_num_requests_running", "Requests in the engine's batch.", MetricType::Gauge,
       [](const Status& it) { return static_cast<double>(it.running); }},
      {"carat_num_requests_waiting", "Requests in the engine's queue.", MetricType::Gauge,
       [](const Status& it) { return static_cast<double>(it.waiting); }},
      {"carat_kv_cache_usage_perc", "Part of the KV cache in use, 1 is all of it.", MetricType::Gauge,
       [](const Status& it) { return ratio(it.kv_bytes_used, it.kv_bytes_total); }},
      {"carat_kept_conversations", "Finished conversations whose KV is kept.", MetricType::Gauge,
       [](const Status& it) { return static_cast<double>(it.kept); }},
      {"carat_num_preemptions_total", "Requests put back into the queue for want of memory.",
       MetricType::Counter, [](const Status& it) { return static_cast<double>(it.preemptions); }},
      {"carat_engine_steps_total", "Completed steps.", MetricType::Counter,
       [](const Status& it) { return static_cast<double>(it.steps); }},
      {"carat_prompt_tokens_total", "Tokens of admitted prompts, cached ones included.", MetricType::Counter,
       [](const Status& it) { return static_cast<double>(it.prompt_tokens); }},
      {"carat_generation_tokens_total", "Generated tokens.", MetricType::Counter,
       [](const Status& it) { return static_cast<double>(it.generated_tokens); }},
      {"carat_prefix_cache_queries_total", "Tokens of prompts looked up in the KV cache.",
       MetricType::Counter, [](const Status& it) { return static_cast<double>(it.prompt_tokens); }},
      {"carat_prefix_cache_hits_total", "Of these, found there.", MetricType::Counter,
       [](const Status& it) { return static_cast<double>(it.cached_tokens); }},
      {"carat_request_failure_total", "Requests that ended with an error.", MetricType::Counter,
       [](const Status& it) { return static_cast<double>(it.failed); }},
  };
  return metrics;
}

prometheus::MetricFamily family_of(const StatusMetric& metric, std::span<const ModelStatus> models) {
  prometheus::MetricFamily family;
  family.name = metric.name;
  family.help = metric.help;
  family.type = metric.type;
  for (const ModelStatus& model : models.first(std::min(models.size(), Metrics::kMostModels))) {
    prometheus::ClientMetric one;
    one.label = {{"model_name", model.name}};
    const double value = metric.value(model.engine);
    if (metric.type == prometheus::MetricType::Gauge) {
      one.gauge.value = value;
    } else {
      one.counter.value = value;
    }
    family.metric.push_back(std::move(one));
  }
  return family;
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;
  Family<Histogram>& first_token = histogram(registry, "carat_time_to_first_token_seconds",
                                             "From a request's arrival at the engine to its first token.");
  Family<Histogram>& token = histogram(registry, "carat_time_per_output_token_seconds",
                                       "A request's mean time from one token to the next.");
  Family<Histogram>& whole =
      histogram(registry, "carat_e2e_request_latency_seconds", "From a request's arrival to its end.");
  Family<Histogram>& queue =
      histogram(registry, "carat_request_queue_time_seconds", "Time a request spent in the queue.");
  Family<Histogram>& prefill = histogram(registry, "carat_request_prefill_time_seconds",
                                         "From admission to the first token, images included.");
  Family<Histogram>& decode =
      histogram(registry, "carat_request_decode_time_seconds", "From the first token to the last.");
  Family<Histogram>& prompt_tokens =
      histogram(registry, "carat_request_prompt_tokens", "Tokens of a request's prompt.");
  Family<Histogram>& generated_tokens =
      histogram(registry, "carat_request_generation_tokens", "Tokens of a request's answer.");
  Family<Counter>& successes =
      counter(registry, "carat_request_success_total", "Finished requests, by why they ended.");
  Family<Counter>& answers =
      counter(registry, "carat_http_requests_total", "Answered HTTP requests, by route and status.");
  Family<Histogram>& answer_times = histogram(registry, "carat_http_request_duration_seconds",
                                              "From an HTTP request's head to the answer's last byte.");
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

std::string Metrics::label_of(std::string_view model) {
  const std::scoped_lock lock(mutex_);
  if (models_.contains(model)) return std::string(model);
  if (models_.size() == kMostModels) return "other";
  return *models_.emplace(model).first;
}

void Metrics::record(std::string_view model, const engine::GenerationResult& result) {
  const std::string label = label_of(model);
  const prometheus::Labels labels = {{"model_name", label}};
  const engine::Usage& usage = result.usage;
  const auto observe = [&](Family<Histogram>& family, const Buckets& bounds, double value) {
    family.Add(labels, bounds).Observe(value);
  };
  observe(families_->queue, long_times(), usage.queue_seconds);
  observe(families_->prompt_tokens, token_counts(), static_cast<double>(usage.prompt_tokens));
  observe(families_->generated_tokens, token_counts(), static_cast<double>(usage.generated_tokens));
  observe(families_->whole, long_times(), usage.queue_seconds + usage.prefill_seconds + usage.decode_seconds);
  if (usage.generated_tokens > 0) {
    observe(families_->prefill, long_times(), usage.prefill_seconds);
    observe(families_->first_token, long_times(), usage.queue_seconds + usage.prefill_seconds);
    observe(families_->decode, long_times(), usage.decode_seconds);
  }
  if (usage.generated_tokens > 1)
    observe(families_->token, token_times(),
            usage.decode_seconds / static_cast<double>(usage.generated_tokens - 1));
  families_->successes.Add({{"model_name", label}, {"finished_reason", std::string(name_of(result.finish))}})
      .Increment();
}

void Metrics::record(const http::AccessEntry& entry) {
  const std::string& route = entry.request.route;
  const std::string label = route.empty() ? "-" : route;
  families_->answers.Add({{"route", label}, {"status", fmt::format("{}", entry.status)}}).Increment();
  families_->answer_times.Add({{"route", label}}, long_times()).Observe(seconds(entry.time));
}

std::string Metrics::text(std::span<const ModelStatus> models) const {
  std::vector<prometheus::MetricFamily> families;
  if (!models.empty()) {
    for (const StatusMetric& metric : status_metrics()) families.push_back(family_of(metric, models));
  }
  std::ranges::move(families_->registry.Collect(), std::back_inserter(families));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace carat::server
