#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/commands.h"
#include "apps/model_plan.h"
#include "backend/cpu/cpu_backend.h"
#include "base/text_file.h"
#include "hub/file_names.h"
#include "hub/pull_name.h"
#include "model/checkpoint.h"
#include "planner/device_list.h"
#include "planner/fit.h"
#include "planner/memory_size.h"
#include "planner/plan_text.h"
#include "planner/released.h"
#include "planner/report_table.h"
#include "quantize/precision.h"
#include "terminal/printable.h"

namespace carat::apps {
namespace {

constexpr std::size_t kMaxDeviceFileBytes = std::size_t{1} << 20;

struct PlanOptions {
  std::optional<std::string> precision;
  std::optional<std::string> memory;
  std::optional<std::string> device;
  std::size_t users = 1;
  std::size_t snapshots = 0;
  bool head_copy = false;
  bool json = false;
  bool report = false;
  bool devices = false;
};

// What is planned for: the files of a model, or a released size of which there are none here.
struct Subject {
  std::optional<model::Checkpoint> checkpoint;
  model::GemmaConfig config;
  std::string name;
};

// Without files: the precision of what `carat pull` gets by that name.
planner::Precision pulled_precision(const std::string& name) {
  using enum planner::Precision;
  const auto parsed = hub::parse_pull_name(name);
  if (!parsed) return name.find("qat") != std::string::npos ? kInt4Block : kBf16;
  std::string wanted;
  if (const auto* repository = std::get_if<hub::HuggingFaceName>(&*parsed)) {
    wanted = repository->precision;
    if (wanted.empty()) return name.find("qat") != std::string::npos ? kInt4Block : kBf16;
  } else {
    wanted = std::get<hub::OllamaName>(*parsed).tag;
  }
  const std::string lower = hub::lower_case(wanted);
  const auto has = [&](std::string_view part) { return lower.find(part) != std::string::npos; };
  if (has("qat") || has("q4_0")) return kInt4Block;
  if (has("q8_0")) return kQ8_0;
  return has("f16") || has("fp16") || has("f32") ? kBf16 : kQ4_K_M;
}

Result<Subject> find_subject(const Runtime& runtime) {
  const std::string name = runtime.settings.text(config::Setting::kModel);
  const auto path = find_model(runtime);
  if (path) {
    Subject subject;
    CARAT_TRY(subject.checkpoint, model::Checkpoint::open(path->string(), checkpoint_options(runtime)));
    subject.config = subject.checkpoint->config();
    subject.name = path->filename().string();
    return subject;
  }
  // What lies there under that name, but is no model, is not what was released either.
  std::error_code error;
  const auto size = planner::find_released(name);
  if (!size || std::filesystem::exists(name, error)) return std::unexpected(path.error());
  Subject subject{.checkpoint = {}, .config = planner::released_config(*size), .name = name};
  const std::string mmproj = checkpoint_options(runtime).mmproj;
  if (mmproj == model::kNoMmproj) {
    subject.config.vision.reset();
  } else if (!mmproj.empty()) {
    return fail(
        ErrorKind::kUsage,
        "--mmproj: {} goes with the files of a model, and {} names a released size; --mmproj none leaves its "
        "image tower out",
        mmproj, name);
  }
  return subject;
}

Result<planner::Precision> chosen_precision(const Subject& subject, const PlanOptions& options) {
  if (!options.precision) return pulled_precision(subject.name);
  if (const auto precision = quantize::find_precision(*options.precision)) return *precision;
  std::string names;
  for (const planner::Precision precision : planner::kPrecisions) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", planner::name_of(precision));
  }
  return fail(ErrorKind::kUsage, "--precision: expected one of {}, found '{}'", names, *options.precision);
}

Result<planner::DeviceList> device_list(const Runtime& runtime) {
  planner::DeviceList devices = planner::DeviceList::built_in();
  const std::string path = (runtime.directories.config / "devices.txt").string();
  const auto text = read_text_file(path, kMaxDeviceFileBytes);
  if (!text) {
    if (text.error().kind == ErrorKind::kNotFound) return devices;
    return std::unexpected(text.error());
  }
  CARAT_TRY(const planner::DeviceList own, planner::DeviceList::parse(path, *text));
  devices.merge(own);
  return devices;
}

struct Place {
  std::string name;
  std::uint64_t memory = 0;
};

Result<Place> find_place(const Runtime& runtime, const PlanOptions& options) {
  if (options.memory) {
    CARAT_TRY(const std::uint64_t memory, planner::parse_memory_size("--memory", *options.memory));
    return Place{"--memory", memory};
  }
  if (options.device) {
    CARAT_TRY(const planner::DeviceList devices, device_list(runtime));
    CARAT_TRY(const planner::Device device, devices.find(*options.device));
    return Place{fmt::format("{} ({})", device.name, device.memory_text), device.memory};
  }
  if (const auto memory = memory_here()) return Place{"this machine, free,", *memory};
  return fail(ErrorKind::kFailed, "cannot find out how much memory is free here: say how much with --memory");
}

std::string devices_json(const planner::DeviceList& devices) {
  boost::json::array rows;
  for (const planner::Device& device : devices.devices()) {
    rows.push_back(boost::json::object{{"name", device.name},
                                       {"memory", device.memory_text},
                                       {"memory_bytes", device.memory},
                                       {"description", device.description}});
  }
  return boost::json::serialize(boost::json::object{{"devices", std::move(rows)}}) + "\n";
}

std::string devices_text(const planner::DeviceList& devices) {
  std::string text;
  for (const planner::Device& device : devices.devices()) {
    text += fmt::format("{:<20} {:>8}  {}\n", device.name, device.memory_text,
                        terminal::printable_line(device.description));
  }
  return text;
}

Result<planner::PlanRequest> checked_request(const Runtime& runtime, const PlanOptions& options,
                                             const Subject& subject) {
  planner::PlanRequest request = plan_request(runtime, subject.config);
  if (request.context_length > subject.config.max_context) {
    return fail(ErrorKind::kUsage, "-c: {} can use at most {} tokens, found {}", subject.name,
                subject.config.max_context, request.context_length);
  }
  request.users = options.users;
  request.snapshots = options.snapshots;
  if (options.head_copy) request.head_copy = tensor::ElementType::kQ4_0;
  return request;
}

Result<> plan(const Runtime& runtime, const PlanOptions& options) {
  // Also where nothing is computed, a level that is not there is a mistake.
  CARAT_TRY_VOID(
      backend::make_cpu_backend({.threads = 1, .level = runtime.settings.text(config::Setting::kCpu)}));
  CARAT_TRY(const Subject subject, find_subject(runtime));
  CARAT_TRY(const planner::Precision precision, chosen_precision(subject, options));
  CARAT_TRY(const planner::PlanRequest request, checked_request(runtime, options, subject));
  CARAT_TRY(const Place place, find_place(runtime, options));
  const bool as_stored = subject.checkpoint && !options.precision;
  const planner::TensorTypes types =
      as_stored ? planner::types_of(*subject.checkpoint) : planner::types_of(precision, subject.config);
  const planner::FitReport report = planner::check_fit(subject.config, types, request, place.memory);
  const planner::PlanSubject heading{
      .model = subject.name,
      .precision = as_stored ? "as stored" : std::string(planner::description_of(precision)),
      .place = place.name};
  CARAT_TRY_VOID(
      print(options.json ? planner::plan_json(heading, report) : planner::plan_text(heading, report)));
  return planner::require_fit(report, subject.name, place.name);
}

Result<> run_plan(const Runtime& runtime, const PlanOptions& options) {
  if (options.report) {
    const auto table = planner::report_table();
    return print(options.json ? planner::report_json(table) : planner::report_text(table));
  }
  if (options.devices) {
    CARAT_TRY(const planner::DeviceList devices, device_list(runtime));
    return print(options.json ? devices_json(devices) : devices_text(devices));
  }
  return plan(runtime, options);
}

}  // namespace

void add_plan_command(CommandLine& line) {
  using enum config::SettingGroup;
  auto options = std::make_shared<PlanOptions>();
  CLI::App& command = line.add("plan", "What memory a model needs, whether that fits, and what would.",
                               {kModel, kKvType, kContext},
                               [options](Runtime& runtime) { return run_plan(runtime, *options); });
  line.add_model_argument(command);
  command.add_option(
      "--precision", options->precision,
      "of the weights: bf16, q8_0, sfp8, q4_k_m, int4-block or int4 (default: as the files have them; "
      "without files as carat pull gets it, bf16 where it gets safetensors)");
  command.add_option("--users", options->users, "conversations at once, each with a full context")
      ->check(CLI::Range(std::size_t{1}, planner::kMostUsers))
      ->capture_default_str();
  auto* memory = command.add_option("--memory", options->memory, "memory to fit into, e.g. 16GiB or 24GB")
                     ->type_name("SIZE");
  command.add_option("--device", options->device, "a device of the list, instead of this machine")
      ->type_name("NAME")
      ->excludes(memory);
  command.add_option("--snapshots", options->snapshots, "room for so many snapshots of each user's windows")
      ->check(CLI::Range(std::size_t{0}, std::size_t{1024}))
      ->capture_default_str();
  command.add_flag("--head-copy", options->head_copy, "room for a second head in int4");
  command.add_flag("--devices", options->devices, "list the devices and do nothing else");
  command.add_flag("--report", options->report, "the Gemma 3 report's memory table beside exact bytes");
  command.add_flag("--json", options->json, "print one JSON object");
}

}  // namespace carat::apps
