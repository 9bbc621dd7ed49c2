#include "gateway/anomalies.h"

#include <charconv>
#include <cmath>

#include "base/fault.h"
#include "terms/facts.h"

namespace wattseal::gateway {
namespace {

struct ThresholdRow {
  std::string_view id, role, service, seconds, most, source, in_force_from;
};
constexpr ThresholdRow kRows[] = {
#include "tables/anomaly_thresholds.inc"
};

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',')
      cells.emplace_back();
    else if (c != '\r')
      cells.back().push_back(c);
  }
  return cells;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_service(std::string_view service) {
  return service == "*" || service == "critical" ||
         std::ranges::any_of(service_requests(), [&](const ServiceRequestRow& row) {
           return row.variant == service || row.reference == service;
         });
}
bool serves(std::string_view service, const ServiceRequestRow& row) {
  return service == "*" || service == row.variant || service == row.reference ||
         (service == "critical" && row.critical);
}

Result<Threshold> threshold_of(const std::vector<std::string>& cells) {
  const auto wrong = [](std::string detail, std::string field) {
    return Refusal{"anomaly-file"_rule, std::move(detail), std::move(field)};
  };
  const std::optional<std::int64_t> seconds = number_of<std::int64_t>(cells[4]);
  const std::optional<std::uint64_t> most = number_of<std::uint64_t>(cells[5]);
  if (cells[2] != "*" && !user_role(cells[2])) return wrong("no user role " + cells[2], "role");
  if (!is_service(cells[3])) return wrong("no service " + cells[3], "service");
  if (!seconds || *seconds < 60 || *seconds > kAnomalySecondsMax || *seconds % 60 != 0)
    return wrong("seconds are whole minutes up to seven days", "seconds");
  if (!most) return wrong("it is no number", "most");
  return Threshold{cells[1], cells[2], cells[3], *seconds, *most};
}

Result<AttributeLimit> limit_of(const std::vector<std::string>& cells) {
  const std::optional<double> least = number_of<double>(cells[4]),
                              most = number_of<double>(cells[5]);
  if (!is_service(cells[2]))
    return Refusal{"anomaly-file"_rule, "no service " + cells[2], "service"};
  if (cells[3].empty()) return Refusal{"anomaly-file"_rule, "the path is empty", "path"};
  if (!least || !most || !std::isfinite(*least) || !std::isfinite(*most) || *least > *most)
    return Refusal{"anomaly-file"_rule, "least and most are numbers in order", "least"};
  return AttributeLimit{cells[1], cells[2], cells[3], *least, *most};
}

// Every element at a path of names.
void collect(const xml::Element& parent, std::string_view path,
             std::vector<const xml::Element*>& found) {
  const std::size_t slash = path.find('/');
  for (const xml::Element& child : parent.children) {
    if (child.name != path.substr(0, slash)) continue;
    if (slash == std::string_view::npos)
      found.push_back(&child);
    else
      collect(child, path.substr(slash + 1), found);
  }
}

}  // namespace

bool Threshold::covers(UserRole wanted, const ServiceRequestRow& row) const {
  return (role == "*" || role == code(wanted)) && serves(service, row);
}

Result<AnomalyFile> read_anomaly_file(std::string_view csv) {
  AnomalyFile file;
  std::set<std::string> ids;
  std::size_t number = 0;
  while (!csv.empty()) {
    const std::size_t end = std::min(csv.find('\n'), csv.size());
    const std::string_view line = csv.substr(0, end);
    csv.remove_prefix(std::min(end + 1, csv.size()));
    ++number;
    if (line.empty() || line == "\r" || line.starts_with('#')) continue;
    const std::vector<std::string> cells = cells_of(line);
    const std::string where = "line " + std::to_string(number);
    if (cells.size() != 6 || (cells[0] != "threshold" && cells[0] != "limit"))
      return Refusal{"anomaly-file"_rule, "a row has six cells and is a threshold or a limit",
                     where};
    if (cells[1].empty() || cells[1].size() > 64 || !ids.insert(cells[1]).second)
      return Refusal{"anomaly-file"_rule, "the id is empty, too long or there already",
                     where + ", id"};
    if (ids.size() > limit("anomaly_file_rows_max"))
      return Refusal{"anomaly-file"_rule, "there are too many rows", where};
    if (cells[0] == "threshold") {
      const Result<Threshold> row = threshold_of(cells);
      if (!row.ok())
        return Refusal{row.refusal().rule, row.refusal().detail,
                       where + ", " + row.refusal().field};
      file.thresholds.push_back(*row);
    } else {
      const Result<AttributeLimit> row = limit_of(cells);
      if (!row.ok())
        return Refusal{row.refusal().rule, row.refusal().detail,
                       where + ", " + row.refusal().field};
      file.limits.push_back(*row);
    }
  }
  return file;
}

const AnomalyFile& standing_anomaly_rows() {
  static const AnomalyFile file = [] {
    AnomalyFile rows;
    for (const ThresholdRow& row : kRows) {
      const Result<Threshold> one =
          threshold_of({"threshold", std::string(row.id), std::string(row.role),
                        std::string(row.service), std::string(row.seconds), std::string(row.most)});
      CHECK(one.ok());
      rows.thresholds.push_back(*one);
    }
    return rows;
  }();
  return file;
}

std::string_view text(Anomaly::Kind kind) {
  switch (kind) {
    case Anomaly::Kind::user_threshold: return "user-threshold";
    case Anomaly::Kind::dcc_threshold: return "dcc-threshold";
    case Anomaly::Kind::attribute_limit: return "attribute-limit";
  }
  return "";
}

Bytes Quarantined::encode() const {
  return RecordWriter()
      .number(number)
      .text(request.text())
      .text(service_variant)
      .number(static_cast<std::uint64_t>(anomaly.kind))
      .text(anomaly.row)
      .text(anomaly.observed)
      .number(static_cast<std::uint64_t>(at.unix_seconds()))
      .number(noticed ? static_cast<std::uint64_t>(noticed->unix_seconds()) : 0)
      .number(first_person)
      .text(first_decision)
      .bytes();
}

Quarantined Quarantined::decode(BytesView octets) {
  RecordReader record(octets);
  Quarantined held;
  held.number = record.number();
  const Result<duis::RequestId> id = duis::RequestId::parse(record.text());
  if (!id.ok()) throw Fault("a stored quarantine record has no request");
  held.request = *id;
  held.service_variant = record.text();
  held.anomaly.kind = static_cast<Anomaly::Kind>(record.number());
  held.anomaly.row = record.text();
  held.anomaly.observed = record.text();
  held.at = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  const std::uint64_t noticed = record.number();
  if (noticed != 0) held.noticed = UtcTime::from_unix_seconds(static_cast<std::int64_t>(noticed));
  held.first_person = record.number();
  held.first_decision = record.text();
  return held;
}

std::optional<Anomaly> exceeded_limit(const AnomalyFile& file,
                                      const duis::ServiceRequest& request) {
  const ServiceRequestRow* const row = find_service_request(request.service_variant);
  CHECK(row != nullptr);
  for (const AttributeLimit& one : file.limits) {
    if (!serves(one.service, *row)) continue;
    std::vector<const xml::Element*> found;
    collect(request.body, one.path, found);
    for (const xml::Element* element : found) {
      const std::optional<double> value = number_of<double>(element->trimmed());
      if (value && (*value < one.least || *value > one.most))
        return Anomaly{Anomaly::Kind::attribute_limit, one.id,
                       std::string(element->trimmed()) + " at " + one.path};
    }
  }
  return std::nullopt;
}

std::uint64_t AnomalyCounts::add(Eui64 user, UserRole role, std::string_view variant,
                                 std::int64_t minute, std::uint64_t count) {
  return users_[user][{role, std::string(variant)}][minute] += count;
}

std::optional<Anomaly> AnomalyCounts::exceeded(const AnomalyFile& file, Anomaly::Kind kind,
                                               Eui64 user, UserRole role,
                                               const ServiceRequestRow& row,
                                               std::int64_t minute) const {
  const auto mine = users_.find(user);
  if (mine == users_.end()) return std::nullopt;
  for (const Threshold& one : file.thresholds) {
    if (!one.covers(role, row)) continue;
    std::uint64_t count = 0;
    for (const auto& [key, minutes] : mine->second) {
      const ServiceRequestRow* const counted = find_service_request(key.second);
      if (!counted || !one.covers(key.first, *counted)) continue;
      for (auto at = minutes.upper_bound(minute - one.seconds / 60); at != minutes.end(); ++at)
        count += at->second;
    }
    if (count > one.most)
      return Anomaly{kind, one.id,
                     std::to_string(count) + " in " + std::to_string(one.seconds) + " s, " +
                         std::to_string(one.most) + " are allowed"};
  }
  return std::nullopt;
}

void AnomalyCounts::forget_before(std::int64_t minute) {
  for (auto& [user, services] : users_) {
    for (auto& [key, minutes] : services)
      minutes.erase(minutes.begin(), minutes.lower_bound(minute));
    std::erase_if(services, [](const auto& one) { return one.second.empty(); });
  }
  std::erase_if(users_, [](const auto& one) { return one.second.empty(); });
}

}  // namespace wattseal::gateway
