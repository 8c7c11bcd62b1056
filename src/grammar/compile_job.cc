#include "grammar/compile_job.h"

#include <fmt/format.h>
#include <xgrammar/xgrammar.h>

#include <bit>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "base/counter_rng.h"
#include "grammar/processor_time.h"
#include "grammar/token_mask_view.h"
#include "worker/message.h"

namespace carat::grammar {
namespace {

using worker::MessageReader;
using worker::MessageWriter;

enum Tag : std::uint32_t { kVocabulary, kCompile };

constexpr std::int64_t kCacheBytes = std::int64_t{128} << 20;
constexpr std::uint64_t kSeed = 1;

std::unexpected<Error> malformed() { return fail(ErrorKind::kFailed, "a malformed request"); }

// XGrammar's messages begin with a time and a file of its source.
std::string without_place(std::string_view message) {
  const std::size_t file = message.find(".cc:");
  const std::size_t end = file == std::string_view::npos ? file : message.find(": ", file);
  if (end != std::string_view::npos) message.remove_prefix(end + 2);
  while (message.ends_with('\n')) message.remove_suffix(1);
  return std::string(message);
}

// One of the allowed tokens, by a draw from [0, 1).
std::optional<TokenId> choose(std::span<const std::int32_t> mask, double draw) {
  std::uint64_t count = 0;
  for (const std::int32_t word : mask)
    count += static_cast<std::uint64_t>(std::popcount(static_cast<std::uint32_t>(word)));
  if (count == 0) return std::nullopt;
  auto choice = static_cast<std::uint64_t>(draw * static_cast<double>(count));
  for (std::size_t i = 0; i < mask.size(); ++i) {
    auto word = static_cast<std::uint32_t>(mask[i]);
    const auto here = static_cast<std::uint64_t>(std::popcount(word));
    if (choice >= here) {
      choice -= here;
      continue;
    }
    for (; choice > 0; --choice) word &= word - 1;
    return static_cast<TokenId>(i * 32 + static_cast<std::size_t>(std::countr_zero(word)));
  }
  return std::nullopt;
}

Result<> try_out(const xgrammar::CompiledGrammar& grammar, int vocabulary, const Trial& trial) {
  xgrammar::GrammarMatcher matcher(grammar);
  std::vector<std::int32_t> mask(static_cast<std::size_t>(xgrammar::GetBitmaskSize(vocabulary)));
  std::uint64_t spent = 0;
  for (std::uint32_t step = 0; step < trial.steps; ++step) {
    const std::uint64_t begin = processor_microseconds();
    MaskTensor tensor(mask);
    matcher.FillNextTokenBitmask(tensor.get());
    spent += processor_microseconds() - begin;
    if (spent > std::uint64_t{trial.microseconds} * trial.steps) {
      return fail(ErrorKind::kUsage, "it is too slow to follow: {} tokens took {} ms", step + 1,
                  spent / 1000);
    }
    const auto token = choose(mask, uniform_draw(kSeed, step));
    if (!token && step == 0) return fail(ErrorKind::kUsage, "it matches no text that this model can write");
    if (!token || !matcher.AcceptToken(*token) || matcher.IsTerminated()) matcher.Reset();
  }
  return {};
}

// What one worker keeps from request to request.
class Compiler {
 public:
  Result<std::vector<std::byte>> run(std::span<const std::byte> request) {
    MessageReader reader(request);
    const auto tag = reader.u32();
    if (tag == kVocabulary) return take_vocabulary(reader);
    if (tag == kCompile && compiler_) return compile(reader);
    return malformed();
  }

 private:
  Result<std::vector<std::byte>> take_vocabulary(MessageReader reader) {
    const auto stops = reader.u32();
    if (!stops || reader.rest().size() / sizeof(std::uint32_t) < *stops) return malformed();
    std::vector<std::int32_t> stop;
    for (std::uint32_t i = 0; i < *stops; ++i) stop.push_back(static_cast<std::int32_t>(*reader.u32()));
    std::vector<std::string> texts;
    while (!reader.rest().empty()) {
      const auto length = reader.u32();
      const auto bytes = length ? reader.take(*length) : std::nullopt;
      if (!bytes) return malformed();
      texts.emplace_back(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
    vocabulary_ = static_cast<int>(texts.size());
    const xgrammar::TokenizerInfo info(texts, xgrammar::VocabType::RAW, std::nullopt, stop);
    compiler_.emplace(info, 1, true, kCacheBytes);
    return std::vector<std::byte>();
  }

  Result<std::vector<std::byte>> compile(MessageReader reader) {
    const auto steps = reader.u32();
    const auto microseconds = reader.u32();
    if (!steps || !microseconds) return malformed();
    const std::string ebnf(reinterpret_cast<const char*>(reader.rest().data()), reader.rest().size());
    try {
      const xgrammar::CompiledGrammar grammar = compiler_->CompileGrammar(ebnf);
      CARAT_TRY_VOID(try_out(grammar, vocabulary_, {*steps, *microseconds}));
      MessageWriter writer;
      const std::string json = grammar.SerializeJSON();
      writer.bytes(std::as_bytes(std::span(json)));
      return writer.take();
    } catch (const std::bad_alloc&) {
      return fail(ErrorKind::kFailed, "it needs more memory than a worker may use");
    } catch (const std::exception& error) {
      return fail(ErrorKind::kUsage, "{}", without_place(error.what()));
    }
  }

  std::optional<xgrammar::GrammarCompiler> compiler_;
  int vocabulary_ = 0;
};

}  // namespace

std::vector<std::byte> encode_vocabulary(const TokenTexts& vocabulary) {
  MessageWriter writer;
  writer.u32(kVocabulary);
  writer.u32(static_cast<std::uint32_t>(vocabulary.stop.size()));
  for (const TokenId id : vocabulary.stop) writer.u32(static_cast<std::uint32_t>(id));
  for (const std::string& text : vocabulary.texts) {
    writer.u32(static_cast<std::uint32_t>(text.size()));
    writer.bytes(std::as_bytes(std::span(text)));
  }
  return writer.take();
}

std::vector<std::byte> encode_compile(const CompileRequest& request) {
  MessageWriter writer;
  writer.u32(kCompile);
  writer.u32(request.trial.steps);
  writer.u32(request.trial.microseconds);
  writer.bytes(std::as_bytes(std::span(request.ebnf)));
  return writer.take();
}

worker::Job compile_job() {
  const auto compiler = std::make_shared<Compiler>();
  return {kCompileJob, nullptr,
          [compiler](std::span<const std::byte> request) { return compiler->run(request); }, true};
}

}  // namespace carat::grammar
