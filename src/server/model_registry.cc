#include "server/model_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/model_slot.h"

namespace carat::server {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view kEveryName = "*";
constexpr std::string_view kLatest = ":latest";

}  // namespace

ModelRegistry::ModelRegistry(RegistryOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      later_(std::make_unique<TaskThread>(SIZE_MAX)),
      thread_([this] { run(); }) {}

ModelRegistry::~ModelRegistry() { close(); }

void ModelRegistry::close() {
  std::vector<std::stop_source> loads;
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(ending_, true)) return;
    for (const auto& [id, slot] : slots_) loads.push_back(slot->stop);
  }
  changed_.notify_all();
  for (std::stop_source& load : loads) load.request_stop();
  thread_.join();
  {
    const std::scoped_lock lock(mutex_);
    const auto slots = slots_;  // fail_load() takes them out
    for (const auto& [id, slot] : slots) {
      if (slot->state != Slot::State::kLoaded || !slot->waiters.empty())
        fail_load(slot, {.code = ApiErrorCode::kShuttingDown});
    }
  }
  later_.reset();
}

void ModelRegistry::set(std::shared_ptr<const ServedModel> model, std::uint64_t bytes) {
  auto slot = std::make_shared<Slot>();
  slot->state = Slot::State::kLoaded;
  slot->use = {.id = model->id, .bytes = bytes, .is_pinned = true, .last_use = clock_.now()};
  slot->model = std::move(model);
  std::shared_ptr<Slot> replaced;  // goes without the lock
  {
    const std::scoped_lock lock(mutex_);
    if (default_.empty()) default_ = slot->id();
    replaced = std::exchange(slots_[slot->id()], slot);
    if (replaced == nullptr) ++set_;
  }
  changed_.notify_all();
}

std::optional<ModelName> ModelRegistry::resolve_here(std::string_view name) const {
  const auto known = [this](std::string_view id) {
    const auto slot = slots_.find(id);
    return slot != slots_.end() ? std::optional(slot->second->id()) : std::nullopt;
  };
  if (const auto id = known(name)) return ModelName{*id, *id};
  for (const std::string_view alias : options_.aliases) {
    const std::size_t sign = alias.find('=');
    if (alias == kEveryName || alias.substr(0, sign) != name) continue;
    if (sign == std::string_view::npos && default_.empty()) continue;
    return ModelName{sign == std::string_view::npos ? default_ : std::string(alias.substr(sign + 1)),
                     std::string(name)};
  }
  return std::nullopt;
}

std::optional<ModelName> ModelRegistry::resolve_in_source(std::string_view name) const {
  if (options_.source == nullptr) return std::nullopt;
  auto id = options_.source->resolve(std::string(name));
  if (!id) return std::nullopt;
  return ModelName{*id, *id};
}

ApiResult<ModelName> ModelRegistry::resolve(std::string_view name) const {
  const std::string_view bare = name.ends_with(kLatest) && name.size() > kLatest.size()
                                    ? name.substr(0, name.size() - kLatest.size())
                                    : name;
  const std::string tagged = fmt::format("{}{}", bare, kLatest);
  std::optional<ModelName> found;
  std::string standard;
  {
    const std::scoped_lock lock(mutex_);
    if (set_ < options_.pinned) return std::unexpected(ApiError{.code = ApiErrorCode::kModelLoading});
    standard = default_;
    if (name.empty() && !standard.empty()) return ModelName{standard, standard};
    for (const std::string_view candidate : std::to_array<std::string_view>({name, bare, tagged})) {
      if (!found && !name.empty()) found = resolve_here(candidate);
    }
  }
  if (name.empty())
    return std::unexpected(
        ApiError{.code = ApiErrorCode::kMissingParameter, .message = "'model' is missing", .param = "model"});
  // What an alias stands for may be any spelling of a model's name.
  for (const std::string_view candidate : std::to_array<std::string_view>({name, bare, tagged})) {
    if (!found) found = resolve_in_source(candidate);
  }
  if (found && found->name != found->id) {
    if (const auto target = resolve_in_source(found->id)) found->id = target->id;
  }
  if (found) return *found;
  if (std::ranges::find(options_.aliases, kEveryName) != options_.aliases.end() && !standard.empty())
    return ModelName{standard, standard};
  return std::unexpected(ApiError{.code = ApiErrorCode::kModelNotFound, .message = {}, .param = "model"});
}

NamedModel ModelRegistry::lend(const std::shared_ptr<Slot>& slot, std::string name, bool is_use) const {
  ++slot->use.users;
  if (is_use) slot->use.last_use = clock_.now();
  // What owns the model goes first, so that nobody else does when the registry is told.
  auto give = [this, slot, is_use, owner = slot->model](const ServedModel*) mutable {
    owner.reset();
    give_back(*slot, is_use);
  };
  return {std::shared_ptr<const ServedModel>(slot->model.get(), std::move(give)), std::move(name)};
}

void ModelRegistry::give_back(Slot& slot, bool is_use) const {
  {
    const std::scoped_lock lock(mutex_);
    --slot.use.users;
    if (is_use) slot.use.last_use = clock_.now();
  }
  changed_.notify_all();
}

void ModelRegistry::acquire(const ModelWish& wish, const std::stop_token& stop, Found found) {
  if (stop.stop_requested()) return;  // nobody waits for it
  const auto target = resolve(wish.name);
  if (!target) return found(std::unexpected(target.error()));
  ApiResult<NamedModel> now = std::unexpected(ApiError{.code = ApiErrorCode::kModelNotFound});
  const auto waiter = std::make_shared<Waiter>();
  waiter->name = target->name;
  waiter->keep_alive = wish.keep_alive;
  waiter->found = std::move(found);
  std::shared_ptr<Slot> slot;
  {
    const std::scoped_lock lock(mutex_);
    const auto place = slots_.find(target->id);
    if (place != slots_.end() && place->second->is_there()) {
      if (wish.keep_alive) place->second->use.keep_alive = keep_alive_limit(wish.keep_alive);
      now = lend(place->second, target->name, /*is_use=*/true);
    } else if (ending_) {
      now = std::unexpected(ApiError{.code = ApiErrorCode::kShuttingDown});
    } else if (waiting_ >= options_.most_waiting) {
      now = std::unexpected(ApiError{.code = ApiErrorCode::kOverloaded});
    } else if (options_.source != nullptr) {
      wait_for_load(*target, waiter);
      slot = slots_.find(target->id)->second;
    }
  }
  if (slot == nullptr) return waiter->found(std::move(now));
  changed_.notify_all();
  waiter->on_stop.emplace(stop, [this, slot, raw = waiter.get()] { cancel(slot, raw); });
}

void ModelRegistry::wait_for_load(const ModelName& target, const std::shared_ptr<Waiter>& waiter) {
  std::shared_ptr<Slot>& slot = slots_[target.id];
  if (slot == nullptr) {
    slot = std::make_shared<Slot>();
    slot->use.id = target.id;
    queue_.push_back(slot);
  }
  slot->waiters.push_back(waiter);
  ++waiting_;
}

void ModelRegistry::cancel(const std::shared_ptr<Slot>& slot, const Waiter* waiter) {
  std::shared_ptr<Waiter> gone;
  std::optional<std::stop_source> load;
  {
    const std::scoped_lock lock(mutex_);
    const auto place = std::ranges::find(slot->waiters, waiter, &std::shared_ptr<Waiter>::get);
    if (place == slot->waiters.end()) return;
    gone = std::move(*place);
    slot->waiters.erase(place);
    --waiting_;
    if (slot->waiters.empty() && slot->state == Slot::State::kLoading) load = slot->stop;
    if (slot->waiters.empty() && slot->state == Slot::State::kQueued) {
      std::erase(queue_, slot);
      slots_.erase(slot->id());
    }
    later_->post([gone = std::move(gone)] {});  // not here: this is the client's thread
  }
  if (load) load->request_stop();
  changed_.notify_all();
}

ApiResult<bool> ModelRegistry::unload(std::string_view name) {
  CARAT_TRY(const ModelName target, resolve(name));
  {
    const std::scoped_lock lock(mutex_);
    const auto slot = slots_.find(target.id);
    if (slot == slots_.end() || slot->second->state != Slot::State::kLoaded) return true;
    if (slot->second->use.is_pinned) return false;
    slot->second->is_closing = true;
  }
  changed_.notify_all();
  return true;
}

bool ModelRegistry::is_ready() const {
  const std::scoped_lock lock(mutex_);
  return set_ >= options_.pinned;
}

std::vector<LoadedModelView> ModelRegistry::loaded() const {
  std::vector<LoadedModelView> views;
  const std::scoped_lock lock(mutex_);
  if (set_ < options_.pinned) return views;
  for (const auto& [id, slot] : slots_) {
    if (slot->state != Slot::State::kLoaded) continue;
    const Resident as_seen = slot->use;  // before this look counts as a user
    LoadedModelView view{.model = lend(slot, {}, /*is_use=*/false).model,
                         .is_pinned = slot->use.is_pinned,
                         .bytes = slot->use.bytes};
    // As long as somebody uses it, the time has not begun.
    if (!view.is_pinned && slot->use.keep_alive) {
      const auto end = expiry(as_seen);
      view.remaining = end ? std::max(*end - clock_.now(), nanoseconds(0)) : *slot->use.keep_alive;
    }
    views.insert(id == default_ ? views.begin() : views.end(), std::move(view));
  }
  return views;
}

std::vector<CatalogueModel> ModelRegistry::catalogue() const {
  if (options_.source == nullptr || !is_ready()) return {};
  std::vector<CatalogueModel> models = options_.source->list();
  const std::scoped_lock lock(mutex_);
  std::erase_if(models, [this](const CatalogueModel& model) {
    const auto slot = slots_.find(model.id);
    return slot != slots_.end() && slot->second->state == Slot::State::kLoaded;
  });
  return models;
}

std::vector<std::string> ModelRegistry::aliases_of(std::string_view id) const {
  std::vector<std::string> names;
  const std::scoped_lock lock(mutex_);
  for (const std::string_view alias : options_.aliases) {
    const std::size_t sign = alias.find('=');
    const std::string_view target = sign == std::string_view::npos ? default_ : alias.substr(sign + 1);
    const std::string_view name = alias.substr(0, sign);
    if (name == kEveryName || target != id || name == id) continue;
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
  }
  return names;
}

void ModelRegistry::look_at_clock() {
  {
    const std::scoped_lock lock(mutex_);
  }  // the thread either sees the new time or waits already
  changed_.notify_all();
}

}  // namespace carat::server
