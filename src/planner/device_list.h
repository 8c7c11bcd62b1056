#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace carat::planner {

struct Device {
  std::string name;  // "l4-24g"
  std::uint64_t memory = 0;
  std::string memory_text;  // as its maker states it: "24 GB"
  std::string description = {};
};

// One device a line, `NAME = SIZE, DESCRIPTION`; empty lines and those that begin with # do not count. A size
// as parse_memory_size reads it, the description may be missing.
class DeviceList {
 public:
  // kUsage, beginning with file:line, for a line of another form, a name that is not made of a-z, 0-9, '-'
  // and
  // '.', a name twice, or more than 1,000 devices.
  static Result<DeviceList> parse(std::string_view file_name, std::string_view text);

  // The devices that Carat knows: devices.txt.
  static DeviceList built_in();

  // Devices of `other` replace those of the same name.
  void merge(const DeviceList& other);

  // kUsage, with the nearest name, when there is no such device.
  Result<Device> find(std::string_view name) const;

  const std::vector<Device>& devices() const { return devices_; }  // in the order of the file

 private:
  std::vector<Device> devices_;
};

}  // namespace carat::planner
