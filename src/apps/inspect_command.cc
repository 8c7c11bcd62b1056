#include <filesystem>
#include <memory>
#include <string>

#include "apps/commands.h"
#include "apps/inspection.h"
#include "apps/open_model.h"
#include "model/checkpoint.h"

namespace carat::apps {

void add_inspect_command(CommandLine& line) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App& command =
      line.add("inspect", "What a model file holds: configuration, tensors, sizes.",
               {config::SettingGroup::kModel}, [as_json](Runtime& runtime) -> Result<> {
                 CARAT_TRY(const std::filesystem::path path, find_model(runtime));
                 CARAT_TRY(const model::Checkpoint checkpoint,
                           model::Checkpoint::open(path.string(), checkpoint_options(runtime)));
                 return print(*as_json ? inspection_json(checkpoint) : inspection_text(checkpoint));
               });
  line.add_model_argument(command);
  command.add_flag("--json", *as_json, "print one JSON object");
}

}  // namespace carat::apps
