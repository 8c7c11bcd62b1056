#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/client.h"
#include "hub/pull_name.h"

namespace carat::hub {

enum class FileRole : std::uint8_t { kModel, kProjector, kOther };
std::string_view to_text(FileRole role);

// A file as a service promises it.
struct RemoteFile {
  std::string name = {};  // in the folder of the model; a safe name
  std::string url = {};
  std::uint64_t bytes = 0;
  std::string sha256 = {};  // lower-case digits; empty where the service tells none, as for config.json
  FileRole role = FileRole::kModel;
};

// Everything that belongs to one model.
struct PullPlan {
  std::string folder = {};              // below the store; a safe name
  std::string other_folder = {};        // for when another model has that name; a safe name, or empty
  std::string service = {};             // "huggingface" or "ollama"
  std::string source = {};              // what was resolved: to_text(PullName)
  std::string revision = {};            // commit or digest that the files belong to
  std::vector<std::string> names = {};  // what -m may call it, besides the folder
  std::vector<RemoteFile> files = {};   // never empty, names differ
  std::string authorization = {};       // header for these files; empty: none

  std::uint64_t bytes() const;
};

// Where the services are, and who asks.
struct Services {
  std::string hugging_face = "https://huggingface.co";
  std::string ollama = "https://registry.ollama.ai";
  std::string token = {};  // of Hugging Face; empty: none
};

// Sends one question and returns the answer with status 200; may try again. Everything else is an Error.
using Ask = std::function<Result<std::string>(const http::Request& request)>;

// What there is to download. kNotFound when there is no such repository, model, file or precision; kNetwork
// for an answer that cannot be understood; kDoesNotFit for sizes beyond any Gemma 3.
Result<PullPlan> plan_hugging_face(const HuggingFaceName& name, const Services& services, const Ask& ask);
Result<PullPlan> plan_ollama(const OllamaName& name, const Services& services, const Ask& ask);

// Checks what either made of an answer: sizes, names and digests.
Result<PullPlan> checked_plan(PullPlan plan);

}  // namespace carat::hub
