// The wattseal program is killed again and again, also while it starts, with requests waiting in
// every state: queued, dated, in a sequence, scheduled, held by anomaly detection, handed over,
// sent to a silent meter, answered, and untaken by a user that is away. Afterwards every request
// that was accepted has ended exactly once and its user has its one answer; no request became two
// commands; nothing left that is not in the journal; and nothing waits any more. WATTSEAL_KILLS=100
// kills as often as that; without it a few kills are enough.
#include <nlohmann/json.hpp>
#include <random>

#include "storage/reading.h"
#include "tests/kill/rig.h"

namespace wattseal::kill {
namespace {

using std::chrono::milliseconds;

constexpr int kFewKills = 4, kManyKills = 20;  // from so many on a meter is silent for 30 s

int kills_wanted() {
  const char* const wanted = std::getenv("WATTSEAL_KILLS");
  return wanted ? std::max(1, std::atoi(wanted)) : kFewKills;
}

// What one user asks, in turn, of a gateway that comes and goes.
class Workload {
 public:
  Workload(Rig& rig, apps::ServiceUser& user, bool all_kinds)
      : rig_(rig), user_(user), all_kinds_(all_kinds), thread_([this] { run(); }) {}
  ~Workload() { finish(); }
  void finish() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  // After finish(): requests that are answered later, and that the user was told so of.
  const std::set<std::string>& accepted() const { return accepted_; }
  std::size_t schedules() const { return schedules_; }
  bool failed() const { return failed_; }
  const std::string& wrong() const { return wrong_; }

 private:
  duis::ServiceRequest request(std::string_view variant, int command_variant,
                               xml::Element body = {}) {
    return user_.request(rig_.meter(), variant, command_variant, std::move(body),
                         user_.next_counter());
  }

  // Asks until there is an answer. A replay is one: the answer before it died with the gateway.
  std::optional<duis::ServiceResponse> ask(const duis::ServiceRequest& asked, bool later = true) {
    while (!stopping_) {
      try {
        const Result<duis::ServiceResponse> answer = user_.acknowledge(asked);
        if (!answer.ok()) {
          fail(explain(answer.refusal()));
          return std::nullopt;
        }
        const std::string& code = answer->response_code;
        // Too late: its date has passed, or the request before it has failed.
        if (code == "E44" || code == "E42") return std::nullopt;
        if (code != "I0" && code != "I99" && code != "E62") fail(asked.id.text() + ": " + code);
        if (later && !failed_) accepted_.insert(asked.id.text());
        return *answer;
      } catch (const Fault&) {
        std::this_thread::sleep_for(milliseconds(10));
      }
    }
    return std::nullopt;
  }

  void dated() {
    const std::string at = rig_.world.now().plus_seconds(2).iso();
    ask(request("4.1.1", 1,
                body_of({leaf("ExecutionDateTime", at.substr(0, at.size() - 1) + ".00Z")})));
  }
  void sequence() {
    duis::ServiceRequest first = request("4.1.1", 1), second = request("4.1.1", 1);
    first.first_in_sequence = true;
    second.preceding = first.id;
    if (ask(first)) ask(second);
  }
  void critical() {
    const duis::ServiceRequest asked = request("1.6", 4, body_of({leaf("Credit")}));
    const std::optional<duis::ServiceResponse> made = ask(asked, false);
    if (!made || !made->pre_command) return;
    const Result<xml::Document> sent =
        xml::parse(user_.signed_pre_command(asked, *made->pre_command));
    ask(duis::read_request(sent->root()).value());
  }
  void schedule() {
    const std::string at = rig_.world.now().plus_seconds(3).iso();
    if (at.substr(11) < "00:00:10") return;  // a run of tomorrow
    const auto made =
        ask(user_.request(
                apps::DccParty::party, "5.1", 8,
                body_of({leaf("ScheduleFrequency", "Daily"),
                         leaf("ScheduleStartDate", at.substr(0, 10)),
                         leaf("ScheduleExecutionStartTime", at.substr(11, 8) + ".00Z"),
                         leaf("DSPScheduledServiceReference", "4.16"),
                         leaf("DSPScheduledServiceReferenceVariant", "4.16"),
                         leaf("DeviceID", rig_.meter().text()), leaf("DSPReadActivePowerImport")}),
                user_.next_counter()),
            false);
    if (made) ++schedules_;
  }

  void run() {
    for (std::size_t i = 0; !stopping_ && !failed_; ++i) {
      ask(request("4.1.1", 1));
      if (all_kinds_) {
        switch (i % 8) {
          case 0: dated(); break;
          case 1: sequence(); break;
          case 2: critical(); break;
          case 3: ask(request("4.16", 1)); break;  // held: the threshold is none at all
          case 4: ask(request("4.1.1", 3)); break;
          case 5: ask(request("4.1.1", 2), false); break;
          case 6:
            if (schedules_ < 40 && i % 16 == 6) schedule();
            break;
          default:
            if (kills_wanted() >= kManyKills && i % 32 == 7)
              ask(user_.request(rig_.silent_meter(), "4.1.1", 1, {}, user_.next_counter()));
        }
      }
      std::this_thread::sleep_for(milliseconds(2));
    }
  }

  void fail(std::string why) {
    wrong_ = std::move(why);
    failed_ = true;
  }

  Rig& rig_;
  apps::ServiceUser& user_;
  const bool all_kinds_;
  std::atomic<bool> stopping_ = false, failed_ = false;
  std::set<std::string> accepted_;
  std::size_t schedules_ = 0;
  std::string wrong_;
  std::thread thread_;
};

// Releases and deletes what is held, in turn.
bool decide_held(const Rig& rig, int turn) {
  http::Request request;
  request.method = "POST";
  request.path = "/api/v1/anomalies/decide";
  request.headers = {{"X-Subscriber", kSupplier.text()}};
  request.body =
      nlohmann::json{{"decision", turn % 2 ? "delete" : "release"}, {"threshold", "odd"}}.dump();
  try {
    const auto answer = nlohmann::json::parse(client_of(rig.gateway_url())->send(request).body);
    return answer["decided"].empty();
  } catch (const Fault&) {
    return false;
  }
}

struct Life {  // of one request, as the journal tells it
  int accepted = 0, ended = 0, deferred = 0, quarantined = 0, timed_out = 0;
  std::set<Bytes> commands;
};
struct Story {
  std::map<std::string, Life> lives;
  std::set<Bytes> commands;
  int runs = 0;
};

Story story_of(const storage::Reader& store) {
  Story story;
  store.journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    story.runs += fact.kind() == FactKind::schedule_run;
    const std::string id(fact.text(FactField::request_id));
    if (id.empty()) return true;
    switch (fact.kind()) {
      case FactKind::request_accepted: ++story.lives[id].accepted; break;
      case FactKind::request_ended: ++story.lives[id].ended; break;
      case FactKind::request_deferred: ++story.lives[id].deferred; break;
      case FactKind::request_quarantined: ++story.lives[id].quarantined; break;
      case FactKind::request_timed_out: ++story.lives[id].timed_out; break;
      case FactKind::command_intended: {
        const Bytes digest = to_bytes(fact.find(FactField::message_digest).value());
        story.lives[id].commands.insert(digest);
        EXPECT_TRUE(story.commands.insert(digest).second) << id << " was intended twice";
        break;
      }
      default: break;
    }
    return true;
  });
  return story;
}

std::size_t rows_in(const storage::Reader& store, storage::Table table) {
  std::size_t rows = 0;
  store.scan(table, {}, {}, [&](BytesView, BytesView) { return ++rows != 0; });
  return rows;
}

bool took_all(const Endpoint& endpoint, const std::set<std::string>& expected) {
  const auto taken = endpoint.taken();
  return std::ranges::all_of(expected, [&](const std::string& id) { return taken.contains(id); });
}

void check_users(const Endpoint& endpoint, const Workload& work, const Story& story) {
  const auto taken = endpoint.taken();
  for (const std::string& id : work.accepted()) {
    const auto life = story.lives.find(id);
    ASSERT_NE(life, story.lives.end()) << id << " was acknowledged and is not in the journal";
    const auto answers = taken.find(id);
    ASSERT_NE(answers, taken.end()) << id << " has no answer";
    EXPECT_EQ(answers->second.size(), 1u) << id << " has several answers";
  }
}

void check_journal(const Story& story) {
  for (const auto& [id, life] : story.lives) {
    EXPECT_EQ(life.accepted, life.ended) << id;
    EXPECT_LE(life.accepted, 2) << id << " may be transformed and sent";
    EXPECT_LE(life.commands.size(), 1u) << id << " became several commands";
  }
}

TEST(Kill, NothingAcceptedIsLostAndNoCommandGoesTwiceWithTwoCounters) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the program under a sanitizer starts too slowly to be killed often";
#endif
  Rig rig;
  rig.network_endpoint.set_away(true);
  std::mt19937 random(20261125);
  const int wanted = kills_wanted();
  rig.start();
  ASSERT_TRUE(rig.ready());
  Workload work(rig, *rig.supplier, true), patient(rig, *rig.network, false);
  int kills = 0;
  for (; kills < wanted && !work.failed() && !patient.failed(); ++kills) {
    // Every fifth is killed while it opens what the one before it left.
    if (kills % 5 != 4) {
      ASSERT_TRUE(rig.ready());
    }
    std::this_thread::sleep_for(milliseconds(random() % 400));
    decide_held(rig, kills);
    std::this_thread::sleep_for(milliseconds(random() % 100));
    ASSERT_EQ(WTERMSIG(rig.end(SIGKILL)), SIGKILL) << "it ended by itself";
    rig.start();
  }
  ASSERT_TRUE(rig.ready());
  work.finish();
  patient.finish();
  EXPECT_EQ(work.wrong() + patient.wrong(), "");
  rig.network_endpoint.set_away(false);
  // The longest wait is that for the silent meter.
  for (int i = 0; i < 900; ++i) {
    if (decide_held(rig, i) && took_all(rig.supplier_endpoint, work.accepted()) &&
        took_all(rig.network_endpoint, patient.accepted()))
      break;
    std::this_thread::sleep_for(milliseconds(100));
  }
  std::this_thread::sleep_for(milliseconds(1500));  // what answers no request: runs, notices
  rig.end(SIGTERM);

  const std::unique_ptr<storage::Store> store =
      std::move(storage::open_rocksdb_store(rig.folder / "store").value());
  EXPECT_TRUE(storage::verify_journal(*store).ok());
  const Story story = story_of(*store);
  check_journal(story);
  check_users(rig.supplier_endpoint, work, story);
  check_users(rig.network_endpoint, patient, story);
  for (const auto& [digest, times] : rig.wan->carried())
    EXPECT_TRUE(story.commands.contains(to_bytes(digest))) << "a command that nobody intended";
  for (const storage::Table table :
       {tables::commands_out, tables::commands_held, tables::awaiting, tables::responses_out,
        tables::deferred, tables::deferred_due, tables::followers, tables::quarantine})
    EXPECT_EQ(rows_in(*store, table), 0u) << table.name();
  EXPECT_EQ(rows_in(*store, tables::awaiting_due), rows_in(*store, tables::local_commands));
  const auto count = [&](int Life::*member) {
    return std::ranges::count_if(story.lives, [&](const auto& one) { return one.second.*member; });
  };
  std::printf(
      "%d kills; %zu requests, of these %zd deferred, %zd held, %zd timed out, %d runs; "
      "%zu commands carried\n",
      kills, story.lives.size(), count(&Life::deferred), count(&Life::quarantined),
      count(&Life::timed_out), story.runs, rig.wan->carried().size());
  EXPECT_GT(count(&Life::deferred), 0);
  EXPECT_GT(count(&Life::quarantined), 0);
}

}  // namespace
}  // namespace wattseal::kill
