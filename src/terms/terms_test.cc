#include "terms/terms.h"

#include <gtest/gtest.h>

#include <set>

namespace wattseal {
namespace {

TEST(Roles, OuIsTwoUpperCaseHexDigitsAndNothingElse) {
  EXPECT_EQ(remote_party_role_from_ou("02"), RemotePartyRole::supplier);
  EXPECT_EQ(remote_party_role_from_ou("89"), RemotePartyRole::dsp_xml_sign);
  EXPECT_EQ(remote_party_role_from_ou("7F"), RemotePartyRole::other);
  EXPECT_FALSE(remote_party_role_from_ou(
      "137"));  // the decimal of a real, faulty certificate (spec/smki.md 1.9)
  EXPECT_FALSE(remote_party_role_from_ou("7f"));
  EXPECT_FALSE(remote_party_role_from_ou("2"));
  EXPECT_FALSE(remote_party_role_from_ou("99"));
  EXPECT_EQ(ou_text(RemotePartyRole::xml_sign), "87");
}

TEST(ServiceRequests, MatchTheMatrixCounts) {
  int critical = 0, non_device = 0, scheduled = 0;
  std::set<std::string_view> variants;
  for (const ServiceRequestRow& row : service_requests()) {
    critical += row.critical;
    non_device += row.non_device;
    scheduled += row.dcc_scheduled;
    variants.insert(row.variant);
  }
  EXPECT_EQ(variants.size(), 129u);
  EXPECT_EQ(critical, 37);
  EXPECT_EQ(non_device, 16);
  EXPECT_EQ(scheduled, 13);
}

TEST(ServiceRequests, AgreeWithThemselvesAndWithTheUseCases) {
  for (const ServiceRequestRow& row : service_requests()) {
    EXPECT_TRUE(row.variant == row.reference ||
                row.variant.starts_with(std::string(row.reference) + "."))
        << row.variant << " of " << row.reference;
    // What is critical is signed by the user: it goes through Transform.
    EXPECT_EQ(row.critical, row.allows_variant(4)) << row.variant;
  }
  for (const UseCaseRow& row : use_cases()) {
    const ServiceRequestRow* const request = find_service_request(row.variant);
    if (!request) continue;  // no user asks for it
    EXPECT_EQ(row.element, request->element) << row.use_case;
    EXPECT_EQ(row.protection_class == "critical", request->critical) << row.use_case;
  }
}

TEST(ServiceRequests, SayWhoMayAskHow) {
  const ServiceRequestRow* row = find_service_request("4.1.1");
  ASSERT_NE(row, nullptr);
  EXPECT_TRUE(row->allows_role(UserRole::import_supplier));
  EXPECT_FALSE(row->allows_role(UserRole::other_user));
  EXPECT_TRUE(row->allows_variant(1));
  EXPECT_FALSE(row->allows_variant(4));
  EXPECT_EQ(find_service_request("4.1.9"), nullptr);
}

TEST(UseCases, AreFoundByCodeAndDevice) {
  const UseCaseRow* row = find_use_case(std::string_view("ECS17b"));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->message_code, 0x0027);
  EXPECT_TRUE(row->response_has_time);
  EXPECT_FALSE(row->response_signed);
  EXPECT_EQ(find_use_case(std::uint16_t{0x0027}, DeviceType::esme)->use_case, "ECS17b");
  EXPECT_EQ(find_use_case(std::uint16_t{0xFFFF}, std::nullopt), nullptr);
  EXPECT_EQ(use_cases().size(), 241u);
}

TEST(DeviceStates, WhatIsNotListedDoesNotHappen) {
  const DeviceTransition* row = find_transition(DeviceStatus::whitelisted, "joined", false);
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->to, DeviceStatus::installed_not_commissioned);
  EXPECT_EQ(find_transition(DeviceStatus::pending, "joined", false), nullptr);
  EXPECT_EQ(find_transition(DeviceStatus::whitelisted, "joined", true), nullptr);
  const DeviceTransition* back = find_transition(DeviceStatus::suspended, "reinstated", true);
  ASSERT_NE(back, nullptr);
  EXPECT_FALSE(back->to);
}

TEST(Rules, AreExplainedWithWhatWasFoundAndTheFix) {
  const std::string line = explain(Refusal{"eui-malformed"_rule, "seven pairs", "/Request/Header"});
  EXPECT_NE(line.find("eui-malformed: "), std::string::npos);
  EXPECT_NE(line.find("seven pairs"), std::string::npos);
  EXPECT_NE(line.find("/Request/Header"), std::string::npos);
  EXPECT_NE(line.find("Write eight"), std::string::npos);
}

TEST(Rules, EachResponseCodeHasARow) {
  for (const RuleRow& row : rules()) {
    if (row.response_code != "-") {
      EXPECT_NE(find_response_code(row.response_code), nullptr) << row.id;
    }
  }
}

TEST(Profiles, AreIssuedWithinOneHierarchy) {
  for (const CertificateProfile& profile : certificate_profiles()) {
    const CertificateProfile* issuer = find_certificate_profile(profile.issuer);
    ASSERT_NE(issuer, nullptr) << profile.id;
    EXPECT_TRUE(issuer->is_ca()) << profile.id;
    EXPECT_EQ(issuer->hierarchy, profile.hierarchy) << profile.id;
    if (profile.is_ca()) {
      EXPECT_NE(profile.common_name_test, profile.common_name_live) << profile.id;
    }
  }
}

TEST(Eligibility, NamesKnownProfilesAndRoles) {
  for (const EligibilityRow& row : certificate_eligibility()) {
    EXPECT_NE(find_certificate_profile(row.profile), nullptr) << row.id;
    if (row.remote_party_role != "-") {
      EXPECT_TRUE(remote_party_role_from_ou(row.remote_party_role)) << row.id;
    }
  }
}

TEST(Limits, AreRead) { EXPECT_EQ(limit("batch_rows_max"), 50000u); }

}  // namespace
}  // namespace wattseal
