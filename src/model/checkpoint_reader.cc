#include "model/checkpoint_reader.h"

#include <algorithm>
#include <array>

#include "base/byte_source.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "model/read_config.h"
#include "model/read_vision_config.h"

namespace carat::model {
namespace {

namespace fs = std::filesystem;

// config.json has a few kilobytes; a chat template likewise; tokenizer_config.json lists 6,415 added tokens
// in about a megabyte.
constexpr std::size_t kMaxTextBytes = std::size_t{8} << 20;

// What stands before the names of the text model, which depends on the program that saved it.
Result<std::string_view> find_hf_prefix(const formats::TensorDirectory& directory, const std::string& path) {
  constexpr std::array<std::string_view, 4> kPrefixes = {"model.", "language_model.model.",
                                                         "model.language_model.", ""};
  for (const std::string_view prefix : kPrefixes) {
    if (directory.find(fmt::format("{}{}", prefix, info(TensorId::kEmbedding).hf_name)) != nullptr)
      return prefix;
  }
  return fail(ErrorKind::kInvalidModel, "{}: tensor 'model.embed_tokens.weight' is missing", path);
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

Result<Checkpoint> CheckpointReader::open() {
  const fs::path path = checkpoint_.path_;
  if (!is_there(path)) {
    return fail(ErrorKind::kNotFound, "{}: there is no such file or folder", checkpoint_.path_);
  }
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    CARAT_TRY_VOID(open_safetensors_model(path));
  } else if (path.extension() == ".safetensors" || path.extension() == ".json") {
    CARAT_TRY_VOID(open_safetensors_model(path.has_parent_path() ? path.parent_path() : fs::path(".")));
  } else {
    CARAT_TRY_VOID(open_gguf_model());
  }
  if (!options_.mmproj.empty() && options_.mmproj != kNoMmproj) {
    CARAT_TRY(MmprojFile file, open_mmproj(options_.mmproj, checkpoint_.config_.d_model));
    CARAT_TRY_VOID(use_mmproj(std::move(file)));
  }
  return std::move(checkpoint_);
}

Result<> CheckpointReader::open_gguf_model() {
  CARAT_TRY(checkpoint_.gguf_, formats::open_gguf(checkpoint_.path_));
  const auto type = checkpoint_.gguf_->find_string("general.type");
  if (type && *type == "adapter") {
    return fail(ErrorKind::kInvalidModel,
                "{}: this is an adapter and no model: name it with --lora, and its model with -m",
                checkpoint_.path_);
  }
  CARAT_TRY(checkpoint_.config_, config_from_gguf(*checkpoint_.gguf_));
  CARAT_TRY(checkpoint_.chat_template_, checkpoint_.gguf_->find_string("tokenizer.chat_template"));
  checkpoint_.directory_ = checkpoint_.gguf_->tensors();
  CARAT_TRY_VOID(find_tensors(
      [](const TensorInfo& tensor, std::size_t layer) { return tensor_name(tensor.gguf_name, layer); }));
  return read_gguf_vision();
}

Result<> CheckpointReader::read_gguf_vision() {
  CARAT_TRY(const bool inside, wants_inner_tower(is_gguf_vision_name));
  const std::size_t d_model = checkpoint_.config_.d_model;
  if (inside) {
    CARAT_TRY(const VisionConfig config, vision_config_from_ollama(*checkpoint_.gguf_, d_model));
    CARAT_TRY_VOID(use_vision(config, gguf_vision_names(checkpoint_.directory_, config)));
  }
  const bool wanted = options_.mmproj != kNoMmproj;
  CARAT_TRY_VOID(
      refuse_unknown([wanted](std::string_view name) { return !wanted && is_gguf_vision_name(name); }));
  if (inside || !options_.mmproj.empty()) return {};
  MmprojSearch search = find_mmproj_beside(checkpoint_.path_, d_model);
  checkpoint_.vision_remark_ = std::move(search.remark);
  return search.file ? use_mmproj(*std::move(search.file)) : Result<>();
}

Result<> CheckpointReader::open_safetensors_model(const fs::path& folder) {
  const std::string config_path = (folder / "config.json").string();
  if (!is_there(config_path)) {
    return fail(ErrorKind::kInvalidModel, "{}: {} is missing; a safetensors model needs it",
                checkpoint_.path_, config_path);
  }
  CARAT_TRY(const std::string config_text, read_whole_file(config_path, kMaxTextBytes));
  CARAT_TRY(HfConfig hf, config_from_hf(config_text, config_path));
  checkpoint_.config_ = std::move(hf.config);
  use_head_ = !hf.tied_head;
  CARAT_TRY(checkpoint_.directory_, formats::open_safetensors(checkpoint_.path_));
  CARAT_TRY(const std::string_view prefix, find_hf_prefix(checkpoint_.directory_, checkpoint_.path_));
  const bool head_has_prefix = checkpoint_.directory_.find("language_model.lm_head.weight") != nullptr;
  CARAT_TRY_VOID(find_tensors([&](const TensorInfo& tensor, std::size_t layer) {
    if (tensor.id == TensorId::kHead) {
      return fmt::format("{}{}", head_has_prefix ? "language_model." : "", tensor.hf_name);
    }
    return fmt::format("{}{}", prefix, tensor_name(tensor.hf_name, layer));
  }));
  checkpoint_.norm_offset_ = 1.0F;
  CARAT_TRY_VOID(read_hf_vision(folder, config_text));
  const fs::path tokenizer = folder / "tokenizer.json";
  const fs::path tokenizer_gguf = folder / "tokenizer.gguf";
  if (is_there(tokenizer)) {
    checkpoint_.tokenizer_json_ = tokenizer.string();
  } else if (is_there(tokenizer_gguf)) {
    CARAT_TRY(checkpoint_.tokenizer_gguf_, formats::open_gguf(tokenizer_gguf.string()));
  }
  CARAT_TRY_VOID(read_chat_template(folder));
  find_tuning(folder);
  return {};
}

Result<> CheckpointReader::read_chat_template(const fs::path& folder) {
  if (const fs::path plain = folder / "chat_template.jinja"; is_there(plain)) {
    CARAT_TRY(checkpoint_.chat_template_, read_whole_file(plain.string(), kMaxTextBytes));
    return {};
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const std::string path = (folder / name).string();
    if (!is_there(path)) continue;
    CARAT_TRY(const std::string text, read_whole_file(path, kMaxTextBytes));
    CARAT_TRY(const formats::JsonDocument document, formats::JsonDocument::parse(text, path));
    CARAT_TRY(checkpoint_.chat_template_, document.root().find_string("chat_template"));
    if (checkpoint_.chat_template_) return {};
  }
  if (const formats::GgufFile* gguf = checkpoint_.tokenizer_gguf()) {
    CARAT_TRY(checkpoint_.chat_template_, gguf->find_string("tokenizer.chat_template"));
  }
  return {};
}

void CheckpointReader::find_tuning(const fs::path& folder) {
  GemmaConfig& config = checkpoint_.config_;
  std::error_code ignored;
  config.name = fs::canonical(folder, ignored).filename().string();
  if (const auto tuned = instruction_tuned_by_name(config.name)) {
    config.instruction_tuned = *tuned;
    config.instruction_tuned_source = fmt::format("the folder is named '{}'", config.name);
    return;
  }
  config.instruction_tuned = checkpoint_.chat_template_.has_value();
  config.instruction_tuned_source =
      config.instruction_tuned ? "there is a chat template" : "there is no chat template";
}

Result<> CheckpointReader::find_tensors(const NameOf& name_of) {
  const GemmaConfig& config = checkpoint_.config_;
  checkpoint_.tensors_.resize(config.layers * kTensorIdCount);
  for (const TensorInfo& tensor : tensor_table()) {
    const std::size_t copies = tensor.per_layer ? config.layers : 1;
    for (std::size_t layer = 0; layer < copies; ++layer) {
      const auto name = known_.insert(name_of(tensor, layer)).first;
      CARAT_TRY_VOID(find_tensor(tensor, layer, *name));
    }
  }
  return {};
}

Result<bool> CheckpointReader::wants_inner_tower(bool (*is_vision)(std::string_view)) const {
  const bool inside =
      std::ranges::any_of(checkpoint_.directory_.entries(), [&](const formats::TensorEntry& entry) {
        return is_vision(entry.name) && !is_hf_vision_head(entry.name);
      });
  if (inside && !options_.mmproj.empty() && options_.mmproj != kNoMmproj) {
    return fail(ErrorKind::kUsage, "{} has an image tower inside: leave the projector file {} out",
                checkpoint_.path_, options_.mmproj);
  }
  return inside && options_.mmproj.empty();
}

Result<> CheckpointReader::use_vision(const VisionConfig& config, const VisionNames& names) {
  CARAT_TRY(checkpoint_.vision_,
            VisionTensors::find(checkpoint_.directory_, config, names, checkpoint_.path_));
  checkpoint_.config_.vision = config;
  return {};
}

Result<> CheckpointReader::use_mmproj(MmprojFile file) {
  const VisionNames names = gguf_vision_names(file.gguf.tensors(), file.config);
  CARAT_TRY(checkpoint_.vision_,
            VisionTensors::find(file.gguf.tensors(), file.config, names, file.gguf.name()));
  for (const formats::TensorEntry& entry : file.gguf.tensors().entries()) {
    if (!checkpoint_.vision_->names().contains(entry.name)) {
      return fail(ErrorKind::kInvalidModel,
                  "{}: tensor '{}' is no part of a Gemma 3 image tower of {} layers", entry.source->name(),
                  entry.name, file.config.layers);
    }
  }
  checkpoint_.config_.vision = file.config;
  return checkpoint_.directory_.merge(file.gguf.tensors());
}

Result<> CheckpointReader::read_hf_vision(const fs::path& folder, const std::string& config_text) {
  CARAT_TRY(const bool inside, wants_inner_tower(is_hf_vision_name));
  if (inside) {
    const fs::path processor = folder / "preprocessor_config.json";
    std::string processor_text;
    if (is_there(processor)) {
      CARAT_TRY(processor_text, read_whole_file(processor.string(), kMaxTextBytes));
    }
    CARAT_TRY(const VisionConfig config,
              vision_config_from_hf({.config = config_text,
                                     .config_file = (folder / "config.json").string(),
                                     .preprocessor = processor_text,
                                     .preprocessor_file = processor.string()},
                                    checkpoint_.config_.d_model));
    CARAT_TRY_VOID(use_vision(config, hf_vision_names(checkpoint_.directory_)));
  }
  const bool wanted = options_.mmproj != kNoMmproj;
  return refuse_unknown([wanted](std::string_view name) {
    return is_hf_vision_head(name) || (!wanted && is_hf_vision_name(name));
  });
}

Result<> CheckpointReader::refuse_unknown(const std::function<bool(std::string_view)>& ignored) const {
  for (const formats::TensorEntry& entry : checkpoint_.directory_.entries()) {
    if (known_.contains(entry.name) || ignored(entry.name)) continue;
    if (checkpoint_.vision_ && checkpoint_.vision_->names().contains(entry.name)) continue;
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' is no part of a Gemma 3 model of {} layers",
                entry.source->name(), entry.name, checkpoint_.config_.layers);
  }
  return {};
}

Result<> CheckpointReader::find_tensor(const TensorInfo& tensor, std::size_t layer, const std::string& name) {
  const formats::TensorEntry* entry = checkpoint_.directory_.find(name);
  if (entry == nullptr) {
    if (tensor.optional) return {};
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}' is missing", checkpoint_.path_, name);
  }
  const std::vector<std::uint64_t> expected = expected_shape(tensor, checkpoint_.config_);
  if (entry->shape != expected) {
    return fail(ErrorKind::kInvalidModel, "{}: tensor '{}': expected shape {}, found {}",
                entry->source->name(), name, formats::shape_text(expected),
                formats::shape_text(entry->shape));
  }
  if (tensor.id == TensorId::kHead && !use_head_) return {};
  checkpoint_.tensors_[layer * kTensorIdCount + static_cast<std::size_t>(tensor.id)] = tensor::StoredTensor{
      .name = name,
      .source = entry->source,
      .offset = entry->offset,
      .type = entry->type,
      .rows = expected.size() == 1 ? 1 : expected.front(),
      .columns = expected.back(),
      .row_scales = entry->row_scales,
  };
  return {};
}

}  // namespace carat::model
