#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client.h"
#include "hub/download.h"
#include "hub/pull_plan.h"
#include "hub/retry.h"

namespace carat::hub {

inline constexpr std::string_view kPartialSuffix = ".partial";  // of a folder that is being pulled

enum class PullPhase : std::uint8_t { kDownloading, kChecking };

struct PullOptions {
  std::filesystem::path store;  // folder of models, made where it is missing
  Services services = {};
  DownloadOptions download = {};
  // Bytes of the whole model in that phase; called by one thread at a time.
  std::function<void(PullPhase, std::uint64_t done, std::uint64_t total)> progress =
      [](PullPhase, std::uint64_t, std::uint64_t) {};
  // Whether the files of a model can be used; that they are a Gemma 3 model where this is empty.
  //   path  a GGUF file or a safetensors folder, not under its own name yet
  std::function<Result<>(const std::filesystem::path& path)> check_model = {};
  // Bytes that may still be written at a path; the file system is asked where this is empty.
  std::function<std::uint64_t(const std::filesystem::path&)> free_bytes = {};
};

struct Pulled {
  std::string name;              // what -m calls it
  std::filesystem::path folder;  // of its files and the record
  PullPlan plan;
  bool was_there = false;   // complete and of the same revision already
  std::string remark = {};  // what is to be said about it; usually empty
};

// Gets a model into the store: asks what belongs to it, checks that there is room, downloads into
// NAME.partial, checks every SHA-256 and that it is a model, and gives the folder its name in one step. A
// pull that ends early, by a stop, a cut or a crash, goes on from there the next time. Nothing but an older
// revision of the same model is ever replaced.
//
// Errors: kUsage for a name that means nothing, kNotFound for a model that is not there, kNetwork, kDiskFull
// before and while writing, kInterrupted, kInvalidModel for what is no Gemma 3 model, kFailed where
// permission is missing, another pull is at work or something else has the folder's name.
Result<Pulled> pull(std::string_view name, const http::Client& client, Waiter& waiter,
                    const PullOptions& options, const std::stop_token& stop);

}  // namespace carat::hub
