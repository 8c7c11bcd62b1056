#pragma once

#include <cstdint>
#include <string>

namespace carat {

// How every command writes a number of bytes, rounded to the nearest. Files and downloads are counted in
// units of ten, as services and shops do: "2.49 GB", "253.1 MB", "4.6 kB", "12 bytes".
std::string file_size_text(std::uint64_t bytes);

// Memory is counted in units of two: "4.66 GiB", "139.0 MiB".
std::string memory_size_text(std::uint64_t bytes);

}  // namespace carat
