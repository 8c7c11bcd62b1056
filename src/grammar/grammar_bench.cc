// Compile and mask times of the everyday schemas, with Gemma's vocabulary where the default model is
// installed.
#include <benchmark/benchmark.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/test_fixture.h"
#include "grammar/grammar_compiler.h"
#include "grammar/token_matcher.h"
#include "tokenizer/test_full_vocabulary.h"

namespace carat::grammar {
namespace {

struct Everyday {
  std::string name;
  std::string schema;
  std::string text;
};

std::vector<Everyday> everyday() {
  std::ifstream file(test_fixture("grammar/everyday.json"));
  std::stringstream text;
  text << file.rdbuf();
  std::vector<Everyday> out;
  const boost::json::value document = boost::json::parse(text.str());
  for (const auto& entry : document.as_array()) {
    out.push_back({std::string(entry.at("name").as_string()), boost::json::serialize(entry.at("schema")),
                   std::string(entry.at("valid").at(0).as_string())});
  }
  return out;
}

std::shared_ptr<const tokenizer::Tokenizer> gemma() {
  const auto file = tokenizer::read_gguf_tokenizer(tokenizer::default_model_path());
  return file ? tokenizer::Tokenizer::from_pieces("gemma", file->arrays()).value() : nullptr;
}

// A worker that has the vocabulary, and nothing in its caches but what the runs before left.
void compile(benchmark::State& state, GrammarCompiler& compiler, const std::string& schema) {
  std::size_t run = 0;
  for (auto step : state) {
    // Another title each time: the same grammar, but not the same source.
    std::string source = schema;
    source.insert(1, "\"$comment\":\"" + std::to_string(run++) + "\",");
    const auto compiled = compiler.compile(prompt::JsonSchema{source});
    if (!compiled) return state.SkipWithError(compiled.error().message.c_str());
  }
}

void follow(benchmark::State& state, GrammarCompiler& compiler, const tokenizer::Tokenizer& tokenizer,
            const Everyday& entry) {
  const auto compiled = compiler.compile(prompt::JsonSchema{entry.schema});
  if (!compiled) return state.SkipWithError(compiled.error().message.c_str());
  const auto ids = tokenizer.encode(entry.text, tokenizer::ControlTokens::kAsText);
  for (auto step : state) {
    TokenMatcher matcher = TokenMatcher::start(*compiled).value();
    for (const TokenId id : ids) {
      benchmark::DoNotOptimize(matcher.allowed());
      static_cast<void>(matcher.accept(id));
    }
  }
  state.counters["us/token"] =
      benchmark::Counter(static_cast<double>(ids.size()) * 1e-6,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

const bool registered = [] {
  const auto tokenizer = gemma();
  if (tokenizer == nullptr) return false;
  const auto compiler = std::make_shared<GrammarCompiler>(tokenizer);
  for (const Everyday& entry : everyday()) {
    // The first compile of each, by a worker that has compiled only the schemas above.
    benchmark::RegisterBenchmark(
        ("compile/first/" + entry.name).c_str(),
        [compiler, entry](benchmark::State& state) { compile(state, *compiler, entry.schema); })
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
  for (const Everyday& entry : everyday()) {
    benchmark::RegisterBenchmark(("follow/" + entry.name).c_str(), [compiler, tokenizer,
                                                                    entry](benchmark::State& state) {
      follow(state, *compiler, *tokenizer, entry);
    })->Unit(benchmark::kMicrosecond);
  }
  return true;
}();

}  // namespace
}  // namespace carat::grammar
