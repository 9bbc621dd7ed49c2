// Registration: who supplies which meter point, and whose network it hangs on, from when. Fed by
// registration data providers. Durable when record() returns. Threads: any. Rules:
// registration-unknown. Source: spec/smki.md 11; ¶95.
#pragma once
#include "base/world.h"
#include "storage/changes.h"
#include "terms/facts.h"

namespace wattseal::gateway {

struct MeterPoint {
  std::string id;  // MPAN or MPRN
  Eui64 supplier;
  Eui64 network_operator;
  std::optional<Eui64> export_supplier;
  std::optional<Eui64> agent;  // MOP or MAM
  UtcTime effective_from;
};

class Registration {
 public:
  Registration(const World& world, storage::Store& store);
  Status record(const std::vector<MeterPoint>& points, TraceId trace);
  Result<MeterPoint> find(std::string_view id) const;
  // What a registration-recorded fact did to the table. Throws Fault when it lacks a field.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  const World& world_;
  storage::Store& store_;
};

}  // namespace wattseal::gateway
