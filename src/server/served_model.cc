#include "server/served_model.h"

#include <algorithm>
#include <utility>

namespace carat::server {

namespace {

constexpr std::string_view kEveryName = "*";

}  // namespace

void ModelDirectory::set(std::shared_ptr<const ServedModel> model) {
  const std::scoped_lock lock(mutex_);
  model_ = std::move(model);
}

std::shared_ptr<const ServedModel> ModelDirectory::model() const {
  const std::scoped_lock lock(mutex_);
  return model_;
}

ApiResult<NamedModel> ModelDirectory::find(std::string_view name) const {
  std::shared_ptr<const ServedModel> model = this->model();
  if (model == nullptr) return std::unexpected(ApiError{.code = ApiErrorCode::kModelLoading});
  constexpr std::string_view kLatest = ":latest";
  if (name.ends_with(kLatest) && name.size() > kLatest.size() && name != model->id)
    name.remove_suffix(kLatest.size());
  if (std::ranges::find(aliases_, name) != aliases_.end() && name != kEveryName)
    return NamedModel{std::move(model), std::string(name)};
  const bool any = std::ranges::find(aliases_, kEveryName) != aliases_.end();
  if (!name.empty() && name != model->id && !any)
    return std::unexpected(ApiError{.code = ApiErrorCode::kModelNotFound, .message = {}, .param = "model"});
  std::string own = model->id;
  return NamedModel{std::move(model), std::move(own)};
}

std::vector<std::string> ModelDirectory::names() const {
  const auto model = this->model();
  if (model == nullptr) return {};
  std::vector<std::string> names = {model->id};
  for (const std::string& alias : aliases_) {
    if (alias != kEveryName && std::ranges::find(names, alias) == names.end()) names.push_back(alias);
  }
  return names;
}

}  // namespace carat::server
