#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "planner/device_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using carat::planner::DeviceList;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto list = DeviceList::parse("devices.txt", text);
  if (!list) return 0;
  for (const auto& device : list->devices()) {
    CARAT_CHECK(device.memory > 0);
    CARAT_CHECK(list->find(device.name).has_value());
  }
  DeviceList all = DeviceList::built_in();
  all.merge(*list);
  all.merge(*list);
  CARAT_CHECK(all.devices().size() <= DeviceList::built_in().devices().size() + list->devices().size());
  return 0;
}
