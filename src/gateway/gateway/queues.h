// The two queues out of the gateway, as keys of tables: commands by class, user and order,
// responses by user and order. Nobody's rows stand in front of another's. Rows of
// data/priority_classes.tsv. Private to gateway.
#pragma once
#include <map>
#include <mutex>
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
// The next user after another, or the first, that has rows below the prefix.
std::optional<Eui64> user_after(const storage::Reader& reader, storage::Table table,
                                BytesView prefix, std::optional<Eui64> after);

// How many rows of each user wait, so that a limit costs nothing while it is far. An estimate: it
// is counted when it is not known and again, once a second at most, when it seems too many.
// Thread-safe.
class Room {
 public:
  // `count` counts the rows and may stop at `most`.
  bool is_full(Eui64 user, std::uint64_t most, UtcTime now,
               const std::function<std::uint64_t()>& count);
  void add(Eui64 user, std::uint64_t rows = 1);
  void remove(Eui64 user, std::uint64_t rows = 1);

 private:
  struct Rows {
    std::uint64_t waiting = 0;
    UtcTime counted;
  };
  std::mutex mutex_;
  std::map<Eui64, Rows> users_;  // those that were counted once
};

// One above every order in the table.
std::uint64_t next_order(const storage::Reader& reader, storage::Table table,
                         std::size_t prefix_octets);

}  // namespace wattseal::gateway
