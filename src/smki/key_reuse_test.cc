#include "smki/key_reuse.h"

#include <gtest/gtest.h>

#include <set>

#include "smki/test_rig.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::Rig;

constexpr Eui64 kOther = Eui64::from_number(kDevice.number() + 1);

TEST(KeyReuse, EveryEndEntityProfileHasARowAndNoneLetsAKeyBeAgain) {
  std::set<std::string_view> ids;
  for (const KeyReuseRow& row : key_reuse_rows()) {
    EXPECT_TRUE(ids.insert(row.id).second) << row.id;
    const CertificateProfile* const profile = find_certificate_profile(row.profile);
    ASSERT_NE(profile, nullptr) << row.profile;
    EXPECT_FALSE(profile->is_ca());
  }
  const UtcTime start = UtcTime::parse_iso("2014-06-12T00:00:00Z").value();
  for (const Environment environment : {Environment::test, Environment::live}) {
    const KeyReusePolicy policy(key_reuse_rows(), environment, start);
    for (const CertificateProfile& profile : certificate_profiles()) {
      if (profile.is_ca()) continue;
      ASSERT_NE(policy.row(profile.id), nullptr) << profile.id;
      EXPECT_EQ(policy.of(profile.id), KeyReuse::refuse) << profile.id;
    }
  }
}

constexpr KeyReuseRow kRows[] = {
    {"first", "device-ds", "all", KeyReuse::refuse, "", "", "2014-06-12"},
    {"later", "device-ds", "all", KeyReuse::allow_same_subject, "", "", "2026-04-01"},
    {"test-only", "device-ds", "test", KeyReuse::allow, "", "", "2026-04-01"},
    {"to-come", "device-ds", "all", KeyReuse::refuse, "", "", "2030-01-01"}};

TEST(KeyReuse, TheLatestRowInForceCountsAndTheNarrowerOneOfADay) {
  const auto row = [](Environment environment, const char* at) {
    return KeyReusePolicy(kRows, environment, UtcTime::parse_iso(at).value()).row("device-ds");
  };
  EXPECT_EQ(row(Environment::live, "2014-06-11T23:59:59Z"), nullptr);
  EXPECT_EQ(row(Environment::live, "2014-06-12T00:00:00Z")->id, "first");
  EXPECT_EQ(row(Environment::live, "2026-04-01T00:00:00Z")->id, "later");
  EXPECT_EQ(row(Environment::test, "2026-03-31T23:59:59Z")->id, "first");
  EXPECT_EQ(row(Environment::test, "2026-04-01T00:00:00Z")->id, "test-only");
  EXPECT_EQ(row(Environment::test, "2030-01-01T00:00:00Z")->id, "to-come");
  const KeyReusePolicy before(kRows, Environment::test,
                              UtcTime::parse_iso("2014-06-11T00:00:00Z").value());
  EXPECT_EQ(before.of("device-ds"), KeyReuse::refuse) << "no row is a refusal";
}

// A whole SMKI whose rows say one policy for Device signature certificates.
struct Reusing : Rig {
  explicit Reusing(KeyReuse policy)
      : rows{{{"one", "device-ds", "all", policy, "", "", "2014-06-12"}}},
        mine(world, *store, workers, standing_intake_limits(), rows) {
    ca = std::move(
        CertificationAuthority::open(world, *store, *keys, workers, Environment::test, rows)
            .value());
  }
  Bytes request(Eui64 device, const crypto::KeyHandle& key,
                unsigned usage = x509::key_usage::digital_signature) const {
    return x509::make_request({}, {x509::usage_extension(usage), module(device)}, *key);
  }
  void run() {
    while (mine.decide(1024) + ca->issue() + repository.publish() > 0) {
    }
  }
  std::vector<std::string> rules(const std::vector<Bytes>& requests) {
    const BatchId batch = mine.submit({kMaker, requests, world.new_trace()}).value();
    run();
    std::vector<std::string> all;
    for (const RowResult& row : mine.results(batch, 0, 100))
      all.push_back(row.state == RowState::refused ? row.rule : std::string(text(row.state)));
    return all;
  }
  std::array<KeyReuseRow, 1> rows;
  RegistrationAuthority mine;
};
using Outcomes = std::vector<std::string>;

TEST(KeyReuse, RefusedNamesTheRow) {
  Reusing rig(KeyReuse::refuse);
  const crypto::KeyHandle key = rig.key();
  EXPECT_EQ(rig.rules({rig.request(kDevice, key)}), Outcomes{"published"});
  const BatchId again =
      rig.mine.submit({kMaker, {rig.request(kDevice, key)}, rig.world.new_trace()}).value();
  rig.run();
  const RowResult row = rig.mine.results(again, 0, 1).at(0);
  EXPECT_EQ(row.rule, "csr-key-seen");
  EXPECT_NE(row.detail.find("one says refuse"), std::string::npos) << row.detail;
}

TEST(KeyReuse, SameSubjectMayRenewAndNobodyElseMayHaveTheKey) {
  Reusing rig(KeyReuse::allow_same_subject);
  const crypto::KeyHandle key = rig.key();
  // Twice at once is no renewal: the first is not published yet.
  EXPECT_EQ(rig.rules({rig.request(kDevice, key), rig.request(kDevice, key)}),
            (Outcomes{"published", "csr-key-seen"}));
  EXPECT_EQ(rig.rules({rig.request(kDevice, key)}), Outcomes{"published"});
  EXPECT_EQ(rig.rules({rig.request(kOther, key)}), Outcomes{"csr-key-seen"});
  EXPECT_EQ(rig.rules({rig.request(kDevice, key, x509::key_usage::key_agreement)}),
            Outcomes{"csr-key-seen"})
      << "another use, whose profile has no row";
  const std::vector<PublishedCertificate> both = rig.repository.by_device(kDevice);
  ASSERT_EQ(both.size(), 2u);
  const x509::Certificate one = x509::parse_certificate(both[0].der).value(),
                          other = x509::parse_certificate(both[1].der).value();
  EXPECT_EQ(one.key, other.key);
  EXPECT_EQ(one.subject_key_id, other.subject_key_id);
  EXPECT_NE(one.serial, other.serial);
}

TEST(KeyReuse, AllowedIsForEverybodyAndEvenAtOnce) {
  Reusing rig(KeyReuse::allow);
  const crypto::KeyHandle key = rig.key();
  EXPECT_EQ(rig.rules({rig.request(kDevice, key), rig.request(kOther, key)}),
            (Outcomes{"published", "published"}));
  EXPECT_EQ(rig.rules({rig.request(kOther, key)}), Outcomes{"published"});
  EXPECT_EQ(rig.rules({rig.request(kOther, key, x509::key_usage::key_agreement)}),
            Outcomes{"csr-key-seen"});
}

// What one authority lets pass the other must judge again.
TEST(KeyReuse, TheCertificationAuthorityHasTheLastWord) {
  Reusing rig(KeyReuse::allow);
  rig.ca = std::move(
      CertificationAuthority::open(rig.world, *rig.store, *rig.keys, rig.workers, Environment::test)
          .value());
  const crypto::KeyHandle key = rig.key();
  EXPECT_EQ(rig.rules({rig.request(kDevice, key), rig.request(kOther, key)}),
            (Outcomes{"published", "csr-key-seen"}));
  EXPECT_EQ(rig.rules({rig.request(kOther, key)}), Outcomes{"csr-key-seen"});
}

}  // namespace
}  // namespace wattseal::smki
