#pragma once

#include <memory>

#include "server/test_model_source.h"
#include "server/test_server.h"

namespace carat::server {

// A server that loads "a" and "b", which is also called "gpt", when they are asked for; there is room for one
// of them.
class ModelsServerTest : public ServerTest {
 protected:
  void SetUp() override {
    source_->add("a", 60);
    source_->add("b", 60);
    registry_.aliases = {"gpt=b"};
    registry_.pinned = 0;
    registry_.source = source_;
    registry_.memory = 100;
    serve([](const prompt::GenerationRequest&) { return engine::Script(); }, {}, /*has_model=*/false);
  }

  std::shared_ptr<TestModelSource> source_ = std::make_shared<TestModelSource>();
};

}  // namespace carat::server
