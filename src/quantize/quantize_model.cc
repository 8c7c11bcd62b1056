#include "quantize/quantize_model.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "base/checked_math.h"
#include "base/output_file.h"
#include "base/size_text.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors_writer.h"
#include "quantize/model_metadata.h"
#include "quantize/output_folder.h"
#include "quantize/output_tensor.h"
#include "quantize/tensor_stream.h"
#include "quantize/write_behind.h"

namespace carat::quantize {
namespace {

namespace fs = std::filesystem;
using model::Checkpoint;

// What belongs to a model folder besides its weights.
constexpr std::array kCompanions = {
    "config.json",        "generation_config.json",  "tokenizer.json",           "tokenizer_config.json",
    "tokenizer.model",    "special_tokens_map.json", "added_tokens.json",        "chat_template.jinja",
    "chat_template.json", "processor_config.json",   "preprocessor_config.json", "tokenizer.gguf"};
constexpr std::size_t kMaxCompanionBytes = std::size_t{256} << 20;

bool is_gguf_path(const std::string& path) { return fs::path(path).extension() == ".gguf"; }

Result<> check_output(const Checkpoint& source, const QuantizeOptions& options) {
  const bool gguf = is_gguf_path(options.output);
  const PrecisionInfo& precision = info(options.precision);
  if (gguf && precision.only_safetensors) {
    return fail(ErrorKind::kUsage, "{}: GGUF has no {}; name a folder, which will hold safetensors",
                options.output, precision.words);
  }
  if (!gguf && !precision.only_safetensors && options.precision != Precision::kBf16) {
    return fail(ErrorKind::kUsage, "{}: {} is a type of GGUF; name a file that ends in .gguf", options.output,
                precision.words);
  }
  std::error_code ignored;
  for (const formats::TensorEntry& entry : source.files().entries()) {
    if (fs::equivalent(entry.source->name(), options.output, ignored)) {
      return fail(ErrorKind::kUsage, "{}: the output is the source; name another", options.output);
    }
  }
  return {};
}

Result<> check_space(const std::string& output, std::uint64_t bytes) {
  const fs::path parent = fs::absolute(fs::path(output).lexically_normal()).parent_path();
  std::error_code error;
  const fs::space_info space = fs::space(parent, error);
  if (error || space.available >= bytes) return {};  // an error shows itself when writing
  return fail(ErrorKind::kDiskFull, "{}: {} are needed and {} are free there", output, file_size_text(bytes),
              file_size_text(space.available));
}

bool is_quantized(tensor::ElementType type) {
  return tensor::info(type).block_values > 1 || tensor::info(type).row_scaled;
}

void add_remarks(const std::vector<OutputTensor>& tensors, Precision precision,
                 std::vector<std::string>& remarks) {
  bool twice = false;
  for (const OutputTensor& tensor : tensors) {
    twice = twice || (!tensor.values && !tensor.is_copy() && is_quantized(tensor.source.type));
  }
  if (twice && precision != Precision::kBf16) {
    remarks.push_back("the source is quantized already: its error and the new one add up");
  }
  if (precision == Precision::kInt4) {
    remarks.push_back(
        "int4 with one scale a channel is meant for models that were trained for it: rounding alone ruins "
        "others; int4-block keeps far more at hardly more bytes");
  }
}

// Streams every tensor, in order.
class TensorsWriter {
 public:
  TensorsWriter(const QuantizeOptions& options, parallel::ThreadPool& pool, const QuantizeProgress& progress,
                const std::stop_token& stop, QuantizeReport& report)
      : options_(options), pool_(pool), progress_(progress), stop_(stop), report_(report) {}

  // `alignment` of each tensor from where the file is now.
  Result<> write(const std::vector<OutputTensor>& tensors, std::uint64_t alignment, OutputFile& file) {
    for (const OutputTensor& tensor : tensors) report_.source_bytes += source_bytes(tensor);
    std::uint64_t done = 0;
    const StreamOptions stream = {options_.kernels->encode, options_.measure_error, [&](std::uint64_t bytes) {
                                    done += bytes;
                                    if (progress_) progress_(done, report_.source_bytes);
                                  }};
    WriteBehind out(file);
    for (const OutputTensor& tensor : tensors) {
      std::ranges::fill(out.extend(static_cast<std::size_t>(round_up(out.size(), alignment) - out.size())),
                        std::byte{0});
      const auto importance = options_.importance.find(tensor.source.name);
      CARAT_TRY(
          const double error,
          stream_tensor(tensor, importance == options_.importance.end() ? Importance() : importance->second,
                        stream, pool_, stop_, out));
      std::uint64_t values = 1;
      for (const std::uint64_t extent : tensor.shape) values *= extent;
      report_.tensors.push_back(
          {tensor.name, tensor.values ? tensor.type : tensor.source.type, tensor.type, values, error});
    }
    report_.output_bytes += out.size();
    return out.finish();
  }

 private:
  static std::uint64_t source_bytes(const OutputTensor& tensor) {
    if (tensor.values) return 0;
    return tensor.source.rows * *tensor::row_bytes(tensor.source.type, tensor.source.columns);
  }

  const QuantizeOptions& options_;
  parallel::ThreadPool& pool_;
  const QuantizeProgress& progress_;
  const std::stop_token& stop_;
  QuantizeReport& report_;
};

std::uint64_t total_bytes(const std::vector<OutputTensor>& tensors) {
  std::uint64_t bytes = 0;
  for (const OutputTensor& tensor : tensors) {
    bytes += round_up(tensor.bytes(), std::uint64_t{formats::GgufWriter::kAlignment});
  }
  return bytes;
}

Result<> write_gguf(const Checkpoint& source, const QuantizeOptions& options,
                    const std::vector<OutputTensor>& tensors, TensorsWriter& writer) {
  formats::GgufWriter header;
  CARAT_TRY_VOID(write_gguf_metadata(source, options.precision, header));
  for (const OutputTensor& tensor : tensors) header.declare_tensor(tensor.name, tensor.type, tensor.shape);
  const std::vector<std::byte> head = header.header();
  CARAT_TRY_VOID(check_space(options.output, head.size() + total_bytes(tensors)));
  CARAT_TRY(OutputFile file, OutputFile::create(options.output));
  CARAT_TRY_VOID(file.write(head));
  CARAT_TRY_VOID(writer.write(tensors, formats::GgufWriter::kAlignment, file));
  return file.commit();
}

// Configuration and tokenizer: copies of the source's, or made from a GGUF file's metadata.
Result<> write_companions(const Checkpoint& source, const OutputFolder& folder) {
  if (const formats::GgufFile* gguf = source.gguf()) {
    formats::GgufWriter tokenizer;
    tokenizer.set_string("general.architecture", "gemma3");
    write_gguf_tokenizer(*gguf, tokenizer);
    const std::vector<std::byte> bytes = tokenizer.finish();
    CARAT_TRY(OutputFile file, OutputFile::create(folder.file("tokenizer.gguf")));
    CARAT_TRY_VOID(file.write(bytes));
    CARAT_TRY_VOID(file.commit());
    return write_file(folder.file("config.json"),
                      config_json(source.config(), !source.has(model::TensorId::kHead)));
  }
  const fs::path from =
      fs::is_directory(source.path()) ? fs::path(source.path()) : fs::path(source.path()).parent_path();
  for (const char* name : kCompanions) {
    std::error_code ignored;
    if (!fs::exists(from / name, ignored)) continue;
    CARAT_TRY(const std::string text, read_whole_file((from / name).string(), kMaxCompanionBytes));
    CARAT_TRY_VOID(write_file(folder.file(name), text));
  }
  return {};
}

Result<> write_safetensors(const Checkpoint& source, const QuantizeOptions& options,
                           const std::vector<OutputTensor>& tensors, TensorsWriter& writer) {
  formats::SafetensorsWriter header;
  for (const OutputTensor& tensor : tensors) {
    header.declare(tensor.name, tensor.type, tensor.shape, tensor.scale_count());
  }
  const std::vector<std::byte> head = header.header();
  CARAT_TRY_VOID(check_space(options.output, head.size() + header.data_bytes()));
  CARAT_TRY(OutputFolder folder, OutputFolder::create(options.output));
  CARAT_TRY_VOID(write_companions(source, folder));
  CARAT_TRY(OutputFile file, OutputFile::create(folder.file("model.safetensors")));
  CARAT_TRY_VOID(file.write(head));
  CARAT_TRY_VOID(writer.write(tensors, /*alignment=*/1, file));
  CARAT_TRY_VOID(file.commit());
  return folder.commit();
}

}  // namespace

Result<QuantizeReport> quantize_model(const Checkpoint& source, const QuantizeOptions& options,
                                      parallel::ThreadPool& pool, const QuantizeProgress& progress,
                                      const std::stop_token& stop) {
  CARAT_TRY_VOID(check_output(source, options));
  const bool gguf = is_gguf_path(options.output);
  CARAT_TRY(OutputTensors outputs,
            gguf ? gguf_tensors(source, options.precision) : safetensors_tensors(source, options.precision));
  QuantizeReport report;
  report.remarks = std::move(outputs.remarks);
  add_remarks(outputs.tensors, options.precision, report.remarks);
  TensorsWriter writer(options, pool, progress, stop, report);
  CARAT_TRY_VOID(gguf ? write_gguf(source, options, outputs.tensors, writer)
                      : write_safetensors(source, options, outputs.tensors, writer));
  return report;
}

}  // namespace carat::quantize
