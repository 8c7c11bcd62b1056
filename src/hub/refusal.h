#pragma once

#include "base/result.h"
#include "http/message.h"
#include "hub/pull_name.h"
#include "hub/pull_plan.h"

namespace carat::hub {

// What a status other than 200 and 206 means for who asked, with what to do about it: kNotFound for 404,
// kFailed where permission is missing, kNetwork for everything else.
Error refusal(const http::ResponseHead& head, const PullName& name, const Services& services);

}  // namespace carat::hub
