#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/answer_once.h"
#include "apps/commands.h"
#include "apps/load_image.h"
#include "apps/lora_option.h"
#include "apps/open_model.h"
#include "apps/terminal_console.h"
#include "session/local_turn_runner.h"
#include "terminal/chat_view.h"
#include "terminal/sampling_settings.h"

namespace carat::apps {
namespace {

using config::SettingGroup;

constexpr std::string_view kDemonstration = "What is the capital of France?";
// One press stops the answer, and a second one that comes at once does not lose the conversation.
constexpr int kPressesToKill = 3;

std::string greeting(const Runtime& runtime, const engine::LoadedModel& model, chat::PromptStyle style) {
  std::string text = fmt::format("{}, {}. /help lists the commands, Ctrl-D leaves.\n", model.name,
                                 model.backend->description());
  if (style == chat::PromptStyle::kDialogue && !model.model->config().instruction_tuned) {
    text += fmt::format(
        "This is a base model ({}): it was not trained to chat, so it is shown a dialogue to go on with, and "
        "often "
        "errs.\nFor better answers put an instruction-tuned Gemma 3 (such as gemma-3-1b-it) as GGUF into "
        "{},\n"
        "or name it with -m.\n",
        model.model->config().instruction_tuned_source, model_store(runtime).folder().string());
  }
  return text;
}

terminal::LoadImage image_loader(const Runtime& runtime, const engine::LoadedModel& model) {
  if (!model.vision) return {};
  return [decoder = image_decoder(runtime.settings)](const std::string& path, const std::stop_token& stop) {
    return load_image(decoder, path, /*pan_and_scan=*/false, stop);
  };
}

Result<> chat_on_terminal(Runtime& runtime, const std::vector<std::string>& adapters) {
  CARAT_TRY(const auto model, open_model(runtime, {.adapters = adapters}));
  CARAT_TRY(const auto engine, make_engine(runtime, *model));
  const chat::PromptStyle style = prompt_style(runtime, *model);
  session::LocalTurnRunner runner(*model, *engine, style);
  CARAT_TRY(const auto console, TerminalConsole::create(runtime));
  runtime.interrupts.kill_after(kPressesToKill);
  terminal::ChatView view(
      runner, *console,
      {greeting(runtime, *model, style), settings_for(runtime, style), image_loader(runtime, *model),
       model->vision ? model->vision->config().tokens() : 0});
  return view.run();
}

// Without a terminal there is nobody to talk with: what comes on standard input is one message.
Result<> answer_input(Runtime& runtime, const std::vector<std::string>& adapters) {
  CARAT_TRY(std::string prompt, read_text_from_input(runtime));
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    prompt = kDemonstration;
    note(fmt::format("standard input is empty; for a demonstration: {}", prompt));
  }
  return answer_once(runtime, {.prompt = std::move(prompt),
                               .sampling = terminal::sampling_params(runtime.settings),
                               .adapters = adapters});
}

}  // namespace

void add_chat_command(CommandLine& line) {
  auto adapters = std::make_shared<std::vector<std::string>>();
  CLI::App& command =
      line.add("chat", "Chat on the terminal; without one, answer standard input.",
               {SettingGroup::kModel, SettingGroup::kKvType, SettingGroup::kContext, SettingGroup::kPrompt,
                SettingGroup::kSampling},
               [adapters](Runtime& runtime) {
                 const bool interactive = input_is_terminal() && output_is_terminal();
                 return interactive ? chat_on_terminal(runtime, *adapters) : answer_input(runtime, *adapters);
               });
  add_lora_option(command, *adapters);
}

}  // namespace carat::apps
