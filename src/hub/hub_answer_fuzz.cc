// What the Hugging Face hub and an Ollama registry say about a model, by the first byte.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "base/check.h"
#include "hub/file_names.h"
#include "hub/pull_plan.h"

namespace {

using namespace carat::hub;

void check_plan(const PullPlan& plan) {
  CARAT_CHECK(is_safe_name(plan.folder) && !plan.files.empty());
  CARAT_CHECK(plan.other_folder.empty() || is_safe_name(plan.other_folder));
  std::set<std::string> names;
  for (const RemoteFile& file : plan.files) {
    CARAT_CHECK(is_safe_name(file.name) && names.insert(file.name).second && file.bytes > 0);
    CARAT_CHECK(file.role == FileRole::kOther || file.sha256.size() == 64);
  }
  CARAT_CHECK(plan.bytes() > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string answer(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Ask ask = [&](const carat::http::Request&) -> carat::Result<std::string> { return answer; };
  const HuggingFaceName any{"owner/repository", "", ""};
  const HuggingFaceName precise{"owner/repository", "Q4_K_M", ""};
  const HuggingFaceName file{"owner/repository", "", "folder/gemma-Q4_0.gguf"};
  const auto plan = data[0] % 4 == 0   ? plan_hugging_face(any, {}, ask)
                    : data[0] % 4 == 1 ? plan_hugging_face(precise, {}, ask)
                    : data[0] % 4 == 2 ? plan_hugging_face(file, {}, ask)
                                       : plan_ollama({"library", "gemma3", "4b"}, {}, ask);
  if (plan) check_plan(*plan);
  return 0;
}
