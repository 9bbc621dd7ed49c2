// The bundle for a new provider, written and checked. Source: ¶52; K-12.
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/backup_files.h"
#include "base/fault.h"
#include "smki/authority.h"
#include "smki/ceremony.h"
#include "smki/lifecycle.h"
#include "smki/transcript.h"

namespace wattseal::apps {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPurpose = "hand-over";

std::vector<smki::Authority> all_authorities(const storage::Reader& reader) {
  std::vector<smki::Authority> all;
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca()) continue;
    for (smki::Authority& former : smki::former_authorities(reader, profile.id))
      all.push_back(std::move(former));
    if (std::optional<smki::Authority> current = smki::find_authority(reader, profile.id))
      all.push_back(std::move(*current));
  }
  return all;
}

json policies() {
  json list = json::array();
  for (const CertificateProfile& profile : certificate_profiles())
    list.push_back({{"profile", profile.id},
                    {"hierarchy", profile.hierarchy},
                    {"issuer", profile.issuer},
                    {"policy_test", profile.policy_test},
                    {"policy_live", profile.policy_live},
                    {"lifetime_years", profile.lifetime_years}});
  return list;
}

json key_objects(const crypto::KeyStore& keys, const std::vector<smki::Authority>& authorities) {
  json list = json::array();
  for (const std::string& label : keys.labels()) {
    const Result<crypto::KeyHandle> key = keys.find(label);
    CHECK(key.ok());
    std::string use = "other";
    for (const smki::Authority& one : authorities) {
      if (one.key_label == label) use = x509::name_text(one.certificate.subject);
    }
    list.push_back({{"label", label}, {"public_key", to_hex((*key)->public_point())}, {"of", use}});
  }
  return {{"key_store", keys.kind()}, {"objects", list}};
}

// One line a fact, so that a program that knows nothing of our store can check the chain.
void write_journal(const storage::Reader& store, const fs::path& folder) {
  std::string lines, certificates;
  store.journal(1, [&](const storage::JournalEntry& entry) {
    lines += json{{"sequence", entry.sequence},
                  {"chain", to_hex(entry.chain)},
                  {"fact", to_base64(entry.fact)}}
                 .dump() +
             "\n";
    const Result<FactView> fact = FactView::read(entry.fact);
    if (!fact.ok()) throw Fault("a fact of the journal does not parse");
    if (fact->kind() == FactKind::certificate_issued)
      certificates +=
          x509::to_pem("CERTIFICATE", fact->find(FactField::certificate).value_or(BytesView()));
    return true;
  });
  write_file(folder / "journal.jsonl", lines);
  write_file(folder / "certificates.pem", certificates);
}

void write_open_formats(const storage::Reader& store, const crypto::KeyStore& keys,
                        const fs::path& folder) {
  const std::vector<smki::Authority> authorities = all_authorities(store);
  std::string pem;
  for (const smki::Authority& one : authorities) {
    pem += x509::to_pem("CERTIFICATE", one.certificate.der);
    const Bytes& key_id = one.certificate.subject_key_id.value();
    if (const std::optional<Bytes> list = store.get(tables::crls, key_id))
      write_file(folder / "lists" / (to_hex(key_id) + ".crl"), as_text(*list));
  }
  write_file(folder / "authorities.pem", pem);
  for (const std::uint64_t number : smki::ceremonies(store))
    write_file(folder / "transcripts" / (std::to_string(number) + ".json"),
               smki::ceremony_transcript(store, number).value());
  write_file(folder / "policies.json", policies().dump(1) + "\n");
  write_file(folder / "keys.json", key_objects(keys, authorities).dump(1) + "\n");
  write_journal(store, folder);
}

// Issuing authorities sign; root keys are for ceremonies.
Status sign_manifest(const World& world, const storage::Reader& store, const crypto::KeyStore& keys,
                     const fs::path& folder) {
  const std::optional<Environment> environment = smki::environment_of(store);
  std::vector<smki::TranscriptSigner> signers;
  for (const smki::Authority& one : all_authorities(store)) {
    if (one.profile->issuer == one.profile->id) continue;
    TRY_ASSIGN(crypto::KeyHandle key, keys.find(one.key_label));
    signers.push_back({std::string(one.profile->id), one.certificate.der, std::move(key)});
  }
  if (!environment || signers.empty())
    return Refusal{"ca-not-established"_rule, "there is nothing to hand over"};
  const UtcTime now = world.now();
  smki::TranscriptWriter writer(kPurpose, *environment, keys.kind(), now, world.new_trace());
  const crypto::Digest digest = crypto::sha256(as_bytes(read_file(folder / kManifestName)));
  writer.step(now, "manifest written", kManifestName, digest);
  write_file(folder / kSignatureName, writer.sign(now, signers));
  return {};
}

// ---- checking

Refusal incomplete(const std::string& part, std::string detail) {
  return {"handover-incomplete"_rule, std::move(detail), part};
}

// The blocks of a PEM text, in order.
Result<std::vector<Bytes>> read_bundle_pem(const std::string& text, const std::string& part) {
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";
  std::vector<Bytes> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find(kEnd, at);
    if (end == std::string::npos) return incomplete(part, "a certificate is cut off");
    TRY_ASSIGN(Bytes der, x509::from_pem("CERTIFICATE", std::string_view(text).substr(
                                                            at, end + kEnd.size() - at)));
    all.push_back(std::move(der));
    at = end + kEnd.size();
  }
  return all;
}

// What the journal says exists.
struct Told {
  std::vector<Bytes> certificates;        // in order of issue
  std::map<Bytes, crypto::Digest> lists;  // newest by issuer key, digest of the tbs
  std::map<std::uint64_t, crypto::Digest> transcripts;
};

void tell(const FactView& fact, Told& told) {
  const auto digest = [&](FactField field) {
    crypto::Digest value{};
    const BytesView found = fact.find(field).value_or(BytesView());
    if (found.size() == value.size()) std::ranges::copy(found, value.begin());
    return value;
  };
  if (fact.kind() == FactKind::certificate_issued)
    told.certificates.push_back(to_bytes(fact.find(FactField::certificate).value_or(BytesView())));
  if (fact.kind() == FactKind::crl_issued)
    told.lists[to_bytes(fact.find(FactField::issuer_key_id).value_or(BytesView()))] =
        digest(FactField::tbs_digest);
  if (fact.kind() == FactKind::ceremony_held)
    told.transcripts[fact.number(FactField::ceremony)] = digest(FactField::transcript_digest);
}

Result<Told> read_journal(const fs::path& file, const BackupReport& head) {
  Told told;
  crypto::Digest chain{};
  std::uint64_t sequence = 0;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line, nullptr, false);
    const bool shaped = row.is_object() && row.value("fact", json()).is_string() &&
                        row.value("chain", json()).is_string();
    const std::optional<Bytes> octets =
        shaped ? from_base64(row["fact"].get<std::string>()) : std::nullopt;
    const std::string where = "line " + std::to_string(++sequence);
    if (!octets) return incomplete("journal.jsonl", where + " is no fact");
    chain = storage::chain_next(chain, sequence, *octets);
    if (to_hex(chain) != row["chain"].get<std::string>())
      return incomplete("journal.jsonl", "the chain breaks at " + where);
    TRY_ASSIGN(const FactView fact, FactView::read(*octets));
    tell(fact, told);
  }
  if (sequence != head.facts || chain != head.chain)
    return incomplete("journal.jsonl", "it ends at fact " + std::to_string(sequence) +
                                           ", the manifest at " + std::to_string(head.facts));
  return told;
}

Status check_lists(const fs::path& folder, const Told& told) {
  for (const auto& [key_id, digest] : told.lists) {
    const std::string part = "lists/" + to_hex(key_id) + ".crl";
    if (!fs::exists(folder / part)) return incomplete(part, "the list is not there");
    const std::string octets = read_file(folder / part);
    TRY_ASSIGN(const x509::Crl list, x509::parse_crl(as_bytes(octets)));
    if (crypto::sha256(list.tbs) != digest) return incomplete(part, "it is not the newest list");
  }
  return {};
}

Status check_transcripts(const fs::path& folder, const Told& told,
                         const std::vector<Bytes>& roots) {
  for (const auto& [number, digest] : told.transcripts) {
    const std::string part = "transcripts/" + std::to_string(number) + ".json";
    if (!fs::exists(folder / part)) return incomplete(part, "the transcript is not there");
    const std::string text = read_file(folder / part);
    if (smki::transcript_digest(text) != digest)
      return incomplete(part, "the journal knows another transcript");
    TRY(smki::verify_transcript(text, roots));
  }
  return {};
}

// Roots of the bundle, or those that were given; the rest is below them.
Result<std::vector<Bytes>> check_authorities(const std::vector<Bytes>& authorities,
                                             const std::vector<Bytes>& given) {
  std::vector<Bytes> roots;
  std::vector<x509::Certificate> issuing, anchors;
  for (const Bytes& der : authorities) {
    TRY_ASSIGN(x509::Certificate certificate, x509::parse_certificate(der));
    if (!x509::signed_by(certificate, certificate.key)) {
      issuing.push_back(std::move(certificate));
      continue;
    }
    if (!given.empty() && std::ranges::find(given, der) == given.end())
      return Refusal{"handover-signature"_rule,
                     x509::name_text(certificate.subject) + " is no root that was given",
                     "authorities.pem"};
    roots.push_back(der);
    anchors.push_back(std::move(certificate));
  }
  for (const x509::Certificate& one : issuing) {
    const bool good = std::ranges::any_of(anchors, [&](const x509::Certificate& root) {
      return x509::validate_path(std::span(&one, 1), root, one.not_before,
                                 x509::TimeCheck::disapply)
          .ok();
    });
    if (!good)
      return incomplete("authorities.pem",
                        "the root of " + x509::name_text(one.subject) + " is not there");
  }
  return roots;
}

Result<std::vector<std::string>> check_signature(const fs::path& folder,
                                                 const std::vector<Bytes>& roots) {
  if (!fs::exists(folder / kSignatureName))
    return Refusal{"handover-signature"_rule, "the manifest is not signed",
                   std::string(kSignatureName)};
  TRY_ASSIGN(const smki::TranscriptReport report,
             smki::verify_transcript(read_file(folder / kSignatureName), roots));
  const crypto::Digest digest = crypto::sha256(as_bytes(read_file(folder / kManifestName)));
  const json& steps = report.body["steps"];
  if (report.body.value("purpose", json()) != kPurpose || steps.size() != 1 ||
      steps[0]["octets"].get<std::string>() != to_base64(digest))
    return Refusal{"handover-signature"_rule, "another manifest was signed",
                   std::string(kSignatureName)};
  std::vector<std::string> names;
  for (const smki::TranscriptReport::Signer& signer : report.signers) names.push_back(signer.name);
  return names;
}

Status check_certificates(const std::vector<Bytes>& found, const Told& told) {
  for (std::size_t i = 0; i < told.certificates.size(); ++i) {
    if (i >= found.size() || found[i] != told.certificates[i])
      return incomplete("certificates.pem", "certificate " + std::to_string(i + 1) + " of " +
                                                std::to_string(told.certificates.size()) +
                                                " is missing or another");
  }
  if (found.size() != told.certificates.size())
    return incomplete("certificates.pem", "it holds certificates that the journal does not know");
  return {};
}

}  // namespace

Result<BackupReport> export_bundle(const World& world, storage::Store& store,
                                   const crypto::KeyStore& keys, const fs::path& data,
                                   const fs::path& to) {
  TRY_ASSIGN(const fs::path part, begin_folder(to));
  TRY(copy_platform(store, data, part));
  {
    TRY_ASSIGN(const std::unique_ptr<storage::Store> copy,
               storage::open_rocksdb_store(part / "store"));
    write_open_formats(*copy, keys, part);
  }
  TRY_ASSIGN(BackupReport report, seal_folder(world, part));
  TRY(sign_manifest(world, store, keys, part));
  finish_folder(part, to);
  return report;
}

Result<BundleReport> check_bundle(const fs::path& folder, const std::vector<Bytes>& roots) {
  BundleReport report;
  report.roots_given = !roots.empty();
  TRY_ASSIGN(report.backup, check_backup(folder));
  for (const char* const part :
       {"authorities.pem", "certificates.pem", "journal.jsonl", "keys.json", "policies.json"}) {
    if (!fs::exists(folder / part)) return incomplete(part, "the part is not there");
  }
  TRY_ASSIGN(const std::vector<Bytes> authorities,
             read_bundle_pem(read_file(folder / "authorities.pem"), "authorities.pem"));
  TRY_ASSIGN(const std::vector<Bytes> believed, check_authorities(authorities, roots));
  TRY_ASSIGN(report.signers, check_signature(folder, believed));
  TRY_ASSIGN(const Told told, read_journal(folder / "journal.jsonl", report.backup));
  TRY_ASSIGN(const std::vector<Bytes> certificates,
             read_bundle_pem(read_file(folder / "certificates.pem"), "certificates.pem"));
  TRY(check_certificates(certificates, told));
  for (const Bytes& authority : authorities) {
    if (std::ranges::find(certificates, authority) == certificates.end())
      return incomplete("authorities.pem", "an authority is none of the certificates");
  }
  TRY(check_lists(folder, told));
  TRY(check_transcripts(folder, told, believed));
  const json keys = json::parse(read_file(folder / "keys.json"), nullptr, false);
  if (!keys.is_object() || !keys.value("objects", json()).is_array())
    return incomplete("keys.json", "it is no list of key objects");
  for (const json& object : keys["objects"]) {
    if (!object.is_object() || !object.value("label", json()).is_string())
      return incomplete("keys.json", "a key object has no label");
    report.key_objects.push_back(object["label"]);
  }
  report.certificates = certificates.size();
  report.authorities = authorities.size();
  report.lists = told.lists.size();
  report.transcripts = told.transcripts.size();
  return report;
}

}  // namespace wattseal::apps
