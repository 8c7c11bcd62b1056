// What lies beside models on the disk: the record and the state of a pull, and the manifests of Ollama's
// cache.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "hub/file_names.h"
#include "hub/model_caches.h"
#include "hub/part_file.h"
#include "hub/pull_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace carat::hub;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto record = parse_record(text, "carat.json")) {
    for (const PullRecord::File& file : record->files) CARAT_CHECK(is_safe_name(file.name));
    const auto again = parse_record(record->to_json(), "carat.json");
    CARAT_CHECK(again && again->files == record->files && again->names == record->names);
  }
  const RemoteFile file{.name = "x", .url = "u", .bytes = 1000, .sha256 = ""};
  if (const auto state = parse_part_state(text, "x.state", file)) {
    CARAT_CHECK(state->ranges.size() <= file.bytes);
    for (const ByteRange& range : state->ranges.ranges()) CARAT_CHECK(range.end <= file.bytes);
  }
  const auto blob = model_blob_name(text, "manifest");
  if (blob && *blob) CARAT_CHECK(is_safe_name(**blob));
  return 0;
}
