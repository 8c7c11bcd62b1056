#include "engine/load_model.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <variant>

namespace carat::engine {
namespace {

using tokenizer::Tokenizer;

std::string display_name(const model::Checkpoint& checkpoint) {
  if (!checkpoint.config().name.empty()) return checkpoint.config().name;
  const std::filesystem::path path = checkpoint.path();
  // A folder may be given as "models/gemma/", whose last part is empty.
  return (path.has_filename() ? path : path.parent_path()).stem().string();
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const model::Checkpoint& checkpoint) {
  CARAT_TRY(const auto vocabulary, checkpoint.vocabulary());
  if (const auto* arrays = std::get_if<model::VocabularyArrays>(&vocabulary)) {
    return Tokenizer::from_pieces(checkpoint.path(), {arrays->texts, arrays->scores, arrays->types});
  }
  return Tokenizer::from_tokenizer_json(std::get<model::TokenizerJson>(vocabulary).path);
}

Result<std::unique_ptr<LoadedModel>> load_model(const std::string& path,
                                                std::unique_ptr<backend::Backend> backend,
                                                const model::LoadProgress& progress,
                                                const std::stop_token& stop, const LoadOptions& options) {
  CARAT_TRY(model::Checkpoint checkpoint, model::Checkpoint::open(path, options.checkpoint));
  for (const AdapterToLoad& adapter : options.adapters) {
    CARAT_TRY_VOID(adapter.file.check_base(checkpoint.config(), display_name(checkpoint)));
  }
  if (options.admit) CARAT_TRY_VOID(options.admit(checkpoint));
  auto loaded = std::make_unique<LoadedModel>();
  loaded->path = path;
  loaded->name = display_name(checkpoint);
  loaded->chat_template = checkpoint.chat_template().value_or("");
  // Before the weights, which take longer: a model that cannot be talked to is refused at once.
  CARAT_TRY(loaded->tokenizer, load_tokenizer(checkpoint));
  loaded->backend = std::move(backend);
  CARAT_TRY(loaded->model, model::Model::load(checkpoint, *loaded->backend, progress, stop));
  for (const AdapterToLoad& adapter : options.adapters) {
    CARAT_TRY(std::string id, loaded->adapters.add(adapter.file, checkpoint.config(), *loaded->backend));
    if (std::ranges::count(loaded->default_adapters, id, &prompt::AdapterUse::id) > 0) {
      return fail(ErrorKind::kUsage, "{}: this adapter is named twice: give it one weight",
                  adapter.file.path());
    }
    loaded->default_adapters.push_back({std::move(id), adapter.weight});
  }
  loaded->vision_remark = checkpoint.vision_remark();
  if (checkpoint.vision() != nullptr) {
    loaded->vision =
        std::make_unique<VisionLoader>(std::move(checkpoint), *loaded->backend, options.vision_precision);
  }
  return loaded;
}

}  // namespace carat::engine
