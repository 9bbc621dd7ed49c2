#include "smki/authority.h"

#include "base/fault.h"

namespace wattseal::smki {
namespace {

const Bytes kEnvironment = to_bytes(as_bytes("environment"));
constexpr std::int64_t kSecondsPerHour = 3600;

std::string_view text(Environment environment) {
  return environment == Environment::test ? "test" : "live";
}

Bytes crl_number_key(const Bytes& key_id) {
  Bytes key = to_bytes(as_bytes("crl_number/"));
  append(key, key_id);
  return key;
}

}  // namespace

std::optional<Authority> find_authority(const storage::Reader& reader,
                                        std::string_view profile_id) {
  const std::optional<Bytes> record = reader.get(tables::authorities, as_bytes(profile_id));
  if (!record) return std::nullopt;
  RecordReader fields(*record);
  Result<x509::Certificate> certificate = x509::parse_certificate(fields.octets());
  if (!certificate.ok()) throw Fault("the stored certificate of an authority does not parse");
  Authority authority;
  authority.profile = find_certificate_profile(profile_id);
  authority.certificate = std::move(*certificate);
  authority.key_label = fields.text();
  return authority;
}

Bytes encode_authority(BytesView der, std::string_view key_label) {
  return RecordWriter().octets(der).text(key_label).bytes();
}

CertificateSerial new_serial(Random& random) {
  std::array<Octet, 16> octets{};
  random.fill(octets);
  octets[0] =
      static_cast<Octet>((octets[0] & 0x7F) | 0x40);  // positive, and always of sixteen octets
  const Result<CertificateSerial> serial = CertificateSerial::from_octets(octets);
  CHECK(serial.ok());
  return *serial;
}

Status claim_environment(storage::Store& store, Environment environment) {
  const Bytes wanted = to_bytes(as_bytes(text(environment)));
  storage::Batch batch;
  batch.require_absent(tables::meta, kEnvironment, Refusal{"ca-environment"_rule, ""});
  batch.put(tables::meta, kEnvironment, wanted);
  if (store.commit(std::move(batch)).ok()) return {};
  if (store.get(tables::meta, kEnvironment) == wanted) return {};
  return Refusal{"ca-environment"_rule, "the store belongs to the other environment than " +
                                            std::string(text(environment))};
}

UtcTime next_update(const CertificateProfile& issuer, UtcTime now) {
  const bool arl = issuer.issuer == issuer.id;  // a root signs the list of authorities
  if (!arl)
    return now.plus_seconds(static_cast<std::int64_t>(limit("crl_validity_hours")) *
                            kSecondsPerHour);
  CHECK(limit("arl_validity_months") % 12 == 0);
  return now.plus_years(static_cast<int>(limit("arl_validity_months") / 12));
}

void add_revocation_list(storage::Batch& batch, const storage::Reader& reader,
                         const Authority& issuer, const crypto::PrivateKey& key,
                         const std::vector<x509::RevokedEntry>& also, UtcTime now, TraceId trace) {
  const Bytes& key_id = issuer.certificate.subject_key_id.value();
  const Bytes number_key = crl_number_key(key_id);
  const std::optional<Bytes> last_number = reader.get(tables::meta, number_key);
  const std::uint64_t number = (last_number ? RecordReader(*last_number).number() : 0) + 1;

  x509::TbsCrl tbs;
  tbs.issuer = issuer.certificate.subject;
  tbs.this_update = now;
  tbs.next_update = next_update(*issuer.profile, now);
  tbs.authority_key_id = key_id;
  tbs.number = number;
  tbs.entries = also;
  reader.scan(tables::revocations, key_id, storage::prefix_end(key_id),
              [&](BytesView row, BytesView value) {
                const Result<CertificateSerial> serial =
                    CertificateSerial::from_octets(row.subspan(key_id.size()));
                CHECK(serial.ok());
                RecordReader record(value);
                const UtcTime at =
                    UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
                tbs.entries.push_back({*serial, at, static_cast<unsigned>(record.number())});
                return true;
              });
  const Bytes crl = x509::make_crl(tbs, key);

  // Two lists must never carry one number: whoever loses this race signs again over the new state.
  const Refusal race{"crl-number-race"_rule, "another list took the number"};
  if (last_number) {
    batch.require_value(tables::meta, number_key, *last_number, race);
  } else {
    batch.require_absent(tables::meta, number_key, race);
  }
  batch.put(tables::meta, number_key, encode_count(number));
  batch.put(tables::crls, key_id, crl);
  batch.append(FactWriter(FactKind::crl_issued, now, trace)
                   .octets(FactField::issuer_key_id, key_id)
                   .number(FactField::crl_number, number)
                   .number(FactField::count, tbs.entries.size())
                   .octets(FactField::crl, crl)
                   .bytes());
}

}  // namespace wattseal::smki
