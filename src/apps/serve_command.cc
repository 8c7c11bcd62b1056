#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "apps/commands.h"
#include "apps/lora_option.h"
#include "apps/open_store.h"
#include "apps/serve_models.h"
#include "base/text_file.h"
#include "http/server.h"
#include "http/systemd.h"
#include "server/access_log.h"
#include "server/anthropic/routes.h"
#include "server/ollama/routes.h"
#include "server/openai/routes.h"
#include "server/operation_routes.h"
#include "server/server_context.h"

namespace carat::apps {
namespace {

using config::Setting;
using config::SettingGroup;

constexpr std::size_t kMostKeyFileBytes = std::size_t{1} << 20;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// "2026-11-24T20:00:00Z"
std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  ::gmtime_r(&now, &parts);
  char text[32] = {};
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

// Each connection takes a descriptor, and the usual soft limit of 1024 is soon reached.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<std::shared_ptr<const server::KeyRing>> read_keys(const Runtime& runtime) {
  const std::string path = runtime.settings.text(Setting::kApiKeyFile);
  if (path.empty()) return nullptr;
  CARAT_TRY(const std::string text, read_text_file(path, kMostKeyFileBytes));
  CARAT_TRY(auto keys, server::parse_key_file(path, text));
  return std::shared_ptr<const server::KeyRing>(std::move(keys));
}

// Whether only this machine reaches a socket that was opened for this process.
bool is_local(int descriptor) {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_UNIX) return true;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return ::ntohl(v4.sin_addr.s_addr) >> 24 == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return address.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0;
}

Result<http::ServerOptions> server_options(const Runtime& runtime, bool has_keys) {
  const config::Settings& settings = runtime.settings;
  http::ServerOptions options;
  options.address = settings.text(Setting::kHost);
  options.port = static_cast<std::uint16_t>(settings.integer(Setting::kPort).value());
  CARAT_TRY(options.activated_sockets, http::activated_sockets(variable, ::getpid()));
  if (options.activated_sockets.empty()) CARAT_TRY_VOID(server::check_address(options.address, has_keys));
  for (const int descriptor : options.activated_sockets) {
    if (!is_local(descriptor)) CARAT_TRY_VOID(server::check_address("the socket that was passed", has_keys));
  }
  const std::string certificate = settings.text(Setting::kTlsCertificate);
  const std::string key = settings.text(Setting::kTlsKey);
  if (certificate.empty() != key.empty())
    return fail(ErrorKind::kUsage, "--tls-certificate and --tls-key go together: one of them is missing");
  if (!certificate.empty()) options.tls = http::TlsFiles{.certificate = certificate, .key = key};
  options.refusal_body = [](unsigned status, std::string_view message, std::string_view path) {
    return server::error_response(server::from_transport(status, message, path), server::shape_of(path));
  };
  return options;
}

std::string url_of(const http::ServerOptions& options, std::uint16_t port) {
  if (!options.activated_sockets.empty()) return "the sockets that were passed";
  if (options.address.starts_with("unix:")) return options.address;
  const bool is_v6 = options.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", options.tls ? "https" : "http", is_v6 ? "[" : "", options.address,
                     is_v6 ? "]" : "", port);
}

// Until a signal comes; meanwhile tells systemd's watchdog that the engine gets on, if it does.
void wait_for_stop(const Runtime& runtime, const server::ServerContext& context,
                   const http::ServiceNotifier& notifier) {
  const std::stop_token stop = runtime.interrupts.token();
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  const auto period = notifier.watchdog();
  while (!stop.stop_requested()) {
    if (!period) {
      changed.wait(lock, stop, [] { return false; });
      continue;
    }
    changed.wait_for(lock, stop, *period / 2, [] { return false; });
    if (!server::health_of(context).is_stuck) notifier.notify("WATCHDOG=1");
  }
}

Result<http::Server> listen(http::ServerOptions options) {
  auto server = http::Server::listen(std::move(options));
  if (!server && server.error().kind == ErrorKind::kNetwork)
    return fail(ErrorKind::kPortInUse, "{}", server.error().message);
  return server;
}

// What serving takes, in the order in which it is made; it goes in the reverse one.
class ServeCommand {
 public:
  ServeCommand(Runtime& runtime, std::vector<std::string> adapters,
               std::shared_ptr<const server::KeyRing> keys, std::unique_ptr<store::Store> store,
               ServeModels models)
      : runtime_(runtime),
        adapters_(std::move(adapters)),
        models_(std::move(models)),
        log_({.as_json = runtime.settings.is_on(Setting::kLogJson), .write = write_line, .time = utc_time}),
        context_({.keys = std::move(keys),
                  .allowed_hosts = runtime.settings.list(Setting::kAllowHost),
                  .allowed_origins = runtime.settings.list(Setting::kAllowOrigin)},
                 models_.options([this](std::string_view id, std::string_view message) {
                   log_.record_failure(id, message);
                 }),
                 runtime.clock),
        notifier_(variable) {
    if (store != nullptr) context_.store = std::make_unique<store::StoreThread>(std::move(store), sweeping());
    context_.version = CARAT_VERSION;
    context_.unix_time = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
    context_.on_failure = [this](std::string_view id, std::string_view message) {
      log_.record_failure(id, message);
    };
  }

  // The port is taken first, so that what stands in its way is known before a model is loaded.
  Result<> run(http::ServerOptions options) {
    options.on_answer = [this](const http::AccessEntry& entry) {
      log_.record(entry);
      context_.metrics.record(entry);
    };
    CARAT_TRY(http::Server server, listen(options));
    http::Router router;
    server::add_operation_routes(router, context_);
    server::openai::add_routes(router, context_);
    server::anthropic::add_routes(router, context_);
    server::ollama::add_routes(router, context_);
    server.start(std::move(router));

    CARAT_TRY_VOID(models_.load_pinned(runtime_, adapters_, context_.models));
    note(fmt::format("serving {} at {} (Ctrl-C stops)", describe(context_.models),
                     url_of(options, server.port())));
    notifier_.notify("READY=1");

    wait_for_stop(runtime_, context_, notifier_);
    notifier_.notify("STOPPING=1");
    context_.health.drain();
    const std::size_t cut = server.drain(drain_limit());
    if (cut > 0) note(fmt::format("{} connections were cut", cut));
    if (Interrupts::end_signal() != 0) return {};
    return fail(ErrorKind::kInterrupted, "stopped");
  }

 private:
  static void write_line(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
  }
  store::StoreThread::Options sweeping() {
    return {.on_sweep_failure = [this](const Error& error) { log_.record_failure("store", error.message); }};
  }
  std::chrono::milliseconds drain_limit() const {
    return std::chrono::seconds(runtime_.settings.integer(Setting::kDrainSeconds).value());
  }

  Runtime& runtime_;
  const std::vector<std::string> adapters_;
  const ServeModels models_;
  server::AccessLog log_;
  server::ServerContext context_;
  http::ServiceNotifier notifier_;
};

Result<> serve(Runtime& runtime, const std::vector<std::string>& adapters) {
  raise_descriptor_limit();
  CARAT_TRY(auto keys, read_keys(runtime));
  CARAT_TRY(http::ServerOptions options, server_options(runtime, keys != nullptr));
  CARAT_TRY(auto store, open_store(runtime));
  CARAT_TRY(ServeModels models, ServeModels::create(runtime));
  auto served = ServeCommand(runtime, adapters, std::move(keys), std::move(store), std::move(models))
                    .run(std::move(options));
  // Told to stop while the model was loading.
  if (!served && served.error().kind == ErrorKind::kInterrupted && Interrupts::end_signal() != 0) return {};
  return served;
}

}  // namespace

void add_serve_command(CommandLine& line) {
  auto adapters = std::make_shared<std::vector<std::string>>();
  CLI::App& command =
      line.add("serve", "Serve the model over HTTP, as OpenAI's, Ollama's and Anthropic's clients expect it.",
               {SettingGroup::kModel, SettingGroup::kKvType, SettingGroup::kContext, SettingGroup::kServer,
                SettingGroup::kStore},
               [adapters](Runtime& runtime) { return serve(runtime, *adapters); });
  line.add_model_argument(command);
  add_lora_option(command, *adapters);
}

}  // namespace carat::apps
