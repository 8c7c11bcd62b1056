#include <langinfo.h>
#include <unistd.h>

#include <clocale>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/exit_code.h"
#include "apps/runtime.h"
#include "apps/standard_streams.h"
#include "base/byte_source.h"
#include "config/directories.h"
#include "config/settings.h"

namespace carat::apps {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

// The line editor counts columns by it; models speak UTF-8 whatever the environment says.
void use_utf8_locale() {
  const char* chosen = std::setlocale(LC_CTYPE, "");
  if (chosen == nullptr || std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0)
    std::setlocale(LC_CTYPE, "C.UTF-8");
}

Result<config::Resolution> resolve_settings(const CommandLine& line, const config::Directories& directories) {
  config::Sources sources;
  sources.flags = line.flags();
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    sources.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  sources.file_name = (directories.config / "config.toml").string();
  auto file = read_whole_file(sources.file_name, kMaxConfigBytes);
  if (!file && file.error().kind != ErrorKind::kNotFound) {
    return fail(ErrorKind::kUsage, "{}", file.error().message);
  }
  if (file) sources.file_text = std::move(*file);
  return config::resolve(sources);
}

Result<> run_command(int argc, const char* const* argv, Interrupts& interrupts) {
  CommandLine line;
  add_chat_command(line);
  add_run_command(line);
  add_serve_command(line);
  add_tokenize_command(line);
  add_inspect_command(line);
  add_logits_command(line);
  add_perplexity_command(line);
  add_quantize_command(line);
  add_bench_command(line);
  add_doctor_command(line);
  add_pull_command(line);
  add_models_command(line);
  add_plan_command(line);
  add_keys_command(line);
  add_config_command(line);
  CARAT_TRY(const CommandLine::Outcome outcome, line.parse(argc, argv));
  if (outcome == CommandLine::Outcome::kDone) return print(line.text());

  const config::Directories directories = config::user_directories();
  CARAT_TRY(const config::Resolution resolution, resolve_settings(line, directories));
  for (const std::string& warning : resolution.warnings) note(warning);
  const SteadyClock clock;
  Runtime runtime{resolution.settings, directories, interrupts, clock};
  return line.action()(runtime);
}

// Buffers whose size comes from a file or a flag are asked for with Result; this is for all the others, and
// for threads, which need memory too.
Result<> run(int argc, const char* const* argv, std::optional<Interrupts>& interrupts) {
  try {
    return run_command(argc, argv, interrupts.emplace());
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kDoesNotFit, "out of memory");
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) throw;
    return fail(ErrorKind::kDoesNotFit, "cannot start another thread: {}", error.what());
  }
}

}  // namespace
}  // namespace carat::apps

int main(int argc, char** argv) {
  using namespace carat;
  apps::open_missing_standard_streams();
  apps::use_utf8_locale();
  std::optional<apps::Interrupts> interrupts;  // as long as anything is written
  const Result<> done = apps::run(argc, argv, interrupts);
  if (done) return 0;
  // Nobody is there to read about a closed pipe.
  if (done.error().kind != ErrorKind::kClosedPipe) apps::note(done.error().message);
  const int end_signal = apps::Interrupts::end_signal();
  return end_signal == 0 ? apps::exit_code(done.error().kind) : 128 + end_signal;
}
