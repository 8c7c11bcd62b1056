#pragma once

#include <dlpack/dlpack.h>
#include <xgrammar/matcher.h>

#include <cstdint>
#include <span>

namespace carat::grammar {

// The words of a mask as the tensor that XGrammar fills.
class MaskTensor {
 public:
  explicit MaskTensor(std::span<std::int32_t> words) : words_(static_cast<std::int64_t>(words.size())) {
    tensor_.data = words.data();
    tensor_.device = {kDLCPU, 0};
    tensor_.ndim = 1;
    tensor_.dtype = xgrammar::GetBitmaskDLType();
    tensor_.shape = &words_;
  }
  MaskTensor(const MaskTensor&) = delete;
  MaskTensor& operator=(const MaskTensor&) = delete;
  DLTensor* get() { return &tensor_; }

 private:
  std::int64_t words_;
  DLTensor tensor_{};
};

}  // namespace carat::grammar
