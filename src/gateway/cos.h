// The change of supplier party (CoS): a security context of its own beside the gateway. It holds
// its own signing key, its own originator counter and its own view of who supplies which meter
// point, and believes nothing the gateway says: it verifies the gaining supplier's document itself.
// Its doors take and give octets, so that it can be a process with a store of its own; only what
// the repository publishes is shared. What it signs is journalled first; a counter is never used
// twice, whatever dies. Tariff and debt are the suppliers' business. Threads: any. Rules: cos-*,
// dsig-*, duis-*, registration-unknown. Source: spec/gbcs-duis.md 5.3, appendix B (6.23).
#pragma once
#include <mutex>

#include "gateway/registration.h"
#include "gbcs/message.h"
#include "gbcs/template.h"
#include "smki/repository.h"
#include "terms/terms.h"

namespace wattseal::duis {
struct ServiceRequest;
}

namespace wattseal::gateway {

struct CosIdentity {
  Eui64 id;
  crypto::KeyHandle signing;
};

// What the gateway hands over.
struct CosQuestion {
  std::string_view document;  // the request as its user signed it, XML
  DeviceType type = DeviceType::esme;
  bool trial = false;  // only whether it may be done; nothing is signed or journalled
  TraceId trace;
};
struct CosAnswer {
  Bytes command;                // signed, without the broker's MAC; empty in a trial
  std::optional<Eui64> losing;  // who supplied before, when that is known
};

class CosParty {
 public:
  CosParty(const World& world, storage::Store& store, const smki::Repository& repository,
           CosIdentity identity);

  // Its own view of registration, from the registration data providers. All or none.
  Status record(const std::vector<MeterPoint>& points, TraceId trace);
  // New credentials for a device, authorised. Refuses cos-signer, cos-service, cos-not-gaining,
  // cos-certificate.
  Result<CosAnswer> change(const CosQuestion& question);
  // What a cos-registration-recorded fact did to the table.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  struct Supply {
    Eui64 supplier;
    UtcTime since;
    std::optional<Eui64> before;
    Bytes encode() const;
    static Supply decode(BytesView octets);
  };
  static Supply next_supply(const std::optional<Bytes>& before, Eui64 supplier, UtcTime since);
  Status check_signer(const duis::ServiceRequest& request, std::string_view document) const;
  Result<Supply> check_gaining(const duis::ServiceRequest& request) const;
  Status check_certificates(const duis::ServiceRequest& request) const;
  Result<OriginatorCounter> next_counter();

  const World& world_;
  storage::Store& store_;
  const smki::Repository& repository_;
  const CosIdentity identity_;
  std::shared_ptr<const gbcs::TemplateSet> templates_ = gbcs::TemplateSet::built_in();
  std::mutex counter_mutex_;
  std::uint64_t next_ = 0, end_ = 0;
};

}  // namespace wattseal::gateway
