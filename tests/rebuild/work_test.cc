// Tables made again while work is under way: after every single commit of a run that submits,
// refuses, holds, approves, issues, revokes and holds ceremonies, and with rows of that work
// damaged.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "apps/rebuild.h"
#include "base/fault.h"
#include "smki/ca.h"
#include "smki/ceremony.h"
#include "smki/office.h"
#include "smki/repository.h"
#include "terms/tables.h"

namespace wattseal {
namespace {

using nlohmann::json;
using smki::BatchId;
using smki::PersonId;

constexpr Eui64 kSupplier = Eui64::from_number(0x9057530000010000),
                kMaker = Eui64::from_number(0x9057530000050000),
                kDevice = Eui64::from_number(0x0057530000000000);

// Rebuilds after every commit. Fails when asked to, as a disk does, before the commit.
class Watched final : public storage::Store {
 public:
  explicit Watched(const World& world) : world_(world) {}
  std::optional<Bytes> get(storage::Table table, BytesView key) const override {
    return inner_->get(table, key);
  }
  void scan(storage::Table table, BytesView first, BytesView last,
            const storage::RowVisitor& visit) const override {
    inner_->scan(table, first, last, visit);
  }
  void scan_backwards(storage::Table table, BytesView first, BytesView last,
                      const storage::RowVisitor& visit) const override {
    inner_->scan_backwards(table, first, last, visit);
  }
  void journal(std::uint64_t from, const storage::EntryVisitor& visit) const override {
    inner_->journal(from, visit);
  }
  storage::JournalHead journal_head() const override { return inner_->journal_head(); }
  std::unique_ptr<storage::Reader> snapshot() const override { return inner_->snapshot(); }
  void copy_to(const std::filesystem::path&) const override { CHECK(false); }
  Result<std::uint64_t> commit(storage::Batch batch) override {
    if (fail_in == 0) throw Fault("the disk is gone");
    --fail_in;
    Result<std::uint64_t> committed = inner_->commit(std::move(batch));
    if (committed.ok() && watch) look();
    return committed;
  }
  void look() {
    const std::unique_ptr<storage::Store> into = storage::memory_store();
    const apps::RebuildReport report = apps::rebuild(world_, *inner_, *into).value();
    ASSERT_TRUE(report.status().ok())
        << "after fact " << report.head.next - 1 << ": " << report.status().refusal().detail;
    ++looks;
    for (const apps::TableVerdict& one : report.tables) {
      if (one.kind == apps::TableVerdict::Kind::same && one.rows > 0) seen.insert(one.table);
    }
  }

  std::size_t fail_in = static_cast<std::size_t>(-1), looks = 0;
  bool watch = true;
  std::set<std::string> seen;  // tables that held rows and were made again

 private:
  const World& world_;
  std::unique_ptr<storage::Store> inner_ = storage::memory_store();
};

struct Scene {
  FixedClock clock{UtcTime::parse_iso("2026-05-01T10:00:00Z").value()};
  std::unique_ptr<Random> random = seeded_random(11);
  World world{clock, *random};
  Watched store{world};
  std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  Workers workers{2};
  smki::RegistrationAuthority authority{world, store, workers};
  smki::Repository repository{world, store};
  smki::Office office{world, store};
  std::unique_ptr<smki::CertificationAuthority> ca;
  std::vector<PersonId> managers, personnel, custodians;
  int keys_made = 0;

  Scene() {
    const std::vector<smki::Founder> founders{
        {"Ada", "ra-manager"},    {"Ben", "ra-manager"},    {"Cara", "ra-personnel"},
        {"Dan", "ra-personnel"},  {"Eve", "key-custodian"}, {"Fay", "key-custodian"},
        {"Gus", "key-custodian"}, {"Hal", "key-custodian"}, {"Ian", "key-custodian"}};
    CHECK(smki::hold_founding(world, store, *keys, Environment::test, founders, {"Wanda"}).ok());
    for (const smki::Person& person : office.people()) {
      (person.role == "ra-manager"     ? managers
       : person.role == "ra-personnel" ? personnel
                                       : custodians)
          .push_back(person.id);
    }
    open();
    smki::Party supplier{
        kSupplier, "Alder", "supplier", {UserRole::import_supplier}, {{kSupplier, kSupplier}}};
    CHECK(authority.register_party(supplier, world.new_trace()).ok());
    const Eui64 last = Eui64::from_number(kDevice.number() + 99'999);
    CHECK(authority
              .register_party({kMaker, "Elm", "manufacturer", {}, {{kDevice, last}}},
                              world.new_trace())
              .ok());
  }
  void open() {
    ca.reset();
    ca = std::move(
        smki::CertificationAuthority::open(world, store, *keys, workers, Environment::test)
            .value());
  }
  Bytes device(std::uint64_t number, crypto::KeyHandle key = nullptr) {
    if (!key) key = crypto::generate_one(*keys, "key" + std::to_string(keys_made++)).value();
    const Eui64 eui = Eui64::from_number(kDevice.number() + number);
    return x509::make_request({},
                              {x509::usage_extension(x509::key_usage::digital_signature),
                               x509::hardware_module_extension(
                                   {x509::oid::from_text("1.2.3.4"), to_bytes(eui.octets())})},
                              *key);
  }
  Bytes organisation() {
    smki::Subject subject;
    subject.eui = kSupplier;
    subject.role = RemotePartyRole::supplier;
    return x509::make_request(
        smki::subject_name(*find_certificate_profile("organisation-ds"), Environment::test,
                           subject),
        {x509::usage_extension(x509::key_usage::digital_signature)},
        *crypto::generate_one(*keys, "key" + std::to_string(keys_made++)).value());
  }
  BatchId submit(Eui64 subscriber, std::vector<Bytes> requests, PersonId officer = 0) {
    return authority
        .submit({subscriber, std::move(requests), world.new_trace(), officer, "192.0.2.1"})
        .value();
  }
  void settle() {
    while (authority.decide(3) + ca->issue() + ca->revoke_authorised() + repository.publish() +
               authority.note_answered() >
           0) {
    }
  }
  smki::ActId act(const char* kind, const json& payload, PersonId by,
                  const std::vector<PersonId>& approvers) {
    const smki::ActId id =
        office.propose(kind, payload, {by, "192.0.2.1"}, world.new_trace()).value();
    for (const PersonId one : approvers)
      CHECK(office.approve(id, {one, "192.0.2.2"}, world.new_trace()).ok());
    return id;
  }
  // The supplier comes under dual control; returns its officer.
  PersonId officer() {
    smki::Party supplier = authority.party(kSupplier).value();
    supplier.dual_control = true;
    CHECK(authority.register_party(supplier, world.new_trace()).ok());
    json payload{{"party", kSupplier.text()},
                 {"name", "Sam"},
                 {"evidence", "passport"},
                 {"screened_on", "2026-04-01"}};
    act("appoint-sro", payload, personnel[0], {personnel[1]});
    const PersonId sro = office.people().back().id;
    payload["name"] = "Olga";
    act("appoint-aro", payload, sro, {personnel[0]});
    return office.people().back().id;
  }
};

TEST(RebuildWork, IsTheSameAfterEveryCommitOfBatchesThatAreDecidedIssuedAndPublished) {
  Scene run;
  const crypto::KeyHandle twice = crypto::generate_one(*run.keys, "twice").value();
  std::vector<Bytes> requests;
  for (std::uint64_t i = 0; i < 8; ++i) requests.push_back(run.device(i));
  requests[2] = Bytes(5, 0x30);       // no request
  requests[5] = Bytes(5000, 0x30);    // longer than any
  requests[6] = run.device(200'000);  // outside the range
  const BatchId batch = run.submit(kMaker, requests);
  const BatchId one = run.submit(kMaker, {run.device(100, twice)});
  const BatchId other = run.submit(kMaker, {run.device(101, twice)});
  run.settle();
  EXPECT_EQ(run.authority.status(batch)->published, 5u);
  EXPECT_EQ(run.authority.status(one)->published + run.authority.status(other)->published, 1u);
  for (const char* table : {"batches", "request_blocks", "open_batches", "ca_queue", "intents",
                            "issued_counts", "ceremonies", "serials"})
    EXPECT_TRUE(run.store.seen.contains(table)) << table;
  EXPECT_GT(run.store.looks, 20u);
}

// The certification authority refuses what the registration authority let pass: the same key in two
// rounds of decisions before anything is issued.
TEST(RebuildWork, KnowsWhoRefusedARow) {
  Scene run;
  const crypto::KeyHandle twice = crypto::generate_one(*run.keys, "twice").value();
  const BatchId one = run.submit(kMaker, {run.device(100, twice)});
  ASSERT_GT(run.authority.decide(1), 0u);
  const BatchId other = run.submit(kMaker, {run.device(101, twice)});
  ASSERT_GT(run.authority.decide(1), 0u);
  run.settle();
  EXPECT_EQ(run.authority.status(one)->published + run.authority.status(other)->published, 1u);
  EXPECT_EQ(run.authority.results(other, 0, 1)[0].rule, "csr-key-seen");
}

TEST(RebuildWork, FindsIntentsOfACrashAndGoesOnInTheStoreMadeAgain) {
  Scene run;
  run.submit(kMaker, {run.device(1), run.device(2), run.device(3)});
  ASSERT_EQ(run.authority.decide(10), 3u);
  run.store.fail_in = 1;  // the intent is durable, the certificates are not
  EXPECT_THROW((void)run.ca->issue(), Fault);
  run.store.fail_in = static_cast<std::size_t>(-1);
  ASSERT_TRUE(run.store.seen.contains("intents"));
  const std::unique_ptr<storage::Store> mended = storage::memory_store();
  ASSERT_TRUE(apps::rebuild(run.world, run.store, *mended)->status().ok());
  const auto ca = smki::CertificationAuthority::open(run.world, *mended, *run.keys, run.workers,
                                                     Environment::test);
  EXPECT_EQ((*ca)->issue(), 3u);
  smki::Repository repository(run.world, *mended);
  while (repository.publish() > 0) {
  }
  EXPECT_EQ(repository.count(), 4u + 3u);
}

TEST(RebuildWork, IsTheSameAfterEveryCommitOfHeldRowsRevocationsAndCeremonies) {
  Scene run;
  const PersonId officer = run.officer();
  const auto held = [&] {
    const BatchId batch = run.submit(kSupplier, {run.organisation()}, officer);
    run.settle();
    const smki::RowResult row = run.authority.results(batch, 0, 1).at(0);
    EXPECT_EQ(row.state, smki::RowState::held);
    return row.act;
  };
  const smki::ActId first = held(), second = held(), third = held();
  for (const PersonId person : run.personnel)
    ASSERT_TRUE(run.office.approve(first, {person, "192.0.2.2"}, run.world.new_trace()).ok());
  ASSERT_TRUE(
      run.office
          .reject(second, "not asked for", {run.personnel[0], "192.0.2.2"}, run.world.new_trace())
          .ok());
  run.settle();
  run.clock.advance(40 * 86'400);
  EXPECT_EQ(run.authority.lapse_held(), 1u) << third;
  run.settle();
  smki::CertificateQuery query;
  query.profile = "organisation-ds";
  const std::string serial = run.repository.search(query)->certificates.at(0).serial.hex();
  run.act("revoke-certificate", {{"serial", serial}, {"grounds", "key-compromise"}},
          run.personnel[0], {run.personnel[1]});
  run.settle();
  EXPECT_TRUE(run.store.seen.contains("revocation_work"));
  EXPECT_TRUE(run.store.seen.contains("held_rows"));
  for (const char* profile : {"issuing-dca", "issuing-dca", "issuing-oca"}) {
    std::vector<PersonId> approvers{run.managers[1], run.personnel[0]};
    approvers.insert(approvers.end(), run.custodians.begin(), run.custodians.end());
    const smki::ActId act = run.office
                                .propose("authority-key-act",
                                         {{"purpose", "establish-authority"}, {"profile", profile}},
                                         {run.managers[0], ""}, run.world.new_trace())
                                .value();
    for (const PersonId one : approvers) {
      if (run.office.act(act)->state != smki::ActState::open) break;
      ASSERT_TRUE(run.office.approve(act, {one, ""}, run.world.new_trace()).ok());
    }
    ASSERT_EQ(run.office.act(act)->state, smki::ActState::done);
    ASSERT_TRUE(smki::hold_key_act(run.world, run.store, *run.keys, act, {"Wanda"}).ok());
  }
  run.open();
  run.submit(kMaker, {run.device(7)});
  run.settle();
  EXPECT_TRUE(run.store.seen.contains("former_authorities"));
  EXPECT_TRUE(run.store.seen.contains("key_acts"));
}

// Contents of work under way are not in the journal, their digests are.
TEST(RebuildWork, FindsDamagedChangedAndMissingRowsOfWorkUnderWay) {
  Scene run;
  run.submit(kMaker, {run.device(1), run.device(2), run.device(3)});
  const BatchId single = run.submit(kMaker, {run.device(4)});
  ASSERT_EQ(run.authority.decide(1), 1u);
  ASSERT_EQ(run.authority.status(single)->decided, 1u) << "single requests go first";
  run.store.watch = false;
  const auto found = [&](storage::Table table, const char* how) {
    const std::unique_ptr<storage::Store> into = storage::memory_store();
    const Status status = apps::rebuild(run.world, run.store, *into)->status();
    EXPECT_TRUE(!status.ok() &&
                status.refusal().detail.starts_with(std::string(table.name()) + ": row "))
        << table.name() << " " << how;
  };
  for (const storage::Table& table :
       {tables::request_blocks, tables::ca_work, tables::batches, tables::open_batches}) {
    Bytes key, value;
    run.store.scan(table, {}, {}, [&](BytesView first_key, BytesView first_value) {
      key = to_bytes(first_key);
      value = to_bytes(first_value);
      return false;
    });
    ASSERT_FALSE(key.empty()) << table.name();
    const auto put = [&](const Bytes& row_key, const std::optional<Bytes>& row) {
      storage::Batch batch;
      if (row)
        batch.put(table, row_key, *row);
      else
        batch.erase(table, row_key);
      ASSERT_TRUE(run.store.commit(std::move(batch)).ok());
    };
    Bytes changed = value, more = key;
    changed.back() ^= 1;
    more.push_back(1);
    put(key, changed);
    found(table, "changed");
    put(key, std::nullopt);
    found(table, "removed");
    put(key, value);
    put(more, value);
    found(table, "added");
    put(more, std::nullopt);
  }
  run.store.look();
  run.store.watch = true;
  run.settle();
}

}  // namespace
}  // namespace wattseal
