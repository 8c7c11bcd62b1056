#include "grammar/grammar_compiler.h"

#include <exception>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>

#include "base/sha256.h"
#include "grammar/compiled_constraint.h"

namespace carat::grammar {
namespace {

// Two constraints with the same grammar and the same counts are the same; the counts follow from the source.
Sha256Digest key_of(const prompt::Constraint& constraint, const std::string& ebnf) {
  Sha256 hash;
  const auto add = [&](std::string_view text) {
    const std::uint64_t length = text.size();
    hash.update(std::as_bytes(std::span(&length, 1)));
    hash.update(std::as_bytes(std::span(text)));
  };
  add(ebnf);
  if (const auto* schema = std::get_if<prompt::JsonSchema>(&constraint)) add(schema->text);
  if (const auto* calls = std::get_if<prompt::ToolCalls>(&constraint)) {
    add(calls->trigger);
    for (const prompt::ToolCalls::Tool& tool : calls->tools) add(tool.arguments.text);
  }
  return hash.finish();
}

std::unexpected<Error> refused(const Error& error) {
  if (error.kind == ErrorKind::kInterrupted) return std::unexpected(error);
  return fail(ErrorKind::kUsage, "the grammar was refused: {}", error.message);
}

}  // namespace

struct GrammarCompiler::State {
  using Compiled = std::shared_ptr<const CompiledConstraint>;
  struct Entry {
    Sha256Digest key;
    Compiled compiled;
    std::size_t bytes = 0;
  };

  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  CompilerOptions options;
  std::mutex work;  // one grammar at a time; held while the worker is at it
  std::shared_ptr<const TokenTable> tokens;
  std::optional<worker::Session> session;

  mutable std::mutex cache;
  std::list<Entry> entries;  // the last used first
  std::map<Sha256Digest, std::list<Entry>::iterator> places;
  std::size_t bytes = 0;
  Counts counts;

  Compiled find(const Sha256Digest& key) {
    const std::scoped_lock lock(cache);
    const auto place = places.find(key);
    if (place == places.end()) return nullptr;
    entries.splice(entries.begin(), entries, place->second);
    ++counts.found;
    return place->second->compiled;
  }

  void keep(const Sha256Digest& key, const Compiled& compiled) {
    const std::size_t size = compiled->grammar.MemorySizeBytes();
    const std::scoped_lock lock(cache);
    ++counts.compiled;
    if (size > options.cached_bytes) return;
    entries.push_front({key, compiled, size});
    places[key] = entries.begin();
    bytes += size;
    while (entries.size() > options.cached || bytes > options.cached_bytes) {
      bytes -= entries.back().bytes;
      places.erase(entries.back().key);
      entries.pop_back();
    }
  }

  // A worker that knows the vocabulary.
  Result<> ready(const std::stop_token& stop) {
    if (session && session->is_alive()) return {};
    session.reset();
    CARAT_TRY(session,
              worker::Session::start(options.worker_program, std::string(kCompileJob), options.worker));
    {
      const std::scoped_lock lock(cache);
      ++counts.started;
    }
    const auto taken = session->ask(encode_vocabulary(TokenTable::texts(*tokenizer)), stop);
    if (!taken) return std::unexpected(taken.error());
    return {};
  }

  Result<std::vector<std::byte>> ask(const std::string& ebnf, const std::stop_token& stop) {
    const bool fresh = !session || !session->is_alive();
    CARAT_TRY_VOID(ready(stop));
    auto reply = session->ask(encode_compile({options.trial, ebnf}), stop);
    if (reply) return reply;
    // A worker that ends without this grammar's fault, by the processor time of earlier ones, is replaced;
    // the same grammar gets one more try, on a worker of its own.
    const bool may_be_older = !fresh && !session->is_alive() &&
                              reply.error().kind != ErrorKind::kInterrupted &&
                              reply.error().message.find("processor time") != std::string::npos;
    if (!may_be_older) return refused(reply.error());
    CARAT_TRY_VOID(ready(stop));
    reply = session->ask(encode_compile({options.trial, ebnf}), stop);
    if (!reply) return refused(reply.error());
    return reply;
  }

  Result<Compiled> compile(GrammarSource source, const std::stop_token& stop) {
    if (!tokens) tokens = std::make_shared<const TokenTable>(tokenizer);
    CARAT_TRY(const std::vector<std::byte> reply, ask(source.ebnf, stop));
    const std::string json(reinterpret_cast<const char*>(reply.data()), reply.size());
    const auto unreadable = [] {
      return fail(ErrorKind::kFailed, "the compiled grammar could not be read back");
    };
    try {
      auto grammar = xgrammar::CompiledGrammar::DeserializeJSON(json, tokens->info());
      if (auto* compiled = std::get_if<xgrammar::CompiledGrammar>(&grammar)) {
        return std::make_shared<const CompiledConstraint>(
            std::move(*compiled), std::make_shared<const GuardRules>(std::move(source.guard)), tokens,
            options.budget);
      }
      return unreadable();
    } catch (const std::exception&) {  // XGrammar's own error texts are no use to people
      return unreadable();
    }
  }
};

GrammarCompiler::GrammarCompiler(std::shared_ptr<const tokenizer::Tokenizer> tokenizer,
                                 CompilerOptions options)
    : state_(std::make_unique<State>()) {
  state_->tokenizer = std::move(tokenizer);
  state_->options = std::move(options);
}

GrammarCompiler::~GrammarCompiler() = default;

Result<std::shared_ptr<const CompiledConstraint>> GrammarCompiler::find(
    const prompt::Constraint& constraint) {
  CARAT_TRY(const GrammarSource source, to_grammar(constraint, state_->options.source));
  return state_->find(key_of(constraint, source.ebnf));
}

Result<std::shared_ptr<const CompiledConstraint>> GrammarCompiler::compile(
    const prompt::Constraint& constraint, const std::stop_token& stop) {
  CARAT_TRY(GrammarSource source, to_grammar(constraint, state_->options.source));
  const Sha256Digest key = key_of(constraint, source.ebnf);
  if (auto known = state_->find(key)) return known;
  const std::scoped_lock lock(state_->work);
  if (auto known = state_->find(key)) return known;  // compiled while this one waited
  CARAT_TRY(auto compiled, state_->compile(std::move(source), stop));
  state_->keep(key, compiled);
  return compiled;
}

GrammarCompiler::Counts GrammarCompiler::counts() const {
  const std::scoped_lock lock(state_->cache);
  return state_->counts;
}

}  // namespace carat::grammar
