#pragma once

#include "config/settings.h"
#include "prompt/sampling_params.h"

namespace carat::terminal {

// The sampling parameters that the settings state. Lists, such as stop strings, are no settings and stay
// empty.
prompt::SamplingParams sampling_params(const config::Settings& settings);

}  // namespace carat::terminal
