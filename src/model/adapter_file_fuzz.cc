// Any bytes as an adapter, in GGUF and as PEFT's tensors: what is accepted can be read to its end.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/check.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/adapter_file.h"

using namespace carat;

namespace {

void check(const Result<model::AdapterFile>& file) {
  if (!file) return;
  CARAT_CHECK(!file->entries().empty() && file->content_hash().has_value());
  model::GemmaConfig base{.layers = 2, .d_model = 8, .heads = 2, .kv_heads = 1, .head_dim = 6, .ffn = 10};
  if (!file->check_base(base, "fuzz")) return;
  for (const model::AdapterEntry& entry : file->entries()) CARAT_CHECK(entry.layer < base.layers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::shared_ptr<const ByteSource> source = memory_source("fuzz", {bytes.begin(), bytes.end()});
  if (const auto gguf = formats::read_gguf(source)) check(model::AdapterFile::from_gguf("fuzz", *gguf));
  if (auto tensors = formats::read_safetensors(source)) {
    const model::AdapterConfig config{.rank = 3, .alpha = 6.0F};
    check(model::AdapterFile::from_peft("fuzz", config, *std::move(tensors)));
  }
  return 0;
}
