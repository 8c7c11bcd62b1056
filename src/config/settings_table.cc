#include "config/settings_table.h"

namespace carat::config {
namespace {

constexpr double kMostInt32 = 2147483647;
constexpr double kMostExact = 9007199254740992;  // 2^53: every integer up to here is a double

using enum Setting;
using enum SettingType;
using Group = SettingGroup;

// clang-format off
constexpr std::array<SettingInfo, kSettingCount> kTable = {{
    {kModel, Group::kModel, "model", "-m,--model", "CARAT_MODEL", kText, "", 0, 0, "",
     "model: a name in the model store, or the path of a GGUF file or a safetensors folder"},
    {kThreads, Group::kModel, "threads", "-t,--threads", "CARAT_THREADS", kInteger, "", 1, 1024, "",
     "threads that compute (default: as many as this process may use)"},
    {kContext, Group::kContext, "context", "-c,--context", "CARAT_CONTEXT", kInteger, "", 2, kMostInt32, "",
     "tokens of prompt and answer together (default: 4096, or the model's maximum if that is less)"},
    {kKvType, Group::kKvType, "kv_type", "--kv", "CARAT_KV_TYPE", kChoice, "f16", 0, 0, "f32|f16|bf16",
     "number format of the KV cache: f32, f16 or bf16"},
    {kExactActivations, Group::kModel, "exact_activations", "--exact-activations", "CARAT_EXACT_ACTIVATIONS",
     kSwitch, "false", 0, 0, "", "two 8-bit terms for every activation: closer to f32, about half the speed"},
    {kMmproj, Group::kModel, "mmproj", "--mmproj", "CARAT_MMPROJ", kText, "", 0, 0, "",
     "image projector file of the model (default: mmproj-*.gguf beside it); none: no images"},
    {kVisionPrecision, Group::kModel, "vision_precision", "--vision-precision", "CARAT_VISION_PRECISION", kChoice,
     "int8", 0, 0, "f32|bf16|int8", "number format of the image tower: f32, bf16 or int8"},
    {kCpu, Group::kModel, "cpu", "--cpu", "CARAT_CPU", kText, "", 0, 0, "",
     "instruction-set level: scalar, avx2, avxvnni, avx512vnni, avx512bf16 (default: the best exact one)"},
    {kStyle, Group::kPrompt, "style", "--style", "CARAT_STYLE", kChoice, "auto", 0, 0, "auto|gemma|dialogue",
     "prompt style: gemma (instruction-tuned models), dialogue (base models) or auto"},
    {kSystem, Group::kPrompt, "system", "--system", "CARAT_SYSTEM", kText, "", 0, 0, "",
     "system prompt: what the model should know or do throughout"},
    {kTemperature, Group::kSampling, "temperature", "--temperature,--temp", "CARAT_TEMPERATURE", kReal, "1",
     0, 100, "", "spread of the choice; 0 always takes the likeliest token; dialogue style has its own default, 0.3"},
    {kTopK, Group::kSampling, "top_k", "--top-k", "CARAT_TOP_K", kInteger, "64", 0, kMostInt32, "",
     "choose among this many likeliest tokens; 0 takes all"},
    {kTopP, Group::kSampling, "top_p", "--top-p", "CARAT_TOP_P", kReal, "0.95", 0, 1, "",
     "choose among the likeliest tokens that have this share of the probability"},
    {kMinP, Group::kSampling, "min_p", "--min-p", "CARAT_MIN_P", kReal, "0", 0, 1, "",
     "leave out tokens below this share of the likeliest one's probability"},
    {kRepeatPenalty, Group::kSampling, "repeat_penalty", "--repeat-penalty", "CARAT_REPEAT_PENALTY", kReal,
     "1", 0.01, 100, "", "divides the logits of tokens that have occurred; 1 is off"},
    {kPresencePenalty, Group::kSampling, "presence_penalty", "--presence-penalty", "CARAT_PRESENCE_PENALTY",
     kReal, "0", -100, 100, "", "subtracted from the logits of tokens that are in the answer"},
    {kFrequencyPenalty, Group::kSampling, "frequency_penalty", "--frequency-penalty",
     "CARAT_FREQUENCY_PENALTY", kReal, "0", -100, 100, "",
     "subtracted for each time that a token is in the answer"},
    {kSeed, Group::kSampling, "seed", "--seed", "CARAT_SEED", kInteger, "", 0, kMostExact, "",
     "the same seed gives the same text (default: a new one each time)"},
    {kMaxTokens, Group::kSampling, "max_tokens", "-n,--max-tokens", "CARAT_MAX_TOKENS", kInteger, "", 1,
     kMostInt32, "", "longest answer in tokens (default: up to the end of the context)"},
    {kStats, Group::kSampling, "stats", "--stats", "CARAT_STATS", kSwitch, "false", 0, 0, "",
     "print tokens and tokens per second after each answer"},
    {kImageFileBytes, Group::kEnvironment, "image_file_bytes", "", "CARAT_IMAGE_FILE_BYTES", kInteger, "33554432", 1,
     kMostInt32, "", "most bytes of a picture's file"},
    {kImageSide, Group::kEnvironment, "image_side", "", "CARAT_IMAGE_SIDE", kInteger, "16384", 1, kMostInt32, "",
     "most pixels of a picture's side, as its file declares them"},
    {kImagePixels, Group::kEnvironment, "image_pixels", "", "CARAT_IMAGE_PIXELS", kInteger, "67108864", 1,
     kMostInt32, "", "most pixels of a picture in all"},
    {kOffline, Group::kEnvironment, "offline", "", "CARAT_OFFLINE", kSwitch, "false", 0, 0, "",
     "never use the network"},
    {kHuggingFace, Group::kEnvironment, "hugging_face", "", "CARAT_HUGGING_FACE", kText, "", 0, 0,
     "", "address of the Hugging Face hub, for pulling models (default: HF_ENDPOINT, or the public one)"},
    {kOllamaRegistry, Group::kEnvironment, "ollama_registry", "", "CARAT_OLLAMA_REGISTRY", kText,
     "https://registry.ollama.ai", 0, 0, "", "address of the Ollama registry, for pulling models"},
    {kPeers, Group::kEnvironment, "peers", "", "CARAT_PEERS", kText, "", 0, 0, "",
     "folder of other inference programs that tests and benchmarks compare with"},
    {kData, Group::kEnvironment, "data", "", "CARAT_DATA", kText, "", 0, 0, "",
     "folder of data sets that tests and benchmarks read"},
    {kHost, Group::kServer, "host", "--host", "CARAT_HOST", kText, "127.0.0.1", 0, 0, "",
     "address to listen at: a name, an IP address, or unix:/path; others than this machine need --api-key-file"},
    {kPort, Group::kServer, "port", "--port", "CARAT_PORT", kInteger, "8080", 0, 65535, "",
     "port to listen at; 0 takes any free one"},
    {kApiKeyFile, Group::kServer, "api_key_file", "--api-key-file", "CARAT_API_KEY_FILE", kText, "", 0, 0, "",
     "file with API keys, one a line; without one whoever reaches the server may use it"},
    {kAlias, Group::kServer, "alias", "--alias", "CARAT_ALIAS", kText, "", 0, 0, "",
     "another name of the model, NAME=MODEL for one of another, or * for every name; may be given several times"},
    {kAllowHost, Group::kServer, "allow_host", "--allow-host", "CARAT_ALLOW_HOST", kText, "", 0, 0, "",
     "host name by which the server may be called, besides localhost and IP addresses; * for any"},
    {kAllowOrigin, Group::kServer, "allow_origin", "--allow-origin", "CARAT_ALLOW_ORIGIN", kText, "", 0, 0, "",
     "origin whose pages may use the server, such as https://chat.example; * for any"},
    {kParallel, Group::kServer, "parallel", "--parallel", "CARAT_PARALLEL", kInteger, "4", 1, 1024, "",
     "conversations of full length that the KV cache has room for; of shorter ones, more"},
    {kMaxQueue, Group::kServer, "max_queue", "--max-queue", "CARAT_MAX_QUEUE", kInteger, "256", 1, 65536, "",
     "requests that may wait; more are answered 503"},
    {kPanAndScan, Group::kServer, "pan_and_scan", "--pan-and-scan", "CARAT_PAN_AND_SCAN", kSwitch, "false", 0, 0,
     "", "show long images as a row of crops too, where a request does not say"},
    {kDrainSeconds, Group::kServer, "drain_seconds", "--drain-seconds", "CARAT_DRAIN_SECONDS", kInteger, "30", 0,
     86400, "", "on SIGTERM, how long requests that run may go on"},
    {kTlsCertificate, Group::kServer, "tls_certificate", "--tls-certificate", "CARAT_TLS_CERTIFICATE", kText, "",
     0, 0, "", "PEM file with the certificate chain; with --tls-key: speak HTTPS"},
    {kTlsKey, Group::kServer, "tls_key", "--tls-key", "CARAT_TLS_KEY", kText, "", 0, 0, "",
     "PEM file with the certificate's key"},
    {kLogJson, Group::kServer, "log_json", "--log-json", "CARAT_LOG_JSON", kSwitch, "false", 0, 0, "",
     "log requests as one JSON object a line"},
    {kStore, Group::kStore, "store", "--store", "CARAT_STORE", kText, "", 0, 0, "",
     "file for conversations, responses and keys (default: carat.db in the data folder); none: keep nothing"},
    {kTrustedProxy, Group::kServer, "trusted_proxy", "--trusted-proxy", "CARAT_TRUSTED_PROXY", kText, "", 0, 0, "",
     "address or network of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; unix for its socket"},
    {kMaxRequests, Group::kServer, "max_requests", "--max-requests", "CARAT_MAX_REQUESTS", kInteger, "1024", 1,
     1048576, "", "requests that are read and answered at a time; more are answered 503"},
    {kKeyRequests, Group::kServer, "key_requests", "--key-requests", "CARAT_KEY_REQUESTS", kInteger, "256", 1,
     1048576, "", "of these, how many of one API key that has no limit of its own; more are answered 429"},
    {kResponseDays, Group::kServer, "response_days", "--response-days", "CARAT_RESPONSE_DAYS", kInteger, "30", 0, 36500,
     "", "days for which responses are kept; 0: until they are deleted"},
    {kModels, Group::kServer, "models", "--models", "CARAT_MODELS", kText, "", 0, 0,
     "", "model that is loaded when a request asks for it; all: every one that `carat models` lists; may be given several times"},
    {kPin, Group::kServer, "pin", "--pin", "CARAT_PIN", kText, "", 0, 0, "",
     "another model that is loaded at the start and stays; may be given several times"},
    {kModelMemory, Group::kServer, "model_memory", "--model-memory", "CARAT_MODEL_MEMORY", kInteger, "", 1,
     kMostInt32, "", "MiB of memory for all models together (default: what is free at the start)"},
    {kKeepAlive, Group::kServer, "keep_alive", "--keep-alive", "CARAT_KEEP_ALIVE", kText, "5m", 0, 0, "",
     "how long a model stays that nobody uses, as 5m or 1h30m or seconds; -1: until its memory is needed"},
}};
// clang-format on

static_assert([] {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].id) != i) return false;
  }
  return true;
}());

}  // namespace

std::span<const SettingInfo> settings_table() { return kTable; }

const SettingInfo& info(Setting setting) { return kTable[static_cast<std::size_t>(setting)]; }

bool is_list(Setting setting) {
  return setting == kAlias || setting == kAllowHost || setting == kAllowOrigin || setting == kTrustedProxy ||
         setting == kModels || setting == kPin;
}

}  // namespace carat::config
