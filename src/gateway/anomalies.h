// Anomaly detection: thresholds (how many commands of a service a user may send in a sliding time)
// and attribute limits (which values are usual), the DCC's own as rows of
// data/anomaly_thresholds.tsv, users' in files that they lodge (docs/formats/anomaly_file.md). What
// exceeds one is held, never refused: the gateway quarantines it. Nothing here does I/O. Threads:
// the functions any; AnomalyCounts one at a time. Rules: anomaly-file. Source: Annex D 11-12;
// spec/features.md G-12.
#pragma once
#include <map>
#include <set>

#include "duis/duis.h"
#include "terms/terms.h"

namespace wattseal::gateway {

struct Threshold {
  std::string id, role, service;  // role "*": any; service: reference, variant, "critical" or "*"
  std::int64_t seconds = 0;       // sliding, in whole minutes
  std::uint64_t most = 0;         // the next one is held
  bool covers(UserRole wanted, const ServiceRequestRow& row) const;
};
// A number in the request's body, at a path below the body's element.
struct AttributeLimit {
  std::string id, service, path;
  double least = 0, most = 0;
};
struct AnomalyFile {
  std::vector<Threshold> thresholds;
  std::vector<AttributeLimit> limits;
};
// Comma-separated: "threshold,ID,ROLE,SERVICE,SECONDS,MOST" and "limit,ID,SERVICE,PATH,LEAST,MOST";
// blank lines and those that start with # are left out. Refuses anomaly-file with the line.
Result<AnomalyFile> read_anomaly_file(std::string_view csv);
const AnomalyFile& standing_anomaly_rows();  // of data/anomaly_thresholds.tsv

struct Anomaly {
  enum class Kind : Octet { user_threshold = 1, dcc_threshold = 2, attribute_limit = 3 };
  Kind kind = Kind::user_threshold;
  std::string row;       // id of the threshold or limit
  std::string observed;  // "101 in 3600 s", "12.5 at TariffPrice"
};
std::string_view text(Anomaly::Kind kind);  // "user-threshold", …

// A request that is held.
struct Quarantined {
  std::uint64_t number = 0;
  duis::RequestId request;
  std::string service_variant;
  Anomaly anomaly;
  UtcTime at;
  std::optional<UtcTime> noticed;  // the user took the notice
  std::uint64_t first_person = 0;  // decided first, under dual control
  std::string first_decision;      // "release", "delete"
  Bytes encode() const;
  static Quarantined decode(BytesView octets);
};

// Which limit the body exceeds, or none.
std::optional<Anomaly> exceeded_limit(const AnomalyFile& file, const duis::ServiceRequest& request);

// How many commands of each user, role and variant each minute had.
class AnomalyCounts {
 public:
  // Counts one and returns the minute's count.
  std::uint64_t add(Eui64 user, UserRole role, std::string_view variant, std::int64_t minute,
                    std::uint64_t count = 1);
  // The first threshold that what is counted exceeds.
  std::optional<Anomaly> exceeded(const AnomalyFile& file, Anomaly::Kind kind, Eui64 user,
                                  UserRole role, const ServiceRequestRow& row,
                                  std::int64_t minute) const;
  void forget_before(std::int64_t minute);

 private:
  using Minutes = std::map<std::int64_t, std::uint64_t>;
  std::map<Eui64, std::map<std::pair<UserRole, std::string>, Minutes>> users_;
};
inline constexpr std::int64_t kAnomalySecondsMax = 7 * 86400;

}  // namespace wattseal::gateway
