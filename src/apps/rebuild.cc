#include "apps/rebuild.h"

#include "base/check.h"
#include "base/fault.h"
#include "gateway/cos.h"
#include "gateway/gateway.h"
#include "gateway/inventory.h"
#include "gateway/registration.h"
#include "recovery/cases.h"
#include "smki/log.h"
#include "smki/replay.h"
#include "smki/repository.h"
#include "storage/forwarding.h"
#include "terms/tables.h"

namespace wattseal::apps {
namespace {

constexpr std::uint64_t kFactsPerStep = 4096;
constexpr std::size_t kRowsPerStep = 4096;

constexpr storage::Table kDerived[] = {tables::parties,
                                       tables::people,
                                       tables::acts,
                                       tables::submissions,
                                       tables::batches,
                                       tables::batch_rows,
                                       tables::batch_requests,
                                       tables::request_blocks,
                                       tables::open_batches,
                                       tables::held_rows,
                                       tables::ca_work,
                                       tables::intents,
                                       tables::revocation_work,
                                       tables::authorities,
                                       tables::former_authorities,
                                       tables::ceremonies,
                                       tables::key_acts,
                                       tables::issued_counts,
                                       tables::keys_seen,
                                       tables::serials,
                                       tables::revocations,
                                       tables::crls,
                                       tables::certificates,
                                       tables::by_subject,
                                       tables::certificate_postings,
                                       tables::meter_points,
                                       tables::devices,
                                       tables::hub_devices,
                                       tables::point_devices,
                                       tables::products,
                                       tables::cos_registrations,
                                       tables::user_endpoints,
                                       tables::schedules,
                                       tables::schedule_due,
                                       tables::schedule_places,
                                       tables::anomaly_files,
                                       tables::quarantine,
                                       tables::alert_consolidations,
                                       tables::log_tiles,
                                       tables::log_bundles,
                                       tables::journal_checkpoints,
                                       tables::maintenance,
                                       tables::documents,
                                       tables::document_contents,
                                       tables::repository_access,
                                       tables::demand_forecasts,
                                       tables::demand_notices,
                                       tables::demand_withheld,
                                       tables::pma_seats,
                                       tables::pma_affiliations,
                                       tables::pma_meetings,
                                       tables::pma_resolutions,
                                       tables::assurance,
                                       tables::document_set,
                                       tables::recovery_cases,
                                       tables::recovery_devices,
                                       tables::recovery_due,
                                       tables::recovery_notes,
                                       tables::device_credentials};

// Contents of work under way are under digests of the facts: a row that is not what its digest says
// differs, and cannot be made again without the source.
struct NotDerived {
  storage::Table table;
  std::string_view why;
};
constexpr std::string_view kMessages = "messages under way; the journal holds their digests only",
                           kUploads = "uploads under way; what was submitted is in the journal";
constexpr NotDerived kNotDerived[] = {
    {tables::uploads, kUploads},
    {tables::upload_pieces, kUploads},
    {tables::requests, kMessages},
    {tables::commands_out, kMessages},
    {tables::awaiting, kMessages},
    {tables::awaiting_due, kMessages},
    {tables::commands_held, kMessages},
    {tables::responses_out, kMessages},
    {tables::deferred, kMessages},
    {tables::deferred_due, kMessages},
    {tables::followers, kMessages},
    {tables::local_commands, kMessages},
    {tables::firmware, kMessages},
    {tables::undelivered, kMessages},
    {tables::alerts_seen, "counters of the last alerts, to know one that comes again"},
    {tables::alert_senders, "counters and counts of the last alerts of each device"},
    {tables::alerts_out, kMessages},
    {tables::anomaly_counts, "counts of the last day, kept beside the requests they count"},
    {tables::counters, "counters are reserved before they are used, some never are"},
    {tables::log_state, "signed notes: a signature cannot be made again"},
};

// Small named values of meta that follow from facts; the others are cursors and queue numbers.
bool derived_value(BytesView key) {
  const std::string_view name = as_text(key);
  return name == "next_act" || name == "next_person" || name == "next_ceremony" ||
         name == "next_ca_work" || name == "next_schedule" || name == "next_quarantine" ||
         name == "next_consolidation" || name == "governance_facts" ||
         name == "repository_published" || name.starts_with("crl/");
}
bool compared(storage::Table table, BytesView key) {
  if (table.id() == tables::meta.id()) return derived_value(key);
  // The verifier key of the checkpoints stands in their table under the empty key.
  return table.id() != tables::journal_checkpoints.id() || !key.empty();
}

std::string_view why_not(std::uint8_t id) {
  for (const NotDerived& one : kNotDerived) {
    if (one.table.id() == id) return one.why;
  }
  return {};
}
std::string name_of(std::uint8_t id) {
  for (const storage::Table& table : kDerived) {
    if (table.id() == id) return std::string(table.name());
  }
  for (const NotDerived& one : kNotDerived) {
    if (one.table.id() == id) return std::string(one.table.name());
  }
  return id == tables::meta.id() ? "meta" : "table " + std::to_string(id);
}

void must(const Result<std::uint64_t>& committed) {
  if (!committed.ok()) throw Fault("the new store refuses: " + explain(committed.refusal()));
}

// The repository indexes as it always does, up to where the source's did, and journals nothing: the
// facts of that are there already.
class Indexing final : public storage::Forwarding {
 public:
  Indexing(storage::Store& into, std::uint64_t end) : Forwarding(into), end_(end) {}
  void journal(std::uint64_t from, const storage::EntryVisitor& visit) const override {
    below_.journal(from, [&](const storage::JournalEntry& entry) {
      return entry.sequence < end_ && visit(entry);
    });
  }
  Result<std::uint64_t> commit(storage::Batch batch) override {
    storage::Batch rows;
    for (const storage::Batch::Change& change : batch.changes()) {
      const storage::Table table(change.table, "");
      if (change.value)
        rows.put(table, change.key, *change.value);
      else
        rows.erase(table, change.key);
    }
    return below_.commit(std::move(rows));
  }

 private:
  const std::uint64_t end_;
};

class Rebuilding {
 public:
  Rebuilding(const storage::Reader& source, storage::Store& into)
      : source_(source), into_(into), rows_(into) {}

  void facts() {
    source_.journal(1, [&](const storage::JournalEntry& entry) {
      batch_.append(entry.fact);
      const Result<FactView> fact = FactView::read(entry.fact);
      if (!fact.ok()) throw Fault("entry " + std::to_string(entry.sequence) + " is no fact");
      see(*fact);
      if (entry.sequence % kFactsPerStep == 0) commit();
      return true;
    });
    lost_ = smki_.finish(rows_, source_);
    commit();
  }
  // Rows of work under way whose content is not under its digest in the source.
  const std::vector<smki::LostRow>& lost() const { return lost_; }

 private:
  void see(const FactView& fact) {
    switch (fact.kind()) {
      case FactKind::device_status_changed: return gateway::Inventory::replay(rows_, fact);
      case FactKind::registration_recorded: return gateway::Registration::replay(rows_, fact);
      case FactKind::product_listed: return gateway::Products::replay(rows_, fact);
      case FactKind::cos_registration_recorded: return gateway::CosParty::replay(rows_, fact);
      case FactKind::schedule_created:
      case FactKind::schedule_run:
      case FactKind::schedule_deleted: return gateway::Gateway::replay_schedule(rows_, fact);
      case FactKind::anomaly_file_lodged:
      case FactKind::request_quarantined:
      case FactKind::quarantine_noticed:
      case FactKind::quarantine_decided: return gateway::Gateway::replay_anomaly(rows_, fact);
      case FactKind::recovery_stepped:
      case FactKind::recovery_ordered:
      case FactKind::recovery_devices_enlisted:
      case FactKind::recovery_device_moved:
      case FactKind::recovery_noted:
      case FactKind::device_credentials_known: return recovery::replay(rows_, fact);
      case FactKind::device_alerted:
      case FactKind::alerts_consolidated: return gateway::Gateway::replay_alerts(rows_, fact);
      case FactKind::endpoint_registered: return gateway::Gateway::replay_endpoint(rows_, fact);
      default: return smki_.see(rows_, fact);
    }
  }
  void commit() {
    rows_.take(batch_);
    must(into_.commit(std::exchange(batch_, {})));
  }

  const storage::Reader& source_;
  storage::Store& into_;
  storage::Changes rows_;
  storage::Batch batch_;
  smki::Replay smki_;
  std::vector<smki::LostRow> lost_;
};

// Rows that no fact makes, as they are.
void copy_rows(const storage::Reader& source, storage::Store& into, storage::Table table) {
  storage::Batch batch;
  source.scan(table, {}, {}, [&](BytesView key, BytesView value) {
    if (compared(table, key) && why_not(table.id()).empty()) return true;
    batch.put(table, key, value);
    if (batch.changes().size() >= kRowsPerStep) must(into.commit(std::exchange(batch, {})));
    return true;
  });
  if (!batch.empty()) must(into.commit(std::move(batch)));
}

// Rows that are compared, and the first one that `other` does not hold alike.
struct OneSide {
  std::uint64_t rows = 0;
  std::string first_other;
};
OneSide one_side(const storage::Reader& reader, const storage::Reader& other,
                 storage::Table table) {
  OneSide side;
  reader.scan(table, {}, {}, [&](BytesView key, BytesView value) {
    if (!compared(table, key)) return true;
    ++side.rows;
    const std::optional<Bytes> there = other.get(table, key);
    if (side.first_other.empty() && (!there || !equal(*there, value)))
      side.first_other = "row " + to_hex(key) + (there ? " differs" : " is on one side only");
    return true;
  });
  return side;
}

std::optional<TableVerdict> verdict(const storage::Reader& source, const storage::Reader& made,
                                    storage::Table table) {
  TableVerdict verdict{name_of(table.id()), TableVerdict::Kind::same, 0, {}};
  const OneSide there = one_side(source, made, table), here = one_side(made, source, table);
  verdict.rows = there.rows;
  if (there.rows == 0 && here.rows == 0) return std::nullopt;
  const bool known = table.id() == tables::meta.id() || !verdict.table.starts_with("table ");
  if (!why_not(table.id()).empty() || (!known && here.rows == 0)) {
    verdict.kind = TableVerdict::Kind::not_derived;
    verdict.detail = known ? why_not(table.id()) : "nothing here knows this table";
    return verdict;
  }
  verdict.detail = there.first_other.empty() ? here.first_other : there.first_other;
  if (!verdict.detail.empty()) verdict.kind = TableVerdict::Kind::differs;
  return verdict;
}

// A row that is on neither side alike: what the facts say was there is gone or is something else.
void add_lost(RebuildReport& report, const std::vector<smki::LostRow>& lost, storage::Table table) {
  const auto first =
      std::ranges::find(lost, table.id(), [](const smki::LostRow& row) { return row.table.id(); });
  if (first == lost.end()) return;
  const std::string name = name_of(table.id());
  if (report.tables.empty() || report.tables.back().table != name)
    report.tables.push_back({name, TableVerdict::Kind::same, 0, {}});
  report.tables.back().kind = TableVerdict::Kind::differs;
  report.tables.back().detail =
      "row " + to_hex(first->key) + " is not what its digest in the journal says";
}

std::optional<TableVerdict> other_meta(const storage::Reader& source) {
  TableVerdict verdict{"meta, other values", TableVerdict::Kind::not_derived, 0,
                       "cursors, queue numbers, the environment"};
  source.scan(tables::meta, {}, {}, [&](BytesView key, BytesView) {
    verdict.rows += derived_value(key) ? 0 : 1;
    return true;
  });
  return verdict.rows == 0 ? std::nullopt : std::optional(verdict);
}

}  // namespace

Status RebuildReport::status() const {
  std::string wrong;
  for (const TableVerdict& verdict : tables) {
    if (verdict.kind == TableVerdict::Kind::differs)
      wrong += (wrong.empty() ? "" : "; ") + verdict.table + ": " + verdict.detail;
  }
  if (!wrong.empty()) return Refusal{"audit-rebuild"_rule, wrong};
  return {};
}

Result<RebuildReport> rebuild(const World& world, const storage::Reader& source,
                              storage::Store& into) {
  CHECK(into.journal_head().next == 1);
  TRY_ASSIGN(const storage::JournalHead head, storage::verify_journal(source));
  Rebuilding rebuilding(source, into);
  rebuilding.facts();
  CHECK(into.journal_head() == head);
  Indexing indexing(into, smki::log_head(source).next);
  smki::Repository repository(world, indexing);
  while (repository.publish() > 0) {
  }
  TRY(smki::Replay::lists(into));
  RebuildReport report;
  report.head = head;
  for (unsigned id = 1; id < 255; ++id) {
    const storage::Table table(static_cast<std::uint8_t>(id), "");
    const std::optional<TableVerdict> compared_one = verdict(source, into, table);
    if (compared_one) report.tables.push_back(*compared_one);
    add_lost(report, rebuilding.lost(), table);
    copy_rows(source, into, table);
  }
  if (const std::optional<TableVerdict> meta = other_meta(source)) report.tables.push_back(*meta);
  return report;
}

}  // namespace wattseal::apps
