// Every request of the reference test data set is executed by the emulated device of its type.
#include <gtest/gtest.h>

#include "apps/rtds_devices.h"
#include "tests/vectors.h"

namespace wattseal::apps {
namespace {

TEST(Devices, AnswerEveryReferenceRequestWithTheStructureOfItsResponse) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  const Result<RtdsReport> report = compare_devices(vectors, "");
  ASSERT_TRUE(report.ok()) << report.refusal().detail;
  std::map<std::string, std::map<std::string, int>> by_use_case;
  for (const RtdsRow& row : report->rows) {
    EXPECT_EQ(row.result, "pass") << row.name << " " << row.detail;
    ++by_use_case[row.use_case][row.result];
  }
  EXPECT_GT(report->rows.size(), 150u);
  EXPECT_GT(by_use_case.size(), 100u);
  std::cout << report->rows.size() << " requests of " << by_use_case.size() << " use cases\n";
}

TEST(Devices, AreNotAskedAboutAnUnknownUseCase) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  const Result<RtdsReport> report = compare_devices(vectors, "XYZ");
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.refusal().rule.text(), "apps-use-case");
}

}  // namespace
}  // namespace wattseal::apps
