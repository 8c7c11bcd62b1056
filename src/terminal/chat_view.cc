#include "terminal/chat_view.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <utility>

#include "base/output_file.h"
#include "base/size_text.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "engine/image_reader.h"
#include "terminal/conversation_file.h"
#include "terminal/sampling_settings.h"
#include "terminal/set_command.h"
#include "terminal/usage_line.h"

namespace carat::terminal {
namespace {

using prompt::Message;
using prompt::Role;

constexpr std::size_t kMaxConversationBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxAttachedBytes = std::size_t{4} << 20;

// People type ~/notes.txt, and there is no shell to expand it.
std::string expand_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  if (!path.starts_with("~/") || home == nullptr) return path;
  return home + path.substr(1);
}

std::uint64_t picture_bytes(const std::vector<prompt::Image>& images) {
  std::uint64_t sum = 0;
  for (const prompt::Image& image : images) sum += image.picture->pixels.pixels.size();
  return sum;
}

// Errors that end the chat: nobody reads the answers any more.
bool is_fatal(const Error& error) {
  return error.kind == ErrorKind::kClosedPipe || error.kind == ErrorKind::kInterrupted;
}

}  // namespace

ChatView::ChatView(session::TurnRunner& runner, Console& console, ChatOptions options)
    : runner_(runner),
      console_(console),
      options_(std::move(options)),
      initial_settings_(options_.settings),
      system_(options_.settings.text(config::Setting::kSystem)) {}

Result<> ChatView::run() {
  CARAT_TRY_VOID(console_.print(options_.greeting));
  bool hinted = false;
  while (true) {
    const Console::Line line = console_.read_line();
    if (line.kind == Console::Line::kEnd) return console_.print("\n");
    if (line.kind == Console::Line::kInterrupted) {
      if (line.empty && hinted) return fail(ErrorKind::kInterrupted, "interrupted");
      hinted = line.empty;
      if (hinted)
        CARAT_TRY_VOID(console_.print("(Ctrl-C again or Ctrl-D leaves, /help lists the commands)\n"));
      continue;
    }
    hinted = false;
    if (line.text.find_first_not_of(" \t\n") == std::string::npos) continue;
    console_.remember(line.text);
    const Result<bool> stay = obey(line.text);
    if (stay && !*stay) return {};
    if (stay) continue;
    if (is_fatal(stay.error())) return std::unexpected(stay.error());
    CARAT_TRY_VOID(console_.print(fmt::format("error: {}\n", stay.error().message)));
  }
}

Result<bool> ChatView::obey(const std::string& line) {
  CARAT_TRY(const Input input, parse_input(line));
  if (const auto* text = std::get_if<std::string>(&input)) {
    CARAT_TRY_VOID(send(*text));
    return true;
  }
  const Command& command = std::get<Command>(input);
  if (command.kind == CommandKind::kExit) return false;
  CARAT_TRY_VOID(run_command(command));
  return true;
}

Result<> ChatView::run_command(const Command& command) {
  switch (command.kind) {
    case CommandKind::kExit: return {};
    case CommandKind::kHelp: return console_.print(help_text());
    case CommandKind::kSystem: return set_system(command.argument);
    case CommandKind::kSet: return show_or_set(command.argument);
    case CommandKind::kReset: return reset();
    case CommandKind::kSave: return save(expand_home(command.argument));
    case CommandKind::kLoad: return load(expand_home(command.argument));
    case CommandKind::kFile: return attach(expand_home(command.argument));
    case CommandKind::kImage: return attach_image(expand_home(command.argument));
    case CommandKind::kCrops: return set_crops(command.argument);
    case CommandKind::kRetry: return retry();
    case CommandKind::kStats: return print_stats();
  }
  return {};
}

Result<> ChatView::send(std::string text) {
  messages_.push_back({.role = Role::kUser, .text = attached_ + std::move(text), .images = images_});
  Result<> answered = answer_last();
  if (!answered) {
    messages_.pop_back();
    // The line is in the history, files and images are still attached.
    answered.error().message +=
        fmt::format(" (your message was not sent; the arrow-up key brings it back{}{})",
                    attached_.empty() ? "" : ", '/file none' leaves the files out",
                    images_.empty() ? "" : ", '/image none' leaves the images out");
    return answered;
  }
  attached_.clear();
  images_.clear();
  return {};
}

Result<> ChatView::retry() {
  if (messages_.empty()) return fail(ErrorKind::kUsage, "/retry: there is no message to answer yet");
  Message old_answer = std::move(messages_.back());
  messages_.pop_back();
  Result<> answered = answer_last();
  if (!answered) messages_.push_back(std::move(old_answer));
  return answered;
}

// Adds the answer to the last message. An answer that was stopped counts as far as it went.
Result<> ChatView::answer_last() {
  std::vector<Message> prompt;
  if (!system_.empty()) prompt.push_back({Role::kSystem, system_, {}});
  prompt.insert(prompt.end(), messages_.begin(), messages_.end());

  std::stop_source stop;
  const std::stop_token interrupt = console_.next_interrupt();
  const std::stop_callback pass_on(interrupt, [&] { stop.request_stop(); });
  Result<> printed;
  const auto print = [&](const std::string& text) {
    if (text.empty() || !printed) return;
    printed = console_.print(text);
    if (!printed) stop.request_stop();
  };
  const auto sink = [&](const engine::Event& event) {
    if (const auto* prefill = std::get_if<engine::PrefillProgress>(&event)) {
      console_.show_progress("reading the prompt", prefill->done, prefill->total);
    } else if (const auto* look = std::get_if<engine::ImageProgress>(&event)) {
      console_.show_progress("looking at the images", look->done, look->total);
    } else if (const auto* token = std::get_if<engine::TokenEvent>(&event)) {
      print(token->text);
    } else if (const auto* rest = std::get_if<engine::TrailingText>(&event)) {
      print(rest->text);
    }
  };
  CARAT_TRY(engine::GenerationResult result,
            runner_.answer(prompt, sampling_params(options_.settings), sink, stop.get_token()));
  CARAT_TRY_VOID(printed);
  CARAT_TRY_VOID(console_.print("\n"));
  if (result.finish == engine::FinishReason::kInterrupted) {
    if (result.text.empty()) return fail(ErrorKind::kFailed, "stopped before the answer began");
    CARAT_TRY_VOID(console_.print("(stopped)\n"));
  }
  if (result.context_full) {
    CARAT_TRY_VOID(
        console_.print("(the context is full: /reset begins anew, --context N makes it longer)\n"));
  } else if (result.finish == engine::FinishReason::kLength) {
    CARAT_TRY_VOID(console_.print("(stopped at max_tokens)\n"));
  }
  messages_.push_back({Role::kAssistant, result.text, result.ids});
  last_ = std::move(result);
  if (options_.settings.is_on(config::Setting::kStats)) return print_stats();
  return {};
}

Result<> ChatView::reset() {
  messages_.clear();
  attached_.clear();
  images_.clear();
  last_.reset();
  return console_.print("(new conversation)\n");
}

Result<> ChatView::show_or_set(const std::string& argument) {
  if (argument.empty()) return console_.print(describe_chat_settings(options_.settings));
  CARAT_TRY(const std::string confirmation,
            apply_set_command(argument, initial_settings_, options_.settings));
  return console_.print(confirmation);
}

Result<> ChatView::set_system(const std::string& argument) {
  if (!argument.empty()) system_ = argument == "none" ? "" : argument;
  return console_.print(system_.empty() ? "(no system prompt)\n"
                                        : fmt::format("system prompt: {}\n", system_));
}

Result<> ChatView::save(const std::string& path) {
  CARAT_TRY_VOID(write_file(path, to_json({system_, messages_}), OutputFile::Access::kPrivate));
  const bool images = std::ranges::any_of(messages_, [](const Message& m) { return !m.images.empty(); });
  return console_.print(fmt::format("(saved {} messages to {}{})\n", messages_.size(), path,
                                    images ? ", without their images" : ""));
}

Result<> ChatView::load(const std::string& path) {
  CARAT_TRY(const std::string text, read_text_file(path, kMaxConversationBytes));
  CARAT_TRY(Conversation conversation, conversation_from_json(path, text));
  for (Message& message : conversation.messages) {
    if (!runner_.ids_spell_text(message)) message.generated_ids.clear();
  }
  system_ = std::move(conversation.system);
  messages_ = std::move(conversation.messages);
  last_.reset();
  return console_.print(fmt::format("(loaded {} messages from {})\n", messages_.size(), path));
}

Result<> ChatView::attach(const std::string& path) {
  if (path == "none") {
    attached_.clear();
    return console_.print("(no file goes with the next message)\n");
  }
  CARAT_TRY(const std::string text, read_text_file(path, kMaxAttachedBytes));
  if (!is_valid_utf8(text) || text.contains('\0')) {
    return fail(ErrorKind::kFailed, "{}: not a text file (UTF-8)", path);
  }
  const std::string name = std::filesystem::path(path).filename().string();
  attached_ += fmt::format("{}:\n```\n{}{}```\n\n", name, text, text.ends_with('\n') ? "" : "\n");
  return console_.print(fmt::format("({}, {} bytes, goes with the next message)\n", name, text.size()));
}

Result<> ChatView::attach_image(const std::string& path) {
  if (path == "none") {
    images_.clear();
    return console_.print("(no image goes with the next message)\n");
  }
  if (!options_.load_image) {
    return fail(ErrorKind::kUsage,
                "this model is text-only; the 4B, 12B and 27B models of Gemma 3 see images, given their "
                "projector file (--mmproj)");
  }
  CARAT_TRY(prompt::Image image, options_.load_image(path, console_.next_interrupt()));
  const RgbImage& pixels = image.picture->pixels;
  const std::uint64_t bytes = picture_bytes(images_) + pixels.pixels.size();
  const auto add = [](std::uint64_t sum, const Message& message) {
    return sum + picture_bytes(message.images);
  };
  if (std::accumulate(messages_.begin(), messages_.end(), bytes, add) > prompt::kMostPictureBytes) {
    return fail(ErrorKind::kFailed,
                "{}: the pictures of this conversation would take more than {}; /reset begins anew", path,
                memory_size_text(prompt::kMostPictureBytes));
  }
  image.pan_and_scan = crops_;
  const std::size_t crops = engine::ImageReader::crops(image);
  const std::string shown =
      fmt::format("({}, {} x {} pixels, goes with the next message: {}{} tokens)\n",
                  std::filesystem::path(path).filename().string(), pixels.width, pixels.height,
                  crops == 0 ? "" : fmt::format("{} crops beside the whole, ", crops),
                  (1 + crops) * options_.tokens_per_view);
  images_.push_back(std::move(image));
  return console_.print(shown);
}

Result<> ChatView::set_crops(const std::string& argument) {
  if (!argument.empty() && argument != "on" && argument != "off") {
    return fail(ErrorKind::kUsage, "/crops: expected on or off, found '{}'", argument);
  }
  crops_ = argument.empty() ? !crops_ : argument == "on";
  return console_.print(
      crops_
          ? fmt::format(
                "(pictures to come with sides of 1.2 to 1 or more are shown in 2 to 4 crops too, {} tokens "
                "each)\n",
                options_.tokens_per_view)
          : std::string("(pictures to come are shown as a whole only)\n"));
}

Result<> ChatView::print_stats() {
  if (!last_) return console_.print("(no answer yet)\n");
  return console_.print(describe_usage(last_->usage));
}

}  // namespace carat::terminal
