#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text_file.h"

namespace carat::measure {

// Reads files under /proc and /sys, of any size up to a few MiB.
TextFileReader system_file_reader();

// The processor's name as /proc/cpuinfo gives it, "unknown" where it does not.
std::string cpu_name(const TextFileReader& read);

// Of the text of /proc/meminfo: the value of `key` ("MemTotal") in bytes; nullopt where it is absent, no
// number in kB, or too large to be one.
std::optional<std::uint64_t> memory_value(std::string_view meminfo, std::string_view key);

// Memory that this process may still take without others being pushed out: what the system has available, and
// no more than its control groups leave. nullopt where neither can be found out.
std::optional<std::uint64_t> available_memory(const TextFileReader& read);

// Of "always [madvise] never": the chosen word; "unknown" where there is none.
std::string chosen_word(std::string_view choices);

// `text` fit for a terminal or a table cell: invalid UTF-8 replaced, control characters and '|' dropped.
std::string printable(std::string_view text);

}  // namespace carat::measure
