#include "planner/device_list.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/nearest_name.h"
#include "base/utf8.h"
#include "planner/built_in_devices.h"
#include "planner/memory_size.h"

namespace carat::planner {
namespace {

constexpr std::size_t kMaxDevices = 1000;
constexpr std::size_t kMaxNameBytes = 64;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Result<Device> parse_line(std::string_view where, std::string_view line) {
  const std::size_t equals = line.find('=');
  const std::string_view name = trimmed(line.substr(0, equals));
  if (equals == std::string_view::npos || !is_name(name)) {
    return fail(ErrorKind::kUsage,
                "{}: expected NAME = SIZE, DESCRIPTION with a name of a-z, 0-9, '-' and '.'", where);
  }
  const std::string_view rest = line.substr(equals + 1);
  const std::size_t comma = rest.find(',');
  Device device{.name = std::string(name), .memory_text = std::string(trimmed(rest.substr(0, comma)))};
  CARAT_TRY(device.memory, parse_memory_size(where, device.memory_text));
  if (comma != std::string_view::npos) device.description = trimmed(rest.substr(comma + 1));
  return device;
}

}  // namespace

Result<DeviceList> DeviceList::parse(std::string_view file_name, std::string_view text) {
  if (!is_valid_utf8(text)) return fail(ErrorKind::kUsage, "{}: expected UTF-8 text", file_name);
  DeviceList list;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const std::string where = fmt::format("{}:{}", file_name, number);
    CARAT_TRY(Device device, parse_line(where, line));
    if (std::ranges::find(list.devices_, device.name, &Device::name) != list.devices_.end()) {
      return fail(ErrorKind::kUsage, "{}: the device {} is there twice", where, device.name);
    }
    if (list.devices_.size() == kMaxDevices) {
      return fail(ErrorKind::kUsage, "{}: expected at most {} devices", where, kMaxDevices);
    }
    list.devices_.push_back(std::move(device));
  }
  return list;
}

DeviceList DeviceList::built_in() {
  auto list = parse("devices.txt", kBuiltInDevices);
  CARAT_CHECK(list.has_value());
  return *std::move(list);
}

void DeviceList::merge(const DeviceList& other) {
  for (const Device& device : other.devices_) {
    const auto old = std::ranges::find(devices_, device.name, &Device::name);
    if (old == devices_.end()) {
      devices_.push_back(device);
    } else {
      *old = device;
    }
  }
}

Result<Device> DeviceList::find(std::string_view name) const {
  const auto found = std::ranges::find(devices_, name, &Device::name);
  if (found != devices_.end()) return *found;
  std::vector<std::string_view> names;
  for (const Device& device : devices_) names.push_back(device.name);
  return fail(ErrorKind::kUsage, "there is no device '{}'{} ('carat plan --devices' lists all)", name,
              did_you_mean(nearest_names(name, names)));
}

}  // namespace carat::planner
