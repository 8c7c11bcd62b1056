#pragma once

#include <span>

#include "base/sha256.h"
#include "prompt/piece.h"

namespace carat::session {

// SHA-256 of a rendered prompt: of each piece its kind, its length and its bytes; of an image its picture's
// digest. Equal prompts have equal hashes, and nobody reads a text from one.
Sha256Digest prompt_hash(std::span<const prompt::Piece> pieces);

}  // namespace carat::session
