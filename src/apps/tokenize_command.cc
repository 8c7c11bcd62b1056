#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/open_model.h"
#include "model/checkpoint.h"

namespace carat::apps {
namespace {

namespace json = boost::json;
using tokenizer::ControlTokens;
using tokenizer::Tokenizer;

struct TokenizeOptions {
  std::string text;
  bool control = false;
  bool json = false;
};

// A byte piece may be part of a character, so it is shown as <0xE2>.
std::string shown(const Tokenizer& tokenizer, TokenId id) {
  if (tokenizer.is_byte(id))
    return fmt::format("<0x{:02X}>", static_cast<unsigned char>(tokenizer.piece(id)[0]));
  return std::string(tokenizer.piece(id));
}

std::string as_json(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  json::array pieces;
  for (const TokenId id : ids) pieces.push_back(json::string(shown(tokenizer, id)));
  return json::serialize(json::object{
             {"count", ids.size()}, {"ids", json::value_from(ids)}, {"pieces", std::move(pieces)}}) +
         "\n";
}

// One token a line; the piece as a JSON string, so that newlines and quotes can be told apart.
std::string as_lines(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string out;
  for (const TokenId id : ids)
    out += fmt::format("{}\t{}\n", id, json::serialize(json::string(shown(tokenizer, id))));
  return out;
}

}  // namespace

void add_tokenize_command(CommandLine& line) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App& command =
      line.add("tokenize", "The tokens of a text, without BOS.", {config::SettingGroup::kModel},
               [options](Runtime& runtime) -> Result<> {
                 std::string text = options->text;
                 if (text == "-") {
                   CARAT_TRY(text, read_text_from_input(runtime));
                 }
                 CARAT_TRY(const std::filesystem::path path, find_model(runtime));
                 CARAT_TRY(const model::Checkpoint checkpoint, model::Checkpoint::open(path.string()));
                 CARAT_TRY(const auto tokenizer, engine::load_tokenizer(checkpoint));
                 const std::vector<TokenId> ids = tokenizer->encode(
                     text, options->control ? ControlTokens::kParse : ControlTokens::kAsText);
                 return print(options->json ? as_json(*tokenizer, ids) : as_lines(*tokenizer, ids));
               });
  command.add_option("TEXT", options->text, "the text, or - for standard input")->type_name("")->required();
  command.add_flag("--control", options->control,
                   "take control tokens such as <start_of_turn> in it as such");
  command.add_flag("--json", options->json, "print one JSON object");
}

}  // namespace carat::apps
