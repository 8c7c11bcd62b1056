#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace carat::server {

// How long a model stays after its last use, as Ollama's clients write it: "5m", "1h30m", "250ms", or seconds
// without a unit. What is below zero means for good, as does what is longer than a century:
// nanoseconds::max(). nullopt for any other text.
std::optional<std::chrono::nanoseconds> parse_keep_alive(std::string_view text);

// The same of a number of seconds.
std::chrono::nanoseconds keep_alive_seconds(double seconds);

}  // namespace carat::server
