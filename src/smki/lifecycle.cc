#include "smki/lifecycle.h"

#include <algorithm>

#include "smki/revocation.h"

namespace wattseal::smki {
namespace {

constexpr std::int64_t kHour = 3600, kDay = 86400;

std::int64_t seconds_of(std::string_view name, std::int64_t unit) {
  return static_cast<std::int64_t>(limit(name)) * unit;
}

bool is_root(const CertificateProfile& profile) { return profile.issuer == profile.id; }
// Devices have no list: what the ceremony signed for an Issuing DCA is never renewed. Source: ¶53.
bool keeps_list(const CertificateProfile& profile) {
  return is_root(profile) || profile.hierarchy == "organisation";
}

void add_alarms(AuthorityLife& life, const CertificateProfile& profile, UtcTime now) {
  if (life.revoked) {
    if (life.current)
      life.alarms.push_back("revoked: establish another " + life.profile + " in a ceremony");
    return;
  }
  if (life.list && keeps_list(profile)) {
    const std::int64_t notice = is_root(profile) ? seconds_of("arl_alarm_days", kDay)
                                                 : seconds_of("crl_alarm_hours", kHour);
    if (life.list->next_update - now < notice)
      life.alarms.push_back(
          "list-lapses: its list lapses on " + life.list->next_update.iso() +
          (is_root(profile) ? "; renew it in a ceremony" : "; the issuing service must run"));
  }
  if (life.remind_from && now >= *life.remind_from && life.current)
    life.alarms.push_back("expires: its certificate ends on " + life.not_after.iso());
  if (life.profile != "issuing-dca" || !life.current) return;
  if (life.issued >= limit("issuing_dca_certificates_max"))
    life.alarms.push_back("retirement-due: it issued " + std::to_string(life.issued) +
                          " certificates; establish another issuing-dca in a ceremony");
  else if (now >= retires_at(life.not_before))
    life.alarms.push_back("retirement-due: it is of age since " +
                          retires_at(life.not_before).iso() +
                          "; establish another issuing-dca in a ceremony");
}

AuthorityLife life_of(const storage::Reader& reader, const Authority& authority,
                      unsigned generation, bool current, UtcTime now) {
  const x509::Certificate& certificate = authority.certificate;
  const Bytes& key_id = certificate.subject_key_id.value();
  AuthorityLife life;
  life.profile = authority.profile->id;
  life.name = x509::name_text(certificate.subject);
  life.key_label = authority.key_label;
  life.generation = generation;
  life.current = current;
  life.revoked = !is_root(*authority.profile) && is_revoked(reader, certificate);
  life.serial = certificate.serial;
  life.not_before = certificate.not_before;
  life.not_after = certificate.not_after;
  if (certificate.not_after != UtcTime::forever())
    life.remind_from =
        certificate.not_after.plus_seconds(-seconds_of("authority_reminder_days", kDay));
  life.issued = read_count(reader, tables::issued_counts, key_id);
  if (const std::optional<ListState> list = list_state(reader, key_id))
    life.list = ListDates{list->number, list->entries, list->this_update, list->next_update};
  add_alarms(life, *authority.profile, now);
  return life;
}

}  // namespace

UtcTime retires_at(UtcTime established) {
  CivilTime civil = established.civil();
  const int months = civil.month - 1 + static_cast<int>(limit("issuing_dca_age_months"));
  civil.year += months / 12;
  civil.month = months % 12 + 1;
  for (;; --civil.day) {  // 30 November and three months is 28 February
    if (const std::optional<UtcTime> at = UtcTime::from_civil(civil)) return *at;
  }
}

std::vector<AuthorityLife> authority_lives(const storage::Reader& reader, UtcTime now) {
  std::vector<AuthorityLife> all;
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca()) continue;
    unsigned generation = 0;
    for (const Authority& former : former_authorities(reader, profile.id))
      all.push_back(life_of(reader, former, ++generation, false, now));
    if (const std::optional<Authority> current = find_authority(reader, profile.id))
      all.push_back(life_of(reader, *current, ++generation, true, now));
  }
  for (AuthorityLife& root : all) {
    if (!is_root(*find_certificate_profile(root.profile))) continue;
    root.issued = static_cast<std::uint64_t>(std::ranges::count_if(all, [&](const auto& one) {
      return find_certificate_profile(one.profile)->issuer == root.profile &&
             one.serial != root.serial;
    }));
  }
  return all;
}

std::vector<Renewal> renewals_due(const storage::Reader& reader, const Repository& repository,
                                  UtcTime now, unsigned days) {
  const UtcTime until = now.plus_seconds(std::int64_t{days} * kDay);
  // Keys of by_subject: EUI(8) kind(1) use(1) role(1) notBefore(8) sequence(8); the last of a
  // prefix of eleven is the newest.
  constexpr std::size_t kKindAt = 8, kPrefix = 11;
  std::vector<Renewal> due;
  Bytes prefix, newest;
  const auto close = [&] {
    if (newest.empty()) return;
    const Result<CertificateSerial> serial = CertificateSerial::from_octets(newest);
    CHECK(serial.ok());
    const Result<PublishedCertificate> found = repository.by_serial(*serial);
    CHECK(found.ok());
    const Result<x509::Certificate> certificate = x509::parse_certificate(found->der);
    CHECK(certificate.ok());
    if (certificate->not_after > until || is_revoked(reader, *certificate)) return;
    const Result<Identity> identity = read_identity(*certificate);
    CHECK(identity.ok());
    due.push_back({identity->subject.eui.value(), identity->use, identity->subject.role, *serial,
                   certificate->not_after});
  };
  reader.scan(tables::by_subject, {}, {}, [&](BytesView key, BytesView value) {
    if (key[kKindAt] != 'O') return true;
    if (!equal(key.first(kPrefix), prefix)) {
      close();
      prefix = to_bytes(key.first(kPrefix));
    }
    newest = to_bytes(value);
    return true;
  });
  close();
  std::ranges::sort(due, {}, &Renewal::not_after);
  return due;
}

}  // namespace wattseal::smki
