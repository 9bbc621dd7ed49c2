#include "smki/key_reuse.h"

#include <array>

#include "base/fault.h"
#include "smki/records.h"

namespace wattseal::smki {
namespace {

struct RawRow {
  std::string_view id, profile, environment, policy, meaning, source, in_force_from;
  constexpr KeyReuseRow row() const {
    if (environment != "test" && environment != "live" && environment != "all")
      throw "key_reuse.tsv: unknown environment";
    const KeyReuse reuse = policy == "refuse"               ? KeyReuse::refuse
                           : policy == "allow-same-subject" ? KeyReuse::allow_same_subject
                           : policy == "allow"              ? KeyReuse::allow
                                                            : throw "key_reuse.tsv: unknown policy";
    return {id, profile, environment, reuse, meaning, source, in_force_from};
  }
};
constexpr RawRow kRawRows[] = {
#include "tables/key_reuse.inc"
};
constexpr auto kRows = [] {
  std::array<KeyReuseRow, std::size(kRawRows)> rows{};
  std::ranges::transform(kRawRows, rows.begin(), [](const RawRow& raw) { return raw.row(); });
  return rows;
}();

// Whether the certificate published at this sequence has the key.
bool has_key(const storage::Reader& reader, BytesView serial, const crypto::PublicPoint& key) {
  const std::optional<Bytes> row = reader.get(tables::certificates, serial);
  if (!row) throw Fault("a certificate stands in an index and not in the repository");
  bool same = false;
  reader.journal(RecordReader(*row).number(), [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    const std::optional<BytesView> der =
        fact.ok() ? fact->find(FactField::certificate) : std::nullopt;
    if (!der) throw Fault("the journal has no certificate where the repository says");
    const Result<x509::Certificate> certificate = x509::parse_certificate(*der);
    if (!certificate.ok()) throw Fault("a journalled certificate does not parse");
    same = certificate->key == key;
    return false;
  });
  return same;
}

// Whether a published certificate of this subject, role and use has the key. Keys of by_subject:
// EUI(8) kind(1) use(1) role(1) notBefore(8) sequence(8).
bool is_renewal(const storage::Reader& reader, const Asked& asked, const crypto::PublicPoint& key) {
  const bool device = asked.profile->hierarchy == "device";
  Bytes prefix = to_bytes(asked.subject.eui.value().octets());
  prefix.push_back(device ? 'D' : 'O');
  prefix.push_back(static_cast<Octet>(asked.profile->usage == x509::key_usage::key_agreement
                                          ? KeyUse::key_agreement
                                          : KeyUse::digital_signature));
  prefix.push_back(asked.subject.role ? static_cast<Octet>(*asked.subject.role) : Octet{0});
  bool found = false;
  std::uint64_t left = limit("key_reuse_certificates_max");
  reader.scan_backwards(tables::by_subject, prefix, storage::prefix_end(prefix),
                        [&](BytesView, BytesView serial) {
                          found = has_key(reader, serial, key);
                          return !found && --left > 0;
                        });
  return found;
}

}  // namespace

std::string_view text(KeyReuse reuse) {
  constexpr std::string_view kTexts[] = {"refuse", "allow-same-subject", "allow"};
  return kTexts[static_cast<std::size_t>(reuse)];
}

std::span<const KeyReuseRow> key_reuse_rows() { return kRows; }

const KeyReuseRow* KeyReusePolicy::row(std::string_view profile) const {
  const std::string_view here = environment_ == Environment::test ? "test" : "live";
  const KeyReuseRow* best = nullptr;
  for (const KeyReuseRow& row : rows_) {
    if (row.profile != profile || row.in_force_from > date_) continue;
    if (row.environment != "all" && row.environment != here) continue;
    const bool later = best == nullptr || row.in_force_from > best->in_force_from ||
                       (row.in_force_from == best->in_force_from && best->environment == "all");
    if (later) best = &row;
  }
  return best;
}

KeyReuse KeyReusePolicy::of(std::string_view profile) const {
  const KeyReuseRow* const found = row(profile);
  return found == nullptr ? KeyReuse::refuse : found->policy;
}

Status KeyReusePolicy::check(const storage::Reader& reader, const Asked& asked,
                             const crypto::PublicPoint& key) const {
  const KeyReuseRow* const found = row(asked.profile->id);
  const KeyReuse reuse = found == nullptr ? KeyReuse::refuse : found->policy;
  if (reuse == KeyReuse::allow) return {};
  if (reuse == KeyReuse::allow_same_subject && is_renewal(reader, asked, key)) return {};
  const std::string why = found == nullptr
                              ? "no row of data/key_reuse.tsv is in force"
                              : std::string(found->id) + " says " + std::string(text(reuse));
  return Refusal{"csr-key-seen"_rule, "the public key is in a certificate already; " + why,
                 "subjectPublicKeyInfo"};
}

}  // namespace wattseal::smki
