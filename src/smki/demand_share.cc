// Excess demand: who may have what of a capacity that does not suffice.
#include <nlohmann/json.hpp>
#include <numeric>

#include "crypto/crypto.h"
#include "smki/demand_report.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

__extension__ using Wide = unsigned __int128;  // 10^12 by 10^12 does not fit in 64 bits

// So much of `capacity` as its weight is of all weights: nobody gets more than it needs, what it
// leaves is divided again. The sum is min(capacity, sum of the needs of those with a weight).
struct Need {
  std::uint64_t need = 0, weight = 0, given = 0;
  crypto::Digest order{};
};

Wide total_weight(const std::vector<Need*>& open) {
  Wide sum = 0;
  for (const Need* const one : open) sum += one->weight;
  return sum;
}

void divide(std::vector<Need*> open, std::uint64_t capacity) {
  std::erase_if(open, [](const Need* one) { return one->need == 0 || one->weight == 0; });
  for (bool changed = true; changed && !open.empty();) {
    const Wide weights = total_weight(open);
    const std::uint64_t left = capacity;
    changed = std::erase_if(open, [&](Need* one) {
                const Wide part = static_cast<Wide>(left) * one->weight / weights;
                if (one->need > part) return false;
                one->given = one->need;
                capacity -= one->need;
                return true;
              }) > 0;
  }
  // Nobody left is satisfied by its part: whole parts, then the remainder one by one.
  const Wide weights = total_weight(open);
  const std::uint64_t left = capacity;
  for (Need* const one : open) {
    one->given = static_cast<std::uint64_t>(static_cast<Wide>(left) * one->weight / weights);
    capacity -= one->given;
  }
  std::ranges::sort(open, {}, [](const Need* one) { return one->order; });
  for (Need* const one : open) {
    if (capacity == 0) break;
    ++one->given;
    --capacity;
  }
}

crypto::Digest order_of(const Month& month, Eui64 subscriber) {
  Bytes octets = to_bytes(as_bytes(month.text()));
  append(octets, subscriber.octets());
  return crypto::sha256(octets);
}

}  // namespace

std::vector<Share> allocate_capacity(std::span<const Claim> claims, std::uint64_t capacity,
                                     const Month& month) {
  std::vector<Need> within(claims.size()), beyond(claims.size());
  for (std::size_t i = 0; i < claims.size(); ++i) {
    const std::uint64_t announced = std::min(claims[i].asked, claims[i].announced);
    within[i] = {announced, claims[i].announced, 0, order_of(month, claims[i].subscriber)};
    beyond[i] = {claims[i].asked - announced, 1, 0, within[i].order};
  }
  for (std::vector<Need>* const part : {&within, &beyond}) {
    std::vector<Need*> open;
    for (Need& one : *part) open.push_back(&one);
    divide(std::move(open), capacity);
    for (const Need& one : *part) capacity -= one.given;
  }
  std::vector<Share> shares;
  for (std::size_t i = 0; i < claims.size(); ++i)
    shares.push_back({claims[i].subscriber, within[i].given, beyond[i].given});
  return shares;
}

Result<DemandAllocation> allocate_demand(const storage::Reader& reader, const DemandCounts& counts,
                                         std::string_view profile, const Month& month,
                                         std::uint64_t capacity, UtcTime now) {
  TRY_ASSIGN(const DemandReport report, report_demand(reader, counts, profile, month, now));
  DemandAllocation out;
  out.month = month;
  out.profile = report.rules.profile();
  out.capacity = capacity != 0 ? capacity : report.rules.number("capacity_requests");
  out.facts = counts.facts();
  for (const DemandRow& row : report.rows) {
    const std::uint64_t average =
        row.history_months == 0 ? 0 : row.history_total / row.history_months;
    const std::uint64_t announced =
        row.forecast ? row.forecast->total() : std::max(average, row.announced.value_or(0));
    if (row.actual.total() > 0 || announced > 0)
      out.claims.push_back({row.subscriber, row.actual.total(), announced});
  }
  out.shares = allocate_capacity(out.claims, out.capacity, month);
  return out;
}

nlohmann::json to_json(const DemandAllocation& allocation) {
  using nlohmann::json;
  json rows = json::array();
  std::uint64_t asked = 0, given = 0;
  for (std::size_t i = 0; i < allocation.claims.size(); ++i) {
    const Claim& claim = allocation.claims[i];
    const Share& share = allocation.shares[i];
    asked += claim.asked;
    given += share.total();
    rows.push_back({{"subscriber", claim.subscriber.text()},
                    {"asked", claim.asked},
                    {"announced", claim.announced},
                    {"within", share.within},
                    {"beyond", share.beyond},
                    {"unserved", claim.asked - share.total()}});
  }
  return {{"month", allocation.month.text()},
          {"profile", allocation.profile},
          {"capacity", allocation.capacity},
          {"facts", allocation.facts},
          {"asked", asked},
          {"given", given},
          {"excess", asked > allocation.capacity},
          {"shares", std::move(rows)}};
}

}  // namespace wattseal::smki
