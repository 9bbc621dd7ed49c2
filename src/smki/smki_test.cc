#include <gtest/gtest.h>

#include <set>

#include "smki/ra_service.h"
#include "smki/revocation.h"
#include "smki/test_rig.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::kSupplier;
using test::Rig;

x509::Certificate parsed(const PublishedCertificate& published) {
  return x509::parse_certificate(published.der).value();
}

TEST(Ceremony, MakesBothHierarchiesOnceAndPublishesTheirLists) {
  Rig rig;
  rig.settle();
  const std::vector<PublishedCertificate> authorities = rig.repository.authorities();
  ASSERT_EQ(authorities.size(), 4u);
  const CeremonyReport again =
      run_ceremony(rig.world, *rig.store, *rig.keys, Environment::test).value();
  for (const CeremonyReport::Authority& authority : again.authorities)
    EXPECT_FALSE(authority.made_now) << authority.profile;
  EXPECT_TRUE(again.contingency_symmetric_key.empty()) << "handed out once only";
  std::map<std::string, x509::Certificate> by_profile;
  for (const PublishedCertificate& one : authorities) by_profile[one.profile] = parsed(one);
  for (const auto& [issuing, root] :
       {std::pair{"issuing-oca", "root-oca"}, std::pair{"issuing-dca", "root-dca"}}) {
    EXPECT_TRUE(
        x509::validate_path(std::vector{by_profile[issuing]}, by_profile[root], rig.world.now())
            .ok())
        << issuing;
    const x509::Crl arl =
        x509::parse_crl(rig.repository.revocation_list(*by_profile[root].subject_key_id).value())
            .value();
    EXPECT_TRUE(x509::signed_by(arl, by_profile[root].key));
  }
  const bool contingency =
      std::ranges::any_of(by_profile["root-oca"].extensions, [](const x509::Extension& one) {
        return one.oid == x509::oid::wrapped_apex_contingency_key;
      });
  EXPECT_TRUE(contingency);
  EXPECT_EQ(run_ceremony(rig.world, *rig.store, *rig.keys, Environment::live).refusal().rule,
            "ceremony-live-key-store"_rule);
  EXPECT_EQ(
      CertificationAuthority::open(rig.world, *rig.store, *rig.keys, rig.workers, Environment::live)
          .refusal()
          .rule,
      "ca-environment"_rule);
}

TEST(Issuing, GivesTheProfilesOfTheHierarchies) {
  Rig rig;
  const RowResult organisation = rig.outcome(kSupplier, rig.organisation_request());
  ASSERT_EQ(organisation.state, RowState::published) << organisation.rule << organisation.detail;
  const RowResult device =
      rig.outcome(kMaker, rig.device_request(kDevice, x509::key_usage::key_agreement));
  ASSERT_EQ(device.state, RowState::published) << device.rule << device.detail;
  const x509::Certificate supplier = parsed(rig.repository.by_serial(*organisation.serial).value());
  EXPECT_EQ(x509::name_text(supplier.issuer), "CN=WTI1,OU=07");
  EXPECT_EQ(supplier.not_after.iso(), supplier.not_before.plus_years(10).plus_seconds(-1).iso());
  EXPECT_EQ(supplier.usage, x509::key_usage::digital_signature);
  const x509::Certificate meter = parsed(rig.repository.by_serial(*device.serial).value());
  EXPECT_TRUE(meter.subject.empty());
  EXPECT_EQ(meter.not_after, UtcTime::forever());
  EXPECT_EQ(meter.hardware_module->serial, to_bytes(kDevice.octets()));
  EXPECT_EQ(rig.repository.latest(kDevice, KeyUse::key_agreement, std::nullopt)->serial,
            *device.serial);
}

TEST(RegistrationAuthority, RefusesEachBadRequestByItsRule) {
  Rig rig;
  const Bytes good = rig.device_request(kDevice);
  Bytes truncated(good.begin(), good.end() - 3), trailing = good, forged = good;
  trailing.push_back(0);
  forged.back() ^= 1;
  EXPECT_EQ(rig.rule_of(kMaker, truncated), "der-truncated");
  EXPECT_EQ(rig.rule_of(kMaker, trailing), "der-trailing");
  EXPECT_EQ(rig.rule_of(kMaker, forged), "csr-possession");
  Bytes other_curve = good;  // prime256v1 1.2.840.10045.3.1.7 -> …3.1.6
  const Bytes prime256v1 = *from_hex("06082a8648ce3d030107");
  const auto at = std::ranges::search(other_curve, prime256v1);
  ASSERT_FALSE(at.empty());
  *(at.end() - 1) = 6;
  EXPECT_EQ(rig.rule_of(kMaker, other_curve), "x509-key-algorithm");
  EXPECT_EQ(rig.rule_of(kMaker, rig.device_request(kDevice, x509::key_usage::digital_signature |
                                                                x509::key_usage::key_agreement)),
            "profile-usage");
  EXPECT_EQ(rig.rule_of(kMaker, x509::make_request({}, {Rig::module(kDevice)}, *rig.key())),
            "profile-usage");
  EXPECT_EQ(rig.rule_of(kMaker, rig.device_request(Eui64::from_number(kDevice.number() - 1))),
            "csr-eui-not-allotted");
  EXPECT_EQ(rig.rule_of(kSupplier,
                        rig.organisation_request(kSupplier, RemotePartyRole::network_operator)),
            "csr-not-eligible");
  EXPECT_EQ(rig.rule_of(kMaker, x509::make_request(
                                    {}, {x509::usage_extension(x509::key_usage::digital_signature)},
                                    *rig.key())),
            "profile-extension");
  EXPECT_EQ(rig.rule_of(kMaker, good), "published") << "nothing of the above harmed the good one";
  EXPECT_EQ(rig.repository.by_device(kDevice).size(), 1u);
}

TEST(RegistrationAuthority, CertifiesNoKeyTwice) {
  Rig rig;
  const crypto::KeyHandle key = rig.key();
  const Bytes first = x509::make_request(
      {}, {x509::usage_extension(x509::key_usage::digital_signature), Rig::module(kDevice)}, *key);
  const Bytes second = x509::make_request(
      {}, {x509::usage_extension(x509::key_usage::key_agreement), Rig::module(kDevice)}, *key);
  const BatchId both =
      rig.authority.submit({kMaker, {first, second}, rig.world.new_trace()}).value();
  rig.settle();
  const std::vector<RowResult> rows = rig.authority.results(both, 0, 2);
  EXPECT_EQ(rows[0].state, RowState::published);
  EXPECT_EQ(rows[1].rule, "csr-key-seen");
  EXPECT_EQ(
      rig.rule_of(kMaker, x509::make_request({},
                                             {x509::usage_extension(x509::key_usage::key_agreement),
                                              Rig::module(kDevice)},
                                             *key)),
      "csr-key-seen");
}

TEST(RegistrationAuthority, BoundsSubmissionsAndRepeatsItsAnswer) {
  Rig rig;
  const Bytes request = rig.device_request(kDevice);
  const auto submit = [&](Eui64 who, std::vector<Bytes> requests) {
    return rig.authority.submit({who, std::move(requests), rig.world.new_trace()});
  };
  const std::uint64_t facts = rig.store->journal_head().next;
  EXPECT_EQ(submit(kMaker, {}).refusal().rule, "ra-batch-empty"_rule);
  EXPECT_EQ(submit(kMaker, std::vector<Bytes>(50'001, request)).refusal().rule,
            "ra-batch-too-large"_rule);
  EXPECT_EQ(submit(Eui64::from_number(1), {request}).refusal().rule, "ra-unknown-subscriber"_rule);
  EXPECT_EQ(rig.store->journal_head().next, facts) << "a refused submission leaves nothing";
  const BatchId batch = submit(kMaker, {request}).value();
  EXPECT_EQ(submit(kMaker, {request}).value(), batch) << "the same submission is the same batch";
  rig.settle();
  EXPECT_EQ(submit(kMaker, {request}).value(), batch);
  EXPECT_EQ(rig.authority.status(99).refusal().rule, "ra-unknown-batch"_rule);
}

TEST(RegistrationAuthority, RefusesUnreadableAndOverlongRowsAlone) {
  Rig rig;
  const Bytes good = rig.device_request(kDevice);
  const Submission submission{kMaker,
                              {Bytes(4097), good, Bytes(32)},
                              rig.world.new_trace(),
                              0,
                              "",
                              {{2, {"batch-row-text"_rule, "'what is this?'"}}}};
  const BatchId batch = rig.authority.submit(submission).value();
  EXPECT_EQ(rig.authority.submit(submission).value(), batch);
  rig.settle();
  const std::vector<RowResult> rows = rig.authority.results(batch, 0, 3);
  EXPECT_EQ(rows[0].rule, "csr-too-large");
  EXPECT_EQ(rows[1].state, RowState::published);
  EXPECT_EQ(rows[2].rule, "batch-row-text");
  EXPECT_TRUE(rig.authority.status(batch)->complete());
  const BatchId none = rig.authority.submit({kMaker, {Bytes(4097)}, rig.world.new_trace()}).value();
  EXPECT_TRUE(rig.authority.status(none)->complete()) << "a batch of refused rows alone";
}

TEST(RegistrationAuthority, DecidesLargeBatchesRowByRow) {
  Rig rig;
  std::vector<Bytes> requests;
  for (std::uint64_t i = 0; i < 2500; ++i) {
    requests.push_back(rig.device_request(Eui64::from_number(kDevice.number() + i)));
    if (i % 100 == 99) requests.back()[10] ^= 0xFF;
  }
  const BatchId batch = rig.authority.submit({kMaker, requests, rig.world.new_trace()}).value();
  rig.settle();
  const BatchStatus status = rig.authority.status(batch).value();
  EXPECT_TRUE(status.complete());
  EXPECT_EQ(status.refused, 25u);
  EXPECT_EQ(status.published, 2475u);
  const std::vector<RowResult> rows = rig.authority.results(batch, 95, 10);
  ASSERT_EQ(rows.size(), 10u);
  for (const RowResult& row : rows)
    EXPECT_EQ(row.state == RowState::refused, row.row == 99) << row.row;
}

TEST(Revocation, TakesOrganisationCertificatesOutOfUseAndSignsAList) {
  Rig rig;
  const std::vector<PersonId> managers =
      rig.office.found({"Ada", "Ben"}, rig.world.new_trace()).value();
  const auto revoke = [&](const CertificateSerial& serial) -> std::string {
    const Result<ActId> act =
        rig.office.propose("revoke-certificate", {{"serial", serial.hex()}, {"grounds", "breach"}},
                           {managers[0], ""}, rig.world.new_trace());
    if (!act.ok()) return std::string(act.refusal().rule.text());
    const Result<ActState> state =
        rig.office.approve(*act, {managers[1], ""}, rig.world.new_trace());
    rig.settle();
    return state.ok() ? std::string(text(*state)) : std::string(state.refusal().rule.text());
  };
  const CertificateSerial serial = *rig.outcome(kSupplier, rig.organisation_request()).serial;
  const CertificateSerial other = *rig.outcome(kSupplier, rig.organisation_request()).serial;
  const CertificateSerial device = *rig.outcome(kMaker, rig.device_request(kDevice)).serial;
  EXPECT_EQ(rig.repository.by_serial(serial)->status, CertificateStatus::in_use);
  EXPECT_EQ(revoke(serial), "done");
  EXPECT_EQ(rig.repository.by_serial(serial)->status, CertificateStatus::revoked);
  EXPECT_EQ(rig.repository.by_serial(other)->status, CertificateStatus::in_use);
  EXPECT_EQ(revoke(serial), "revoke-already");
  EXPECT_EQ(revoke(device), "revoke-device-certificate");
  EXPECT_EQ(revoke(CertificateSerial::parse_hex("1").value()), "revoke-unknown-serial");
  Bytes issuing;
  for (const PublishedCertificate& one : rig.repository.authorities()) {
    EXPECT_EQ(revoke(one.serial), "revoke-needs-root") << one.profile;
    if (one.profile == "issuing-oca") issuing = one.der;
  }
  const x509::Certificate authority = x509::parse_certificate(issuing).value();
  const auto latest = [&] {
    return rig.repository.revocation_list(*authority.subject_key_id).value();
  };
  const x509::Crl crl = x509::parse_crl(latest()).value();
  EXPECT_TRUE(x509::signed_by(crl, authority.key));
  EXPECT_TRUE(crl.revokes(serial));
  EXPECT_FALSE(crl.revokes(other));
  EXPECT_EQ(crl.entries.at(0).reason, 9u);
  EXPECT_EQ(crl.next_update - crl.this_update, 48 * 3600);
  EXPECT_FALSE(rig.ca->keep_revocation_list_current());
  rig.clock.advance(12 * 3600 + 1);
  EXPECT_TRUE(rig.ca->keep_revocation_list_current());
  EXPECT_EQ(x509::parse_crl(latest())->number, crl.number + 1);
  EXPECT_TRUE(x509::parse_crl(latest())->revokes(serial));
  EXPECT_EQ(rebuild_list(*rig.store, *find_authority(*rig.store, "issuing-oca")).value(), latest());
  rig.clock.advance(-86400);
  EXPECT_TRUE(rig.ca->keep_revocation_list_current()) << "the clock was set back";
}

TEST(Repository, PrefersTheLatestCertificateAndKnowsExpiry) {
  Rig rig;
  const CertificateSerial first = *rig.outcome(kSupplier, rig.organisation_request()).serial;
  rig.clock.advance(2 * 86400);
  const CertificateSerial second = *rig.outcome(kSupplier, rig.organisation_request()).serial;
  EXPECT_EQ(rig.repository.latest(kSupplier, KeyUse::digital_signature, RemotePartyRole::supplier)
                ->serial,
            second);
  EXPECT_EQ(rig.repository.by_organisation(kSupplier).size(), 2u);
  EXPECT_EQ(rig.repository.by_issuer_serial("CN=WTI1, OU=07", first)->serial, first);
  EXPECT_FALSE(rig.repository.by_issuer_serial("CN=WTR0,OU=00", first).ok());
  EXPECT_FALSE(
      rig.repository.latest(kSupplier, KeyUse::key_agreement, RemotePartyRole::supplier).ok());
  rig.clock.advance(11LL * 366 * 86400);
  EXPECT_EQ(rig.repository.by_serial(first)->status, CertificateStatus::expired);
}

// Every filter, and pages that go on where the one before ended.
TEST(Repository, SearchesByAnyFieldInPages) {
  Rig rig;
  std::vector<CertificateSerial> made;
  for (std::uint64_t i = 0; i < 7; ++i)
    made.push_back(
        *rig.outcome(kMaker, rig.device_request(Eui64::from_number(kDevice.number() + i))).serial);
  rig.clock.advance(2 * 86400);
  const CertificateSerial organisation = *rig.outcome(kSupplier, rig.organisation_request()).serial;

  CertificateQuery query;
  query.profile = "device-ds";
  query.limit = 3;
  std::vector<CertificateSerial> seen;
  std::vector<std::size_t> sizes;
  do {
    const CertificatePage page = rig.repository.search(query).value();
    sizes.push_back(page.certificates.size());
    for (const PublishedCertificate& one : page.certificates) seen.push_back(one.serial);
    query.after = page.next;
  } while (!query.after.empty());
  EXPECT_EQ(seen, made) << "in the order of publication, each once";
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 1}));

  const auto only = [&](const CertificateQuery& asked) {
    const CertificatePage page = rig.repository.search(asked).value();
    return page.certificates.size() == 1 ? page.certificates.front().serial : CertificateSerial();
  };
  CertificateQuery by_role;
  by_role.role = RemotePartyRole::supplier;
  by_role.use = KeyUse::digital_signature;
  EXPECT_EQ(only(by_role), organisation);
  CertificateQuery by_eui;
  by_eui.eui = Eui64::from_number(kDevice.number() + 4);
  EXPECT_EQ(only(by_eui), made[4]);
  CertificateQuery by_start;
  by_start.starts_from = UtcTime::parse_iso("2026-05-03T00:00:00Z").value();
  EXPECT_EQ(only(by_start), organisation);
  by_start.starts_until = by_start.starts_from->plus_seconds(-1);
  EXPECT_TRUE(rig.repository.search(by_start)->certificates.empty());
  CertificateQuery by_issuer;
  by_issuer.issuer = "OU=07, CN=WTI1";
  by_issuer.expires_until = UtcTime::parse_iso("2040-01-01T00:00:00Z").value();
  EXPECT_EQ(only(by_issuer), CertificateSerial()) << "names are ordered";
  by_issuer.issuer = "CN=WTI1, OU=07";
  EXPECT_EQ(only(by_issuer), organisation);
}

TEST(Repository, SaysSinceWhenADeviceCertificateIsNotInUse) {
  Rig rig;
  const CertificateSerial first = *rig.outcome(kMaker, rig.device_request(kDevice)).serial;
  rig.clock.advance(3 * 86400);
  const CertificateSerial second = *rig.outcome(kMaker, rig.device_request(kDevice)).serial;
  const PublishedCertificate newer = rig.repository.by_serial(second).value();
  const PublishedCertificate older = rig.repository.by_serial(first).value();
  EXPECT_EQ(older.not_in_use_since, newer.not_before);
  EXPECT_FALSE(newer.not_in_use_since);
  CertificateQuery query;
  query.eui = kDevice;
  query.status = CertificateStatus::not_in_use;
  EXPECT_EQ(rig.repository.search(query)->certificates.at(0).serial, first);
  query.status.reset();
  query.latest = true;
  EXPECT_EQ(rig.repository.search(query)->certificates.at(0).serial, second);
}

TEST(Repository, RefusesWhatIsNoSearch) {
  Rig rig;
  http::Router router;
  add_repository_routes(router, rig.repository);
  const auto field_of = [&](const std::string& name, const std::string& value) {
    http::Request request;
    request.method = "GET";
    request.path = "/api/v1/search";
    request.query.push_back({name, value});
    const http::Response response = router(request);
    return response.status == 200 ? "found"
                                  : nlohmann::json::parse(response.body).value("field", "");
  };
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"offset", "3"},
                                                        {"role", "zz"},
                                                        {"usage", "XX"},
                                                        {"status", "IN"},
                                                        {"limit", "0"},
                                                        {"limit", "1001"},
                                                        {"limit", "-1"},
                                                        {"after", "FF00"},
                                                        {"after", "xyz"},
                                                        {"after", ""},
                                                        {"starts_from", "soon"},
                                                        {"expires_until", "2026-02-30"},
                                                        {"profile", "root"}})
    EXPECT_EQ(field_of(name, value), "query/" + name) << value;
  EXPECT_EQ(field_of("limit", "1000"), "found");
}

// Publication stops; answers go on and say how old they are. Source: ¶65; R-08.
TEST(Repository, StatesHowCompleteItIs) {
  Rig rig;
  rig.settle();
  http::Router router;
  add_repository_routes(router, rig.repository);
  std::string_view issuing = "running";
  add_completeness(router, rig.repository, [&] { return issuing; });
  const auto ask = [&](const std::string& method, const std::string& path) {
    http::Request request;
    request.method = method;
    request.path = path;
    return router(request);
  };
  const auto complete = [&](const std::string& path) {
    return nlohmann::json::parse(ask("GET", path).body)["complete"];
  };
  const std::uint64_t facts = rig.store->journal_head().next - 1;
  EXPECT_EQ(complete("/api/v1/authorities"),
            (nlohmann::json{{"up_to", facts},
                            {"published_at", "2026-05-01T10:00:00Z"},
                            {"checked_at", "2026-05-01T10:00:00Z"},
                            {"age_seconds", 0},
                            {"issuing", "running"}}));
  ASSERT_TRUE(rig.authority.submit({kMaker, {rig.device_request(kDevice)}, {}}).ok());
  while (rig.authority.decide(1024) + rig.ca->issue() > 0) {
  }
  issuing = "paused";
  rig.clock.advance(3600);
  EXPECT_EQ(complete("/api/v1/authorities")["age_seconds"], 3600);
  EXPECT_EQ(complete("/api/v1/authorities")["up_to"], facts);
  EXPECT_EQ(complete("/api/v1/certificates/00")["issuing"], "paused") << "refusals say it, too";
  const http::Response xml = ask("POST", "/services/certificatesearch");
  EXPECT_EQ(xml.headers.back().name, "X-Complete");
  EXPECT_EQ(xml.headers.back().value, "up-to=" + std::to_string(facts) +
                                          "; published=2026-05-01T10:00:00Z; age=3600; "
                                          "issuing=paused");
  EXPECT_EQ(xml.body.find("omplete"), std::string::npos) << "existing clients see what they know";

  // One that starts over the same store knows as much.
  EXPECT_EQ(Repository(rig.world, *rig.store).completeness().age(rig.world.now()), 3600);
  rig.settle();
  EXPECT_EQ(complete("/api/v1/authorities")["age_seconds"], 0);
  EXPECT_EQ(complete("/api/v1/authorities")["published_at"], "2026-05-01T11:00:00Z");
  EXPECT_EQ(complete("/api/v1/authorities")["up_to"], rig.store->journal_head().next - 1);
  EXPECT_EQ(Completeness().age(rig.world.now()), std::nullopt);
}

// What published before there was an index gets it with the next publication.
TEST(Repository, IndexesAStoreThatPublishedBefore) {
  Rig rig;
  const CertificateSerial first = *rig.outcome(kMaker, rig.device_request(kDevice)).serial;
  storage::Batch batch;
  rig.store->scan(tables::certificate_postings, {}, {}, [&](BytesView key, BytesView) {
    batch.erase(tables::certificate_postings, key);
    return true;
  });
  batch.erase(tables::meta, as_bytes("repository_postings"));
  ASSERT_TRUE(rig.store->commit(std::move(batch)).ok());
  CertificateQuery query;
  query.profile = "device-ds";
  EXPECT_TRUE(rig.repository.search(query)->certificates.empty());
  rig.repository.publish();
  ASSERT_EQ(rig.repository.search(query)->certificates.size(), 1u);
  EXPECT_EQ(rig.repository.search(query)->certificates[0].serial, first);
}

// A new certification authority over what a crash left behind. The steps in between are those of
// issue().
TEST(CertificationAuthority, GoesOnWhereACrashStoppedIt) {
  Rig rig;
  std::vector<Bytes> requests;
  for (std::uint64_t i = 0; i < 50; ++i)
    requests.push_back(rig.device_request(Eui64::from_number(kDevice.number() + i)));
  const BatchId batch = rig.authority.submit({kMaker, requests, rig.world.new_trace()}).value();
  ASSERT_GT(rig.authority.decide(1024), 0u);
  rig.ca.reset();
  RegistrationAuthority authority(rig.world, *rig.store, rig.workers);
  Repository repository(rig.world, *rig.store);
  const auto opened = CertificationAuthority::open(rig.world, *rig.store, *rig.keys, rig.workers,
                                                   Environment::test);
  while (authority.decide(1024) + (*opened)->issue() + repository.publish() > 0) {
  }
  EXPECT_EQ(authority.status(batch)->published, 50u);
}

TEST(Journal, HoldsIntentIssueAndPublicationOfEveryCertificate) {
  Rig rig;
  const CertificateSerial serial = *rig.outcome(kMaker, rig.device_request(kDevice)).serial;
  std::vector<FactKind> kinds;
  rig.store->journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    const std::optional<BytesView> serials =
        fact.find(FactField::serial);  // of a publication all that were published together
    for (std::size_t at = 0; serials && at + 16 <= serials->size(); at += 16) {
      if (equal(serials->subspan(at, 16), serial.octets())) kinds.push_back(fact.kind());
    }
    return true;
  });
  EXPECT_EQ(kinds, (std::vector{FactKind::certificate_intended, FactKind::certificate_issued,
                                FactKind::certificate_published}));
  EXPECT_TRUE(storage::verify_journal(*rig.store).ok());
}

TEST(Serials, AreSixteenOctetsAndNeverTheSame) {
  Rig rig;
  std::set<CertificateSerial> seen;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const CertificateSerial serial =
        *rig.outcome(kMaker, rig.device_request(Eui64::from_number(kDevice.number() + i))).serial;
    EXPECT_LT(serial.octets()[0], 0x80);
    EXPECT_TRUE(seen.insert(serial).second);
  }
}

}  // namespace
}  // namespace wattseal::smki
