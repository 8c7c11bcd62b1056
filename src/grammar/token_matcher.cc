#include "grammar/token_matcher.h"

#include <xgrammar/matcher.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <exception>
#include <utility>

#include "grammar/compiled_constraint.h"
#include "grammar/processor_time.h"
#include "grammar/token_mask_view.h"

namespace carat::grammar {
namespace {

constexpr std::size_t kWordBits = 32;

std::unexpected<Error> broken() {
  return fail(ErrorKind::kFailed, "the output constraint could not be followed");
}

// Calls XGrammar, whose failures are exceptions.
template <class Call>
auto guarded(const Call& call) -> Result<decltype(call())> {
  try {
    return call();
  } catch (const std::exception&) {
    return broken();
  }
}

template <class Visit>
void for_each_bit(std::uint32_t word, std::size_t index, const Visit& visit) {
  for (; word != 0; word &= word - 1) {
    visit(static_cast<TokenId>(index * kWordBits + static_cast<std::size_t>(std::countr_zero(word))));
  }
}

}  // namespace

struct TokenMatcher::State {
  std::shared_ptr<const CompiledConstraint> constraint;
  xgrammar::GrammarMatcher matcher;
  std::vector<std::int32_t> filled;
  std::vector<std::uint32_t> mask;
  bool is_current = false;  // whether `mask` is that of the next token
  bool failed = false;
  bool terminated = false;
  std::size_t undoable = 0;
  std::uint64_t masks = 0;           // filled so far
  std::uint64_t microseconds = 0;    // that they took
  std::optional<LengthGuard> guard;  // none where nothing is counted
  std::deque<LengthGuard> earlier;   // before each of the last tokens

  explicit State(const std::shared_ptr<const CompiledConstraint>& from, xgrammar::GrammarMatcher with)
      : constraint(from),
        matcher(std::move(with)),
        filled(from->tokens->words()),
        mask(from->tokens->words()) {}

  const TokenTable& tokens() const { return *constraint->tokens; }

  Result<> fill() {
    if (failed || terminated) return broken();
    const std::uint64_t begin = processor_microseconds();
    CARAT_TRY_VOID(fill_mask());
    microseconds += processor_microseconds() - begin;
    ++masks;
    const MaskBudget& budget = constraint->budget;
    if (microseconds >= budget.microseconds * (masks + budget.credit)) {
      return fail(ErrorKind::kFailed, "the output constraint is too slow to follow: {} tokens took {} ms",
                  masks, microseconds / 1000);
    }
    is_current = true;
    return {};
  }

  Result<> fill_mask() {
    const auto done = guarded([&] {
      std::ranges::fill(filled, -1);
      MaskTensor tensor(filled);
      matcher.FillNextTokenBitmask(tensor.get());
      return true;
    });
    if (!done) return std::unexpected(done.error());
    bool any = false;
    for (std::size_t i = 0; i < mask.size(); ++i) {
      mask[i] = static_cast<std::uint32_t>(filled[i]) & tokens().usable()[i];
    }
    if (guard) drop_uncounted();
    for (const std::uint32_t word : mask) any = any || word != 0;
    if (!any)
      return fail(ErrorKind::kFailed, "no token can go on with this answer under its output constraint");
    return {};
  }

  // Tokens that would break a length limit. Most lie wholly inside a string: those are counted at once.
  void drop_uncounted() {
    const std::optional<std::size_t> left = guard->characters_left();
    LengthGuard scratch = *guard;
    for (std::size_t i = 0; i < mask.size(); ++i) {
      const std::uint32_t plain = left ? mask[i] & tokens().plain()[i] : 0;
      for_each_bit(mask[i] & ~plain, i, [&](TokenId id) {
        if (tokens().tokenizer().is_end_of_generation(id)) return;
        scratch = *guard;
        if (!scratch.accept(tokens().tokenizer().piece(id))) forbid(id);
      });
      if (left && *left >= tokens().most_characters()) continue;
      for_each_bit(plain, i, [&](TokenId id) {
        if (tokens().characters(id) > *left) forbid(id);
      });
    }
  }

  void forbid(TokenId id) {
    mask[static_cast<std::size_t>(id) / kWordBits] &= ~(1U << (static_cast<std::size_t>(id) % kWordBits));
  }

  bool allows(TokenId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < tokens().tokenizer().size() &&
           (mask[static_cast<std::size_t>(id) / kWordBits] >> (static_cast<std::size_t>(id) % kWordBits) &
            1U) != 0;
  }

  Result<> accept(TokenId token) {
    if (failed) return broken();
    if (!is_current) CARAT_TRY_VOID(fill());
    if (!allows(token)) {
      return fail(ErrorKind::kFailed, "token {} is not allowed by the output constraint", token);
    }
    const bool ends = tokens().tokenizer().is_end_of_generation(token);
    if (guard) {
      earlier.push_back(*guard);
      if (earlier.size() > kMostRollback) earlier.pop_front();
      if (!ends && !guard->accept(tokens().tokenizer().piece(token))) return broken();
    }
    CARAT_TRY(const bool accepted, guarded([&] { return matcher.AcceptToken(token); }));
    if (!accepted) return broken();
    terminated = ends;
    undoable = std::min(undoable + 1, kMostRollback);
    is_current = false;
    return {};
  }
};

TokenMatcher::TokenMatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenMatcher::~TokenMatcher() = default;
TokenMatcher::TokenMatcher(TokenMatcher&&) noexcept = default;
TokenMatcher& TokenMatcher::operator=(TokenMatcher&&) noexcept = default;

Result<TokenMatcher> TokenMatcher::start(std::shared_ptr<const CompiledConstraint> constraint) {
  CARAT_TRY(auto matcher, guarded([&] { return xgrammar::GrammarMatcher(constraint->grammar); }));
  auto state = std::make_unique<State>(constraint, std::move(matcher));
  if (!constraint->guard->empty()) state->guard.emplace(constraint->guard);
  return TokenMatcher(std::move(state));
}

Result<std::span<const std::uint32_t>> TokenMatcher::allowed() {
  if (state_->is_current && !state_->failed) return std::span<const std::uint32_t>(state_->mask);
  if (const Result<> filled = state_->fill(); !filled) {
    state_->failed = true;
    return std::unexpected(filled.error());
  }
  return std::span<const std::uint32_t>(state_->mask);
}

Result<std::optional<TokenId>> TokenMatcher::forced() {
  CARAT_TRY(const auto mask, allowed());
  const tokenizer::Tokenizer& tokenizer = state_->tokens().tokenizer();
  std::optional<TokenId> first;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    for (std::uint32_t word = mask[i]; word != 0; word &= word - 1) {
      const auto id = static_cast<TokenId>(i * kWordBits + static_cast<std::size_t>(std::countr_zero(word)));
      if (!first) {
        first = id;
      } else if (!tokenizer.is_end_of_generation(*first) || !tokenizer.is_end_of_generation(id)) {
        return std::optional<TokenId>();
      }
    }
  }
  return first;
}

Result<> TokenMatcher::accept(TokenId token) {
  const Result<> accepted = state_->accept(token);
  state_->failed = state_->failed || !accepted;
  return accepted;
}

Result<> TokenMatcher::rollback(std::size_t count) {
  if (state_->failed || count > state_->undoable) return broken();
  if (count == 0) return {};
  const auto done = guarded([&] {
    state_->matcher.Rollback(static_cast<int>(count));
    return true;
  });
  if (!done) {
    state_->failed = true;
    return broken();
  }
  if (state_->guard) {
    state_->guard = state_->earlier[state_->earlier.size() - count];
    state_->earlier.resize(state_->earlier.size() - count, *state_->guard);
  }
  state_->undoable -= count;
  state_->terminated = false;
  state_->is_current = false;
  return {};
}

bool TokenMatcher::is_terminated() const { return state_->terminated; }

Result<TokenMatcher> TokenMatcher::clone() const {
  if (state_->failed) return broken();
  CARAT_TRY(auto matcher, guarded([&] { return state_->matcher.Fork(); }));
  auto copy = std::make_unique<State>(state_->constraint, std::move(matcher));
  copy->guard = state_->guard;
  copy->terminated = state_->terminated;
  copy->masks = state_->masks;
  copy->microseconds = state_->microseconds;
  return TokenMatcher(std::move(copy));
}

}  // namespace carat::grammar
