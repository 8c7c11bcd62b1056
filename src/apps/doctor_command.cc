#include <filesystem>
#include <memory>
#include <string>

#include "apps/commands.h"
#include "apps/open_model.h"
#include "base/text_file.h"
#include "measure/doctor.h"
#include "model/checkpoint.h"
#include "worker/launcher.h"
#include "worker/serve.h"

namespace carat::apps {
namespace {

constexpr std::size_t kMaxSystemFileBytes = std::size_t{4} << 20;

// Opens the model, which checks everything but the weights' values.
measure::ModelFinding examine_model(const Runtime& runtime) {
  const auto path = find_model(runtime);
  if (!path) return {false, runtime.settings.text(config::Setting::kModel), path.error().message};
  const auto checkpoint = model::Checkpoint::open(path->string());
  return {true, path->string(), checkpoint ? "" : checkpoint.error().message};
}

// Starts a worker, which says what it gave up.
measure::SandboxFinding examine_sandbox() {
  const worker::Launcher launcher(worker::installed_program());
  const auto layers = launcher.run(std::string(worker::kSandboxJob), {});
  if (!layers) return {false, layers.error().message};
  return {true, std::string(reinterpret_cast<const char*>(layers->data()), layers->size())};
}

}  // namespace

void add_doctor_command(CommandLine& line) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App& command = line.add(
      "doctor", "What this machine offers, and whether a model is found.", {config::SettingGroup::kModel},
      [as_json](Runtime& runtime) {
        const measure::DoctorInput input{.version = CARAT_VERSION,
                                         .forced_level = runtime.settings.text(config::Setting::kCpu),
                                         .model = examine_model(runtime),
                                         .sandbox = examine_sandbox()};
        const measure::DoctorReport report = measure::examine_machine(
            input, [](const std::string& path) { return read_text_file(path, kMaxSystemFileBytes); });
        return print(*as_json ? measure::doctor_json(report) : measure::doctor_text(report));
      });
  command.add_flag("--json", *as_json, "print one JSON object");
}

}  // namespace carat::apps
