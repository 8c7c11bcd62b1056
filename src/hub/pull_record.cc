#include "hub/pull_record.h"

#include <boost/json.hpp>

#include "base/byte_source.h"
#include "formats/json.h"
#include "hub/file_names.h"

namespace carat::hub {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr std::uint64_t kVersion = 1;

FileRole role_of(std::string_view text) {
  if (text == to_text(FileRole::kProjector)) return FileRole::kProjector;
  return text == to_text(FileRole::kModel) ? FileRole::kModel : FileRole::kOther;
}

}  // namespace

PullRecord PullRecord::of(const PullPlan& plan) {
  PullRecord record{plan.service, plan.source, plan.revision, plan.names, {}};
  for (const RemoteFile& file : plan.files) {
    record.files.push_back({file.name, file.bytes, file.sha256, file.role});
  }
  return record;
}

std::string PullRecord::to_json() const {
  json::array listed;
  for (const File& file : files) {
    listed.push_back(json::object{
        {"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}, {"role", to_text(file.role)}});
  }
  return json::serialize(json::object{{"version", kVersion},
                                      {"service", service},
                                      {"source", source},
                                      {"revision", revision},
                                      {"names", json::value_from(names)},
                                      {"files", std::move(listed)}}) +
         "\n";
}

Result<PullRecord> read_record(const std::filesystem::path& folder) {
  const std::string path = (folder / kRecordName).string();
  CARAT_TRY(const std::string text, read_whole_file(path, kMostBytes));
  return parse_record(text, path);
}

Result<PullRecord> parse_record(const std::string& text, const std::string& place) {
  CARAT_TRY(const auto document, formats::JsonDocument::parse(text, place));
  const formats::JsonObject root = document.root();
  PullRecord record;
  CARAT_TRY(const auto version, root.get_u64("version"));
  if (version != kVersion) return root.invalid("version", "expected {}, found {}", kVersion, version);
  CARAT_TRY(record.service, root.get_string("service"));
  CARAT_TRY(record.source, root.get_string("source"));
  CARAT_TRY(record.revision, root.get_string("revision"));
  CARAT_TRY(const auto* names, root.get_array("names"));
  for (const json::value& name : *names) {
    if (name.is_string()) record.names.emplace_back(std::string_view(name.get_string()));
  }
  CARAT_TRY(const auto* files, root.get_array("files"));
  for (const json::value& value : *files) {
    if (!value.is_object()) return root.invalid("files", "expected objects");
    const formats::JsonObject entry(value.get_object(), place, "files[]");
    PullRecord::File file;
    CARAT_TRY(file.name, entry.get_string("name"));
    if (!is_safe_name(file.name)) return entry.invalid("name", "'{}' is no file name", file.name);
    CARAT_TRY(file.bytes, entry.get_u64("bytes"));
    CARAT_TRY(file.sha256, entry.get_string("sha256"));
    CARAT_TRY(const std::string role, entry.get_string("role"));
    file.role = role_of(role);
    record.files.push_back(std::move(file));
  }
  return record;
}

}  // namespace carat::hub
