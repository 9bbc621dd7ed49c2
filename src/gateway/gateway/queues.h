// The two queues out of the gateway, as keys of tables: commands by class, user and order,
// responses by user and order. Nobody's rows stand in front of another's. Rows of
// data/priority_classes.tsv. Private to gateway.
#pragma once
#include <span>

#include "storage/store.h"
#include "terms/terms.h"

namespace wattseal::gateway {

struct PriorityClass {
  std::string_view id;
  std::uint64_t share = 0;  // percent
};
std::span<const PriorityClass> priority_classes();
// Of a service, and whether the DCC chose its time.
Octet priority_of(const ServiceRequestRow& row, bool scheduled);

Bytes command_key(Octet priority, Eui64 user, std::uint64_t order);
Bytes response_key(Eui64 user, std::uint64_t order);

struct QueueRow {
  Bytes key, value;
};
// At most so many rows below a prefix, users taking turns beginning after `last_served`, which is
// set to the last of them. `blocked` users are left out. Within a user the oldest are first.
std::vector<QueueRow> fair_rows(const storage::Reader& reader, storage::Table table,
                                BytesView prefix, std::size_t most, Eui64& last_served,
                                const std::function<bool(Eui64)>& blocked);
// One above every order in the table.
std::uint64_t next_order(const storage::Reader& reader, storage::Table table,
                         std::size_t prefix_octets);

}  // namespace wattseal::gateway
