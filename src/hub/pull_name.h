#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace carat::hub {

// Files of a repository on the Hugging Face hub.
struct HuggingFaceName {
  std::string repository;  // "ggml-org/gemma-3-4b-it-GGUF"
  std::string precision;   // "Q4_K_M"; empty: whatever is best to have
  std::string file;        // path in the repository; empty: chosen by precision
};

// A model of an Ollama registry.
struct OllamaName {
  std::string space = "library";
  std::string model;  // "gemma3"
  std::string tag;    // "4b"
};

using PullName = std::variant<HuggingFaceName, OllamaName>;

// What `carat pull` may be given:
//   gemma-3-4b-it, gemma-3-1b-it-qat   a short name of the family
//   gemma3:4b, user/model:tag with ollama.com/ before it
//   org/repo, org/repo:Q4_K_M, org/repo/file.gguf, with hf.co/ or https://huggingface.co/ before it or not
// kUsage for anything else, with the nearest short name.
Result<PullName> parse_pull_name(std::string_view text);

// All short names, as the help lists them.
std::vector<std::string_view> short_names();

// As this program spells it: "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M", "gemma3:4b", "ollama.com/user/model:tag".
std::string to_text(const PullName& name);

}  // namespace carat::hub
