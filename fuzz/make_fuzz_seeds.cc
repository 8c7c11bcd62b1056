// make_fuzz_seeds DIR: writes DIR/<target>/<seed>, small valid inputs from which the fuzz targets start.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_writer.h"
#include "images/decode_job.h"
#include "model/test_tiny_model.h"
#include "tokenizer/test_tiny_json.h"
#include "worker/message.h"

namespace {

namespace fs = std::filesystem;
using carat::formats::GgufWriter;
using carat::model::TinyModel;

class Corpus {
 public:
  explicit Corpus(fs::path folder) : folder_(std::move(folder)) {}

  void add(std::string_view target, std::string_view seed, std::span<const std::byte> bytes) {
    fs::create_directories(folder_ / target);
    std::ofstream file(folder_ / target / seed, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    failed_ |= !file.flush();
  }
  void add(std::string_view target, std::string_view seed, std::string_view text) {
    add(target, seed, std::as_bytes(std::span(text)));
  }
  bool failed() const { return failed_; }

 private:
  fs::path folder_;
  bool failed_ = false;
};

void add_gguf(Corpus& corpus) {
  const auto plain = TinyModel().gguf();
  TinyModel ollama;
  ollama.config.max_context = 131'072;
  ollama.without = {"gemma3.attention.key_length", "gemma3.attention.value_length"};
  ollama.add = [](GgufWriter& writer) {
    writer.set_u32("general.alignment", 32);
    writer.set_f32("gemma3.rope.global.freq_base", 1e6F);
    writer.set_f32("gemma3.rope.local.freq_base", 1e4F);
    writer.set_bool_array("gemma3.attention.sliding_window_pattern", {true, false});
    writer.set_string("tokenizer.chat_template", "{{ bos_token }}");
  };
  TinyModel scaled;
  scaled.add = [](GgufWriter& writer) {
    writer.set_string("gemma3.rope.scaling.type", "linear");
    writer.set_f32("gemma3.rope.scaling.factor", 8.0F);
    writer.set_f32("gemma3.attention.scale", 0.25F);
    writer.set_u32("gemma3.attention.sliding_window_pattern", 2);
    writer.set_string("general.finetune", "it");
  };
  for (const char* target : {"gguf", "gguf_config"}) {
    corpus.add(target, "plain", plain);
    corpus.add(target, "ollama", ollama.gguf());
    corpus.add(target, "scaled", scaled.gguf());
  }
}

void add_safetensors(Corpus& corpus) {
  const auto add = [&](std::string_view seed, std::string_view header, std::size_t data_bytes) {
    const std::uint64_t length = header.size();
    std::string file(reinterpret_cast<const char*>(&length), sizeof length);
    file += header;
    file.append(data_bytes, '\0');
    corpus.add("safetensors", seed, file);
  };
  add("empty", "{}", 0);
  add("one", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  add("three",
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]},)"
      R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[2,14]},)"
      R"("c":{"dtype":"F32","shape":[1,1,1],"data_offsets":[14,18]}}   )",
      18);
}

void add_hf_config(Corpus& corpus) {
  corpus.add(
      "hf_config", "flat",
      R"({"model_type":"gemma3_text","hidden_size":8,"intermediate_size":16,"num_hidden_layers":2,)"
      R"("num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,"vocab_size":10,)"
      R"("max_position_embeddings":64,"rms_norm_eps":1e-06,"rope_theta":1e6,"rope_local_base_freq":1e4,)"
      R"("rope_scaling":null,"sliding_window":4,"sliding_window_pattern":6,"query_pre_attn_scalar":4,)"
      R"("hidden_activation":"gelu_pytorch_tanh","final_logit_softcapping":null,"tie_word_embeddings":true})");
  corpus.add("hf_config", "sparse",
             R"({"model_type":"gemma3","text_config":{"model_type":"gemma3_text","hidden_size":8,)"
             R"("intermediate_size":16,"num_hidden_layers":2,"sliding_window":4,)"
             R"("rope_scaling":{"factor":8.0,"rope_type":"linear"}}})");
  corpus.add("hf_config", "current",
             R"({"model_type":"gemma3_text","hidden_size":8,"intermediate_size":16,"num_hidden_layers":2,)"
             R"("sliding_window":4,"layer_types":["sliding_attention","full_attention"],)"
             R"("rope_parameters":{"full_attention":{"rope_type":"linear","rope_theta":1e6,"factor":8.0},)"
             R"("sliding_attention":{"rope_type":"default","rope_theta":1e4}}})");
}

void add_tokenizer(Corpus& corpus) {
  corpus.add("tokenizer_json", "tiny", carat::tokenizer::kTinyTokenizerJson);
  corpus.add("tokenizer", "text", "hello  world<bos>\n\n </s> \u00E9\u2581\u2581 \U0001F600");
  corpus.add("tokenizer", "invalid", "he\xFFllo \xE2\x82 \xED\xA0\x80 \xF0\x9F\x98");
}

void add_conversation_file(Corpus& corpus) {
  corpus.add("conversation_file", "empty",
             R"({"format":"carat-conversation","version":1,"system":"","messages":[]})");
  corpus.add("conversation_file", "two_turns",
             R"({"format":"carat-conversation","version":1,"system":"be brief","messages":[)"
             R"({"role":"user","text":"hi\n\u001b[31m \ud83d\ude00"},)"
             R"({"role":"assistant","text":"hello","ids":[1,262143,2147483647]},)"
             R"({"role":"user","text":""},{"role":"assistant","text":"ok"}]})");
}

void add_devices(Corpus& corpus) {
  corpus.add("device_list", "forms",
             "# mine\n\na-1 = 24 GB, A card, the old one\r\nb.2=16GiB\nc = 1.5 TiB,\nd = 512 MB, x\n");
  corpus.add("device_list", "errors", "a = 1GB\na = 2GB\nB = 1\n= 3 GB\nx\n");
}

void add_settings(Corpus& corpus) {
  corpus.add("settings", "all_types",
             "# comment\nmodel = 'gemma-3-270m'\nthreads = 2\ntemperature = 0.5\nstats = true\n"
             "kv_type = \"f16\"\ntop_k = 0x10\n");
  corpus.add("settings", "toml", "a.b = [1, {c = 1979-05-27T07:32:00Z}]\n[[d]]\n\"\\u00E9\" = nan\n[e]\n");
}

void add_requests(Corpus& corpus) {
  corpus.add("request", "pipelined",
             "\x03GET /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nX-Request-Id: 1\r\n\r\n"
             "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
  corpus.add(
      "request", "chunked",
      "\x07PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a\r\n0123456789"
      "\r\n0\r\n\r\n");
  corpus.add("request", "old",
             "\x01GET /../a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Encoding: gzip\r\n\r\n");
  corpus.add("json_body", "nested", R"({"a":[1,-2.5e3,{"b":null,"":true}],"c":"\u00e9\ud83d\ude00\n"})");
}

void add_worker_messages(Corpus& corpus) {
  using namespace carat::worker;
  using namespace carat::images;
  const auto add = [&](std::string_view seed, MessageKind kind, const std::vector<std::byte>& payload) {
    MessageWriter message;
    message.bytes(encode_header({kind, payload.size()}));
    message.bytes(payload);
    corpus.add("worker_message", seed, message.take());
  };
  const std::array<std::byte, 5> file = {};
  add("request", MessageKind::kRequest, encode_request({ImageType::kPng, {}, file}));
  add("reply", MessageKind::kDone, encode_reply({2, 1, std::vector<std::uint8_t>(6)}));
  add("failed", MessageKind::kFailed, std::vector<std::byte>(3));
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) {
    std::fputs("usage: make_fuzz_seeds DIR\n", stderr);
    return 2;
  }
  Corpus corpus(arguments[1]);
  add_gguf(corpus);
  add_safetensors(corpus);
  add_hf_config(corpus);
  add_tokenizer(corpus);
  add_conversation_file(corpus);
  add_settings(corpus);
  add_devices(corpus);
  add_requests(corpus);
  add_worker_messages(corpus);
  return corpus.failed() ? 1 : 0;
}
