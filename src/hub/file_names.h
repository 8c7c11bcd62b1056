#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace carat::hub {

// "name-00001-of-00003" -> its parts; nullopt for other names.
struct Shard {
  std::string_view name;
  std::string_view number;
};
std::optional<Shard> shard_of(std::string_view stem);

// "q4_k_m", "iq4_xs", "bf16", "f32", "q4_0": what names end with to tell how the weights are stored.
bool is_precision(std::string_view lower_case_part);

// The precision that a stem such as "gemma-3-4b-it-Q4_K_M" ends with, in lower case; empty if none.
std::string precision_of(std::string_view stem);

// Whether a file of that name holds an image projector ("mmproj-model-f16.gguf") and no language model.
bool is_projector_name(std::string_view file_name);

// Which of several projectors to take: the one with the lowest rank, by precision_of(its stem).
std::size_t projector_rank(std::string_view precision);

// One part of a path that may be stored: 1 to 96 of [A-Za-z0-9._-], not beginning with a dot.
bool is_safe_name(std::string_view part);

std::string lower_case(std::string_view text);

}  // namespace carat::hub
