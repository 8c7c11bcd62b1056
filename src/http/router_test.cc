#include "http/router.h"

#include <gtest/gtest.h>

namespace carat::http {
namespace {

Router make_router() {
  const Handler nothing = [](const std::shared_ptr<const ServerRequest>&, const Responder&) {};
  Router router;
  router.add("GET", "/", nothing);
  router.add("GET", "/models/{id}", nothing);
  router.add("DELETE", "/models/{id}", nothing);
  router.add("POST", "/models/load", nothing);
  router.add("GET", "/files/{name...}", nothing);
  router.add("GET", "/files/{name}/size", nothing);
  router.add("HEAD", "/both", nothing);
  router.add("GET", "/both", nothing);
  router.add("OPTIONS", "/both", nothing);
  return router;
}

std::string pattern(const Router::Match& match) { return match.route == nullptr ? "" : match.route->pattern; }

TEST(RouterTest, FindsByMethodAndPath) {
  const Router router = make_router();
  EXPECT_EQ(pattern(router.find("GET", "/")), "/");
  const Router::Match one = router.find("DELETE", "/models/a b");
  EXPECT_EQ(pattern(one), "/models/{id}");
  EXPECT_EQ(one.route->method, "DELETE");
  EXPECT_EQ(one.params, (NamedValues{{"id", "a b"}}));
  EXPECT_EQ(router.find("HEAD", "/models/x").route, router.find("GET", "/models/x").route);
  EXPECT_EQ(router.find("HEAD", "/both").route->method, "HEAD");
  EXPECT_EQ(router.find("OPTIONS", "/both").route->method, "OPTIONS");
}

TEST(RouterTest, FixedSegmentsGoBeforeNamedOnes) {
  const Router router = make_router();
  EXPECT_EQ(pattern(router.find("POST", "/models/load")), "/models/load");
  EXPECT_EQ(pattern(router.find("GET", "/files/a/size")), "/files/{name}/size");
  const Router::Match rest = router.find("GET", "/files/a/b/c");
  EXPECT_EQ(pattern(rest), "/files/{name...}");
  EXPECT_EQ(rest.params, (NamedValues{{"name", "a/b/c"}}));
}

TEST(RouterTest, WhatWasNotAddedIsRefused) {
  const Router router = make_router();
  for (const char* path :
       {"/models", "/models/", "/models/a/b", "/Models/a", "/files", "/files/", "//", "/x", "*"}) {
    const Router::Match match = router.find("GET", path);
    EXPECT_EQ(match.route, nullptr) << path;
    EXPECT_EQ(match.allow, "") << path;
  }
  const Router::Match match = router.find("PUT", "/models/a");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(router.find("GET", "/models/load").allow, "POST, OPTIONS");
  EXPECT_EQ(router.find("PUT", "/both").allow, "HEAD, GET, OPTIONS");
}

TEST(RouterDeathTest, MalformedOrRepeatedPatternsAreOurBug) {
  const Handler nothing = [](const std::shared_ptr<const ServerRequest>&, const Responder&) {};
  Router router = make_router();
  for (const char* bad : {"", "a", "/{}", "/{a", "/a}", "/{a...}/b", "/both"}) {
    EXPECT_DEATH(router.add("GET", bad, nothing), "internal error") << bad;
  }
}

}  // namespace
}  // namespace carat::http
