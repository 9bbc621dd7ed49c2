#include "gateway/gateway/queues.h"

#include <algorithm>
#include <array>

namespace wattseal::gateway {
namespace {

struct Row {
  std::string_view id, share, services, source, in_force_from;
};
constexpr Row kRows[] = {
#include "tables/priority_classes.inc"
};

bool listed(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t slash = list.find('/');
    if (list.substr(0, slash) == item) return true;
    list = slash == std::string_view::npos ? std::string_view{} : list.substr(slash + 1);
  }
  return false;
}

}  // namespace

std::span<const PriorityClass> priority_classes() {
  static const std::vector<PriorityClass> classes = [] {
    std::vector<PriorityClass> made;
    for (const Row& row : kRows) made.push_back({row.id, std::stoull(std::string(row.share))});
    return made;
  }();
  return classes;
}

Octet priority_of(const ServiceRequestRow& row, bool scheduled) {
  Octet rest = 0;
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    const std::string_view services = kRows[i].services;
    const Octet mine = static_cast<Octet>(i);
    if (scheduled ? services == "scheduled"
                  : listed(services, row.reference) || listed(services, row.variant))
      return mine;
    if (services == "*") rest = mine;
  }
  return rest;
}

Bytes command_key(Octet priority, Eui64 user, std::uint64_t order) {
  Bytes key{priority};
  append(key, response_key(user, order));
  return key;
}

Bytes response_key(Eui64 user, std::uint64_t order) {
  Bytes key = to_bytes(user.octets());
  put_be(key, order);
  return key;
}

std::optional<Eui64> user_after(const storage::Reader& reader, storage::Table table,
                                BytesView prefix, std::optional<Eui64> after) {
  Bytes first = to_bytes(prefix);
  if (after) {
    append(first, after->octets());
    first = storage::prefix_end(first);
    if (first.empty()) return std::nullopt;
  }
  std::optional<Eui64> found;
  reader.scan(table, first, prefix.empty() ? Bytes() : storage::prefix_end(prefix),
              [&](BytesView key, BytesView) {
                found = Eui64::from_number(get_be(key.subspan(prefix.size(), 8)));
                return false;
              });
  return found;
}

bool Room::is_full(Eui64 user, std::uint64_t most, UtcTime now,
                   const std::function<std::uint64_t()>& count) {
  {
    const std::lock_guard lock(mutex_);
    const auto mine = users_.find(user);
    if (mine != users_.end() && (mine->second.waiting < most || mine->second.counted == now))
      return mine->second.waiting >= most;
  }
  const std::uint64_t waiting = count();
  const std::lock_guard lock(mutex_);
  users_[user] = {waiting, now};
  return waiting >= most;
}

void Room::add(Eui64 user, std::uint64_t rows) {
  const std::lock_guard lock(mutex_);
  const auto mine = users_.find(user);
  if (mine != users_.end()) mine->second.waiting += rows;
}

void Room::remove(Eui64 user, std::uint64_t rows) {
  const std::lock_guard lock(mutex_);
  const auto mine = users_.find(user);
  if (mine != users_.end()) mine->second.waiting -= std::min(mine->second.waiting, rows);
}

std::vector<QueueRow> fair_rows(const storage::Reader& reader, storage::Table table,
                                BytesView prefix, std::size_t most, Eui64& last_served,
                                const std::function<bool(Eui64)>& blocked) {
  std::vector<Eui64> users;
  for (std::optional<Eui64> user = user_after(reader, table, prefix, std::nullopt); user;
       user = user_after(reader, table, prefix, *user)) {
    if (!blocked(*user)) users.push_back(*user);
  }
  std::vector<QueueRow> rows;
  if (users.empty() || most == 0) return rows;
  // Those after the last served first, then around.
  std::ranges::rotate(users, std::ranges::upper_bound(users, last_served));
  for (std::size_t i = 0; i < users.size() && rows.size() < most; ++i) {
    // What is left, in equal parts of those who are still to come.
    const std::size_t left = most - rows.size(),
                      share = (left + users.size() - i - 1) / (users.size() - i);
    Bytes mine = to_bytes(prefix);
    append(mine, users[i].octets());
    const std::size_t end = rows.size() + share;
    reader.scan(table, mine, storage::prefix_end(mine), [&](BytesView key, BytesView value) {
      rows.push_back({to_bytes(key), to_bytes(value)});
      return rows.size() < end;
    });
    last_served = users[i];
  }
  return rows;
}

std::uint64_t next_order(const storage::Reader& reader, storage::Table table,
                         std::size_t prefix_octets) {
  std::uint64_t next = 1;
  reader.scan(table, {}, {}, [&](BytesView key, BytesView) {
    next = std::max(next, get_be(key.subspan(prefix_octets, 8)) + 1);
    return true;
  });
  return next;
}

}  // namespace wattseal::gateway
