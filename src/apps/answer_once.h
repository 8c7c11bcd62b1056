#pragma once

#include <string>
#include <vector>

#include "apps/runtime.h"
#include "prompt/sampling_params.h"

namespace carat::apps {

// One question to the model that the settings name.
struct Question {
  std::string prompt;
  prompt::SamplingParams sampling;
  bool json = false;                     // print one object at the end instead of the text as it comes
  bool raw = false;                      // continue the prompt, no style
  std::vector<std::string> images = {};  // files, shown before the prompt
  bool pan_and_scan = false;
  std::vector<std::string> adapters = {};  // of --lora
};

// Loads the model and prints the answer. Ctrl-C while it is generated: prints what there is, then
// kInterrupted.
Result<> answer_once(Runtime& runtime, const Question& question);

}  // namespace carat::apps
