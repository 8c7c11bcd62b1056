#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/check.h"
#include "hub/model_store.h"
#include "hub/pull_name.h"
#include "hub/retry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace carat::hub;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto name = parse_pull_name(text);
  const auto* repository = name ? std::get_if<HuggingFaceName>(&*name) : nullptr;
  const bool has_file = repository != nullptr && !repository->file.empty();  // of which links are cut short
  if (name && !has_file) {
    // What it is called means the same again.
    const auto again = parse_pull_name(to_text(*name));
    CARAT_CHECK(again && to_text(*again) == to_text(*name));
  }
  static_cast<void>(canonical_name(text));
  static_cast<void>(parse_retry_after(text));
  return 0;
}
