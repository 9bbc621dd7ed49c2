#include "x509/x509.h"

#include <gtest/gtest.h>
#include <random>

#include "tests/vectors.h"

namespace wattseal::x509 {
namespace {

const crypto::KeyHandle& key(int number) {
  static const std::unique_ptr<crypto::KeyStore> store = crypto::memory_key_store();
  static std::map<int, crypto::KeyHandle> keys;
  crypto::KeyHandle& found = keys[number];
  if (!found) found = crypto::generate_one(*store, "k" + std::to_string(number)).value();
  return found;
}
UtcTime at(std::string_view iso) { return UtcTime::parse_iso(iso).value(); }
Name named(std::string_view common_name, std::string_view unit = "07") {
  return {{oid::organizational_unit, asn1::kUtf8String, to_bytes(as_bytes(unit))},
          {oid::common_name, asn1::kUtf8String, to_bytes(as_bytes(common_name))}};
}

struct Options {
  std::string subject = "leaf", issuer = "root";
  int subject_key = 2, issuer_key = 1;
  bool ca = false;
  std::optional<unsigned> path_length = {};
  unsigned usage = key_usage::digital_signature;
  std::vector<Extension> more = {};
  std::string from = "2020-01-01T00:00:00Z", to = "2045-01-01T00:00:00Z";
};
Certificate issue(const Options& options) {
  TbsCertificate tbs;
  tbs.serial = CertificateSerial::parse_hex("80FF").value();
  tbs.issuer = named(options.issuer);
  tbs.subject = named(options.subject);
  tbs.not_before = at(options.from);
  tbs.not_after = at(options.to);
  tbs.key = key(options.subject_key)->public_point();
  tbs.extensions = {
      usage_extension(options.usage), subject_key_id_extension(key_identifier(tbs.key)),
      authority_key_id_extension(key_identifier(key(options.issuer_key)->public_point()))};
  if (options.ca) tbs.extensions.push_back(constraints_extension({true, options.path_length}));
  tbs.extensions.insert(tbs.extensions.end(), options.more.begin(), options.more.end());
  const Bytes octets = encode_tbs(tbs);
  return parse_certificate(
             assemble_certificate(octets, key(options.issuer_key)->sign(crypto::sha256(octets))))
      .value();
}
Options root() {
  return {.subject = "root",
          .subject_key = 1,
          .ca = true,
          .usage = key_usage::key_cert_sign | key_usage::crl_sign};
}
Options issuing() {
  return {.subject = "issuing",
          .ca = true,
          .path_length = 0,
          .usage = key_usage::key_cert_sign | key_usage::crl_sign};
}
Options leaf() {
  return {.subject = "leaf", .issuer = "issuing", .subject_key = 3, .issuer_key = 2};
}

std::string validated(const std::vector<Options>& chain, const Options& anchor = root(),
                      std::string_view now = "2026-01-01T00:00:00Z") {
  std::vector<Certificate> certificates;
  for (const Options& options : chain) certificates.push_back(issue(options));
  const Status status = validate_path(certificates, issue(anchor), at(now));
  return status.ok() ? "ok" : std::string(status.refusal().rule.text());
}

TEST(ReferenceCertificates, ParseAndAreRebuiltOctetByOctet) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int parsed = 0, padded = 0;
  for (const std::filesystem::directory_entry& entry :
       std::filesystem::directory_iterator(folder / "rtds" / "keystore")) {
    const std::string text = test::read_text(entry.path());
    if (text.find("BEGIN CERTIFICATE") == std::string::npos) continue;
    const Result<Certificate> certificate = parse_certificate_pem(text);
    if (!certificate.ok()) {  // a few have a signature whose integers are padded: no DER
      EXPECT_EQ(certificate.refusal().rule, "signature-malformed"_rule)
          << entry.path() << " " << certificate.refusal().detail;
      ++padded;
      continue;
    }
    TbsCertificate tbs{certificate->serial,    certificate->issuer,  certificate->not_before,
                       certificate->not_after, certificate->subject, certificate->key,
                       certificate->extensions};
    const Bytes rebuilt = encode_tbs(tbs);
    EXPECT_EQ(to_hex(rebuilt), to_hex(certificate->tbs)) << entry.path();
    EXPECT_EQ(assemble_certificate(rebuilt, certificate->signature), certificate->der);
    for (const Extension& extension : certificate->extensions) {
      const std::string id = oid::to_text(extension.oid);
      if (id == "2.5.29.15") {
        EXPECT_EQ(usage_extension(*certificate->usage).value, extension.value);
      }
      if (id == "2.5.29.14") {
        EXPECT_EQ(subject_key_id_extension(*certificate->subject_key_id).value, extension.value);
      }
      if (id == "2.5.29.17" && certificate->hardware_module) {
        EXPECT_EQ(hardware_module_extension(*certificate->hardware_module).value, extension.value);
      }
      if (id == "2.5.29.19") {
        EXPECT_EQ(constraints_extension(*certificate->constraints).value, extension.value);
      }
    }
    ++parsed;
  }
  EXPECT_GT(parsed, 50);
  EXPECT_LT(padded * 50, parsed);
  RecordProperty("padded", padded);
}

TEST(Names, HaveTheTextOfRfc4514) {
  EXPECT_EQ(name_text(named("Z1")), "CN=Z1,OU=07");
  Name odd = named("a,b+\"c\\ ");
  odd.push_back({oid::unique_identifier, asn1::kBitString, {1, 2}});
  EXPECT_EQ(name_text(odd), "2.5.4.45=#0303000102,CN=a\\,b\\+\\\"c\\\\\\ ,OU=07");
  EXPECT_TRUE(same_name_text("CN=Z1,OU=07", "cn=Z1, ou=07"));
  EXPECT_FALSE(same_name_text("CN=Z1,OU=07", "OU=07,CN=Z1"));
  EXPECT_FALSE(same_name_text("CN=Z1,OU=07", "CN=z1,OU=07"));
  EXPECT_FALSE(same_name_text("CN=Z1\\,OU=07", "CN=Z1,OU=07"));
}

TEST(ObjectIdentifiers, AreTextBothWays) {
  for (const std::string_view text :
       {"1.2.826.0.1.8641679.1.2.1.2", "2.5.4.45", "2.999.3", "1.3.6.1.5.5.7.1.20", "0.0"})
    EXPECT_EQ(oid::to_text(oid::from_text(text)), text);
}

TEST(Path, HoldsFromLeafToAnchor) {
  EXPECT_EQ(validated({leaf(), issuing()}), "ok");
  EXPECT_EQ(validated({issuing()}), "ok");
}

TEST(Path, RefusesEachBrokenLink) {
  Options changed = leaf();
  changed.issuer = "another";
  EXPECT_EQ(validated({changed, issuing()}), "x509-path-name");
  changed = leaf();
  changed.issuer_key = 4;
  EXPECT_EQ(validated({changed, issuing()}), "x509-path-key-id");
  Options not_ca = issuing();
  not_ca.ca = false;
  EXPECT_EQ(validated({leaf(), not_ca}), "x509-path-not-ca");
  not_ca = issuing();
  not_ca.usage = key_usage::crl_sign;
  EXPECT_EQ(validated({leaf(), not_ca}), "x509-path-not-ca");
  Options short_root = root();
  short_root.path_length = 0;
  EXPECT_EQ(validated({leaf(), issuing()}, short_root), "x509-path-length");
  changed = leaf();
  changed.to = "2025-01-01T00:00:00Z";
  EXPECT_EQ(validated({changed, issuing()}), "x509-path-dates");
  EXPECT_EQ(validated({leaf(), issuing()}, root(), "2019-01-01T00:00:00Z"), "x509-path-dates");
  changed = leaf();
  changed.more = {{oid::from_text("1.2.3.4"), true, {5, 0}}};
  EXPECT_EQ(validated({changed, issuing()}), "x509-path-critical");
  EXPECT_EQ(validated({}), "x509-path-length");
}

TEST(Path, RefusesAForgedSignature) {
  std::vector<Certificate> chain{issue(leaf()), issue(issuing())};
  chain[0].signature[10] ^= 1;
  EXPECT_EQ(validate_path(chain, issue(root()), at("2026-01-01T00:00:00Z")).refusal().rule,
            "x509-path-signature"_rule);
}

TEST(Requests, CarryOneExtensionRequestAndProvePossession) {
  const std::vector<Extension> extensions{
      usage_extension(key_usage::key_agreement),
      hardware_module_extension({oid::from_text("1.2.3"), Bytes(8, 9)})};
  const Bytes der = make_request({}, extensions, *key(1));
  const CertificationRequest request = parse_request(der).value();
  EXPECT_TRUE(proves_possession(request));
  EXPECT_EQ(request.usage, key_usage::key_agreement);
  EXPECT_EQ(request.hardware_module->serial, Bytes(8, 9));
  Bytes forged = der;
  forged[40] ^= 1;  // inside the key or name: it either does not parse or does not prove
  const Result<CertificationRequest> other = parse_request(forged);
  EXPECT_FALSE(other.ok() && proves_possession(*other));
}

TEST(Requests, SurviveEveryTruncationAndFlip) {
  const Bytes der = make_request(named("x"), {usage_extension(key_usage::key_agreement)}, *key(1));
  for (std::size_t size = 0; size < der.size(); ++size)
    EXPECT_FALSE(parse_request(BytesView(der).first(size)).ok());
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_EQ(parse_request(longer).refusal().rule, "der-trailing"_rule);
  for (std::size_t i = 0; i < der.size(); ++i) {
    for (const unsigned bit : {0u, 3u, 7u}) {
      Bytes flipped = der;
      flipped[i] ^= static_cast<Octet>(1u << bit);
      const Result<CertificationRequest> parsed = parse_request(flipped);
      EXPECT_FALSE(parsed.ok() && proves_possession(*parsed)) << i;
    }
  }
}

TEST(RevocationLists, ListWhatWasRevoked) {
  TbsCrl tbs{named("issuing"),
             at("2026-01-01T00:00:00Z"),
             at("2026-01-03T00:00:00Z"),
             {},
             Bytes(8, 1),
             300};
  EXPECT_FALSE(
      parse_crl(make_crl(tbs, *key(2)))->revokes(CertificateSerial::parse_hex("01").value()));
  for (const std::string_view serial : {"FF01", "02", "80"})
    tbs.entries.push_back(
        {CertificateSerial::parse_hex(serial).value(), at("2025-12-31T00:00:00Z"), 1});
  const Bytes der = make_crl(tbs, *key(2));
  const Crl crl = parse_crl(der).value();
  EXPECT_TRUE(signed_by(crl, key(2)->public_point()));
  EXPECT_FALSE(signed_by(crl, key(1)->public_point()));
  EXPECT_EQ(crl.number, 300u);
  EXPECT_EQ(crl.entries.size(), 3u);
  EXPECT_EQ(crl.entries[0].serial.hex().substr(30), "02");
  EXPECT_EQ(crl.entries[0].reason, 1u);
  EXPECT_TRUE(crl.revokes(CertificateSerial::parse_hex("80").value()));
  EXPECT_FALSE(crl.revokes(CertificateSerial::parse_hex("81").value()));
  for (std::size_t size = 0; size < der.size(); ++size)
    EXPECT_FALSE(parse_crl(BytesView(der).first(size)).ok());
}

TEST(Certificates, SurviveAnyFlip) {
  const Certificate good = issue(leaf());
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    Bytes flipped = good.der;
    for (unsigned n = 0; n < 1 + random() % 3; ++n)
      flipped[random() % flipped.size()] = static_cast<Octet>(random());
    const Result<Certificate> parsed = parse_certificate(flipped);
    EXPECT_FALSE(parsed.ok() && flipped != good.der && signed_by(*parsed, key(2)->public_point()));
  }
  EXPECT_EQ(parse_certificate(Bytes(8193)).refusal().rule, "x509-structure"_rule);
  EXPECT_EQ(parse_certificate_pem("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")
                .refusal()
                .rule,
            "pem-malformed"_rule);
  EXPECT_EQ(parse_certificate_pem(to_pem("CERTIFICATE", good.der))->der, good.der);
}

}  // namespace
}  // namespace wattseal::x509
