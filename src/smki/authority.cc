#include "smki/authority.h"

#include "base/fault.h"

namespace wattseal::smki {
namespace {

const Bytes kEnvironment = to_bytes(as_bytes("environment"));

std::string_view text(Environment environment) {
  return environment == Environment::test ? "test" : "live";
}

Authority read_authority(std::string_view profile_id, BytesView record) {
  RecordReader fields(record);
  Result<x509::Certificate> certificate = x509::parse_certificate(fields.octets());
  if (!certificate.ok()) throw Fault("the stored certificate of an authority does not parse");
  Authority authority;
  authority.profile = find_certificate_profile(profile_id);
  authority.certificate = std::move(*certificate);
  authority.key_label = fields.text();
  return authority;
}

}  // namespace

std::optional<Authority> find_authority(const storage::Reader& reader,
                                        std::string_view profile_id) {
  const std::optional<Bytes> record = reader.get(tables::authorities, as_bytes(profile_id));
  if (!record) return std::nullopt;
  return read_authority(profile_id, *record);
}

std::vector<Authority> former_authorities(const storage::Reader& reader,
                                          std::string_view profile_id) {
  std::vector<Authority> all;
  const Bytes first = former_key(profile_id, 0);
  reader.scan(tables::former_authorities, first, former_key(profile_id, 0xFFFFFFFF),
              [&](BytesView, BytesView record) {
                all.push_back(read_authority(profile_id, record));
                return true;
              });
  return all;
}

Bytes former_key(std::string_view profile_id, std::uint32_t generation) {
  Bytes key = to_bytes(as_bytes(profile_id));
  key.push_back('/');
  put_be(key, generation);
  return key;
}

Result<std::string> generation_name(std::string_view first_name, std::uint32_t generation) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  CHECK(first_name.size() == 4 && generation > 0);
  std::string name(first_name);
  if (generation == 1) return name;
  if (generation < kDigits.size()) {
    name.back() = kDigits[generation];
    return name;
  }
  if (generation >= 36 * 36 * 36)
    return Refusal{"ceremony-generations"_rule,
                   "generation " + std::to_string(generation) + " has no name of four octets"};
  // The letter of the environment, then three digits.
  name = {first_name[1], kDigits[generation / 1296], kDigits[generation / 36 % 36],
          kDigits[generation % 36]};
  return name;
}

bool is_revoked(const storage::Reader& reader, const x509::Certificate& certificate) {
  if (!certificate.authority_key_id) return false;
  Bytes key = *certificate.authority_key_id;
  append(key, certificate.serial.octets());
  return reader.get(tables::revocations, key).has_value();
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

std::optional<Environment> environment_of(const storage::Reader& reader) {
  const std::optional<Bytes> stored = reader.get(tables::meta, kEnvironment);
  if (!stored) return std::nullopt;
  return as_text(*stored) == "test" ? Environment::test : Environment::live;
}

Result<Revocable> find_revocable(const storage::Reader& reader, const CertificateSerial& serial) {
  const std::optional<Bytes> row = reader.get(tables::certificates, serial.octets());
  if (!row)
    return Refusal{"revoke-unknown-serial"_rule, "no certificate " + serial.hex() + " is published",
                   "serial"};
  Revocable found;
  reader.journal(RecordReader(*row).number(), [&](const storage::JournalEntry& entry) {
    const Result<FactView> fact = FactView::read(entry.fact);
    const std::optional<BytesView> der =
        fact.ok() ? fact->find(FactField::certificate) : std::nullopt;
    if (!der) throw Fault("the journal has no certificate where the repository says");
    const Result<x509::Certificate> certificate = x509::parse_certificate(*der);
    if (!certificate.ok()) throw Fault("a journalled certificate does not parse");
    found.profile = find_certificate_profile(fact->text(FactField::profile));
    found.issuer_key_id = certificate->authority_key_id.value_or(Bytes());
    const Result<Identity> identity = read_identity(*certificate);
    if (identity.ok()) found.eui = identity->subject.eui;
    return false;
  });
  CHECK(found.profile != nullptr);
  if (found.profile->is_ca())
    return Refusal{"revoke-needs-root"_rule,
                   "a root key signs the list of " + std::string(found.profile->id), "serial"};
  if (found.profile->hierarchy == "device")
    return Refusal{"revoke-device-certificate"_rule, serial.hex() + " is a Device Certificate",
                   "serial"};
  Bytes key = found.issuer_key_id;
  append(key, serial.octets());
  if (reader.get(tables::revocations, key))
    return Refusal{"revoke-already"_rule, serial.hex() + " is on the list", "serial"};
  return found;
}

}  // namespace wattseal::smki
