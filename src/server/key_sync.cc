#include "server/key_sync.h"

#include <utility>

namespace carat::server {

KeySync::KeySync(Access& access, store::StoreThread& store, std::function<void(const Error&)> on_failure)
    : access_(access), store_(store), on_failure_(std::move(on_failure)) {}

// The last uses are recorded, and no task is left that holds this object.
KeySync::~KeySync() { static_cast<void>(sync()); }

void KeySync::tick() {
  if (is_asked_.exchange(true)) return;
  store_.post([this](store::Store& store) { return sync_on_store(store); },
              [this](const Result<>& result) {
                is_asked_ = false;
                report(result);
              });
}

Result<> KeySync::sync() {
  return store_.submit([this](store::Store& store) { return sync_on_store(store); }).get();
}

Result<> KeySync::sync_on_store(store::Store& store) {
  CARAT_TRY_VOID(record_uses(store.keys()));
  return read_keys(store.keys());
}

Result<> KeySync::record_uses(store::KeyStore& keys) {
  const auto rules = access_.rules();
  for (const KeyRing::Entry& entry : rules->stored_keys->entries()) {
    KeyMeter& meter = *entry.holder->meter;
    const store::KeyUsage use = meter.take_use();
    if (use.requests == 0 && use.tokens == 0) continue;
    const auto recorded = keys.record_use(entry.holder->id.value(), use);
    if (recorded) {
      meter.set_recorded(*recorded, use);
    } else {
      meter.put_back(use);
      if (recorded.error().kind != ErrorKind::kNotFound) return std::unexpected(recorded.error());
    }
  }
  return {};
}

// The version is asked first: what changes meanwhile is read once more.
Result<> KeySync::read_keys(store::KeyStore& keys) {
  CARAT_TRY(const std::int64_t version, keys.version());
  if (version == version_) return {};
  CARAT_TRY(const std::vector<store::KeyInUse> found, keys.in_use());
  access_.change([&](AccessRules& rules) { rules.stored_keys = make_key_ring(found, *rules.stored_keys); });
  version_ = version;
  return {};
}

void KeySync::report(const Result<>& result) {
  const std::string failure = result ? std::string() : result.error().message;
  if (!failure.empty() && failure != last_failure_) on_failure_(result.error());
  last_failure_ = failure;
}

}  // namespace carat::server
