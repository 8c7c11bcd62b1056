#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "apps/answer_once.h"
#include "apps/commands.h"
#include "apps/lora_option.h"
#include "terminal/sampling_settings.h"

namespace carat::apps {
namespace {

using config::Setting;
using config::SettingGroup;

struct RunOptions {
  std::vector<std::string> words;
  std::vector<std::string> images;
  std::vector<std::string> adapters;
  std::vector<std::string> stop;
  std::vector<std::string> logit_bias;  // "ID=VALUE"
  std::int32_t logprobs = 0;
  bool wants_logprobs = false;
  bool json = false;
  bool raw = false;
  bool pan_and_scan = false;
};

Result<prompt::LogitBias> parse_bias(const std::string& text) {
  prompt::LogitBias bias;
  const char* end = text.data() + text.size();
  const auto id = std::from_chars(text.data(), end, bias.token);
  if (id.ec == std::errc() && id.ptr != end && *id.ptr == '=') {
    const auto value = std::from_chars(id.ptr + 1, end, bias.bias);
    if (value.ec == std::errc() && value.ptr == end) return bias;
  }
  return fail(ErrorKind::kUsage, "--logit-bias: expected ID=VALUE such as 1234=-2.5, found '{}'", text);
}

Result<prompt::SamplingParams> sampling_of(const Runtime& runtime, const RunOptions& options) {
  prompt::SamplingParams params = terminal::sampling_params(runtime.settings);
  params.stop = options.stop;
  if (options.wants_logprobs) params.logprobs = options.logprobs;
  for (const std::string& text : options.logit_bias) {
    CARAT_TRY(params.logit_bias.emplace_back(), parse_bias(text));
  }
  return params;
}

// Whether somebody put something there: a pipe, a file or a socket, not a terminal or /dev/null.
bool input_is_given() {
  struct stat status = {};
  return ::fstat(STDIN_FILENO, &status) == 0 &&
         (S_ISFIFO(status.st_mode) || S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode));
}

// The words of the command line, then what comes on standard input.
Result<std::string> read_prompt(const Runtime& runtime, const RunOptions& options) {
  std::string prompt;
  for (const std::string& word : options.words) prompt += (prompt.empty() ? "" : " ") + word;
  if (prompt.empty() || input_is_given()) {
    CARAT_TRY(const std::string input, read_text_from_input(runtime));
    if (!prompt.empty() && !input.empty()) prompt += "\n\n";
    prompt += input;
  }
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    return fail(ErrorKind::kUsage, "no prompt: give one as an argument or on standard input");
  }
  return prompt;
}

}  // namespace

void add_run_command(CommandLine& line) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command =
      line.add("run", "Answer one prompt, given as arguments, on standard input, or both.",
               {SettingGroup::kModel, SettingGroup::kKvType, SettingGroup::kContext, SettingGroup::kPrompt,
                SettingGroup::kSampling},
               [options](Runtime& runtime) -> Result<> {
                 if (options->wants_logprobs && !options->json) {
                   return fail(ErrorKind::kUsage,
                               "--logprobs: the log-probabilities are part of --json, which is missing");
                 }
                 if (options->raw && !runtime.settings.text(Setting::kSystem).empty()) {
                   return fail(ErrorKind::kUsage,
                               "--raw takes the prompt as it is: there is no place for a system prompt");
                 }
                 CARAT_TRY(const prompt::SamplingParams sampling, sampling_of(runtime, *options));
                 CARAT_TRY(std::string prompt, read_prompt(runtime, *options));
                 return answer_once(runtime, {.prompt = std::move(prompt),
                                              .sampling = sampling,
                                              .json = options->json,
                                              .raw = options->raw,
                                              .images = options->images,
                                              .pan_and_scan = options->pan_and_scan,
                                              .adapters = options->adapters});
               });
  add_lora_option(command, options->adapters);
  command.add_option("PROMPT", options->words, "what to answer")->type_name("");
  command.add_flag("--json", options->json, "print one JSON object with the answer, its tokens and timings");
  command.add_flag("--raw", options->raw, "continue the prompt as it is, without a prompt style")
      ->group("Prompt");
  add_image_options(command, options->images, options->pan_and_scan);
  command.add_option("--stop", options->stop, "end the answer before this text; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Answer");
  command
      .add_option("--logit-bias", options->logit_bias,
                  "add VALUE to the logit of token ID; may be given several times")
      ->type_name("ID=VALUE")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Answer");
  command
      .add_option_function<std::int32_t>(
          "--logprobs",
          [options](std::int32_t count) {
            options->logprobs = count;
            options->wants_logprobs = true;
          },
          "with --json: each token's log-probability and so many alternatives")
      ->type_name("INT")
      ->group("Answer");
}

}  // namespace carat::apps
