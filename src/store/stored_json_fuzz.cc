// Any text as the stored parts or sampling of a message: refused in words, or read so that writing and
// reading it again gives the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/parts.h"
#include "store/sampling_json.h"

using namespace carat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto parts = store::parts_from_json(text)) {
    const auto written = store::parts_to_json(*parts);
    CARAT_CHECK(written || written.error().kind == ErrorKind::kQuota);
    if (written) CARAT_CHECK(store::parts_from_json(*written) == *parts);
    CARAT_CHECK(store::blobs_of(*parts).size() <= parts->size());
  } else {
    CARAT_CHECK(parts.error().kind == ErrorKind::kFailed);
  }
  if (const auto sampling = store::sampling_from_json(text)) {
    const std::string written = store::sampling_to_json(*sampling);
    const auto again = store::sampling_from_json(written);
    CARAT_CHECK(again.has_value());
    CARAT_CHECK(store::sampling_to_json(*again) == written);
  }
  return 0;
}
