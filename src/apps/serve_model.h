#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "apps/runtime.h"
#include "base/result.h"
#include "engine/load_model.h"
#include "server/served_model.h"

namespace carat::apps {

// The runtime for one model among several: -m names it, and a projector file of another is not meant for it.
Runtime runtime_for(const Runtime& runtime, const std::filesystem::path& model);

// Makes the context no longer than the model's: -c is for the one that can have most of it.
void limit_context(Runtime& runtime, const engine::LoadedModel& model);

// How many conversations of full length there is room for.
std::size_t served_conversations(const Runtime& runtime);

// Bytes that the runtime's model needs at most when it is served, from its headers. Errors are those of
// hub::summarize_model, and kInvalidModel for one of another family.
Result<std::uint64_t> served_bytes(const Runtime& runtime, const std::filesystem::path& path);

// The name of a model that was named by its path: the file's or folder's, without what only tells its format.
std::string model_id(const std::filesystem::path& path);

// Decodes the pictures of requests, in the worker; the pixels of all that are in use at a time are bounded,
// so a server has one of these for all of its models.
server::ImageDecoder served_image_decoder(const Runtime& runtime);

// A loaded model as the server's routes see it; it owns `model`. `decode_image` is used if it sees. Errors
// are those of make_engine and of looking at the files again.
Result<std::shared_ptr<const server::ServedModel>> serve_model(const Runtime& runtime,
                                                               std::unique_ptr<engine::LoadedModel> model,
                                                               const std::filesystem::path& path,
                                                               const std::string& id,
                                                               const server::ImageDecoder& decode_image);

}  // namespace carat::apps
