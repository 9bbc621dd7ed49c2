#include "smki/lifecycle.h"

#include <gtest/gtest.h>

#include "smki/authority.h"
#include "smki/records.h"
#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::kSupplier;
using test::Rig;

AuthorityLife life(const Rig& rig, std::string_view profile) {
  const std::vector<AuthorityLife> all = authority_lives(*rig.store, rig.clock.now());
  const auto found = std::ranges::find(all, profile, &AuthorityLife::profile);
  CHECK(found != all.end());
  return *found;
}
// The first words of its alarms.
std::vector<std::string> alarms(const Rig& rig, std::string_view profile) {
  std::vector<std::string> names;
  for (const std::string& alarm : life(rig, profile).alarms)
    names.push_back(alarm.substr(0, alarm.find(':')));
  return names;
}
using Names = std::vector<std::string>;

TEST(Lives, CountWhatEachAuthorityIssued) {
  Rig rig;
  for (int i = 0; i < 3; ++i)
    rig.outcome(kMaker, rig.device_request(
                            Eui64::from_number(kDevice.number() + static_cast<std::uint64_t>(i))));
  rig.outcome(kSupplier, rig.organisation_request());
  EXPECT_EQ(life(rig, "issuing-dca").issued, 3u);
  EXPECT_EQ(life(rig, "issuing-oca").issued, 1u);
  EXPECT_EQ(life(rig, "root-oca").issued, 1u) << "its issuing authority";
  EXPECT_FALSE(life(rig, "issuing-dca").remind_from) << "no well-defined expiry";
}

TEST(Lives, AlarmBeforeListsLapse) {
  Rig rig;
  EXPECT_EQ(alarms(rig, "issuing-oca"), Names{});
  rig.clock.advance(24 * 3600);
  EXPECT_EQ(alarms(rig, "issuing-oca"), Names{});
  rig.clock.advance(1);
  EXPECT_EQ(alarms(rig, "issuing-oca"), Names{"list-lapses"}) << "48 hours less 24";
  ASSERT_TRUE(rig.ca->keep_revocation_list_current());
  EXPECT_EQ(alarms(rig, "issuing-oca"), Names{});
  const UtcTime lapses = life(rig, "root-oca").list->next_update;
  rig.clock.set(lapses.plus_seconds(-30 * 86400));
  EXPECT_EQ(alarms(rig, "root-oca"), Names{});
  rig.clock.advance(1);
  EXPECT_EQ(alarms(rig, "root-oca"), Names{"list-lapses"});
  EXPECT_EQ(alarms(rig, "root-dca"), Names{"list-lapses"});
}

TEST(Lives, RemindOfAuthoritiesThatEnd) {
  Rig rig;
  const AuthorityLife oca = life(rig, "issuing-oca");
  ASSERT_EQ(oca.not_after, rig.clock.now().start_of_day().plus_years(25).plus_seconds(-1));
  rig.clock.set(oca.not_after.plus_seconds(-365 * 86400 - 1));
  rig.ca->keep_revocation_list_current();
  EXPECT_EQ(alarms(rig, "issuing-oca"), Names{});
  rig.clock.advance(1);
  EXPECT_EQ(alarms(rig, "issuing-oca"), Names{"expires"});
}

TEST(Lives, AnIssuingDcaRetiresByAge) {
  Rig rig;
  rig.clock.set(UtcTime::parse_iso("2026-07-31T23:59:59Z").value());
  EXPECT_EQ(alarms(rig, "issuing-dca"), Names{});
  rig.clock.advance(10 * 3600 + 1);
  EXPECT_EQ(alarms(rig, "issuing-dca"), Names{"retirement-due"});
  const auto at = [](const char* text) { return UtcTime::parse_iso(text).value(); };
  EXPECT_EQ(retires_at(at("2026-11-30T00:00:00Z")), at("2027-02-28T00:00:00Z"));
  EXPECT_EQ(retires_at(at("2026-10-05T00:00:00Z")), at("2027-01-05T00:00:00Z"));
}

TEST(Lives, AnIssuingDcaRetiresByCount) {
  Rig rig;
  const Bytes key_id =
      find_authority(*rig.store, "issuing-dca")->certificate.subject_key_id.value();
  storage::Batch batch;
  batch.put(tables::issued_counts, key_id, encode_count(limit("issuing_dca_certificates_max") - 1));
  ASSERT_TRUE(rig.store->commit(std::move(batch)).ok());
  EXPECT_EQ(alarms(rig, "issuing-dca"), Names{});
  rig.outcome(kMaker, rig.device_request(kDevice));
  EXPECT_EQ(life(rig, "issuing-dca").issued, limit("issuing_dca_certificates_max"));
  EXPECT_EQ(alarms(rig, "issuing-dca"), Names{"retirement-due"});
}

TEST(Renewals, NameTheNewestCertificateOfEachKindOnly) {
  Rig rig;
  const CertificateSerial first = *rig.outcome(kSupplier, rig.organisation_request()).serial;
  const auto due = [&](unsigned days) {
    return renewals_due(*rig.store, rig.repository, rig.clock.now(), days);
  };
  EXPECT_TRUE(due(3649).empty());
  ASSERT_EQ(due(3653).size(), 1u);
  EXPECT_EQ(due(3653)[0].serial, first);
  EXPECT_EQ(due(3653)[0].entity, kSupplier);
  rig.clock.set(due(3653)[0].not_after.plus_seconds(-86400));
  EXPECT_EQ(due(1).size(), 1u);
  EXPECT_TRUE(due(0).empty());
  rig.clock.advance(2 * 86400);
  EXPECT_EQ(due(0).size(), 1u) << "it has ended";
  const RowResult renewed = rig.outcome(kSupplier, rig.organisation_request());
  ASSERT_EQ(renewed.state, RowState::published);
  EXPECT_TRUE(due(0).empty()) << "it was renewed";
}

// ¶57, ¶58: the last second of each kind, and that nothing longer is signed.
TEST(Lifetimes, AreTheLongestAllowedToTheSecond) {
  Rig rig;
  const UtcTime day = rig.clock.now().start_of_day();
  const auto ends = [&](std::string_view profile) {
    return find_authority(*rig.store, profile)->certificate.not_after;
  };
  EXPECT_EQ(ends("root-oca"), day.plus_years(50).plus_seconds(-1));
  EXPECT_EQ(ends("issuing-oca"), day.plus_years(25).plus_seconds(-1));
  const RowResult result = rig.outcome(kSupplier, rig.organisation_request());
  const x509::Certificate organisation =
      x509::parse_certificate(rig.repository.by_serial(*result.serial)->der).value();
  EXPECT_EQ(organisation.not_after, day.plus_years(10).plus_seconds(-1));
  EXPECT_EQ(ends("root-dca"), UtcTime::forever());
}

}  // namespace
}  // namespace wattseal::smki
