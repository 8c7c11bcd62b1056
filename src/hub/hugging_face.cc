// What the API of the Hugging Face hub says about a repository, and which of its files make a model.
#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "formats/json.h"
#include "http/url.h"
#include "hub/file_names.h"
#include "hub/pull_plan.h"

namespace carat::hub {
namespace {

namespace fs = std::filesystem;

struct Sibling {
  std::string path;
  std::uint64_t bytes = 0;
  std::string sha256;

  std::string file_name() const { return fs::path(path).filename().string(); }
  std::string stem() const { return fs::path(path).stem().string(); }
  bool is_gguf() const { return path.ends_with(".gguf"); }
};

struct Repository {
  std::string revision;
  std::vector<Sibling> files;
};

Result<Repository> parse_repository(const std::string& text, const std::string& place) {
  CARAT_TRY(const auto document, formats::JsonDocument::parse(text, place));
  Repository repository;
  CARAT_TRY(repository.revision, document.root().get_string("sha"));
  CARAT_TRY(const auto* siblings, document.root().get_array("siblings"));
  for (const auto& value : *siblings) {
    if (!value.is_object()) continue;
    const formats::JsonObject entry(value.get_object(), place, "siblings[]");
    Sibling sibling;
    CARAT_TRY(sibling.path, entry.get_string("rfilename"));
    CARAT_TRY(const auto bytes, entry.find_u64("size"));
    CARAT_TRY(const auto large, entry.find_object("lfs"));
    sibling.bytes = bytes.value_or(0);
    if (large) {
      CARAT_TRY(sibling.sha256, large->get_string("sha256"));
    }
    repository.files.push_back(std::move(sibling));
  }
  return repository;
}

std::string without_shard(const std::string& stem) {
  const auto shard = shard_of(stem);
  return shard ? std::string(shard->name) : stem;
}

// Precisions from the one that most people want to the one that they want least.
constexpr auto kPreferred =
    std::to_array<std::string_view>({"q4_k_m", "q4_0", "q5_k_m", "q6_k", "q8_0", "bf16", "f16", "f32"});

std::size_t model_rank(std::string_view precision) {
  return static_cast<std::size_t>(std::ranges::find(kPreferred, precision) - kPreferred.begin());
}

std::string precisions_in(const std::vector<Sibling>& models) {
  std::set<std::string> names;
  for (const Sibling& file : models) names.insert(without_shard(file.stem()));
  std::string out;
  for (const std::string& name : names) out += fmt::format("{}{}", out.empty() ? "" : ", ", name);
  return out;
}

// The shards of the model that was asked for, or its only file.
Result<std::vector<Sibling>> choose_models(const std::vector<Sibling>& models, const HuggingFaceName& name) {
  std::string chosen;
  if (!name.file.empty()) {
    const auto found = std::ranges::find(models, name.file, &Sibling::path);
    if (found == models.end()) {
      return fail(ErrorKind::kNotFound, "{}: no file '{}'; there are: {}", name.repository, name.file,
                  precisions_in(models));
    }
    chosen = without_shard(found->stem());
  } else if (!name.precision.empty()) {
    const std::string wanted = lower_case(name.precision);
    for (const Sibling& file : models) {
      const std::string stem = without_shard(file.stem());
      const std::string low = lower_case(stem);
      const bool ends = low == wanted || low.ends_with("-" + wanted) || low.ends_with("." + wanted);
      // A shorter name is the plainer one: gemma-Q4_0 before gemma-UD-Q4_0.
      if (ends && (chosen.empty() || stem.size() < chosen.size())) chosen = stem;
    }
    if (chosen.empty()) {
      return fail(ErrorKind::kNotFound, "{}: no model with precision '{}'; there are: {}", name.repository,
                  name.precision, precisions_in(models));
    }
  } else {
    const auto best = std::ranges::min_element(models, {}, [](const Sibling& file) {
      const std::string stem = without_shard(file.stem());
      return std::pair(model_rank(precision_of(stem)), stem.size());
    });
    chosen = without_shard(best->stem());
  }
  std::vector<Sibling> shards;
  for (const Sibling& file : models) {
    if (without_shard(file.stem()) == chosen) shards.push_back(file);
  }
  return shards;
}

bool belongs_to_checkpoint(const Sibling& file) {
  if (file.path.find('/') != std::string::npos) return false;
  return file.path.ends_with(".safetensors") || file.path.ends_with(".json") ||
         file.path == "tokenizer.model" || file.path == "chat_template.jinja";
}

Result<PullPlan> choose_files(const Repository& repository, const HuggingFaceName& name,
                              const std::string& endpoint) {
  std::vector<Sibling> models;
  std::vector<Sibling> projectors;
  for (const Sibling& file : repository.files) {
    if (file.is_gguf()) (is_projector_name(file.file_name()) ? projectors : models).push_back(file);
  }
  PullPlan plan{.service = "huggingface", .source = to_text(name), .revision = repository.revision};
  const auto add = [&](const Sibling& file, FileRole role) {
    plan.files.push_back({file.file_name(),
                          fmt::format("{}/{}/resolve/{}/{}", endpoint, name.repository,
                                      http::encode_path(repository.revision), http::encode_path(file.path)),
                          file.bytes, file.sha256, role});
  };
  const std::size_t slash = name.repository.find('/');
  const std::string owner = name.repository.substr(0, slash);
  const std::string short_repository = name.repository.substr(slash + 1);
  if (models.empty()) {
    const bool has_config =
        std::ranges::find(repository.files, "config.json", &Sibling::path) != repository.files.end();
    if (!has_config || !name.precision.empty() || !name.file.empty()) {
      return fail(ErrorKind::kNotFound, "{}: the repository holds no GGUF file{}", name.repository,
                  has_config ? fmt::format("; 'carat pull {}' gets its safetensors", name.repository) : "");
    }
    const auto is_weights = [](const Sibling& file) { return file.path.ends_with(".safetensors"); };
    // The small ones first: config.json tells of what family the model is.
    for (const bool weights : {false, true}) {
      for (const Sibling& file : repository.files) {
        if (!belongs_to_checkpoint(file) || is_weights(file) != weights) continue;
        add(file, weights ? FileRole::kModel : FileRole::kOther);
      }
    }
    plan.folder = short_repository;
    plan.other_folder = fmt::format("{}-{}", owner, plan.folder);
    return plan;
  }
  CARAT_TRY(const auto shards, choose_models(models, name));
  for (const Sibling& file : shards) add(file, FileRole::kModel);
  const auto projector = std::ranges::min_element(
      projectors, {}, [](const Sibling& file) { return projector_rank(precision_of(file.stem())); });
  if (projector != projectors.end()) add(*projector, FileRole::kProjector);
  const std::string stem = without_shard(shards.front().stem());
  const bool telling = lower_case(stem).find("gemma") != std::string::npos;
  plan.folder = telling ? stem : fmt::format("{}-{}", short_repository, stem);
  plan.other_folder = fmt::format("{}-{}", owner, plan.folder);
  return plan;
}

}  // namespace

Result<PullPlan> plan_hugging_face(const HuggingFaceName& name, const Services& services, const Ask& ask) {
  http::Request request{.url = fmt::format("{}/api/models/{}/revision/main?blobs=true", services.hugging_face,
                                           name.repository)};
  const std::string authorization = services.token.empty() ? "" : fmt::format("Bearer {}", services.token);
  if (!authorization.empty()) request.headers.push_back({"Authorization", authorization});
  CARAT_TRY(const std::string text, ask(request));
  auto repository = parse_repository(text, name.repository);
  if (!repository) return fail(ErrorKind::kNetwork, "the hub's answer: {}", repository.error().message);
  CARAT_TRY(PullPlan plan, choose_files(*repository, name, services.hugging_face));
  plan.authorization = authorization;
  plan.names = {plan.source};
  return checked_plan(std::move(plan));
}

}  // namespace carat::hub
