#include "measure/tower_speed.h"

#include <memory>

#include "base/check.h"
#include "base/rgb_image.h"
#include "measure/machine_files.h"
#include "measure/statistics.h"
#include "measure/timed_backend.h"
#include "model/vision_tower.h"
#include "tensor/matrix.h"

namespace carat::measure {
namespace {

constexpr std::size_t kLimitBytes = std::size_t{64} << 20;  // reads play no part here
constexpr double kNanoseconds = 1e9;

std::string_view name_of(backend::Rounding arithmetic) {
  switch (arithmetic) {
    case backend::Rounding::kF32: return "f32";
    case backend::Rounding::kBf16: return "bf16";
    case backend::Rounding::kInt8: return "int8";
  }
  CARAT_CHECK(false);
}

double limit_of(const MachineLimits& limits, std::string_view arithmetic) {
  if (arithmetic == "int8") return limits.dot_ops_per_second;
  return arithmetic == "bf16" ? limits.bf16_ops_per_second : limits.f32_ops_per_second;
}

// What is in the picture does not matter to the time.
RgbImage some_picture(std::size_t side) {
  RgbImage image{.width = side, .height = side, .pixels = std::vector<std::uint8_t>(3 * side * side)};
  constexpr std::size_t kStride = 7919;
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(i * kStride >> 5);
  return image;
}

void derive_part(std::uint64_t ops, const std::vector<double>& samples_ns, const MachineLimits& limits,
                 TowerPart& part) {
  part.seconds = median(samples_ns) / kNanoseconds;
  part.giga_ops_per_second = static_cast<double>(ops) / part.seconds / kNanoseconds;
  part.share_of_limit = part.giga_ops_per_second * kNanoseconds / limit_of(limits, part.arithmetic);
}

}  // namespace

std::string_view name_of(model::VisionPrecision precision) {
  switch (precision) {
    case model::VisionPrecision::kF32: return "f32";
    case model::VisionPrecision::kBf16: return "bf16";
    case model::VisionPrecision::kInt8: return "int8";
  }
  CARAT_CHECK(false);
}

TowerWork tower_work(const model::VisionConfig& config) {
  const std::uint64_t patches = config.patches();
  const std::uint64_t width = config.width;
  const std::uint64_t layer = patches * width * (4 * width + 2 * config.ffn);
  const std::uint64_t outer =
      patches * config.patch_values() * width + config.tokens() * width * config.d_model;
  return {.linear_ops = 2 * (config.layers * layer + outer),
          .attention_ops = 4 * config.layers * patches * patches * width};
}

void derive_tower_rates(const TowerWork& work, const std::vector<double>& linear_ns,
                        const std::vector<double>& attention_ns, TowerReport& report) {
  report.seconds = median(report.samples_ns) / kNanoseconds;
  derive_part(work.linear_ops, linear_ns, report.limits, report.linear);
  derive_part(work.attention_ops, attention_ns, report.limits, report.attention);
  report.other_seconds = report.seconds - report.linear.seconds - report.attention.seconds;
  const double ideal =
      static_cast<double>(work.linear_ops) / limit_of(report.limits, report.linear.arithmetic) +
      static_cast<double>(work.attention_ops) / limit_of(report.limits, report.attention.arithmetic);
  report.share_of_limit = ideal / report.seconds;
}

Result<TowerReport> run_tower_bench(const model::VisionTensors& tensors, backend::Backend& backend,
                                    const TowerBenchOptions& options,
                                    const std::function<void(std::size_t run, std::size_t runs)>& progress,
                                    const std::stop_token& stop) {
  if (options.repetitions == 0) return fail(ErrorKind::kUsage, "a bench needs at least 1 repetition");
  const SteadyClock clock;
  TimedBackend timed(backend, clock);
  CARAT_TRY(const std::unique_ptr<model::VisionTower> tower,
            model::VisionTower::load(tensors, timed, options.precision, {}, stop));
  CARAT_TRY(LimitMeter meter, LimitMeter::make(options.threads, kLimitBytes, kLimitBytes));
  const model::VisionConfig& config = tower->config();
  const RgbImage picture = some_picture(config.image_size);
  tensor::OwnedMatrixF32 soft_tokens(config.tokens(), config.d_model);
  CARAT_TRY_VOID(tower->encode(picture, stop, soft_tokens.view()));

  TowerReport report;
  std::vector<double> linear_ns;
  std::vector<double> attention_ns;
  for (std::size_t run = 0; run < options.repetitions; ++run) {
    if (progress) progress(run, options.repetitions);
    meter.take_sample();
    timed.take_times();
    const auto start = clock.now();
    CARAT_TRY_VOID(tower->encode(picture, stop, soft_tokens.view()));
    report.samples_ns.push_back(static_cast<double>((clock.now() - start).count()));
    const TimedBackend::Times times = timed.take_times();
    linear_ns.push_back(static_cast<double>(times.linear.count()));
    attention_ns.push_back(static_cast<double>(times.attention.count()));
  }
  report.precision = name_of(options.precision);
  report.backend = backend.description();
  report.cpu_name = cpu_name(system_file_reader());
  report.threads = options.threads;
  report.weight_bytes = tower->weight_bytes();
  report.limits = meter.medians();
  // Quantized weights meet quantized activations, others what the tower's rounding says.
  const bool int8 = options.precision == model::VisionPrecision::kInt8;
  report.linear.arithmetic =
      int8 ? "int8" : name_of(backend.arithmetic(model::linear_rounding(options.precision)));
  report.attention.arithmetic = name_of(backend.arithmetic(model::attention_rounding(options.precision)));
  derive_tower_rates(tower_work(config), linear_ns, attention_ns, report);
  return report;
}

}  // namespace carat::measure
