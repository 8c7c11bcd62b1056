// What an Ollama registry's manifest says about a model. A blob's name is its SHA-256.
#include "formats/json.h"
#include "hub/pull_plan.h"

namespace carat::hub {
namespace {

Result<PullPlan> parse_manifest(const std::string& text, const OllamaName& name, const Services& services) {
  PullPlan plan{.service = "ollama", .source = to_text(PullName(name))};
  plan.folder = name.space == "library" ? fmt::format("ollama-{}-{}", name.model, name.tag)
                                        : fmt::format("ollama-{}-{}-{}", name.space, name.model, name.tag);
  CARAT_TRY(const auto document, formats::JsonDocument::parse(text, plan.source));
  CARAT_TRY(const auto* layers, document.root().get_array("layers"));
  for (const auto& value : *layers) {
    if (!value.is_object()) continue;
    const formats::JsonObject layer(value.get_object(), plan.source, "layers[]");
    CARAT_TRY(const std::string type, layer.get_string("mediaType"));
    const bool model = type == "application/vnd.ollama.image.model";
    const bool projector = type == "application/vnd.ollama.image.projector";
    if (!model && !projector) continue;
    CARAT_TRY(const std::string digest, layer.get_string("digest"));
    CARAT_TRY(const std::uint64_t bytes, layer.get_u64("size"));
    if (!digest.starts_with("sha256:"))
      return layer.invalid("digest", "expected sha256:..., found {}", digest);
    plan.files.push_back(
        {fmt::format("{}{}.gguf", projector ? "mmproj-" : "", plan.folder),
         fmt::format("{}/v2/{}/{}/blobs/{}", services.ollama, name.space, name.model, digest), bytes,
         digest.substr(7), projector ? FileRole::kProjector : FileRole::kModel});
    if (model) plan.revision = digest;
  }
  if (plan.revision.empty()) return document.root().invalid("layers", "there is no layer with a model");
  return plan;
}

}  // namespace

Result<PullPlan> plan_ollama(const OllamaName& name, const Services& services, const Ask& ask) {
  const http::Request request{
      .url = fmt::format("{}/v2/{}/{}/manifests/{}", services.ollama, name.space, name.model, name.tag),
      .headers = {{"Accept", "application/vnd.docker.distribution.manifest.v2+json"}}};
  CARAT_TRY(const std::string text, ask(request));
  auto plan = parse_manifest(text, name, services);
  if (!plan) return fail(ErrorKind::kNetwork, "the registry's answer: {}", plan.error().message);
  plan->names = {plan->source};
  return checked_plan(std::move(*plan));
}

}  // namespace carat::hub
