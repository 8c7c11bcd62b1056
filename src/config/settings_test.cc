#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace carat::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

Sources file(std::string text) {
  Sources sources;
  sources.file_name = "config.toml";
  sources.file_text = std::move(text);
  return sources;
}

Settings resolved(const Sources& sources) {
  auto resolution = resolve(sources);
  EXPECT_TRUE(resolution) << resolution.error().message;
  return resolution ? resolution->settings : Settings();
}

std::string usage_error(const Sources& sources) {
  const auto resolution = resolve(sources);
  if (resolution) return "no error";
  EXPECT_EQ(resolution.error().kind, ErrorKind::kUsage);
  return resolution.error().message;
}

TEST(SettingsTable, NamesAreUniqueAndFollowOnePattern) {
  std::set<std::string_view> keys;
  for (const SettingInfo& setting : settings_table()) {
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    std::string variable = "CARAT_";
    for (const char c : setting.key) variable += static_cast<char>(std::toupper(c));
    EXPECT_EQ(setting.variable, variable);
    EXPECT_FALSE(setting.help.empty());
    EXPECT_EQ(setting.flag.empty(), setting.group == SettingGroup::kEnvironment) << setting.key;
  }
}

TEST(Settings, DefaultsNeedNoSource) {
  const Settings settings = resolved({});
  EXPECT_EQ(settings.real(Setting::kTopP), 0.95);
  EXPECT_EQ(settings.integer(Setting::kTopK), 64);
  EXPECT_EQ(settings.integer(Setting::kSeed), std::nullopt);
  EXPECT_EQ(settings.text(Setting::kModel), "");
  EXPECT_FALSE(settings.is_on(Setting::kOffline));
  EXPECT_EQ(settings.entry(Setting::kTopP).where, "default");
}

TEST(Settings, ListsHaveCommasBetweenTheirItems) {
  Sources sources;
  sources.flags = {{Setting::kAlias, "a,b c,,d,"}};
  const Settings settings = resolved(sources);
  EXPECT_EQ(settings.list(Setting::kAlias), (std::vector<std::string>{"a", "b c", "d"}));
  EXPECT_TRUE(settings.list(Setting::kAllowHost).empty());
}

TEST(Settings, FlagsWinOverEnvironmentOverFileOverDefaults) {
  Sources sources = file("seed = 1\n");
  EXPECT_EQ(resolved(sources).integer(Setting::kSeed), 1);
  EXPECT_EQ(resolved(sources).entry(Setting::kSeed).where, "config.toml:1");
  sources.environment = {{"CARAT_SEED", "2"}};
  EXPECT_EQ(resolved(sources).integer(Setting::kSeed), 2);
  EXPECT_EQ(resolved(sources).entry(Setting::kSeed).where, "CARAT_SEED");
  sources.flags = {{Setting::kSeed, "3"}};
  EXPECT_EQ(resolved(sources).integer(Setting::kSeed), 3);
  EXPECT_EQ(resolved(sources).entry(Setting::kSeed).where, "--seed");
  EXPECT_EQ(resolved(sources).entry(Setting::kSeed).origin, Origin::kFlag);
}

TEST(Settings, TheFileGivesEveryType) {
  const Settings settings =
      resolved(file("model = 'gemma3:270m'\nthreads = 2\ntop_p = 1\ntemperature = 0.5\nkv_type = 'bf16'\n"
                    "exact_activations = true\n"));
  EXPECT_EQ(settings.text(Setting::kModel), "gemma3:270m");
  EXPECT_EQ(settings.integer(Setting::kThreads), 2);
  EXPECT_EQ(settings.real(Setting::kTopP), 1.0);  // an integer where a real number is wanted
  EXPECT_EQ(settings.real(Setting::kTemperature), 0.5);
  EXPECT_EQ(settings.text(Setting::kKvType), "bf16");
  EXPECT_TRUE(settings.is_on(Setting::kExactActivations));
}

TEST(Settings, WrongValuesInTheFileAreNamedWithTheirLine) {
  EXPECT_EQ(usage_error(file("\nthreads = 'two'\n")),
            "config.toml:2: threads: expected an integer between 1 and 1024, found the string 'two'");
  EXPECT_EQ(usage_error(file("threads = 0")),
            "config.toml:1: threads: expected an integer between 1 and 1024, found 0");
  EXPECT_EQ(usage_error(file("kv_type = 'q8'")),
            "config.toml:1: kv_type: expected one of f32, f16, bf16, found the string 'q8'");
  EXPECT_THAT(usage_error(file("temperature = nan")), HasSubstr("a number between 0 and 100, found nan"));
  EXPECT_THAT(usage_error(file("threads = 1.5")), HasSubstr("found 1.5"));
  EXPECT_THAT(usage_error(file("model = ['a']")), HasSubstr("expected a text, found an array"));
  EXPECT_THAT(usage_error(file("[model]\na = 1")), HasSubstr("found a table"));
  EXPECT_THAT(usage_error(file("seed = 2020-01-01")), HasSubstr("found a date or time"));
  EXPECT_THAT(usage_error(file("offline = 1")), HasSubstr("expected true or false, found 1"));
}

TEST(Settings, AFileThatIsNoTomlIsAnErrorWithItsLine) {
  EXPECT_THAT(usage_error(file("seed = 1\nthreads = = 2\n")), StartsWith("config.toml:2: "));
  EXPECT_THAT(usage_error(file("seed = 1\nseed = 2\n")), StartsWith("config.toml:2: "));
  EXPECT_THAT(usage_error(file("system = 'é'\nтемпература = 1\n")), StartsWith("config.toml:2: "));
  EXPECT_THAT(usage_error(file(std::string("a\0b\xFF", 4))), StartsWith("config.toml:1: "));
  EXPECT_THAT(usage_error(file("model = " + std::string(100'000, '['))), StartsWith("config.toml:1: "));
}

TEST(Settings, UnknownKeysGetTheNearestKnownName) {
  EXPECT_EQ(usage_error(file("temprature = 1")),
            "config.toml:1: unknown key 'temprature'; did you mean 'temperature'?");
  EXPECT_EQ(usage_error(file("colour = 1")),
            "config.toml:1: unknown key 'colour'; 'carat config show' lists all of them");

  Sources sources;
  sources.environment = {{"CARAT_THREAD", "1"}, {"CARAT_XYZZY", "1"}, {"OTHER", "1"}};
  const auto resolution = resolve(sources);
  ASSERT_TRUE(resolution);
  EXPECT_THAT(resolution->warnings,
              testing::ElementsAre("unknown environment variable CARAT_THREAD; did you mean CARAT_THREADS?",
                                   "unknown environment variable CARAT_XYZZY"));
}

TEST(Settings, WrongVariablesAndFlagsAreNamed) {
  Sources sources;
  sources.environment = {{"CARAT_TOP_K", "many"}};
  EXPECT_EQ(usage_error(sources), "CARAT_TOP_K: expected an integer between 0 and 2147483647, found 'many'");
  sources.environment = {{"CARAT_TOP_K", ""}};
  EXPECT_EQ(resolved(sources).entry(Setting::kTopK).origin, Origin::kDefault);
  for (const char* text : {"", " 1", "1 ", "1e999", "nan", "-1", "0x1", "99999999999999999999"}) {
    SCOPED_TRACE(text);
    sources.flags = {{Setting::kThreads, text}};
    EXPECT_THAT(usage_error(sources), AllOf(StartsWith("--threads: expected an integer"), HasSubstr(text)));
    sources.flags = {{Setting::kMinP, text}};
    EXPECT_THAT(usage_error(sources), StartsWith("--min-p: "))
        << "1e999 is out of range for a double, the rest out of 0 to 1";
  }
}

TEST(Settings, ValuesReadWellForPeople) {
  EXPECT_EQ(to_text(Value()), "not set");
  EXPECT_EQ(to_text(Value(0.95)), "0.95");
  EXPECT_EQ(to_text(Value(std::int64_t{64})), "64");
  EXPECT_EQ(to_text(Value(true)), "on");
  EXPECT_EQ(to_text(Value(std::string("f16"))), "f16");
}

}  // namespace
}  // namespace carat::config
