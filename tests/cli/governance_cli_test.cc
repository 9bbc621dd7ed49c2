// The SMKI PMA, assurance and demand as commands, against a service in this process: what people
// type, what is printed, exit codes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/platform.h"
#include "base/log.h"
#include "smki/demand.h"
#include "smki/documents.h"
#include "smki/office.h"
#include "storage/reading.h"
#include "terms/facts.h"
#include "tests/shell.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000);

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
bool has(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

class Governance : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-governance-" + std::to_string(::getpid()) + "-" +
                                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::unique_ptr<Clock> clock_ = system_clock();
  const std::unique_ptr<Random> random_ = system_random();
  const World world_{*clock_, *random_};
  std::unique_ptr<apps::Platform> platform_;
  std::string out_;  // what was printed, or else what was complained of

  void SetUp() override {
    log::set_level(log::Level::off);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    platform_.reset();
    fs::remove_all(folder_);
    log::set_level(log::Level::info);
  }
  void start() {
    apps::PlatformOptions options;
    options.data = (folder_ / "data").string();
    options.key_store = "file";
    platform_ = std::move(apps::Platform::create(world_, options).value());
    const std::vector<smki::Founder> founders{
        {"Ada", "ra-manager"},    {"Ben", "ra-manager"},    {"Cara", "ra-personnel"},
        {"Dan", "ra-personnel"},  {"Eve", "key-custodian"}, {"Fay", "key-custodian"},
        {"Gus", "key-custodian"}, {"Hal", "key-custodian"}, {"Ivy", "key-custodian"}};
    ASSERT_TRUE(platform_->hold_founding(founders, {"Wanda"}).ok());
    ASSERT_TRUE(platform_->start_smki().ok());
    ASSERT_TRUE(platform_->registration_authority()
                    .register_party({kMaker, "Alder", "supplier", {}, {{kMaker, kMaker}}},
                                    world_.new_trace())
                    .ok());
  }
  int run(const std::string& words) {
    const std::string complaints = (folder_ / "complaints").string();
    test::Ran ran = test::shell(WATTSEAL_PROGRAM " " + words + " 2>" + complaints);
    out_ = ran.out.empty() ? read(complaints) : std::move(ran.out);
    return ran.code;
  }
  // `wattseal GROUP … --person N` of the running service.
  int by(smki::PersonId person, const std::string& words) {
    return run(words + " --url " + platform_->smki_url() + " --person " + std::to_string(person));
  }
  // Done by Cara, approved by Dan.
  void done(const std::string& words) {
    ASSERT_EQ(by(3, words + " --json"), 0) << words << ": " << out_;
    const std::string act = json::parse(out_)["act"].dump();
    ASSERT_EQ(by(4, "ra approve " + act), 0) << out_;
  }
  std::string rule(smki::PersonId person, const std::string& words) {
    const int code = by(person, words + " --json");
    const json answer = json::parse(out_, nullptr, false);
    return code == 0 ? "done" : answer.is_object() ? answer.value("rule", out_) : out_;
  }
  std::string today() const { return world_.now().iso().substr(0, 10); }
};

TEST_F(Governance, VoteWithACastingVoteAndAConflictedAlternate) {
  start();
  const std::string screened = " --evidence letter --screened-on " + today();
  smki::PersonId next = 10;
  std::map<std::string, smki::PersonId> person;
  for (const auto& [seat, organisation] :
       {std::pair("chair", "Holly"), std::pair("large-supplier-1", "Alder"),
        std::pair("large-supplier-2", "Birch"), std::pair("small-supplier", "Cedar"),
        std::pair("networks", "Dale")}) {
    done("pma appoint " + std::string(seat) + " --name 'Member for " + seat + "' --organisation " +
         organisation + screened);
    person[seat] = next++;
  }
  const std::string alternate = "pma alternate --name Lou" + screened + " --organisation ";
  EXPECT_EQ(rule(person["large-supplier-1"], alternate + kMaker.text()),
            "pma-alternate-independence");
  done("pma affiliate Alder 'Alder Holdings' --evidence register");
  EXPECT_EQ(rule(person["large-supplier-1"], alternate + "'alder holdings'"),
            "pma-alternate-independence");
  ASSERT_EQ(by(person["large-supplier-1"], alternate + "Quince --json"), 0) << out_;
  ASSERT_EQ(by(4, "ra approve " + json::parse(out_)["act"].dump()), 0) << out_;
  person["alternate"] = next++;

  const std::string now = world_.now().iso();
  EXPECT_EQ(rule(3, "pma call " + now + " --agenda recovery"), "pma-notice");
  EXPECT_EQ(rule(3, "pma call " + now + " --agenda recovery --urgency 'keys are lost'"), "done");
  for (const char* who : {"chair", "alternate", "large-supplier-2", "small-supplier", "networks"})
    EXPECT_EQ(rule(person[who], "pma attend 1"), "done") << out_;
  const fs::path factors = folder_ / "factors.txt";
  std::ofstream(factors) << "exposure - 9 copied\nsupply - 8 premises\nreach - 6 12,000 devices\n"
                            "alternatives - 10 ceased to trade\nreadiness - 7 in a day\n";
  EXPECT_EQ(rule(person["networks"],
                 "pma move 1 use-recovery-key recovery-case/7 --text 'by method 3' --concerns "
                 "Alder --factors @" +
                     factors.string()),
            "done")
      << out_;
  EXPECT_EQ(rule(person["alternate"], "pma vote 1 against"), "pma-conflict");
  EXPECT_EQ(rule(person["large-supplier-2"], "pma vote 1 against --reason early"), "done");
  EXPECT_EQ(rule(person["networks"], "pma vote 1 for --reason needed"), "done");
  EXPECT_EQ(rule(person["small-supplier"], "pma vote 1 abstain"), "done");
  EXPECT_EQ(rule(person["chair"], "pma result 1 --reasons voted"), "pma-tie");
  EXPECT_EQ(rule(person["chair"], "pma vote 1 for --reason 'supply is at risk'"), "done");
  EXPECT_EQ(rule(person["chair"], "pma result 1 --reasons 'supply is at risk'"), "done");

  ASSERT_EQ(by(person["networks"], "pma resolution 1"), 0) << out_;
  EXPECT_TRUE(has(out_, "carried")) << out_;
  EXPECT_TRUE(has(out_,
                  "for 1, against 1, abstained 1, in conflict 1, casting vote for; 4 seats "
                  "of a quorum of 4"))
      << out_;
  EXPECT_TRUE(has(out_, "weighted score 8.10 of 10")) << out_;
  EXPECT_EQ(rule(person["networks"], "pma resolution 2"), "pma-resolution-unknown");
  EXPECT_EQ(rule(person["chair"], "pma close 1"), "done");
  for (const char* what : {"seats", "affiliations", "meetings", "resolutions", "documents"}) {
    ASSERT_EQ(by(person["networks"], std::string("pma ") + what), 0) << out_;
    EXPECT_FALSE(out_.empty()) << what;
  }
  EXPECT_EQ(rule(0, "pma seats"), "ra-person-missing");
  EXPECT_EQ(rule(person["networks"], "ra people"), "done") << "of the PMA only";
  EXPECT_FALSE(has(out_, "\"Ada\"")) << out_;
  EXPECT_EQ(run("pma vote 1"), 2) << "used wrongly";
}

TEST_F(Governance, AssuranceFromPlanToPublication) {
  start();
  const std::string screened = " --evidence letter --screened-on " + today();
  EXPECT_EQ(rule(3, "assurance plan subscriber " + kMaker.text() + " --provider Linden --from " +
                        today()),
            "assurance-provider");
  EXPECT_EQ(rule(1, "assurance assessor --name Asa --organisation Linden" + screened),
            "assurance-provider");
  done("pma milestone live-issue 2020-01-01 --evidence plan");
  ASSERT_EQ(by(3, "assurance schedule --overdue"), 0) << out_;
  EXPECT_TRUE(has(out_, "OVERDUE")) << out_;
  ASSERT_EQ(by(3, "assurance assessments --json"), 0) << out_;
  EXPECT_TRUE(json::parse(out_)["assessments"].empty());
  EXPECT_EQ(rule(3, "assurance assessment 1"), "assurance-unknown");
  ASSERT_EQ(by(0, "assurance plans --json"), 0) << "for everyone: " << out_;
  done("pma milestone sit-start 2021-01-01 --evidence plan");
  ASSERT_EQ(by(0, "pma documents --overdue"), 0) << out_;
  EXPECT_TRUE(has(out_, "device-cps")) << out_;
  EXPECT_TRUE(has(out_, "OVERDUE")) << out_;
}

// A store whose journal holds what the edges need: months of 2024, forecast in January.
class DemandCommands : public Governance {
 protected:
  const std::string data_ = (folder_ / "data").string();
  FixedClock then_{UtcTime::parse_iso("2024-01-10T10:00:00Z").value()};
  const World past_{then_, *random_};
  std::unique_ptr<storage::Store> store_;

  void SetUp() override {
    Governance::SetUp();
    fs::create_directories(data_);
    store_ = std::move(storage::open_rocksdb_store(fs::path(data_) / "store").value());
    Workers workers{1};
    smki::RegistrationAuthority authority(past_, *store_, workers);
    smki::Demand demand(past_, *store_);
    const auto party = [&](std::uint64_t number, const char* name, std::uint64_t forecast,
                           std::uint64_t requested) {
      const Eui64 id = Eui64::from_number(number);
      ASSERT_TRUE(
          authority.register_party({id, name, "manufacturer", {}, {{id, id}}}, past_.new_trace())
              .ok());
      if (forecast != kAbsent) lodge(demand, id, forecast);
      request(id, requested);
    };
    party(0x9057530000050000, "Exactly", 1000, 1100);
    party(0x9057530000051000, "Below", 1000, 1099);
    party(0x9057530000052000, "Zero", 0, 1);
    party(0x9057530000053000, "Absent", kAbsent, 40);
    party(0x9057530000054000, "Revised", 500, 1000);
    lodge(demand, Eui64::from_number(0x9057530000054000), 1000);
    store_.reset();
  }
  static constexpr std::uint64_t kAbsent = 1;
  void lodge(smki::Demand& demand, Eui64 who, std::uint64_t batched) {
    std::vector<smki::MonthForecast> months;
    for (const smki::Month& one : smki::demand_round(demand.rules().value(), past_.now()).months)
      months.push_back({one, {0, batched}});
    ASSERT_TRUE(demand.lodge(who, months, {}, past_.new_trace()).ok());
  }
  void request(Eui64 who, std::uint64_t rows) {
    const UtcTime when = UtcTime::parse_iso("2024-04-05T09:00:00Z").value();
    storage::Batch batch;
    batch.append(FactWriter(FactKind::batch_submitted, when, {})
                     .eui(FactField::subscriber, who)
                     .number(FactField::count, rows)
                     .number(FactField::at_milliseconds,
                             static_cast<std::uint64_t>(when.unix_seconds()) * 1000)
                     .bytes());
    ASSERT_TRUE(store_->commit(std::move(batch)).ok());
  }
  json demand(const std::string& words) {
    EXPECT_EQ(run("smki demand " + words + " --data " + data_ + " --json"), 0) << out_;
    return json::parse(out_);
  }
};

TEST_F(DemandCommands, ReportTheEdges) {
  std::map<std::string, std::string> verdicts;
  const json report = demand("report --month 2024-04");
  for (const json& row : report["subscribers"]) verdicts[row["name"]] = row["verdict"];
  EXPECT_EQ(verdicts, (std::map<std::string, std::string>{{"Exactly", "over"},
                                                          {"Below", "within"},
                                                          {"Zero", "over"},
                                                          {"Absent", "absent"},
                                                          {"Revised", "within"}}));
  ASSERT_EQ(run("smki demand report --month 2024-04 --data " + data_), 0) << out_;
  EXPECT_TRUE(has(out_, "110.00 %")) << out_;
  EXPECT_EQ(demand("forecasts --subscriber 90-57-53-00-00-05-40-00")["forecasts"].size(), 2u)
      << "every revision is kept";
  EXPECT_EQ(run("smki demand report --month April --data " + data_), 1);
}

TEST_F(DemandCommands, DrawThePlotInTheTerminalAsRowsAndAsAPicture) {
  const fs::path rows = folder_ / "plot.tsv", picture = folder_ / "plot.svg";
  const std::string plot = "smki demand plot --from 2024-03 --to 2024-05 --data " + data_;
  ASSERT_EQ(run(plot + " --plot " + rows.string()), 0) << out_;
  EXPECT_TRUE(has(out_, "2024-04  ####")) << out_;
  EXPECT_EQ(read(rows),
            "month\tactual\tforecast\tpercent\n2024-03\t0\t3000\t0.00\n"
            "2024-04\t3240\t3000\t108.00\n2024-05\t0\t3000\t0.00\n");
  ASSERT_EQ(run(plot + " --plot " + picture.string() + " --json"), 0) << out_;
  EXPECT_EQ(json::parse(out_)["points"][1]["actual"], 3240);
  const std::string svg = read(picture);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n")) << svg;
  EXPECT_TRUE(has(svg, "<title>3240 requested</title>")) << svg;
  EXPECT_EQ(run(plot + " --to 2023-01"), 2) << "an option twice";
  EXPECT_EQ(run("smki demand plot --from 2024-05 --to 2024-03 --data " + data_), 1);
}

TEST_F(DemandCommands, AllocateAgainFromTheSamePartOfTheJournal) {
  const json made = demand("allocate --month 2024-04 --capacity 1000");
  EXPECT_EQ(made["given"], 1000);
  EXPECT_EQ(made["excess"], true);
  store_ = std::move(storage::open_rocksdb_store(fs::path(data_) / "store").value());
  request(Eui64::from_number(0x9057530000050000), 5000);
  store_.reset();
  EXPECT_NE(demand("allocate --month 2024-04 --capacity 1000")["asked"], made["asked"]);
  EXPECT_EQ(demand("allocate --month 2024-04 --capacity 1000 --facts " + made["facts"].dump()),
            made)
      << "replayed from the same facts";
  EXPECT_EQ(demand("allocate --month 2024-04")["capacity"], 20'000'000) << "the dated parameter";
  const json parameters = [&] {
    EXPECT_EQ(run("smki demand parameters --profile sec-2014 --json"), 0) << out_;
    return json::parse(out_)["parameters"];
  }();
  EXPECT_TRUE(std::ranges::any_of(parameters, [](const json& row) {
    return row["name"] == "capacity_requests" && row.contains("in_force_from");
  }));
}

}  // namespace
}  // namespace wattseal
