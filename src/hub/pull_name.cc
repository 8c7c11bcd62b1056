#include "hub/pull_name.h"

#include <algorithm>
#include <array>

#include "base/nearest_name.h"
#include "hub/file_names.h"

namespace carat::hub {
namespace {

struct ShortName {
  std::string_view name;
  std::string_view repository;
  std::string_view precision;  // empty: a safetensors repository
};

// Conversions that are free to download; Google's own repositories, which ask for agreement first, for what
// nobody else converted.
constexpr auto kShortNames = std::to_array<ShortName>({
    {"gemma-3-270m", "ggml-org/gemma-3-270m-GGUF", "Q8_0"},
    {"gemma-3-270m-it", "ggml-org/gemma-3-270m-it-GGUF", "Q8_0"},
    {"gemma-3-270m-it-qat", "ggml-org/gemma-3-270m-it-qat-GGUF", "Q4_0"},
    {"gemma-3-1b-pt", "google/gemma-3-1b-pt", ""},
    {"gemma-3-1b-it", "ggml-org/gemma-3-1b-it-GGUF", "Q4_K_M"},
    {"gemma-3-1b-it-qat", "ggml-org/gemma-3-1b-it-qat-GGUF", "Q4_0"},
    {"gemma-3-4b-pt", "google/gemma-3-4b-pt", ""},
    {"gemma-3-4b-it", "ggml-org/gemma-3-4b-it-GGUF", "Q4_K_M"},
    {"gemma-3-4b-it-qat", "ggml-org/gemma-3-4b-it-qat-GGUF", "Q4_0"},
    {"gemma-3-12b-pt", "google/gemma-3-12b-pt", ""},
    {"gemma-3-12b-it", "ggml-org/gemma-3-12b-it-GGUF", "Q4_K_M"},
    {"gemma-3-12b-it-qat", "ggml-org/gemma-3-12b-it-qat-GGUF", "Q4_0"},
    {"gemma-3-27b-pt", "google/gemma-3-27b-pt", ""},
    {"gemma-3-27b-it", "ggml-org/gemma-3-27b-it-GGUF", "Q4_K_M"},
    {"gemma-3-27b-it-qat", "ggml-org/gemma-3-27b-it-qat-GGUF", "Q4_0"},
});

bool skip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool skip_any(std::string_view& text, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return skip(text, prefix); });
}

// The text before the first `separator`, which is removed together with it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

bool are_safe(std::string_view path) {
  while (true) {
    const bool more = path.find('/') != std::string_view::npos;
    if (!is_safe_name(take_until(path, '/'))) return false;
    if (!more) return true;
  }
}

Result<PullName> parse_hugging_face(std::string_view text) {
  const std::string all(text);
  std::string_view path = text;
  HuggingFaceName name;
  if (const std::size_t colon = path.rfind(':'); colon != std::string_view::npos) {
    name.precision = path.substr(colon + 1);
    path = path.substr(0, colon);
    if (!is_safe_name(name.precision)) path = {};
  }
  const std::string_view owner = take_until(path, '/');
  const std::string_view repository = take_until(path, '/');
  name.repository = fmt::format("{}/{}", owner, repository);
  name.file = path;
  for (const std::string_view link : {"resolve/main/", "blob/main/"}) {  // as copied from a browser
    if (name.file.starts_with(link)) name.file.erase(0, link.size());
  }
  const bool good_file =
      name.file.empty() || (name.precision.empty() && name.file.ends_with(".gguf") && are_safe(name.file));
  // Its name would mean something else the next time.
  const bool is_service =
      owner == "hf.co" || owner == "huggingface.co" || owner == "ollama.com" || owner == "registry.ollama.ai";
  if (is_safe_name(owner) && !is_service && is_safe_name(repository) && good_file) return name;
  return fail(ErrorKind::kUsage,
              "'{}': expected org/repository, org/repository:precision or "
              "org/repository/file.gguf",
              all);
}

constexpr std::string_view kSizes = "gemma3:270m, gemma3:1b, gemma3:4b, gemma3:12b and gemma3:27b";

// Tags begin with a size: "4b", "4b-it-qat", "27b-cloud".
bool is_known_tag(std::string_view tag) {
  const std::string_view size = tag.substr(0, tag.find('-'));
  const bool known = size == "270m" || size == "1b" || size == "4b" || size == "12b" || size == "27b";
  return known || tag == "latest";
}

Result<PullName> parse_ollama(std::string_view text) {
  const std::string all(text);
  OllamaName name;
  if (text.find('/') != std::string_view::npos) name.space = take_until(text, '/');
  name.model = take_until(text, ':');
  name.tag = text.empty() ? "latest" : std::string(text);
  if (name.space == "library") {
    // As the library spells them: sizes in lower case, but precisions not ("4b-it-q4_K_M").
    const std::size_t size = std::min(name.tag.find('-'), name.tag.size());
    name.model = lower_case(name.model);
    name.tag = lower_case(name.tag.substr(0, size)) + name.tag.substr(size);
  }
  if (name.space == "library" && name.model == "gemma3" && !is_known_tag(name.tag)) {
    return fail(ErrorKind::kUsage, "'{}': Gemma 3 has the sizes {}", all, kSizes);
  }
  if (is_safe_name(name.space) && is_safe_name(name.model) && is_safe_name(name.tag)) return name;
  return fail(ErrorKind::kUsage, "'{}': expected a model of the Ollama library, such as gemma3:4b", all);
}

}  // namespace

std::vector<std::string_view> short_names() {
  std::vector<std::string_view> names;
  for (const ShortName& row : kShortNames) names.push_back(row.name);
  return names;
}

Result<PullName> parse_pull_name(std::string_view text) {
  std::string_view rest = text;
  skip_any(rest, {"https://", "http://"});
  if (skip_any(rest, {"hf.co/", "huggingface.co/"})) return parse_hugging_face(rest);
  if (skip_any(rest, {"ollama.com/library/", "registry.ollama.ai/library/", "ollama.com/",
                      "registry.ollama.ai/"})) {
    return parse_ollama(rest);
  }
  const std::string wanted = lower_case(text);
  for (const ShortName& row : kShortNames) {
    if (row.name == wanted) {
      return HuggingFaceName{std::string(row.repository), std::string(row.precision), ""};
    }
  }
  if (text.find('/') != std::string_view::npos) return parse_hugging_face(text);
  if (text.find(':') != std::string_view::npos || wanted == "gemma3") return parse_ollama(text);
  const auto names = short_names();
  return fail(ErrorKind::kUsage,
              "no known model '{}'{} (give a name such as gemma-3-4b-it, gemma3:4b or org/repository:Q4_K_M)",
              text, did_you_mean(nearest_names(wanted, names)));
}

std::string to_text(const PullName& name) {
  if (const auto* file = std::get_if<HuggingFaceName>(&name)) {
    if (!file->file.empty()) return fmt::format("{}/{}", file->repository, file->file);
    return file->precision.empty() ? file->repository
                                   : fmt::format("{}:{}", file->repository, file->precision);
  }
  const auto& model = std::get<OllamaName>(name);
  const std::string text = fmt::format("{}:{}", model.model, model.tag);
  return model.space == "library" ? text : fmt::format("ollama.com/{}/{}", model.space, text);
}

}  // namespace carat::hub
