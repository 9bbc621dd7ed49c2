#include "smki/ceremony.h"

#include <gtest/gtest.h>

#include "smki/authority.h"
#include "smki/revocation.h"
#include "smki/test_rig.h"
#include "smki/transcript.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::kDevice;
using test::kMaker;
using test::kSupplier;

const std::vector<Founder> kFounders{
    {"Ada", "ra-manager"},    {"Ben", "ra-manager"},    {"Cara", "ra-personnel"},
    {"Dan", "ra-personnel"},  {"Eve", "key-custodian"}, {"Fay", "key-custodian"},
    {"Gus", "key-custodian"}, {"Hal", "key-custodian"}, {"Ivy", "key-custodian"}};
const std::vector<std::string> kWitness{"Wanda"};

template <typename T>
std::string rule(const Result<T>& result) {
  return result.ok() ? "" : std::string(result.refusal().rule.text());
}

// An SMKI whose office was founded in a witnessed ceremony.
struct CeremonyRig : test::Rig {
  CeremonyHeld founding =
      hold_founding(world, *store, *keys, Environment::test, kFounders, kWitness).value();

  PersonId who(std::string_view name) const {
    for (std::size_t i = 0; i < kFounders.size(); ++i) {
      if (kFounders[i].name == name) return founding.people[i];
    }
    return 0;
  }
  ActId proposed(const json& payload) {
    return office.propose("authority-key-act", payload, {who("Ada"), ""}, world.new_trace())
        .value();
  }
  void approve(ActId act, std::initializer_list<const char*> names) {
    for (const char* const name : names)
      ASSERT_TRUE(office.approve(act, {who(name), ""}, world.new_trace()).ok()) << name;
  }
  ActId approved(const json& payload) {
    const ActId act = proposed(payload);
    approve(act, {"Ben", "Cara", "Eve", "Fay", "Gus"});
    return act;
  }
  Result<CeremonyHeld> hold(ActId act) { return hold_key_act(world, *store, *keys, act, kWitness); }
  void reopen() {
    ca = CertificationAuthority::open(world, *store, *keys, workers, Environment::test).value();
  }
  x509::Certificate device_certificate(std::uint64_t number) {
    const RowResult result =
        outcome(kMaker, device_request(Eui64::from_number(kDevice.number() + number)));
    return x509::parse_certificate(repository.by_serial(result.serial.value()).value().der).value();
  }
  x509::Crl list_of(const Authority& issuer) {
    return x509::parse_crl(
               repository.revocation_list(issuer.certificate.subject_key_id.value()).value())
        .value();
  }
};

TEST(Founding, AppointsPeopleAndLeavesATranscriptThatAnyoneCanVerify) {
  CeremonyRig rig;
  EXPECT_EQ(rig.office.people().size(), kFounders.size());
  const TranscriptReport report = verify_transcript(rig.founding.transcript).value();
  ASSERT_EQ(report.signers.size(), 4u);
  EXPECT_EQ(report.body["purpose"], "found");
  EXPECT_EQ(report.body["witnesses"], json({"Wanda"}));
  EXPECT_EQ(report.body["steps"].size(), 12u) << "key, certificate and list of four authorities";
  EXPECT_EQ(ceremony_transcript(*rig.store, rig.founding.number), rig.founding.transcript);
  EXPECT_EQ(ceremonies(*rig.store), std::vector<std::uint64_t>{rig.founding.number});
  EXPECT_NE(transcript_text(report.body).find("witness: Wanda"), std::string::npos);
  const Bytes oca = find_authority(*rig.store, "root-oca")->certificate.der,
              dca = find_authority(*rig.store, "root-dca")->certificate.der;
  EXPECT_TRUE(verify_transcript(rig.founding.transcript, {oca, dca}).ok());
  EXPECT_EQ(rule(verify_transcript(rig.founding.transcript, {oca})), "transcript-signature")
      << "the other root is not among those that are believed";
}

TEST(Founding, IsHeldOnce) {
  CeremonyRig rig;
  EXPECT_EQ(
      rule(hold_founding(rig.world, *rig.store, *rig.keys, Environment::test, kFounders, kWitness)),
      "office-founded");
}

TEST(Founding, NamesEnoughDifferentPeopleAndAnIndependentWitness) {
  test::Rig rig;
  const auto found = [&](std::vector<Founder> founders, std::vector<std::string> witnesses) {
    return rule(
        hold_founding(rig.world, *rig.store, *rig.keys, Environment::test, founders, witnesses));
  };
  std::vector<Founder> fewer = kFounders;
  fewer.pop_back();
  EXPECT_EQ(found(fewer, kWitness), "ceremony-people") << "four custodians";
  std::vector<Founder> twice = kFounders;
  twice[8].name = "Eve";
  EXPECT_EQ(found(twice, kWitness), "ceremony-people");
  std::vector<Founder> officer = kFounders;
  officer.push_back({"Olga", "aro"});
  EXPECT_EQ(found(officer, kWitness), "ceremony-people");
  EXPECT_EQ(found(kFounders, {}), "ceremony-witness");
  EXPECT_EQ(found(kFounders, {"Wanda", "Ada"}), "ceremony-witness");
  EXPECT_EQ(found(kFounders, {""}), "ceremony-witness");
  EXPECT_TRUE(rig.office.people().empty()) << "a refused ceremony appointed somebody";
  EXPECT_EQ(found(kFounders, kWitness), "");
}

TEST(Founding, OfALiveHierarchyNeedsATokenAndWitnesses) {
  FixedClock clock{UtcTime::parse_iso("2026-05-01T10:00:00Z").value()};
  const std::unique_ptr<Random> random = seeded_random(3);
  const World world{clock, *random};
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  EXPECT_EQ(rule(run_ceremony(world, *store, *keys, Environment::live)), "ceremony-live-key-store");
  EXPECT_EQ(rule(hold_founding(world, *store, *keys, Environment::live, kFounders, kWitness)),
            "ceremony-live-key-store");
  Workers workers{1};
  EXPECT_EQ(rule(CertificationAuthority::open(world, *store, *keys, workers, Environment::live)),
            "ceremony-live-key-store");
  EXPECT_FALSE(find_authority(*store, "root-oca"));
}

TEST(Transcript, RefusesEveryChange) {
  CeremonyRig rig;
  const std::string good = rig.founding.transcript;
  for (std::size_t at = 0; at < good.size(); at += 7) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(verify_transcript(changed).ok()) << at;
  }
  json forged = json::parse(good);
  forged["body"]["steps"][1]["octets"] = forged["body"]["steps"][4]["octets"];
  EXPECT_EQ(rule(verify_transcript(forged.dump())), "transcript-changed");
  forged = json::parse(good);
  forged["body"]["witnesses"] = {"Mallory"};
  EXPECT_EQ(rule(verify_transcript(forged.dump())), "transcript-signature");
  forged = json::parse(good);
  forged["body"]["signers"] = json::array();
  forged["signatures"] = json::array();
  EXPECT_EQ(rule(verify_transcript(forged.dump())), "transcript-malformed");
  // An issuing authority alone proves nothing: its root must have signed, too.
  const Authority issuing = *find_authority(*rig.store, "issuing-oca");
  TranscriptWriter alone("found", Environment::test, "memory", rig.clock.now(),
                         rig.world.new_trace());
  const TranscriptSigner signer{"issuing-oca", issuing.certificate.der,
                                rig.keys->find(issuing.key_label).value()};
  const std::string unrooted = alone.sign(rig.clock.now(), std::span(&signer, 1));
  EXPECT_EQ(rule(verify_transcript(unrooted)), "transcript-signature");
  EXPECT_TRUE(
      verify_transcript(unrooted, {find_authority(*rig.store, "root-oca")->certificate.der}).ok());
  EXPECT_EQ(rule(verify_transcript(std::string(100'000, '['))), "transcript-malformed");
  EXPECT_EQ(rule(verify_transcript(std::string(limit("transcript_octets_max") + 1, ' '))),
            "transcript-malformed");
  EXPECT_EQ(rule(verify_transcript("{}")), "transcript-malformed");
}

TEST(KeyAct, NeedsEveryApprovalAndServesOnce) {
  CeremonyRig rig;
  EXPECT_EQ(rule(rig.hold(99)), "office-act-unknown");
  const ActId act = rig.proposed({{"purpose", "renew-lists"}});
  rig.approve(act, {"Ben", "Cara", "Eve", "Fay"});
  EXPECT_EQ(rule(rig.hold(act)), "ceremony-act") << "two custodians are not three";
  rig.approve(act, {"Gus"});
  EXPECT_EQ(rule(hold_key_act(rig.world, *rig.store, *rig.keys, act, {})), "ceremony-witness");
  EXPECT_EQ(rule(hold_key_act(rig.world, *rig.store, *rig.keys, act, {"Eve"})), "ceremony-witness")
      << "who approves does not witness";
  EXPECT_TRUE(rig.hold(act).ok());
  EXPECT_EQ(rule(rig.hold(act)), "ceremony-act-used");
  const ActId late = rig.approved({{"purpose", "renew-lists"}});
  rig.clock.advance(72 * 3600);
  EXPECT_EQ(rule(rig.hold(late)), "ceremony-act-lapsed");
}

TEST(KeyAct, RenewsTheListsOfTheRoots) {
  CeremonyRig rig;
  const Authority root = *find_authority(*rig.store, "root-oca");
  EXPECT_EQ(rig.list_of(root).next_update, rig.clock.now().plus_years(1)) << "¶60: twelve months";
  rig.clock.advance(300 * 86400);
  const CeremonyHeld held = rig.hold(rig.approved({{"purpose", "renew-lists"}})).value();
  const x509::Crl list = rig.list_of(root);
  EXPECT_EQ(list.number, 2u);
  EXPECT_EQ(list.this_update, rig.clock.now());
  EXPECT_EQ(list.next_update, rig.clock.now().plus_years(1));
  EXPECT_TRUE(x509::signed_by(list, root.certificate.key));
  const TranscriptReport report = verify_transcript(held.transcript).value();
  EXPECT_EQ(report.signers.size(), 2u) << "both roots and nobody else";
  EXPECT_EQ(report.body["people"].size(), 6u) << "who proposed and who approved";
}

TEST(KeyAct, EstablishesAnIssuingAuthorityAndOldCertificatesStillChain) {
  CeremonyRig rig;
  const x509::Certificate before = rig.device_certificate(1);
  const Authority first = *find_authority(*rig.store, "issuing-dca");
  const ActId act = rig.approved({{"purpose", "establish-authority"}, {"profile", "issuing-dca"}});
  storage::Batch intend, done;
  intend.put(tables::intents, Bytes(12, 1), {});
  done.erase(tables::intents, Bytes(12, 1));
  ASSERT_TRUE(rig.store->commit(std::move(intend)).ok());
  EXPECT_EQ(rule(rig.hold(act)), "ceremony-intents") << "the act is not used up by it";
  ASSERT_TRUE(rig.store->commit(std::move(done)).ok());
  const CeremonyHeld held = rig.hold(act).value();
  EXPECT_EQ(verify_transcript(held.transcript).value().signers.size(), 2u);
  rig.reopen();
  const Authority second = *find_authority(*rig.store, "issuing-dca");
  EXPECT_EQ(x509::name_text(second.certificate.subject), "CN=WTD2");
  const x509::Certificate after = rig.device_certificate(2);
  const x509::Certificate root = find_authority(*rig.store, "root-dca")->certificate;
  const auto chains = [&](const x509::Certificate& leaf, const Authority& issuer) {
    return x509::validate_path(std::vector{leaf, issuer.certificate}, root, rig.clock.now()).ok();
  };
  EXPECT_TRUE(chains(before, first));
  EXPECT_TRUE(chains(after, second));
  EXPECT_FALSE(chains(before, second));
  EXPECT_FALSE(chains(after, first));
  EXPECT_TRUE(rig.repository.by_serial(first.certificate.serial).ok()) << "both are published";
  EXPECT_TRUE(rig.repository.by_serial(second.certificate.serial).ok());
  ASSERT_EQ(former_authorities(*rig.store, "issuing-dca").size(), 1u);
  rig.hold(rig.approved({{"purpose", "establish-authority"}, {"profile", "issuing-dca"}})).value();
  EXPECT_EQ(x509::name_text(find_authority(*rig.store, "issuing-dca")->certificate.subject),
            "CN=WTD3");
  EXPECT_EQ(former_authorities(*rig.store, "issuing-dca").size(), 2u);
  while (rig.repository.publish() > 0) {
  }
  EXPECT_EQ(rig.repository.authorities().size(), 6u) << "four, and two more generations";
}

TEST(KeyAct, TheListOfAFormerAuthorityIsKeptCurrentAndTakesRevocations) {
  CeremonyRig rig;
  const RowResult certificate = rig.outcome(kSupplier, rig.organisation_request());
  const Authority first = *find_authority(*rig.store, "issuing-oca");
  rig.hold(rig.approved({{"purpose", "establish-authority"}, {"profile", "issuing-oca"}})).value();
  rig.reopen();
  rig.clock.advance(13 * 3600);
  const std::uint64_t number = rig.list_of(first).number;
  EXPECT_TRUE(rig.ca->keep_revocation_list_current());
  EXPECT_EQ(rig.list_of(first).number, number + 1);
  EXPECT_FALSE(rig.ca->keep_revocation_list_current()) << "all of them are current";
  const ActId act = rig.office
                        .propose("revoke-certificate",
                                 {{"serial", certificate.serial->hex()}, {"grounds", "breach"}},
                                 {rig.who("Cara"), ""}, rig.world.new_trace())
                        .value();
  rig.approve(act, {"Dan"});
  EXPECT_EQ(rig.ca->revoke_authorised(), 1u);
  const x509::Crl list = rig.list_of(first);
  EXPECT_TRUE(list.revokes(*certificate.serial));
  EXPECT_TRUE(x509::signed_by(list, first.certificate.key));
}

TEST(KeyAct, RevokesAnIssuingAuthorityByItsRoot) {
  CeremonyRig rig;
  const Authority issuing = *find_authority(*rig.store, "issuing-oca"),
                  root = *find_authority(*rig.store, "root-oca");
  const json payload{{"purpose", "revoke-authority"},
                     {"serial", issuing.certificate.serial.hex()},
                     {"grounds", "authority-compromise"}};
  const ActId act = rig.approved(payload), again = rig.approved(payload);
  rig.hold(act).value();
  const x509::Crl list = rig.list_of(root);
  ASSERT_EQ(list.entries.size(), 1u);
  EXPECT_TRUE(list.revokes(issuing.certificate.serial));
  EXPECT_EQ(list.entries[0].reason, 2u);
  EXPECT_EQ(rebuild_list(*rig.store, root).value(), list.der);
  EXPECT_EQ(rule(rig.hold(again)), "revoke-already");
  EXPECT_EQ(rule(CertificationAuthority::open(rig.world, *rig.store, *rig.keys, rig.workers,
                                              Environment::test)),
            "ca-authority-revoked");
  rig.hold(rig.approved({{"purpose", "establish-authority"}, {"profile", "issuing-oca"}})).value();
  rig.reopen();
  EXPECT_EQ(rig.outcome(kSupplier, rig.organisation_request()).state, RowState::published);
  EXPECT_EQ(rig.list_of(root).entries.size(), 1u);
}

TEST(KeyAct, IsProposedForWhatRootsDoOnly) {
  CeremonyRig rig;
  const auto refused = [&](const json& payload) {
    return rule(rig.office.propose("authority-key-act", payload, {rig.who("Ada"), ""},
                                   rig.world.new_trace()));
  };
  EXPECT_EQ(refused({{"purpose", "sign-anything"}}), "office-payload");
  EXPECT_EQ(refused({{"purpose", "establish-authority"}}), "office-payload");
  EXPECT_EQ(refused({{"purpose", "establish-authority"}, {"profile", "root-oca"}}),
            "office-payload");
  const std::string root = find_authority(*rig.store, "root-oca")->certificate.serial.hex();
  EXPECT_EQ(refused({{"purpose", "revoke-authority"}, {"serial", root}, {"grounds", "breach"}}),
            "office-payload");
  EXPECT_EQ(refused({{"purpose", "revoke-authority"}, {"serial", root}}), "office-payload");
}

TEST(Generations, AreNamedInFourOctetsAndEachOnce) {
  std::set<std::string> names;
  for (std::uint32_t generation = 1; generation < 2000; ++generation) {
    const std::string name = generation_name("WTD1", generation).value();
    EXPECT_EQ(name.size(), 4u);
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(generation_name("WLD1", 1).value(), "WLD1");
  EXPECT_EQ(generation_name("WLD1", 36).value(), "L010");
  EXPECT_EQ(rule(generation_name("WTD1", 36 * 36 * 36)), "ceremony-generations");
}

TEST(Environments, NeverMeetInAPath) {
  // The same names, keys and signatures, but the policy of the other environment in one of them.
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  const auto key = [&](const char* label) {
    return crypto::find_or_generate(*keys, label).value();
  };
  const UtcTime now = UtcTime::parse_iso("2026-05-01T00:00:00Z").value();
  const std::unique_ptr<Random> random = seeded_random(5);
  const auto certificate = [&](const char* profile, Environment environment, const char* own,
                               const char* issuer, const x509::Name& issuer_name) {
    ToBeSigned what;
    what.profile = find_certificate_profile(profile);
    what.environment = environment;
    what.serial = new_serial(*random);
    what.not_before = now;
    what.key = key(own)->public_point();
    what.subject.eui = kDevice;
    what.subject.hardware_type = x509::oid::from_text("1.2.3.4");
    what.issuer = {issuer_name, to_bytes(x509::key_identifier(key(issuer)->public_point()))};
    const Bytes tbs = build_tbs(what);
    return x509::parse_certificate(
               x509::assemble_certificate(tbs, key(issuer)->sign(crypto::sha256(tbs))))
        .value();
  };
  const x509::Certificate root = certificate("root-dca", Environment::test, "root", "root", {});
  const x509::Certificate issuing =
      certificate("issuing-dca", Environment::test, "issuing", "root", root.subject);
  const x509::Certificate live_issuing =
      certificate("issuing-dca", Environment::live, "issuing", "root", root.subject);
  const auto path = [&](const x509::Certificate& issuer, Environment leaf) {
    const Status status = x509::validate_path(
        std::vector{certificate("device-ds", leaf, "leaf", "issuing", issuer.subject), issuer},
        root, now);
    return status.ok() ? "" : std::string(status.refusal().rule.text());
  };
  EXPECT_EQ(path(issuing, Environment::test), "");
  EXPECT_EQ(path(issuing, Environment::live), "x509-path-policy");
  EXPECT_EQ(path(live_issuing, Environment::live), "x509-path-policy");
  EXPECT_EQ(path(live_issuing, Environment::test), "x509-path-policy");
}

}  // namespace
}  // namespace wattseal::smki
