#include <boost/json.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/commands.h"
#include "apps/open_model.h"
#include "base/utf8.h"
#include "hub/pull.h"
#include "terminal/progress_line.h"
#include "terminal/transfer_rate.h"

namespace carat::apps {
namespace {

namespace json = boost::json;
using config::Setting;

struct PullFlags {
  std::string name;
  bool as_json = false;
};

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Addresses come with and without a slash at the end.
std::string without_slash(std::string address) {
  while (address.ends_with('/')) address.pop_back();
  return address;
}

// HF_ENDPOINT is what the hub's own programs read.
std::string hugging_face(const Runtime& runtime) {
  const std::string chosen = runtime.settings.text(Setting::kHuggingFace);
  if (!chosen.empty()) return chosen;
  const std::string usual = environment("HF_ENDPOINT").value_or("");
  return usual.empty() ? "https://huggingface.co" : usual;
}

// The token is no setting: `config show` would print it.
hub::Services services(const Runtime& runtime) {
  return {.hugging_face = without_slash(hugging_face(runtime)),
          .ollama = without_slash(runtime.settings.text(Setting::kOllamaRegistry)),
          .token = environment("HF_TOKEN").value_or("")};
}

std::string result_json(const hub::Pulled& pulled) {
  json::array files;
  for (const hub::RemoteFile& file : pulled.plan.files) {
    files.push_back(json::object{{"name", file.name},
                                 {"bytes", file.bytes},
                                 {"sha256", file.sha256},
                                 {"role", hub::to_text(file.role)}});
  }
  return json::serialize(json::object{{"name", pulled.name},
                                      {"folder", replace_invalid_utf8(pulled.folder.string())},
                                      {"service", pulled.plan.service},
                                      {"source", pulled.plan.source},
                                      {"revision", pulled.plan.revision},
                                      {"bytes", pulled.plan.bytes()},
                                      {"was_there", pulled.was_there},
                                      {"files", std::move(files)}}) +
         "\n";
}

std::string result_text(const hub::Pulled& pulled) {
  return pulled.was_there ? fmt::format("{} is there already, in {}\n", pulled.name, pulled.folder.string())
                          : fmt::format("{} is in {}; 'carat chat -m {}' talks to it\n", pulled.name,
                                        pulled.folder.string(), pulled.name);
}

Result<> pull(Runtime& runtime, const PullFlags& flags) {
  if (runtime.settings.is_on(Setting::kOffline)) {
    return fail(ErrorKind::kNetwork, "pulling needs the network, and CARAT_OFFLINE is set");
  }
  const hub::ModelStore store = model_store(runtime);
  if (store.list().empty()) {
    note("Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms");
  }
  http::ClientOptions client_options{.user_agent = fmt::format("carat/{}", CARAT_VERSION)};
  CARAT_TRY(client_options.proxies, http::ProxySettings::from_environment(environment));
  const http::Client client(std::move(client_options));

  terminal::ProgressLine line(runtime.clock, progress_writer());
  terminal::TransferRate rate(runtime.clock);
  hub::PullOptions options{.store = store.folder(), .services = services(runtime)};
  options.progress = [&](hub::PullPhase phase, std::uint64_t done, std::uint64_t total) {
    if (phase == hub::PullPhase::kChecking) return line.update("checking", done, total);
    rate.update(done);
    line.update(rate.describe(total), done, total);
  };
  hub::RealWaiter waiter;
  const auto pulled = hub::pull(flags.name, client, waiter, options, runtime.interrupts.token());
  line.clear();
  if (!pulled && pulled.error().kind == ErrorKind::kInterrupted) {
    return fail(ErrorKind::kInterrupted, "interrupted; the same command goes on from here");
  }
  if (!pulled) return std::unexpected(pulled.error());
  if (!pulled->remark.empty()) note(pulled->remark);
  return print(flags.as_json ? result_json(*pulled) : result_text(*pulled));
}

}  // namespace

void add_pull_command(CommandLine& line) {
  auto flags = std::make_shared<PullFlags>();
  CLI::App& command = line.add("pull", "Download a model into the model store.", {},
                               [flags](Runtime& runtime) { return pull(runtime, *flags); });
  command
      .add_option("name", flags->name,
                  "gemma-3-4b-it and the like, gemma3:4b, org/repository, org/repository:Q4_K_M or "
                  "org/repository/file.gguf")
      ->required();
  command.add_flag("--json", flags->as_json, "print one JSON object");
}

}  // namespace carat::apps
