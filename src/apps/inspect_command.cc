#include <filesystem>
#include <memory>
#include <string>

#include "apps/adapter_inspection.h"
#include "apps/commands.h"
#include "apps/inspection.h"
#include "apps/open_model.h"
#include "model/adapter_file.h"
#include "model/checkpoint.h"

namespace carat::apps {

namespace {

Result<std::string> inspection(const Runtime& runtime, bool as_json) {
  const std::string name = runtime.settings.text(config::Setting::kModel);
  if (!name.empty() && model::is_adapter(name)) {
    CARAT_TRY(const model::AdapterFile adapter, model::AdapterFile::open(name));
    return as_json ? adapter_json(adapter) : adapter_text(adapter);
  }
  CARAT_TRY(const std::filesystem::path path, find_model(runtime));
  CARAT_TRY(const model::Checkpoint checkpoint,
            model::Checkpoint::open(path.string(), checkpoint_options(runtime)));
  return as_json ? inspection_json(checkpoint) : inspection_text(checkpoint);
}

}  // namespace

void add_inspect_command(CommandLine& line) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App& command = line.add("inspect", "What a model or adapter holds: configuration, tensors, sizes.",
                               {config::SettingGroup::kModel}, [as_json](Runtime& runtime) -> Result<> {
                                 CARAT_TRY(const std::string text, inspection(runtime, *as_json));
                                 return print(text);
                               });
  line.add_model_argument(command);
  command.add_flag("--json", *as_json, "print one JSON object");
}

}  // namespace carat::apps
