// The SMKI repository: publishes what the authorities issued and answers anyone's questions about
// it. Never issues. Publication is the last step of a certificate's life; what is found here has
// its intent and issue facts in the journal before it. Sources: L5, L6, ¶53, ¶62-66;
// spec/smki.md 3.5 (requests and replies that existing clients use), 3.6. Threads: any. Rules:
// repository-not-found, repository-query, eui-malformed, …
#pragma once
#include <atomic>
#include <mutex>

#include "base/world.h"
#include "http/http.h"
#include "smki/profiles.h"
#include "storage/store.h"

namespace wattseal::smki {

enum class CertificateStatus : char {
  pending = 'P',
  in_use = 'I',
  not_in_use = 'N',
  expired = 'E',
  revoked = 'R'
};

struct PublishedCertificate {
  Bytes der;
  CertificateSerial serial;
  std::string profile;                  // row of certificate_profiles.tsv
  std::optional<Eui64> eui;             // of the entity or device; absent for CA certificates
  std::optional<RemotePartyRole> role;  // organisations and CAs
  std::optional<KeyUse> use;
  CertificateStatus status = CertificateStatus::in_use;  // at the time of asking
  UtcTime not_before, not_after;
  // Device certificates that a later one replaced: its notBefore (¶53).
  std::optional<UtcTime> not_in_use_since;
  std::uint64_t issued_sequence = 0;  // journal sequence of the issue fact
  bool device() const { return eui && !role; }
};

// What a search asks for; absent: any. Dates are inclusive.
struct CertificateQuery {
  std::optional<Eui64> eui;
  std::string issuer;   // RFC 4514 text
  std::string profile;  // row of certificate_profiles.tsv
  std::optional<RemotePartyRole> role;
  std::optional<KeyUse> use;
  std::optional<CertificateStatus> status;
  std::optional<UtcTime> starts_from, starts_until, expires_from, expires_until;
  bool latest = false;      // only the one of its subject, use and role that is preferred
  Bytes after;              // `next` of the page before; empty: from the start
  std::size_t limit = 100;  // 1 to limit search_results_max
};
struct CertificatePage {
  std::vector<PublishedCertificate> certificates;
  Bytes next;  // empty: there is no more
};

// How far what is found here goes: whoever asks is told, also while issuing or publication is down.
// Source: ¶65; R-08.
struct Completeness {
  std::uint64_t up_to = 0;              // journal: everything up to this fact is published
  std::optional<UtcTime> published_at;  // the last publication
  std::optional<UtcTime> checked_at;    // when nothing more waited to be published
  // Seconds since nothing waited; absent while that was never so.
  std::optional<std::int64_t> age(UtcTime now) const;
};

class Repository {
 public:
  Repository(const World& world, storage::Store& store);

  // Publishes one chunk of what the authorities issued: certificates with their indexes, and the
  // public log with revocations and lists too. Returns how many entries, 0 when none waits.
  std::size_t publish();
  // Commits a batch and publishes what its facts issue, with what was to be published before it, in
  // the same commit when that is not much; all of it is visible when this returns. As
  // Store::commit.
  Result<std::uint64_t> commit_and_publish(storage::Batch batch);

  Result<PublishedCertificate> by_serial(
      const CertificateSerial& serial) const;                       // refuses repository-not-found
  std::vector<PublishedCertificate> by_device(Eui64 device) const;  // newest first
  std::vector<PublishedCertificate> by_organisation(Eui64 entity) const;  // newest first
  // The one with the greatest notBefore, then the latest issue (¶53). `role` absent: a device.
  Result<PublishedCertificate> latest(Eui64 eui, KeyUse use,
                                      std::optional<RemotePartyRole> role) const;
  // As XML signatures name a signer: issuer as RFC 4514 text. Refuses repository-not-found.
  Result<PublishedCertificate> by_issuer_serial(std::string_view issuer,
                                                const CertificateSerial& serial) const;
  // Certificates of the authorities, former ones included, roots first.
  std::vector<PublishedCertificate> authorities() const;
  Result<Bytes> revocation_list(
      BytesView issuer_key_id) const;  // DER; refuses repository-not-found
  std::uint64_t count() const;         // certificates published
  // Certificates in the order of publication, from journal sequence `from` of their issue facts on,
  // until `visit` returns false. What changes later (status) is not looked up.
  using Visitor = std::function<bool(std::uint64_t sequence, std::string_view profile,
                                     const x509::Certificate& certificate)>;
  void each_published(std::uint64_t from, const Visitor& visit) const;
  Completeness completeness() const;
  UtcTime now() const { return world_.now(); }
  // One page, in the order of the index that serves the query: EUI, profile, role, start, expiry,
  // else publication. Looks at no more than limit search_results_max certificates, so a page may be
  // short, or empty, while `next` leads on. Refuses repository-query (`after`, `limit`).
  Result<CertificatePage> search(const CertificateQuery& query) const;

 private:
  struct Published {  // of one batch, in one commit
    std::uint64_t count = 0;
    TraceId trace;
  };
  struct Step;
  Step waiting(std::size_t most);
  std::size_t publish_next();
  void put_step(storage::Batch& batch, const Step& step) const;
  void published(const Step& step);
  void note_published(storage::Batch& batch, std::uint64_t id, const Published& published) const;
  void catch_up(std::uint64_t cursor);
  void catch_up_index(std::uint64_t cursor);
  // Unix seconds, 0: never. Written by publish() alone.
  struct Progress {
    std::atomic<std::uint64_t> up_to = 0;
    std::atomic<std::int64_t> published_at = 0, checked_at = 0;
  };
  const World& world_;
  storage::Store& store_;
  std::unique_ptr<std::mutex> publishing_ = std::make_unique<std::mutex>();  // a mirror is moved
  std::uint64_t scanned_ = 1;  // journal entries below it hold nothing left to publish
  std::unique_ptr<Progress> progress_ = std::make_unique<Progress>();
};

// POST /services/certificatesearch, POST /services/retrievecertificate (XML, as existing clients
// call them) and the JSON look-ups GET /api/v1/certificates/{serial}, GET
// /api/v1/certificates?device=|organisation=|…&latest=DS|KA, GET /api/v1/authorities, GET
// /api/v1/crl/{issuer key id}. The queries are bounded by limit search_results_max. `repository`
// outlives the router.
void add_repository_routes(http::Router& router, const Repository& repository);

// "running", "paused", "stopped": what the issuing authorities are doing.
using IssuingState = std::function<std::string_view()>;
// From now on every answer of the router's routes (data/repository_routes.tsv) states how complete
// the repository is: JSON objects have the member "complete" {up_to, published_at, checked_at,
// age_seconds, issuing}, all have the header X-Complete, which existing XML clients ignore.
// `repository` outlives the router.
void add_completeness(http::Router& router, const Repository& repository, IssuingState issuing);

}  // namespace wattseal::smki
