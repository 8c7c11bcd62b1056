#include "tokenizer/tokenizer_json.h"

#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <optional>
#include <utility>

#include "tokenizer/piece_table.h"

namespace carat::tokenizer {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 12;
constexpr std::size_t kMaxSettings = 4096;
constexpr std::size_t kMaxMerges = std::size_t{8} << 20;
constexpr std::size_t kMaxTextBytes = 64 << 10;  // of one string

// Receives the parser's events. Depth 1 is inside the outermost object.
class Handler {
 public:
  // NOLINTBEGIN(readability-identifier-naming): names that the parser looks for
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = kMaxTextBytes;
  static constexpr std::size_t max_string_size = kMaxTextBytes;
  // NOLINTEND(readability-identifier-naming)

  TokenizerJson take() { return std::move(out_); }
  const std::string& problem() const { return problem_; }  // empty: none of ours

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  bool on_object_begin(json::error_code&) {
    enter();
    if (depth_ != 3) return true;
    if (keys_[0] == "model" && keys_[1] == "vocab") section_ = Section::kVocabulary;
    if (keys_[0] == "added_tokens") {
      section_ = Section::kAdded;
      out_.added.emplace_back();
    }
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) { return leave(); }

  bool on_array_begin(json::error_code&) {
    enter();
    if (depth_ == 3 && keys_[0] == "model" && keys_[1] == "merges") section_ = Section::kMerges;
    if (section_ == Section::kMerges && depth_ == 4) parts_.clear();
    return true;
  }
  bool on_array_end(std::size_t, json::error_code& error) {
    if (section_ == Section::kMerges && depth_ == 4) {
      if (parts_.size() != 2) return reject(error, "an entry of model.merges must have two parts");
      if (!add_merge(parts_[0], parts_[1], error)) return false;
    }
    return leave();
  }

  bool on_key_part(json::string_view text, std::size_t, json::error_code&) { return collect(text); }
  bool on_key(json::string_view text, std::size_t, json::error_code&) {
    collect(text);
    keys_[depth_ - 1] = std::exchange(text_, {});
    return true;
  }

  bool on_string_part(json::string_view text, std::size_t, json::error_code&) { return collect(text); }
  bool on_string(json::string_view text, std::size_t, json::error_code& error) {
    collect(text);
    return take_string(std::exchange(text_, {}), error);
  }

  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code& error) {
    return take_number(value, error);
  }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code& error) {
    return take_number(-1, error);  // above the range of int64, so as wrong as a negative id
  }
  bool on_double(double, json::string_view, json::error_code& error) { return take_number(-1, error); }
  bool on_null(json::error_code&) { return true; }
  bool on_bool(bool value, json::error_code& error) {
    if (section_ != Section::kAdded || depth_ != 3) return add_setting(value ? "true" : "false", error);
    TokenizerJson::AddedToken& token = out_.added.back();
    if (key() == "special") {
      token.special = value;
    } else if (value) {
      token.plain_match = false;  // single_word, lstrip, rstrip, normalized
    }
    return true;
  }

 private:
  enum class Section { kOther, kAdded, kVocabulary, kMerges };

  const std::string& key() const { return keys_[depth_ - 1]; }

  void enter() {
    ++depth_;
    keys_[depth_ - 1].clear();
  }

  bool leave() {
    --depth_;
    if (depth_ == 2) section_ = Section::kOther;  // every section is an object or array at depth 3
    return true;
  }

  bool collect(json::string_view text) {
    text_.append(text.data(), text.size());
    return true;
  }

  bool reject(json::error_code& error, std::string problem) {
    problem_ = std::move(problem);
    error = json::error::exception;
    return false;
  }

  bool take_string(std::string text, json::error_code& error) {
    switch (section_) {
      case Section::kMerges:
        return depth_ == 3 ? split_merge(text, error) : take_merge_part(std::move(text), error);
      case Section::kAdded:
        if (depth_ == 3 && key() == "content") out_.added.back().content = std::move(text);
        return true;
      case Section::kVocabulary: return reject(error, "model.vocab must map texts to numbers");
      case Section::kOther: return add_setting(std::move(text), error);
    }
    return true;
  }

  bool take_number(std::int64_t value, json::error_code& error) {
    if (section_ == Section::kVocabulary && depth_ == 3) {
      if (out_.ids.size() == PieceTable::kMaxPieces) return reject(error, "model.vocab has too many entries");
      out_.vocabulary.append(key());
      out_.ids.push_back(value);
      return true;
    }
    if (section_ == Section::kAdded && depth_ == 3) {
      if (out_.added.size() > PieceTable::kMaxPieces)
        return reject(error, "added_tokens has too many entries");
      if (key() == "id") out_.added.back().id = value;
      return true;
    }
    return true;
  }

  bool take_merge_part(std::string text, json::error_code& error) {
    if (depth_ != 4 || parts_.size() == 2)
      return reject(error, "an entry of model.merges must have two parts");
    parts_.push_back(std::move(text));
    return true;
  }

  // The older form of an entry: both parts in one string, a space between them.
  bool split_merge(std::string_view text, json::error_code& error) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return reject(error, "an entry of model.merges must have two parts");
    return add_merge(text.substr(0, space), text.substr(space + 1), error);
  }

  bool add_merge(std::string_view left, std::string_view right, json::error_code& error) {
    if (out_.merged.size() == kMaxMerges) return reject(error, "model.merges has too many entries");
    out_.merged.append(std::string(left).append(right));
    return true;
  }

  bool add_setting(std::string value, json::error_code& error) {
    if (out_.settings.size() == kMaxSettings) return reject(error, "too many settings");
    std::string path;
    for (std::size_t i = 0; i < depth_; ++i) {
      if (i > 0) path += '.';
      path += keys_[i];
    }
    out_.settings[std::move(path)] = std::move(value);
    return true;
  }

  TokenizerJson out_;
  std::string problem_;
  std::array<std::string, kMaxDepth + 1> keys_;  // by depth - 1; empty inside an array
  std::size_t depth_ = 0;
  Section section_ = Section::kOther;
  std::string text_;  // of the string or key being read
  std::vector<std::string> parts_;
};

}  // namespace

Result<TokenizerJson> parse_tokenizer_json(const std::string& source, std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::basic_parser<Handler> parser(options);
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  const std::string& problem = parser.handler().problem();
  if (!problem.empty()) return fail(ErrorKind::kInvalidModel, "{}: {}, near byte {}", source, problem, read);
  if (error) {
    return fail(ErrorKind::kInvalidModel, "{}: not a JSON file: {} near byte {}", source, error.message(),
                read);
  }
  if (text.find_first_not_of(" \t\r\n", read) != std::string_view::npos) {
    return fail(ErrorKind::kInvalidModel, "{}: the JSON document ends at byte {}, but the file goes on",
                source, read);
  }
  return parser.handler().take();
}

}  // namespace carat::tokenizer
