#include "smki/lint.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "smki/lint_checks.h"
#include "smki/test_rig.h"
#include "tests/vectors.h"

namespace wattseal::smki {
namespace {

using test::kDevice;
using test::kMaker;
using test::kSupplier;
using test::Rig;
namespace fs = std::filesystem;
using Lints = std::set<std::string>;

const UtcTime kNow = UtcTime::parse_iso("2026-05-01T10:00:00Z").value();

Lints found(const Linter& linter) {
  Lints ids;
  for (const Finding& finding : linter.findings()) ids.emplace(finding.lint->id);
  return ids;
}
Lints lint(BytesView certificate) {
  Linter linter(kNow);
  linter.add("it", certificate);
  return found(linter);
}

// Certificates inside the reference messages: version 3 inside a SEQUENCE of 256 to 511 octets.
void add_embedded(const Bytes& message, std::set<Bytes>& into) {
  for (std::size_t at = 0; at + 4 < message.size(); ++at) {
    if (message[at] != 0x30 || message[at + 1] != 0x82) continue;
    const std::size_t size = 4 + get_be(BytesView(message).subspan(at + 2, 2));
    if (at + size > message.size()) continue;
    const BytesView octets = BytesView(message).subspan(at, size);
    if (x509::parse_certificate(octets).ok()) into.insert(to_bytes(octets));
  }
}

std::set<Bytes> reference_certificates(const fs::path& folder) {
  std::set<Bytes> certificates;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / "rtds" / "keystore")) {
    const Result<Bytes> der =
        x509::from_pem("CERTIFICATE", wattseal::test::read_text(entry.path()));
    if (der.ok()) certificates.insert(*der);
  }
  const nlohmann::json keystore =
      nlohmann::json::parse(wattseal::test::read_text(folder / "rtds" / "zaz1-keystore.json"));
  for (const nlohmann::json& entity : keystore) {
    for (const nlohmann::json& usage : entity) {
      for (const nlohmann::json& one : usage)
        certificates.insert(
            x509::from_pem("CERTIFICATE", one["certificate"].get<std::string>()).value());
    }
  }
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(folder / "rtds" / "rtds-4.5.0")) {
    if (entry.path().extension() == ".HEX")
      add_embedded(wattseal::test::read_hex(entry.path()), certificates);
  }
  return certificates;
}

// From key, serial, dates, identity, common name, issuer and policy alone.
Bytes rebuilt(const x509::Certificate& certificate) {
  ToBeSigned what;
  CertificateProfile profile;
  std::string name;
  if (certificate.constraints && certificate.constraints->ca) {
    profile = *find_certificate_profile("issuing-oca");
    name = as_text(certificate.subject.back().value);
    profile.common_name_test = name;
  } else {
    const Identity identity = read_identity(certificate).value();
    const bool agreement = identity.use == KeyUse::key_agreement;
    profile = *find_certificate_profile(std::string(identity.device ? "device-" : "organisation-") +
                                        (agreement ? "ka" : "ds"));
    what.subject = identity.subject;
  }
  const std::string policy = x509::oid::to_text(certificate.policies.at(0));
  profile.policy_test = policy;
  what.profile = &profile;
  what.serial = certificate.serial;
  what.not_before = certificate.not_before;
  what.key = certificate.key;
  what.issuer = {certificate.issuer, certificate.authority_key_id.value()};
  return build_tbs(what);
}

TEST(Profiles, RebuildTheReferenceCertificatesOctetByOctet) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::map<CertificateClass, int> same;
  for (const Bytes& der : reference_certificates(folder)) {
    const Result<x509::Certificate> certificate = x509::parse_certificate(der);
    const Lints ids = lint(der);
    // Those that the linter finds fault with are judged one by one below.
    const bool faulty = std::ranges::any_of(ids, [](const std::string& id) {
      return lint_row(id).severity != LintSeverity::warning || id == "lint-extension-order";
    });
    if (faulty) continue;
    EXPECT_EQ(to_hex(rebuilt(*certificate)), to_hex(certificate->tbs));
    ++same[class_of(*certificate)];
  }
  // Two more devices have signatures that are no DER: their octets to be signed are judged below.
  EXPECT_EQ(same[CertificateClass::device], 398);
  EXPECT_EQ(same[CertificateClass::organisation], 24);
  EXPECT_EQ(same[CertificateClass::issuing], 2) << "the Issuing OCA and its corrupt twin";
}

TEST(Profiles, RebuildTheReferenceCertificatesWhoseSignaturesAreMalformed) {
  WATTSEAL_NEEDS_VECTORS(folder);
  for (const char* file : {"00db123456789023-ka.pem", "00db12345678909b-ds.pem"}) {
    const Bytes der = x509::from_pem("CERTIFICATE",
                                     wattseal::test::read_text(folder / "rtds" / "keystore" / file))
                          .value();
    EXPECT_EQ(x509::parse_certificate(der).refusal().rule, "signature-malformed"_rule);
    asn1::Reader reader(der);
    Result<asn1::Reader> outer = reader.enter(asn1::kSequence);
    const Result<asn1::Tlv> tbs = outer->expect(asn1::kSequence);
    const x509::Certificate certificate = x509::parse_tbs(tbs->whole).value();
    EXPECT_EQ(to_hex(rebuilt(certificate)), to_hex(certificate.tbs)) << file;
  }
}

TEST(Linter, FindsTheFlawsOfRealCertificates) {
  WATTSEAL_NEEDS_VECTORS(folder);
  Linter linter(kNow);
  std::size_t number = 0;
  std::map<std::string, const Bytes*> by_name;
  const std::set<Bytes> certificates = reference_certificates(folder);
  for (const Bytes& der : certificates) {
    const std::string name = std::to_string(number++);
    by_name[name] = &der;
    linter.add(name, der);
  }
  std::map<std::string, int> counts;
  std::map<std::string, Lints> by_input;
  for (const Finding& finding : linter.findings()) {
    ++counts[std::string(finding.lint->id)];
    by_input[finding.input].emplace(finding.lint->id);
  }
  // The 2018 set names the issuer of others but was not signed by it (spec/smki.md 2, trap 2).
  int impostors = 0;
  for (const auto& [name, ids] : by_input) {
    if (!ids.contains("lint-issuer-string")) continue;
    ++impostors;
    for (const char* id : {"lint-authority-key-id-missing", "lint-lifetime", "lint-signature",
                           "lint-issuer-octets", "lint-extension-order"})
      EXPECT_TRUE(ids.contains(id)) << name << " " << id;
  }
  EXPECT_EQ(impostors, 6);
  // The corrupt Issuing OCA carries the serial number of the true one (trap 3).
  // A device certificate with another usage in the error messages does likewise.
  EXPECT_EQ(counts["lint-serial-twice"], 2);
  EXPECT_EQ(counts["lint-usage"], 1);
  // Signature integers that are no DER, and an algorithm with parameters.
  EXPECT_EQ(counts["lint-structure"], 4);
  // Renewed with the same key (trap 10).
  EXPECT_GT(counts["lint-key-twice"], 0);
  EXPECT_EQ(counts["lint-unique-identifier"], 0);
}

// A certificate like that of the rig's supplier or device, changed before it is signed.
class Flawed {
 public:
  template <typename Change>
  Lints device(Change&& change) {
    return made(kMaker, rig_.device_request(next_device()), std::forward<Change>(change));
  }
  template <typename Change>
  Lints organisation(Change&& change) {
    return made(kSupplier, rig_.organisation_request(), std::forward<Change>(change));
  }

 private:
  Eui64 next_device() { return Eui64::from_number(kDevice.number() + ++devices_); }

  template <typename Change>
  Lints made(Eui64 subscriber, const Bytes& request, Change&& change) {
    const RowResult issued = rig_.outcome(subscriber, request);
    CHECK(issued.serial.has_value());
    const x509::Certificate good =
        x509::parse_certificate(rig_.repository.by_serial(*issued.serial)->der).value();
    EXPECT_EQ(lint(good.der), Lints{});
    x509::TbsCertificate tbs{good.serial,  good.issuer, good.not_before, good.not_after,
                             good.subject, good.key,    good.extensions};
    change(tbs);
    const Bytes octets = x509::encode_tbs(tbs);
    const crypto::KeyHandle key = rig_.key();
    return lint(x509::assemble_certificate(octets, key->sign(crypto::sha256(octets))));
  }

  Rig rig_;
  std::uint64_t devices_ = 0;
};

x509::Extension& extension(x509::TbsCertificate& tbs, const char* oid) {
  const auto found_one =
      std::ranges::find(tbs.extensions, x509::oid::from_text(oid), &x509::Extension::oid);
  CHECK(found_one != tbs.extensions.end());
  return *found_one;
}
constexpr const char *kUsage = "2.5.29.15", *kKeyId = "2.5.29.14", *kPolicy = "2.5.29.32",
                     *kAuthority = "2.5.29.35", *kAltName = "2.5.29.17";
void drop(x509::TbsCertificate& tbs, const char* oid) {
  std::erase_if(tbs.extensions,
                [&](const x509::Extension& one) { return one.oid == x509::oid::from_text(oid); });
}
using Tbs = x509::TbsCertificate;

TEST(Linter, NamesEachFlawOfAnOrganisationCertificate) {
  Flawed flawed;
  // OpenSSL cuts trailing zero octets of a BIT STRING (trap 1).
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.subject.back().value.resize(6); }),
            Lints{"lint-unique-identifier"});
  // A role in decimal (spec/smki.md 1.9).
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.subject[0].value = to_bytes(as_bytes("137")); }),
            Lints{"lint-role"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.subject[0].tag = asn1::kPrintableString; }),
            Lints{"lint-subject-string"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { std::swap(tbs.subject[0], tbs.subject[1]); }),
            Lints{"lint-subject-name"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) {
    tbs.subject.insert(tbs.subject.begin(), {x509::oid::common_name, asn1::kUtf8String,
                                             to_bytes(as_bytes("SEVENTEEN-LETTERS"))});
  }),
            Lints{"lint-common-name"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.not_after = tbs.not_before.plus_years(11); }),
            Lints{"lint-lifetime"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.not_after = tbs.not_before.plus_years(9); }),
            Lints{"lint-rebuild"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.not_after = tbs.not_before.plus_seconds(-1); }),
            Lints{"lint-structure"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) {
    tbs.issuer.push_back({x509::oid::unique_identifier, asn1::kBitString, Bytes(8)});
  }),
            Lints{"lint-issuer-entity"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) { tbs.issuer[0].tag = asn1::kUtf8String; }),
            Lints{"lint-issuer-string"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) {
    tbs.extensions.push_back(x509::constraints_extension({false, std::nullopt}));
  }),
            Lints{"lint-constraints-empty"});
  EXPECT_EQ(flawed.organisation([](Tbs& tbs) {
    tbs.extensions.push_back(x509::constraints_extension({true, 0}));
  }),
            Lints{"lint-constraints-entity"});
}

TEST(Linter, NamesEachFlawOfADeviceCertificate) {
  Flawed flawed;
  EXPECT_EQ(flawed.device([](Tbs& tbs) { extension(tbs, kPolicy).critical = false; }),
            Lints{"lint-policy-critical"});  // trap 5
  EXPECT_EQ(flawed.device([](Tbs& tbs) { drop(tbs, kPolicy); }), Lints{"lint-policy-missing"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { drop(tbs, kKeyId); }), Lints{"lint-key-id-missing"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { drop(tbs, kAuthority); }),
            Lints{"lint-authority-key-id-missing"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { drop(tbs, kUsage); }), Lints{"lint-usage-missing"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { drop(tbs, kAltName); }), Lints{"lint-device-identity"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { extension(tbs, kUsage).critical = false; }),
            Lints{"lint-usage-critical"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) {
    extension(tbs, kUsage) =
        x509::usage_extension(x509::key_usage::digital_signature | x509::key_usage::key_agreement);
  }),
            Lints{"lint-usage"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) {
    extension(tbs, kKeyId) = x509::subject_key_id_extension(Bytes(8, 0x41));
  }),
            Lints{"lint-key-id"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) {
    extension(tbs, kAuthority) = x509::authority_key_id_extension(Bytes(20, 0x41));
  }),
            Lints{"lint-authority-key-id"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { tbs.not_after = tbs.not_before.plus_years(20); }),
            Lints{"lint-device-expiry"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) {
    tbs.extensions.push_back({x509::oid::from_text("2.5.29.37"), false, *from_hex("3000")});
  }),
            Lints{"lint-extension-foreign"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) { std::swap(tbs.extensions[1], tbs.extensions[3]); }),
            Lints{"lint-extension-order"});
  EXPECT_EQ(flawed.device([](Tbs& tbs) {
    extension(tbs, kPolicy) = x509::policy_extension(x509::oid::from_text("1.2.3"), true);
  }),
            Lints{"lint-policy-unknown"});
  EXPECT_EQ(
      flawed.device([](Tbs& tbs) { tbs.serial = CertificateSerial::parse_hex("1234").value(); }),
      Lints{"lint-serial-length"});
}

TEST(Linter, ChecksIssuersListsAndRequests) {
  Rig rig;
  const RowResult supplier = rig.outcome(kSupplier, rig.organisation_request());
  const Bytes certificate = rig.repository.by_serial(*supplier.serial)->der;
  std::string authorities;
  Bytes issuing;
  for (const PublishedCertificate& one : rig.repository.authorities()) {
    authorities += x509::to_pem("CERTIFICATE", one.der);
    EXPECT_EQ(lint(one.der), Lints{}) << one.profile;
    if (one.profile == "issuing-oca") issuing = one.der;
  }
  const Bytes key_id = x509::parse_certificate(issuing)->subject_key_id.value();
  const auto with_authorities = [&](BytesView input) {
    Linter linter(rig.world.now());
    EXPECT_EQ(linter.add_issuers(as_bytes(authorities)).value(), 4u);
    linter.add("it", input);
    return found(linter);
  };
  EXPECT_EQ(with_authorities(certificate), Lints{});
  Bytes corrupt = certificate;
  corrupt.back() ^= 1;
  EXPECT_EQ(with_authorities(corrupt), Lints{"lint-signature"});
  EXPECT_EQ(with_authorities(rig.repository.revocation_list(key_id).value()), Lints{});
  Bytes list = rig.repository.revocation_list(key_id).value();
  list.back() ^= 1;
  EXPECT_EQ(with_authorities(list), Lints{"lint-signature"});
  rig.clock.advance(72 * 3600);
  EXPECT_EQ(with_authorities(rig.repository.revocation_list(key_id).value()),
            Lints{"lint-list-lapsed"});

  EXPECT_EQ(lint(rig.device_request(kDevice)), Lints{});
  Bytes unproven = rig.device_request(kDevice);
  unproven.back() ^= 1;
  EXPECT_EQ(lint(unproven), Lints{"lint-request"});
  EXPECT_EQ(lint(as_bytes("garbage")), Lints{"lint-structure"});
  EXPECT_EQ(lint(as_bytes("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----")),
            Lints{"lint-structure"});
  Linter linter(rig.world.now());
  EXPECT_EQ(linter.add_issuers(as_bytes("garbage")).refusal().rule, "lint-issuers"_rule);
}

TEST(Linter, JudgesEveryCertificateBeforeItIsSigned) {
  Rig rig;
  EXPECT_TRUE(
      lint_before_issue(
          x509::parse_certificate(
              rig.repository.by_serial(*rig.outcome(kMaker, rig.device_request(kDevice)).serial)
                  ->der)
              ->tbs)
          .ok());
  Subject subject;
  subject.eui = kSupplier;
  subject.role = RemotePartyRole::supplier;
  subject.common_name = "bell\a";
  const Bytes request = x509::make_request(
      subject_name(*find_certificate_profile("organisation-ds"), Environment::test, subject),
      {x509::usage_extension(x509::key_usage::digital_signature)}, *rig.key());
  const RowResult refused = rig.outcome(kSupplier, request);
  EXPECT_EQ(refused.rule, "csr-lint");
  EXPECT_TRUE(refused.detail.starts_with("lint-common-name")) << refused.detail;
  EXPECT_EQ(rig.authority.status(1)->refused, 0u);
  EXPECT_EQ(rig.authority.status(2)->refused, 1u);
}

TEST(Lints, HaveSourcesAndDates) {
  for (const LintRow& row : lints()) {
    EXPECT_FALSE(row.source.empty()) << row.id;
    EXPECT_EQ(row.in_force_from.size(), 10u) << row.id;
    EXPECT_FALSE(row.fix.empty()) << row.id;
  }
}

}  // namespace
}  // namespace wattseal::smki
