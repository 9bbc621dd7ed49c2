// The life of authorities and certificates by the clock: what lapses when, what has retired, whom
// to remind. Reads only. Source: ¶57-60; spec/smki.md 1.7, 1.11; K-02, K-04. Threads: any.
#pragma once
#include "smki/repository.h"

namespace wattseal::smki {

struct ListDates {
  std::uint64_t number = 0, entries = 0;
  UtcTime this_update, next_update;
};

struct AuthorityLife {
  std::string profile, name, key_label;
  unsigned generation = 1;
  bool current = false;  // of its profile: the one that signs
  bool revoked = false;
  CertificateSerial serial;
  UtcTime not_before, not_after;
  std::optional<UtcTime> remind_from;  // nothing: no well-defined expiry
  std::uint64_t issued = 0;            // certificates, roots: authorities under it
  std::optional<ListDates> list;
  // What somebody must do, as sentences; the first word names the alarm.
  std::vector<std::string> alarms;
};
// Every generation, roots first. Alarms: list-lapses, expires, retirement-due, revoked.
std::vector<AuthorityLife> authority_lives(const storage::Reader& reader, UtcTime now);

// When this generation of Issuing DCA retires by age. Source: spec/smki.md 1.7.
UtcTime retires_at(UtcTime established);

struct Renewal {
  Eui64 entity;
  KeyUse use = KeyUse::digital_signature;
  std::optional<RemotePartyRole> role;
  CertificateSerial serial;
  UtcTime not_after;
};
// The newest Organisation Certificates that end within so many days or have ended, soonest first;
// revoked ones are nobody's to renew.
std::vector<Renewal> renewals_due(const storage::Reader& reader, const Repository& repository,
                                  UtcTime now, unsigned days);

}  // namespace wattseal::smki
