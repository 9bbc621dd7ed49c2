// Batches, backups, hand-over and the registration office as commands: exit codes, what they print,
// what they leave behind, and how they go on after an interruption.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "apps/platform.h"
#include "apps/street.h"
#include "base/log.h"
#include "smki/repository.h"
#include "storage/reading.h"
#include "tests/shell.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000);

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
void write(const fs::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary) << content;
}
std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++found;
  return found;
}

class Commands : public ::testing::Test {
 protected:
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-smki-" + std::to_string(::getpid()) + "-" +
                                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::string data_ = (folder_ / "data").string();
  const std::unique_ptr<Clock> clock_ = system_clock();
  const std::unique_ptr<Random> random_ = system_random();
  const World world_{*clock_, *random_};
  std::string out_;  // what was printed, or else what was complained of

  void SetUp() override {
    log::set_level(log::Level::off);
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    fs::remove_all(folder_);
    log::set_level(log::Level::info);
  }
  int run(const std::string& words) {
    const std::string complaints = (folder_ / "complaints").string();
    test::Ran ran = test::shell(WATTSEAL_PROGRAM " " + words + " 2>" + complaints);
    out_ = ran.out.empty() ? read(complaints) : std::move(ran.out);
    return ran.code;
  }
  json answer() const { return json::parse(out_, nullptr, false); }
  std::string rule() const { return answer().is_object() ? answer().value("rule", out_) : out_; }
};

const std::vector<smki::Founder> kFounders{
    {"Ada Lind", "ra-manager"}, {"Ben", "ra-manager"},    {"Cara", "ra-personnel"},
    {"Dan", "ra-personnel"},    {"Eve", "key-custodian"}, {"Fay", "key-custodian"},
    {"Gus", "key-custodian"},   {"Hal", "key-custodian"}, {"Ivy", "key-custodian"}};

// The service runs in this process, the commands as they do for anyone.
class SmkiCommands : public Commands {
 protected:
  std::unique_ptr<apps::Platform> platform_;
  std::unique_ptr<http::Client> client_;
  const std::string file_ = (folder_ / "requests.csv").string();

  void SetUp() override {
    Commands::SetUp();
    start();
    Workers workers;
    apps::Street street(world_, workers, 2, kFirst);
    std::string csv = "request\n";
    for (const Bytes& request : street.make_requests()) csv += to_base64(request) + "\n";
    write(file_, csv + "no request\n");
  }
  void TearDown() override {
    client_.reset();
    platform_.reset();
    Commands::TearDown();
  }
  void start() {
    client_.reset();
    platform_.reset();  // gives up the store
    apps::PlatformOptions options;
    options.data = data_;
    options.key_store = "file";
    platform_ = std::move(apps::Platform::create(world_, options).value());
    if (!fs::exists(folder_ / "founded")) {
      ASSERT_TRUE(platform_->hold_founding(kFounders, {"Wanda"}).ok());
      write(folder_ / "founded", "");
    }
    ASSERT_TRUE(platform_->start_smki().ok());
    ASSERT_TRUE(platform_->registration_authority()
                    .register_party({kMaker,
                                     "Elm",
                                     "manufacturer",
                                     {},
                                     {{kFirst, Eui64::from_number(kFirst.number() + 999)}}},
                                    world_.new_trace())
                    .ok());
    client_ = std::move(http::Client::open(platform_->smki_url()).value());
  }
  // `wattseal smki batch WHAT …` of the subscriber.
  int batch(const std::string& what, const std::string& words) {
    return run("smki batch " + what + " --url " + platform_->smki_url() + " --subscriber " +
               kMaker.text() + " " + words);
  }
  http::Response send(const std::string& method, const std::string& path, std::string body = "",
                      std::vector<http::Header> headers = {}) {
    http::Request request;
    request.method = method;
    request.path = path.substr(0, path.find('?'));
    if (const std::size_t mark = path.find("?format="); mark != std::string::npos)
      request.query.push_back({"format", path.substr(mark + 8)});
    request.body = std::move(body);
    request.headers = std::move(headers);
    request.headers.push_back({"X-Subscriber", kMaker.text()});
    return client_->send(request);
  }
};

TEST_F(SmkiCommands, SubmitABatchFollowItAndFetchItsResults) {
  EXPECT_EQ(batch("submit", file_ + " --json"), 1) << "one row is refused";
  const json done = answer();
  ASSERT_TRUE(done.is_object()) << out_;
  EXPECT_EQ(done["rows"], 17);
  EXPECT_EQ(done["published"], 16);
  ASSERT_EQ(done["results"].size(), 17u);
  EXPECT_EQ(done["results"][16]["state"], "refused");
  const std::string number = done["batch"].dump();

  EXPECT_EQ(batch("submit", file_ + " --no-wait --json"), 0) << "safe to repeat";
  EXPECT_EQ(answer()["batch"], done["batch"]);
  EXPECT_EQ(batch("status", number + " --json"), 0);
  EXPECT_EQ(answer()["refused"], 1);
  EXPECT_EQ(batch("status", number), 0);
  EXPECT_NE(out_.find("16 published"), std::string::npos) << out_;

  const std::string pem = (folder_ / "out.pem").string();
  EXPECT_EQ(batch("results", number + " --format pem --out " + pem), 0) << out_;
  EXPECT_EQ(count(read(pem), "-----BEGIN CERTIFICATE-----"), 16u);
  EXPECT_FALSE(fs::exists(pem + ".part"));
  EXPECT_EQ(run("smki lint --json " + pem), 0) << out_;
  EXPECT_EQ(batch("results", number + " --format csv"), 0);
  EXPECT_EQ(count(out_, "\n"), 18u) << "a header and a line a row: " << out_;
  EXPECT_EQ(batch("quota", "--json"), 0);
  EXPECT_EQ(answer()["waiting_requests"]["used"], 0);
}

TEST_F(SmkiCommands, AreRefusedByName) {
  EXPECT_EQ(batch("status", "999 --json"), 1);
  EXPECT_EQ(rule(), "ra-unknown-batch") << out_;
  EXPECT_EQ(batch("status", "nonsense"), 2);
  EXPECT_EQ(batch("submit", (folder_ / "missing.csv").string()), 2) << out_;
  EXPECT_EQ(run("smki batch submit " + file_ + " --json --url " + platform_->smki_url() +
                " --subscriber 90-57-53-00-00-99-00-00"),
            1);
  EXPECT_EQ(rule(), "ra-unknown-subscriber") << out_;
  EXPECT_EQ(
      run("smki batch submit " + file_ + " --url http://127.0.0.1:9 --subscriber " + kMaker.text()),
      3)
      << "nobody listens";
}

TEST_F(SmkiCommands, GoOnWithAnUploadThatWasInterruptedAlsoAfterARestart) {
  const std::string content = read(file_), state = file_ + ".wattseal-upload";
  const http::Response begun =
      send("POST", "/api/v1/uploads", json{{"size", content.size()}}.dump());
  ASSERT_EQ(begun.status, 201) << begun.body;
  const std::string upload = json::parse(begun.body)["upload"].dump();
  const std::string path = "/api/v1/uploads/" + upload;
  ASSERT_EQ(send("PATCH", path, content.substr(0, 1500), {{"Upload-Offset", "0"}}).status, 200);
  write(state, json{{"sha256", to_hex(crypto::sha256(as_bytes(content)))},
                    {"subscriber", kMaker.text()},
                    {"upload", json::parse(upload)}}
                   .dump());
  start();  // the service dies and comes back

  EXPECT_EQ(batch("submit", file_ + " --resume --json"), 1) << "one row is refused";
  ASSERT_TRUE(answer().is_object()) << out_;
  EXPECT_EQ(answer()["published"], 16);
  EXPECT_FALSE(fs::exists(state)) << "nothing is left to go on with";
  EXPECT_EQ(json::parse(send("GET", path).body)["batch"], answer()["batch"])
      << "it was this upload that was finished";
  const std::string next = std::to_string(std::stoull(upload) + 1);
  EXPECT_EQ(send("GET", "/api/v1/uploads/" + next).status, 404) << "and no other was begun";
}

TEST_F(SmkiCommands, BeginAnewWhereTheFileIsAnotherThanTheOneThatWasInterrupted) {
  const std::string content = read(file_), state = file_ + ".wattseal-upload";
  const json begun =
      json::parse(send("POST", "/api/v1/uploads", json{{"size", content.size()}}.dump()).body);
  write(state, json{{"sha256", to_hex(crypto::sha256(as_bytes(content)))},
                    {"subscriber", kMaker.text()},
                    {"upload", begun["upload"]}}
                   .dump());
  write(file_, content + "another row\n");
  EXPECT_EQ(batch("submit", file_ + " --resume --no-wait --json"), 0) << out_;
  EXPECT_EQ(answer()["rows"], 18);
  EXPECT_FALSE(fs::exists(state));
  const json first = json::parse(send("GET", "/api/v1/uploads/" + begun["upload"].dump()).body);
  EXPECT_EQ(first["offset"], 0) << "the earlier upload is as it was";
}

TEST_F(SmkiCommands, GoOnWithADownloadThatWasInterruptedUnlessItIsOfAnotherFile) {
  ASSERT_EQ(batch("submit", file_ + " --json"), 1);
  const std::string number = answer()["batch"].dump(), out = (folder_ / "certs.pem").string();
  ASSERT_EQ(batch("results", number + " --format pem --out " + out), 0) << out_;
  const std::string whole = read(out);
  std::string tag;
  for (const http::Header& one :
       send("GET", "/api/v1/batches/" + number + "/results?format=pem").headers) {
    if (one.name == "ETag" || one.name == "etag") tag = one.value;
  }
  ASSERT_FALSE(tag.empty());
  for (const std::string& of : {tag, std::string("\"another\"")}) {
    fs::remove(out);
    write(out + ".part", of == tag ? whole.substr(0, 1000) : std::string(1000, 'x'));
    write(out + ".part.tag", of + "\n");
    start();
    EXPECT_EQ(batch("results", number + " --format pem --resume --out " + out), 0) << out_;
    EXPECT_EQ(read(out), whole) << of;
    EXPECT_FALSE(fs::exists(out + ".part"));
    EXPECT_FALSE(fs::exists(out + ".part.tag"));
  }
}

TEST_F(SmkiCommands, ShowTheOfficesRecordsToPeopleOfTheOfficeOnly) {
  const std::string url = " --url " + platform_->smki_url();
  for (const char* words : {"people", "parties", "acts", "act 1", "activity"}) {
    EXPECT_EQ(run("ra" + url + " --json " + words), 1) << words;
    EXPECT_EQ(rule(), "ra-person-missing") << words << " " << out_;
    EXPECT_EQ(run("ra" + url + " --person 99 --json " + words), 1) << words;
    EXPECT_EQ(rule(), "office-person") << words << " " << out_;
  }
  EXPECT_EQ(run("ra" + url + " --person 1 people"), 0) << out_;
  EXPECT_NE(out_.find("Ada Lind"), std::string::npos) << out_;
  EXPECT_EQ(run("ra" + url + " --person 1 parties --json"), 0);
  EXPECT_EQ(answer()["parties"].size(), 1u);
  EXPECT_EQ(run("ra" + url + " --person 1 activity --json"), 0);
  EXPECT_EQ(run("ra kinds --json"), 0) << "asks for nobody";
}

TEST_F(SmkiCommands, ShowFactsWithoutPeopleUnlessAskedFor) {
  const std::string url = " --url " + platform_->smki_url();
  ASSERT_EQ(run("ra" + url +
                " --person 1 propose appoint-ra-personnel name='Gil Ash' evidence='passport 77' "
                "screened_on=2026-04-01 --json"),
            0)
      << out_;
  client_.reset();
  platform_.reset();
  ASSERT_EQ(run("audit show --max 100000 --json --data " + data_), 0);
  const std::string facts = out_;
  for (const char* personal : {"Gil Ash", "passport 77", "Ada Lind", "Wanda"})
    EXPECT_EQ(facts.find(personal), std::string::npos) << personal;
  EXPECT_NE(facts.find("(withheld)"), std::string::npos);
  EXPECT_NE(facts.find("person 1"), std::string::npos);
  ASSERT_EQ(run("audit show --max 100000 --json --with-people --data " + data_), 0);
  for (const char* personal : {"Gil Ash", "passport 77", "Ada Lind", "Wanda"})
    EXPECT_NE(out_.find(personal), std::string::npos) << personal;
}

// ---- backups and hand-over: the service is stopped

class KeepingCommands : public Commands {
 protected:
  const std::string copy_ = (folder_ / "copy").string(), other_ = (folder_ / "other").string();

  void SetUp() override {
    Commands::SetUp();
    ASSERT_EQ(run("smki ceremony --data " + data_ + " --keys file"), 0) << out_;
  }
  // The certificate of an authority, as PEM.
  std::string root(const char* profile) {
    const std::unique_ptr<storage::Store> store =
        storage::open_rocksdb_store_to_read(fs::path(data_) / "store").value();
    smki::CertificateQuery query;
    query.profile = profile;
    const Bytes der = smki::Repository(world_, *store).search(query)->certificates.at(0).der;
    const std::string file = (folder_ / (std::string(profile) + ".pem")).string();
    write(file, x509::to_pem("CERTIFICATE", der));
    return file;
  }
  static fs::path a_file_of(const fs::path& folder, const std::string& extension) {
    for (const fs::directory_entry& one : fs::recursive_directory_iterator(folder)) {
      if (one.is_regular_file() && one.path().extension() == extension && one.file_size() > 0)
        return one.path();
    }
    return {};
  }
};

TEST_F(KeepingCommands, BackUpAndRestoreAStoreThatIsProvedTheSame) {
  ASSERT_EQ(run("audit verify --json --data " + data_), 0);
  const json before = answer();
  ASSERT_EQ(run("backup --json --data " + data_ + " --to " + copy_), 0) << out_;
  const json made = answer();
  EXPECT_EQ(made["facts"], before["entries"]);
  EXPECT_EQ(run("backup --json --data " + data_ + " --to " + copy_), 1);
  EXPECT_EQ(rule(), "backup-target");
  EXPECT_EQ(run("restore --check --json --from " + copy_), 0) << out_;
  EXPECT_EQ(answer()["chain"], made["chain"]);
  EXPECT_FALSE(fs::exists(other_)) << "a check writes nothing";
  EXPECT_EQ(run("restore --json --from " + copy_ + " --data " + other_), 0) << out_;
  EXPECT_EQ(run("audit verify --json --data " + other_), 0) << out_;
  EXPECT_EQ(answer()["entries"], before["entries"]);
  EXPECT_EQ(run("audit rebuild --json --data " + other_), 0) << out_;
  EXPECT_EQ(run("smki ceremony --keys file --json --data " + other_), 0) << "its keys are there";
  const json there = answer();
  for (const json& authority : there["authorities"]) EXPECT_FALSE(authority["made_now"]);
  EXPECT_EQ(run("restore --json --from " + copy_ + " --data " + data_), 1) << "one is there";
  EXPECT_EQ(run("backup --json --data " + (folder_ / "nowhere").string() + " --to " + other_), 1);
  EXPECT_EQ(rule(), "apps-no-store");
}

TEST_F(KeepingCommands, RefuseADamagedBackupByName) {
  ASSERT_EQ(run("backup --data " + data_ + " --to " + copy_), 0) << out_;
  const fs::path victim =
      a_file_of(copy_, ".sst").empty() ? a_file_of(copy_, ".log") : a_file_of(copy_, ".sst");
  ASSERT_FALSE(victim.empty());
  std::string content = read(victim);
  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 1);
  write(victim, content);
  EXPECT_EQ(run("restore --check --json --from " + copy_), 1);
  EXPECT_EQ(rule(), "backup-damaged");
  EXPECT_NE(out_.find(victim.filename().string()), std::string::npos) << out_;
  EXPECT_EQ(run("restore --json --from " + copy_ + " --data " + other_), 1);
  EXPECT_FALSE(fs::exists(fs::path(other_) / "store")) << "nothing of it is taken";
}

TEST_F(KeepingCommands, HandOverABundleThatANewProviderProves) {
  const std::string oca = root("root-oca"), dca = root("root-dca");
  ASSERT_EQ(run("handover export --json --keys file --data " + data_ + " --to " + copy_), 0)
      << out_;
  EXPECT_EQ(run("handover import " + copy_ + " --check --json --root " + oca + " --root " + dca), 0)
      << out_;
  EXPECT_EQ(answer()["roots_given"], true);
  EXPECT_EQ(answer()["authorities"], 4);
  EXPECT_EQ(answer()["imported"], false);
  ASSERT_EQ(run("smki ceremony --keys file --data " + other_), 0) << "a stranger's hierarchy";
  const std::unique_ptr<storage::Store> stranger =
      storage::open_rocksdb_store_to_read(fs::path(other_) / "store").value();
  smki::CertificateQuery query;
  query.profile = "root-oca";
  const std::string strange = (folder_ / "strange.pem").string();
  write(strange,
        x509::to_pem("CERTIFICATE",
                     smki::Repository(world_, *stranger).search(query)->certificates.at(0).der));
  EXPECT_EQ(run("handover import " + copy_ + " --check --json --root " + strange), 1);
  EXPECT_EQ(rule(), "handover-signature");
  const std::string taken = (folder_ / "taken").string();
  EXPECT_EQ(run("handover import " + copy_ + " --json --data " + taken + " --root " + oca +
                " --root " + dca),
            0)
      << out_;
  EXPECT_EQ(answer()["imported"], true);
  EXPECT_EQ(run("audit verify --data " + taken), 0) << out_;
  EXPECT_EQ(run("audit rebuild --data " + taken), 0) << out_;
  const fs::path manifest = fs::path(copy_) / "manifest.json";
  std::string text = read(manifest);
  ASSERT_FALSE(text.empty());
  text[text.size() / 2] = text[text.size() / 2] == '1' ? '2' : '1';
  write(manifest, text);
  EXPECT_EQ(run("handover import " + copy_ + " --check --json"), 1);
}

}  // namespace
}  // namespace wattseal
