#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "model/config.h"

namespace carat::planner {

// The sizes in which Gemma 3 was released.
enum class ReleasedSize : std::uint8_t { k270M, k1B, k4B, k12B, k27B };
inline constexpr std::array<ReleasedSize, 5> kReleasedSizes = {
    ReleasedSize::k270M, ReleasedSize::k1B, ReleasedSize::k4B, ReleasedSize::k12B, ReleasedSize::k27B};

std::string_view name_of(ReleasedSize size);  // "4b"

// Its shapes, so that a model can be planned for before anybody has its files. With the image tower from 4B
// on.
model::GemmaConfig released_config(ReleasedSize size);

// The size that a name of the family means: "4b", "gemma3:4b", "google/gemma-3-4b-it-qat-q4_0-gguf".
std::optional<ReleasedSize> find_released(std::string_view name);

}  // namespace carat::planner
