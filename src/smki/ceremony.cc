#include "smki/ceremony.h"

#include <algorithm>

#include "smki/ceremony_steps.h"
#include "smki/lint.h"
#include "smki/revocation.h"
#include "smki/serials.h"

namespace wattseal::smki {
namespace {

const Bytes kAes128Gcm = x509::oid::from_text("2.16.840.1.101.3.4.1.6");
constexpr std::size_t kTagOctets = 16;

// SubjectPublicKeyInfo of a P-256 point: a fixed prefix and the point. Source: RFC 5480.
Bytes public_key_info(const crypto::PublicPoint& point) {
  Bytes info = *from_hex("3059301306072a8648ce3d020106082a8648ce3d030107034200");
  append(info, point);
  return info;
}

// ApexContingencyKey ::= SEQUENCE { wrapAlgorithm AlgorithmIdentifier, wrappedContinPubKey OCTET
// STRING }, RFC 5934 1.1. The algorithm of the real hierarchy is not public (spec/smki.md 1.3,
// R-lo); AES-128-GCM is ours.
Bytes wrap_contingency_key(const crypto::PublicPoint& contingency, BytesView symmetric,
                           Random& random) {
  crypto::Iv iv{};
  random.fill(iv);
  crypto::Key128 key{};
  std::ranges::copy(symmetric, key.begin());
  const Bytes sealed = crypto::gcm_seal(key, iv, {}, public_key_info(contingency), kTagOctets);
  asn1::Writer writer;
  writer.constructed(asn1::kSequence, [&] {
    writer.constructed(asn1::kSequence, [&] {
      writer.oid(kAes128Gcm);
      writer.constructed(asn1::kSequence, [&] {
        writer.primitive(asn1::kOctetString, iv);
        writer.integer(static_cast<std::int64_t>(kTagOctets));
      });
    });
    writer.primitive(asn1::kOctetString, sealed);
  });
  return writer.take();
}

class Ceremony {
 public:
  Ceremony(const World& world, storage::Store& store, crypto::KeyStore& keys,
           Environment environment, TraceId trace)
      : world_(world), store_(store), keys_(keys), environment_(environment), trace_(trace) {}

  Result<CeremonyReport> run() {
    TRY(claim_environment(store_, environment_));
    for (const CertificateProfile& profile : certificate_profiles()) {
      if (profile.is_ca()) TRY(establish(profile));
    }
    return std::move(report_);
  }

 private:
  // Roots stand before their issuing authorities in the table, so an issuer is there when it is
  // needed.
  Status establish(const CertificateProfile& profile) {
    if (const std::optional<Authority> there = find_authority(store_, profile.id)) {
      report_.authorities.push_back({std::string(profile.id),
                                     x509::name_text(there->certificate.subject), there->key_label,
                                     there->certificate.serial, false});
      return {};
    }
    const std::string label = authority_label(profile, environment_, 1);
    TRY_ASSIGN(const crypto::KeyHandle key, crypto::find_or_generate(keys_, label));
    const bool root = profile.issuer == profile.id;
    crypto::KeyHandle issuer_key = key;
    ToBeSigned what;
    if (!root) {
      const std::optional<Authority> issuer = find_authority(store_, profile.issuer);
      CHECK(issuer.has_value());
      what.issuer = issuer->identity();
      TRY_ASSIGN(issuer_key, keys_.find(issuer->key_label));
    }
    what.profile = &profile;
    what.environment = environment_;
    what.serial = Serials(world_.random, store_, true).draw();
    what.not_before = world_.now().start_of_day();
    what.key = key->public_point();
    if (profile.extensions.find("contingency") != std::string_view::npos) {
      TRY_ASSIGN(Contingency made, make_contingency(world_, keys_, environment_, 1));
      what.wrapped_contingency_key = std::move(made.wrapped);
      report_.contingency_symmetric_key = std::move(made.symmetric_key);
    }
    return sign_and_record(profile, what, label, *key, *issuer_key);
  }

  Status sign_and_record(const CertificateProfile& profile, const ToBeSigned& what,
                         const std::string& label, const crypto::PrivateKey& own,
                         const crypto::PrivateKey& issuer) {
    const UtcTime now = world_.now();
    const Bytes tbs = build_tbs(what);
    TRY(lint_before_issue(tbs));
    storage::Batch intent;
    intent.append(FactWriter(FactKind::certificate_intended, now, trace_)
                      .serial(what.serial)
                      .text(FactField::profile, profile.id)
                      .octets(FactField::tbs_digest, crypto::sha256(tbs))
                      .bytes());
    take_serial(intent, what.serial);
    TRY(store_.commit(std::move(intent)));

    const Bytes der = x509::assemble_certificate(tbs, issuer.sign(crypto::sha256(tbs)));
    Result<x509::Certificate> certificate = x509::parse_certificate(der);
    CHECK(certificate.ok());
    const Authority authority{&profile, std::move(*certificate), label};
    storage::Batch batch;
    batch.require_absent(tables::authorities, as_bytes(profile.id),
                         Refusal{"ceremony-race"_rule, "another ceremony made the authority"});
    batch.put(tables::authorities, as_bytes(profile.id), encode_authority(der, label));
    batch.append(FactWriter(FactKind::certificate_issued, now, trace_)
                     .serial(what.serial)
                     .text(FactField::profile, profile.id)
                     .octets(FactField::certificate, der)
                     .bytes());
    batch.append(FactWriter(FactKind::authority_established, now, trace_)
                     .text(FactField::profile, profile.id)
                     .text(FactField::key_label, label)
                     .serial(what.serial)
                     .bytes());
    RevocationBook(store_, authority).put_list(batch, store_, authority, own, {}, now, trace_);
    TRY(store_.commit(std::move(batch)));
    report_.authorities.push_back({std::string(profile.id),
                                   x509::name_text(authority.certificate.subject), label,
                                   what.serial, true});
    return {};
  }

  const World& world_;
  storage::Store& store_;
  crypto::KeyStore& keys_;
  Environment environment_;
  TraceId trace_;
  CeremonyReport report_;
};

}  // namespace

Result<Contingency> make_contingency(const World& world, crypto::KeyStore& keys,
                                     Environment environment, std::uint32_t generation) {
  std::string label = environment == Environment::test ? "contingency.test" : "contingency.live";
  if (generation > 1) label += "." + std::to_string(generation);
  TRY_ASSIGN(const crypto::KeyHandle key, crypto::find_or_generate(keys, label));
  Contingency made;
  made.symmetric_key.resize(16);
  world.random.fill(made.symmetric_key);
  made.wrapped = wrap_contingency_key(key->public_point(), made.symmetric_key, world.random);
  return made;
}

std::string authority_label(const CertificateProfile& profile, Environment environment,
                            std::uint32_t generation) {
  std::string label =
      std::string(profile.id) + (environment == Environment::test ? ".test" : ".live");
  if (generation > 1) label += "." + std::to_string(generation);
  return label;
}

Result<CeremonyReport> establish_authorities(const World& world, storage::Store& store,
                                             crypto::KeyStore& keys, Environment environment,
                                             TraceId trace) {
  if (environment == Environment::live && keys.kind() != "pkcs11") {
    return Refusal{"ceremony-live-key-store"_rule,
                   "the key store is of kind " + std::string(keys.kind())};
  }
  return Ceremony(world, store, keys, environment, trace).run();
}

Result<CeremonyReport> run_ceremony(const World& world, storage::Store& store,
                                    crypto::KeyStore& keys, Environment environment) {
  const auto missing = [&](const CertificateProfile& profile) {
    return profile.is_ca() && !find_authority(store, profile.id);
  };
  if (environment == Environment::live && keys.kind() == "pkcs11" &&
      std::ranges::any_of(certificate_profiles(), missing))
    return Refusal{"ceremony-live-alone"_rule, "nobody witnesses this"};
  return establish_authorities(world, store, keys, environment, world.new_trace());
}

}  // namespace wattseal::smki
