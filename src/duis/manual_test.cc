#include "duis/manual.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "duis/compose.h"
#include "duis/schema.h"
#include "terms/terms.h"
#include "tests/vectors.h"

namespace wattseal::duis {
namespace {

TEST(Manual, SaysWhatTheRowsSay) {
  const std::vector<ManualLine> debt = manual_lines("2.3");
  ASSERT_EQ(debt.size(), 18u);
  EXPECT_EQ(debt[3].path, "DebtRecoveryPerPayment");
  EXPECT_EQ(debt[3].value, "an integer from 0 to 10000");
  EXPECT_EQ(debt[4].path, "ElecDebtRecovery1");
  EXPECT_EQ(debt[4].choice, "either");
  EXPECT_EQ(debt[8].path, "ElecDebtRecovery2");
  EXPECT_EQ(debt[8].choice, "with");
  EXPECT_EQ(debt[12].path, "GasDebtRecovery1");
  EXPECT_EQ(debt[12].choice, "or");
  EXPECT_EQ(debt[14].path, "GasDebtRecovery1/DebtRecoveryRatePeriod");
  EXPECT_EQ(debt[14].value, "one of HOURLY, DAILY");
  EXPECT_TRUE(manual_lines("7.1").empty());
  const std::string page = manual_page("2.3");
  for (const char* part : {"# 2.3 Update Debt", "import supplier (IS), gas supplier (GS)",
                           "POST /api/v1/serviceT", "ECS07", "<sr:UpdateDebt>"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(Manual, ExamplesAreValidRequests) {
  for (const ServiceRequestRow& row : service_requests()) {
    const Result<xml::Document> document = xml::parse(manual_example(row.variant));
    ASSERT_TRUE(document.ok()) << row.variant;
    EXPECT_TRUE(check_schema(document->root()).ok()) << row.variant;
  }
}

// The pages in the repository are what the rows say now: wattseal duis describe --all --out
// docs/duis.
TEST(Manual, PagesInTheRepositoryAreUpToDate) {
  const std::filesystem::path folder = "docs/duis";
  EXPECT_EQ(test::read_text(folder / "README.md"), manual_index());
  std::size_t pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    pages += entry.path().filename() != "README.md";
  EXPECT_EQ(pages, service_requests().size());
  for (const ServiceRequestRow& row : service_requests())
    EXPECT_EQ(test::read_text(folder / (std::string(row.variant) + ".md")),
              manual_page(row.variant))
        << row.variant;
}

}  // namespace
}  // namespace wattseal::duis
