#include "model/adapter_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "base/byte_source.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "model/adapter_names.h"

namespace carat::model {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPeftConfig = "adapter_config.json";
constexpr std::string_view kPeftWeights = "adapter_model.safetensors";
constexpr std::string_view kPickledWeights = "adapter_model.bin";
constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;  // a few kilobytes are usual
constexpr std::size_t kHashedBytes = std::size_t{1} << 20;     // read at a time

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The folder, where a path leads to a PEFT adapter.
std::optional<fs::path> peft_folder(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return path;
  const std::string name = path.filename().string();
  if (name != kPeftConfig && !name.ends_with(".safetensors")) return std::nullopt;
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

bool is_adapter_type(tensor::ElementType type) {
  using enum tensor::ElementType;
  return type == kF32 || type == kF16 || type == kBF16;
}

Result<tensor::StoredTensor> matrix_of(const formats::TensorEntry& entry) {
  if (!is_adapter_type(entry.type)) {
    return fail(
        ErrorKind::kInvalidModel,
        "{}: tensor '{}': expected F32, F16 or BF16, found {}; convert the adapter without quantizing",
        entry.source->name(), entry.name, tensor::info(entry.type).name);
  }
  if (entry.shape.size() != 2 || entry.shape[0] == 0 || entry.shape[1] == 0) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': expected a matrix, found shape {}",
                entry.source->name(), entry.name, formats::shape_text(entry.shape));
  }
  return tensor::StoredTensor{.name = entry.name,
                              .source = entry.source,
                              .offset = entry.offset,
                              .type = entry.type,
                              .rows = entry.shape[0],
                              .columns = entry.shape[1]};
}

std::string shape_of(const tensor::StoredTensor& matrix) {
  return formats::shape_text(std::array{matrix.rows, matrix.columns});
}

// Both halves of an addition, as they are found.
struct Halves {
  std::optional<tensor::StoredTensor> down;
  std::optional<tensor::StoredTensor> up;
  std::string module;
};

template <class T>
void update(Sha256& hash, const T& value) {
  hash.update(std::as_bytes(std::span(&value, 1)));
}

Result<> update_with_matrix(Sha256& hash, const tensor::StoredTensor& matrix) {
  update(hash, static_cast<std::uint64_t>(matrix.type));
  update(hash, matrix.rows);
  update(hash, matrix.columns);
  std::uint64_t left = matrix.rows * tensor::row_bytes(matrix.type, matrix.columns).value_or(0);
  std::uint64_t offset = matrix.offset;
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(left, kHashedBytes)));
  while (left > 0) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const std::span<std::byte> part = std::span(buffer).first(count);
    CARAT_TRY_VOID(matrix.source->read_at(offset, part));
    hash.update(part);
    offset += count;
    left -= count;
  }
  return {};
}

}  // namespace

bool is_adapter(const std::string& path) {
  const fs::path file = path;
  if (const auto folder = peft_folder(file)) return is_there(*folder / kPeftConfig);
  const auto gguf = formats::open_gguf(path);
  if (!gguf) return false;
  const auto type = gguf->find_string("general.type");
  return type && *type == "adapter";
}

AdapterFile::AdapterFile(std::string path, AdapterFormat format, AdapterConfig config,
                         formats::TensorDirectory tensors)
    : path_(std::move(path)), format_(format), config_(std::move(config)), directory_(std::move(tensors)) {}

Result<AdapterFile> AdapterFile::open(const std::string& path) {
  if (!is_there(path)) {
    return fail(ErrorKind::kNotFound, "{}: there is no such adapter file or folder", path);
  }
  if (const auto folder = peft_folder(path)) return open_peft(path, *folder);
  CARAT_TRY(const formats::GgufFile gguf, formats::open_gguf(path));
  return from_gguf(path, gguf);
}

Result<AdapterFile> AdapterFile::open_peft(const std::string& path, const fs::path& folder) {
  const std::string config_file = (folder / kPeftConfig).string();
  const std::string weights_file = (folder / kPeftWeights).string();
  if (!is_there(config_file)) {
    return fail(ErrorKind::kInvalidModel, "{}: no adapter: {} is missing", path, config_file);
  }
  if (!is_there(weights_file) && is_there(folder / kPickledWeights)) {
    return fail(ErrorKind::kInvalidModel,
                "{}: {} is a Python pickle, which can run programs and is not read; save the adapter with "
                "safe_serialization=True",
                path, kPickledWeights);
  }
  CARAT_TRY(const std::string text, read_whole_file(config_file, kMaxConfigBytes));
  CARAT_TRY(AdapterConfig config, adapter_config_from_peft(text, config_file));
  CARAT_TRY(formats::TensorDirectory tensors, formats::open_safetensors(weights_file));
  return from_peft(path, std::move(config), std::move(tensors));
}

Result<AdapterFile> AdapterFile::from_peft(std::string path, AdapterConfig config,
                                           formats::TensorDirectory tensors) {
  AdapterFile file(std::move(path), AdapterFormat::kPeft, std::move(config), std::move(tensors));
  CARAT_TRY_VOID(file.collect());
  return file;
}

Result<AdapterFile> AdapterFile::from_gguf(std::string path, const formats::GgufFile& gguf) {
  CARAT_TRY(AdapterConfig config, adapter_config_from_gguf(gguf));
  AdapterFile file(std::move(path), AdapterFormat::kGguf, std::move(config), gguf.tensors());
  CARAT_TRY_VOID(file.collect());
  return file;
}

Result<> AdapterFile::collect() {
  std::map<std::pair<std::size_t, TensorId>, Halves> found;
  for (const formats::TensorEntry& entry : directory_.entries()) {
    const std::string& file = entry.source->name();
    CARAT_TRY(AdapterPlace place, format_ == AdapterFormat::kPeft
                                      ? adapter_place_from_peft(entry.name, file)
                                      : adapter_place_from_gguf(entry.name, file));
    Halves& halves = found[{place.layer, place.id}];
    std::optional<tensor::StoredTensor>& half = place.is_up ? halves.up : halves.down;
    if (half) {
      return fail(ErrorKind::kInvalidModel, "{}: tensors '{}' and '{}' are for the same matrix", file,
                  half->name, entry.name);
    }
    CARAT_TRY(half, matrix_of(entry));
    halves.module = std::move(place.module);
  }
  if (found.empty()) return fail(ErrorKind::kInvalidModel, "{}: the adapter has no tensors", path_);
  for (auto& [where, halves] : found) {
    if (!halves.down || !halves.up) {
      const std::string& present = (halves.down ? halves.down : halves.up)->name;
      return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' is there without its {} half", path_, present,
                  halves.down ? "up (lora_B)" : "down (lora_A)");
    }
    AdapterEntry entry{.layer = where.first,
                       .id = where.second,
                       .down = *std::move(halves.down),
                       .up = *std::move(halves.up)};
    CARAT_TRY_VOID(check_entry(entry, halves.module));
    entry.scale = config_.scale_of(halves.module, entry.rank());
    entries_.push_back(std::move(entry));
  }
  return {};
}

Result<> AdapterFile::check_entry(const AdapterEntry& entry, std::string_view module) const {
  const std::string& file = entry.down.source->name();
  if (entry.down.rows != entry.up.columns) {
    return fail(
        ErrorKind::kInvalidModel,
        "{}: tensors '{}' {} and '{}' {}: the rows of the first and the columns of the second are the "
        "rank and must agree",
        file, entry.down.name, shape_of(entry.down), entry.up.name, shape_of(entry.up));
  }
  if (entry.down.rows > kMaxAdapterRank) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': a rank of at most {} is supported, found {}",
                file, entry.down.name, kMaxAdapterRank, entry.down.rows);
  }
  const std::size_t stated = config_.rank_of(module);
  if (stated != 0 && stated != entry.rank()) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' has rank {}, but {} says {}", file,
                entry.down.name, entry.rank(), kPeftConfig, stated);
  }
  return {};
}

Result<> AdapterFile::check_base(const GemmaConfig& base, std::string_view base_name) const {
  const std::string trained_for =
      config_.base_model.empty() ? "another model" : fmt::format("'{}'", config_.base_model);
  for (const AdapterEntry& entry : entries_) {
    if (entry.layer >= base.layers) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: the adapter was trained for {}: it has layer {}, but {} has {} layers", path_,
                  trained_for, entry.layer, base_name, base.layers);
    }
    const TensorInfo& matrix = info(entry.id);
    const std::size_t rows = extent(matrix.rows, base);
    const std::size_t columns = extent(matrix.columns, base);
    if (entry.down.columns == columns && entry.up.rows == rows) continue;
    return fail(
        ErrorKind::kInvalidModel,
        "{}: the adapter was trained for {}: its {} of layer {} is for a matrix [{}, {}], but that of {} "
        "is [{}, {}]",
        path_, trained_for, matrix.name, entry.layer, entry.up.rows, entry.down.columns, base_name, rows,
        columns);
  }
  return {};
}

Result<Sha256Digest> AdapterFile::content_hash() const {
  Sha256 hash;
  for (const AdapterEntry& entry : entries_) {
    update(hash, std::uint64_t{entry.layer});
    const std::string_view name = info(entry.id).name;  // unlike its number, the same for ever
    update(hash, std::uint64_t{name.size()});
    hash.update(std::as_bytes(std::span(name)));
    update(hash, entry.scale);
    CARAT_TRY_VOID(update_with_matrix(hash, entry.down));
    CARAT_TRY_VOID(update_with_matrix(hash, entry.up));
  }
  return hash.finish();
}

}  // namespace carat::model
