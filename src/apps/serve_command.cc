#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
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
#include "base/utc_text.h"
#include "http/server.h"
#include "http/systemd.h"
#include "server/access_log.h"
#include "server/anthropic/routes.h"
#include "server/key_sync.h"
#include "server/ollama/routes.h"
#include "server/openai/routes.h"
#include "server/operation_routes.h"
#include "server/server_context.h"

namespace carat::apps {
namespace {

using config::Setting;
using config::SettingGroup;

constexpr std::chrono::seconds kTick(1);
constexpr std::size_t kMostKeyFileBytes = std::size_t{1} << 20;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string utc_now() {
  return utc_text(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

// Each connection takes a descriptor, and the usual soft limit of 1024 is soon reached.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<std::shared_ptr<const server::KeyRing>> read_keys(const config::Settings& settings) {
  const std::string path = settings.text(Setting::kApiKeyFile);
  if (path.empty()) return std::make_shared<const server::KeyRing>();
  CARAT_TRY(const std::string text, read_text_file(path, kMostKeyFileBytes));
  return server::parse_key_file(path, text);
}

Result<server::AccessOptions> access_options(const config::Settings& settings) {
  server::AccessOptions options;
  CARAT_TRY(options.rules.file_keys, read_keys(settings));
  options.rules.allowed_hosts = settings.list(Setting::kAllowHost);
  options.rules.allowed_origins = settings.list(Setting::kAllowOrigin);
  options.most_requests = static_cast<std::size_t>(settings.integer(Setting::kMaxRequests).value());
  options.most_requests_of_key = settings.integer(Setting::kKeyRequests).value();
  return options;
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

Result<http::ServerOptions> server_options(const Runtime& runtime) {
  const config::Settings& settings = runtime.settings;
  http::ServerOptions options;
  options.address = settings.text(Setting::kHost);
  options.port = static_cast<std::uint16_t>(settings.integer(Setting::kPort).value());
  CARAT_TRY(options.activated_sockets, http::activated_sockets(variable, ::getpid()));
  CARAT_TRY(options.trusted_proxies, http::TrustedProxies::parse(settings.list(Setting::kTrustedProxy)));
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

// kUsage where others than this machine could reach the server and there are no keys; else whether a key is
// needed whatever becomes of them.
Result<bool> needs_key(const http::ServerOptions& options, bool has_keys) {
  bool is_local_only = true;
  if (options.activated_sockets.empty()) {
    CARAT_TRY_VOID(server::check_address(options.address, has_keys));
    is_local_only = server::is_local_address(options.address);
  }
  for (const int descriptor : options.activated_sockets) {
    if (is_local(descriptor)) continue;
    CARAT_TRY_VOID(server::check_address("the socket that was passed", has_keys));
    is_local_only = false;
  }
  return !is_local_only;
}

std::string url_of(const http::ServerOptions& options, std::uint16_t port) {
  if (!options.activated_sockets.empty()) return "the sockets that were passed";
  if (options.address.starts_with("unix:")) return options.address;
  const bool is_v6 = options.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", options.tls ? "https" : "http", is_v6 ? "[" : "", options.address,
                     is_v6 ? "]" : "", port);
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
  ServeCommand(Runtime& runtime, std::vector<std::string> adapters, server::AccessOptions access,
               std::unique_ptr<store::Store> store, ServeModels models)
      : runtime_(runtime),
        adapters_(std::move(adapters)),
        models_(std::move(models)),
        log_({.as_json = runtime.settings.is_on(Setting::kLogJson), .write = write_line, .time = utc_now}),
        context_(std::move(access), models_.options([this](std::string_view id, std::string_view message) {
          log_.record_failure(id, message);
        }),
                 runtime.clock),
        notifier_(variable) {
    if (store != nullptr) {
      context_.store = std::make_unique<store::StoreThread>(std::move(store), sweeping());
      keys_ = std::make_unique<server::KeySync>(context_.access, *context_.store, [this](const Error& error) {
        log_.record_failure("keys", error.message);
      });
    }
    if (const auto days = runtime.settings.integer(Setting::kResponseDays).value(); days > 0)
      context_.response_lifetime = std::chrono::days(days);
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
    CARAT_TRY_VOID(check_keys(options));
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

    wait_for_stop();
    notifier_.notify("STOPPING=1");
    context_.health.drain();
    const std::size_t cut = server.drain(drain_limit());
    if (cut > 0) note(fmt::format("{} connections were cut", cut));
    if (Interrupts::end_signal() != 0) return {};
    return fail(ErrorKind::kInterrupted, "stopped");
  }

 private:
  // Keys must be known before the first request comes.
  Result<> check_keys(const http::ServerOptions& options) {
    if (keys_ != nullptr) CARAT_TRY_VOID(keys_->sync());
    CARAT_TRY(const bool needed, needs_key(options, context_.access.rules()->needs_key));
    context_.access.change([&](server::AccessRules& rules) { rules.needs_key |= needed; });
    return {};
  }

  // Until a signal comes.
  void wait_for_stop() {
    const std::stop_token stop = runtime_.interrupts.token();
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    std::chrono::nanoseconds pause = kTick;
    if (const auto watchdog = notifier_.watchdog())
      pause = std::min<std::chrono::nanoseconds>(pause, *watchdog / 2);
    while (!stop.stop_requested()) {
      changed.wait_for(lock, stop, pause, [] { return false; });
      tick();
    }
  }

  // What is to be done every second: keys that `carat keys` changed, and systemd's watchdog.
  void tick() {
    if (keys_ != nullptr) keys_->tick();
    if (!notifier_.watchdog()) return;
    if (!server::health_of(context_).is_stuck) notifier_.notify("WATCHDOG=1");
  }

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
  std::unique_ptr<server::KeySync> keys_;  // null without a store
  http::ServiceNotifier notifier_;
};

Result<> serve(Runtime& runtime, const std::vector<std::string>& adapters) {
  raise_descriptor_limit();
  CARAT_TRY(auto access, access_options(runtime.settings));
  CARAT_TRY(http::ServerOptions options, server_options(runtime));
  CARAT_TRY(auto store, open_store(runtime));
  CARAT_TRY(ServeModels models, ServeModels::create(runtime));
  auto served = ServeCommand(runtime, adapters, std::move(access), std::move(store), std::move(models))
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
