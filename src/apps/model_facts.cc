#include "apps/model_facts.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>

#include "base/sha256.h"
#include "hub/model_summary.h"

namespace carat::apps {
namespace {

namespace fs = std::filesystem;

std::uint64_t parameter_count(const model::Checkpoint& checkpoint) {
  std::uint64_t count = 0;
  for (const formats::TensorEntry& entry : checkpoint.files().entries()) {
    std::uint64_t values = 1;
    for (const std::uint64_t extent : entry.shape) values *= extent;
    count += values;
  }
  return count;
}

// Seconds since 1970; 0 where nobody tells.
std::int64_t modification_time(const fs::path& path) {
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

}  // namespace

Result<server::ModelFacts> model_facts(const fs::path& path) {
  server::ModelFacts facts;
  CARAT_TRY(const auto summary, hub::summarize_model(path, [&](const model::Checkpoint& checkpoint) {
              facts.parameters = parameter_count(checkpoint);
            }));
  if (summary) {
    facts.bytes = summary->bytes;
    facts.precision = summary->precision;
  }
  facts.modified = modification_time(path);
  facts.format = path.extension() == ".gguf" ? "gguf" : "safetensors";
  // Names what the files are, without reading all of them.
  const std::string identity =
      fmt::format("{} {} {} {}", path.filename().string(), facts.bytes, facts.modified, facts.parameters);
  facts.digest = to_hex(sha256(std::as_bytes(std::span(identity))));
  return facts;
}

}  // namespace carat::apps
