#include "apps/exit_code.h"

#include <gtest/gtest.h>

namespace carat::apps {
namespace {

// The numbers of docs/exit-codes.md, on which scripts rely.
TEST(ExitCode, EachKindHasItsDocumentedNumber) {
  EXPECT_EQ(exit_code(ErrorKind::kFailed), 1);
  EXPECT_EQ(exit_code(ErrorKind::kUsage), 2);
  EXPECT_EQ(exit_code(ErrorKind::kNotFound), 3);
  EXPECT_EQ(exit_code(ErrorKind::kInvalidModel), 4);
  EXPECT_EQ(exit_code(ErrorKind::kDoesNotFit), 5);
  EXPECT_EQ(exit_code(ErrorKind::kPortInUse), 6);
  EXPECT_EQ(exit_code(ErrorKind::kDiskFull), 7);
  EXPECT_EQ(exit_code(ErrorKind::kInterrupted), 130);
  EXPECT_EQ(exit_code(ErrorKind::kNetwork), 1);
  EXPECT_EQ(exit_code(ErrorKind::kClosedPipe), 141);
  EXPECT_EQ(exit_code(ErrorKind::kContextExceeded), 1);
  EXPECT_EQ(exit_code(ErrorKind::kOverloaded), 1);
}

}  // namespace
}  // namespace carat::apps
