#include "apps/sftp_export.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/sftp_server.h"
#include "smki/documents.h"
#include "smki/test_rig.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using smki::test::kDevice;
using smki::test::kMaker;

struct Exported : ::testing::Test {
  smki::test::Rig rig;
  const fs::path to = fs::temp_directory_path() / ("wattseal-sftp-" + std::to_string(::getpid()));
  SftpOptions options{4, 2, false};
  std::set<std::string> serials;

  Exported() {
    fs::remove_all(to);
    rig.settle();
  }
  ~Exported() override { fs::remove_all(to); }
  void issue(std::size_t count) {
    std::vector<Bytes> requests;
    for (std::size_t i = 0; i < count; ++i)
      requests.push_back(
          rig.device_request(Eui64::from_number(kDevice.number() + serials.size() + i)));
    const smki::BatchId batch =
        rig.authority.submit({kMaker, requests, rig.world.new_trace()}).value();
    rig.settle();
    for (const smki::RowResult& row : rig.authority.results(batch, 0, 1000))
      serials.insert(row.serial.value().hex());
  }
  Result<SftpReport> run() { return export_sftp(rig.world, *rig.store, to, options); }
  fs::path current() const { return to / fs::read_symlink(to / "current"); }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // Serials of device certificates in the bundles, each checked against its PEM.
  std::set<std::string> found() const {
    std::set<std::string> all;
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(current() / "certificates")) {
      if (entry.path().extension() != ".csv") continue;
      std::vector<std::string> rows;
      std::istringstream csv(read(entry.path()));
      for (std::string line; std::getline(csv, line);) rows.push_back(line);
      const std::string pem = read(fs::path(entry.path()).replace_extension(".pem"));
      std::size_t at = 0;
      for (std::size_t i = 1; i < rows.size(); ++i) {
        const std::size_t end = pem.find("-----END CERTIFICATE-----\n", at) + 26;
        const x509::Certificate one = x509::parse_certificate_pem(pem.substr(at, end - at)).value();
        at = end;
        EXPECT_EQ(rows[i].substr(0, 32), one.serial.hex());
        if (rows[i].find(",device-") != std::string::npos) {
          EXPECT_TRUE(all.insert(one.serial.hex()).second) << "twice";
        }
      }
      EXPECT_EQ(at, pem.size()) << "as many certificates as rows";
    }
    return all;
  }
};

TEST_F(Exported, HoldsEveryCertificateListAndDocumentOfTheRepository) {
  smki::Documents documents(rig.world, *rig.store);
  ASSERT_TRUE(
      rig.authority.register_party({kMaker, "DCC", "dcc", {}, {{kDevice, kDevice}}}, {}).ok());
  issue(1);
  const smki::Lodging rapp{
      "rapp", "", "RAPP", "1.0", "text/plain", std::nullopt, {'t', 'e', 'x', 't'}};
  ASSERT_TRUE(documents.lodge(rapp, {kMaker}, {}).ok());
  const SftpReport report = run().value();
  EXPECT_TRUE(report.made_now);
  EXPECT_EQ(report.tree, "trees/000001");
  EXPECT_EQ(report.certificates, 5u) << "four authorities and a device";
  EXPECT_EQ(report.documents, 1u);
  EXPECT_EQ(found(), serials);
  EXPECT_EQ(read(current() / "documents/rapp/1-1.0"), "text");
  EXPECT_EQ(json::parse(read(current() / "documents/index.json"))[0]["state"], "in-force");
  std::size_t lists = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(current() / "crl")) {
    EXPECT_TRUE(x509::parse_crl(to_bytes(as_bytes(read(entry.path())))).ok()) << entry.path();
    ++lists;
  }
  EXPECT_EQ(lists, 4u);
  EXPECT_EQ(json::parse(read(current() / "manifest.json"))["up_to"], report.up_to);
  EXPECT_EQ(check_sftp(to)->files, report.files);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(to)) {
    if (entry.is_symlink() || entry.path().filename() == ".lock") continue;
    EXPECT_EQ(static_cast<unsigned>(entry.status().permissions()) & 0777u,
              entry.is_directory() ? 0755u : 0644u)
        << entry.path();
  }
}

TEST_F(Exported, LinksWhatDidNotChangeAndKeepsOldTreesForTheirReaders) {
  issue(10);  // two full bundles of four, one of two
  ASSERT_TRUE(run().ok());
  const fs::path first = current();
  EXPECT_FALSE(run()->made_now) << "nothing had changed";
  EXPECT_EQ(current(), first);
  issue(3);
  const SftpReport second = run().value();
  EXPECT_EQ(found(), serials);
  // The third bundle is full now, the fourth is new; the manifest always is.
  EXPECT_EQ(second.written, 5u);
  std::size_t linked = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(current())) {
    const fs::path old = first / fs::relative(entry.path(), current());
    if (entry.is_regular_file() && fs::exists(old) && fs::equivalent(entry.path(), old)) ++linked;
  }
  EXPECT_EQ(linked, second.files - second.written);
  EXPECT_TRUE(fs::exists(first / "manifest.json")) << "somebody may be reading it";
  issue(1);
  ASSERT_TRUE(run().ok());
  EXPECT_FALSE(fs::exists(first)) << "two trees are kept";
  EXPECT_EQ(found(), serials);
}

TEST_F(Exported, MakesTheSameTreeFromPartsAndAtOnce) {
  for (const std::size_t more : {1u, 2u, 1u, 4u, 3u, 9u}) {
    issue(more);
    ASSERT_TRUE(run().ok());
  }
  const json parts = json::parse(read(current() / "manifest.json"));
  options.whole = true;
  ASSERT_TRUE(run()->made_now);
  EXPECT_EQ(json::parse(read(current() / "manifest.json")), parts);
}

TEST_F(Exported, StandsWhenItWasCutShortOrDamaged) {
  issue(6);
  ASSERT_TRUE(run().ok());
  const fs::path first = current();
  fs::create_directories(to / "trees/000002.part/certificates");  // cut short
  issue(1);
  EXPECT_EQ(run()->tree, "trees/000002");
  EXPECT_FALSE(fs::exists(to / "trees/000002.part"));
  EXPECT_EQ(found(), serials);

  fs::path last;  // the bundle that is not full
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(current())) {
    if (entry.path().extension() == ".pem" && entry.path().filename() == "000001.pem")
      last = entry.path();
  }
  std::ofstream(last, std::ios::app) << "x";
  EXPECT_EQ(check_sftp(to).refusal().rule, "sftp-damaged"_rule);
  issue(1);
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(found(), serials) << "what cannot be built upon is made again";
  EXPECT_TRUE(check_sftp(to).ok());

  std::ofstream(current() / "manifest.json") << "{}";
  ASSERT_TRUE(run()->made_now);
  EXPECT_TRUE(check_sftp(to).ok());
  std::ofstream(current() / "stray") << "x";
  EXPECT_EQ(check_sftp(to).refusal().field, "stray");
}

TEST_F(Exported, RefusesAnotherStoreSomethingElseAndASecondExport) {
  ASSERT_TRUE(run().ok());
  smki::test::Rig other;
  other.clock.advance(1);
  other.settle();
  ASSERT_TRUE(other.authority.register_party({kMaker, "X", "supplier", {}, {}}, {}).ok());
  const std::unique_ptr<storage::Store> another = storage::memory_store();
  storage::Batch batch;
  batch.append(as_bytes("another first fact"));
  ASSERT_TRUE(another->commit(std::move(batch)).ok());
  EXPECT_EQ(export_sftp(rig.world, *another, to, options).refusal().rule, "sftp-target"_rule);
  const fs::path own = to / "own";
  fs::create_directories(own);
  std::ofstream(own / "letters.txt") << "mine";
  EXPECT_EQ(export_sftp(rig.world, *rig.store, own, options).refusal().rule, "sftp-target"_rule);
  EXPECT_EQ(check_sftp(own).refusal().rule, "sftp-damaged"_rule);
}

// ---- the server's text

TEST(SftpServerText, RefusesWhatWouldSayMoreThanItShould) {
  EXPECT_TRUE(sshd_config({}).ok());
  const auto field = [](auto change) {
    SftpServer server;
    change(server);
    const Result<std::string> text = sshd_config(server);
    return text.ok() ? "" : text.refusal().field;
  };
  EXPECT_EQ(field([](SftpServer& s) { s.address = "localhost"; }), "address");
  EXPECT_EQ(field([](SftpServer& s) { s.port = 0; }), "port");
  EXPECT_EQ(field([](SftpServer& s) { s.port = 65536; }), "port");
  EXPECT_EQ(field([](SftpServer& s) { s.user = "a b"; }), "user");
  EXPECT_EQ(field([](SftpServer& s) { s.user = "*"; }), "user");
  EXPECT_EQ(field([](SftpServer& s) { s.root = "srv"; }), "root");
  EXPECT_EQ(field([](SftpServer& s) { s.root = "/srv\nPermitRootLogin yes"; }), "root");
  EXPECT_EQ(field([](SftpServer& s) { s.host_key = "/etc/%h"; }), "host-key");
  EXPECT_EQ(field([](SftpServer& s) { s.authorized_keys = "/a b"; }), "authorized-keys");
  EXPECT_EQ(field([](SftpServer& s) { s.pid_file = ""; }), "pid-file");
  SftpServer six;
  six.address = "::1";
  EXPECT_NE(sshd_config(six)->find("ListenAddress [::1]:8022\n"), std::string::npos);
}

TEST(SftpServerText, ReadsTheKeysOfParties) {
  Bytes blob;
  put_be(blob, 11, 4);
  append(blob, as_bytes("ssh-ed25519"));
  put_be(blob, 32, 4);
  blob.resize(blob.size() + 32, 7);
  const std::string good = "90-57-53-00-00-01-00-00 ssh-ed25519 " + to_base64(blob);
  const std::vector<SftpKey> keys = read_sftp_keys("# parties\n\n" + good + " of Ada\r\n").value();
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].fingerprint.substr(0, 7), "SHA256:");
  EXPECT_EQ(keys[0].fingerprint.size(), 50u);
  EXPECT_EQ(authorized_keys(keys, {{keys[0].party, "Alder\nssh-rsa"}}),
            "restrict ssh-ed25519 " + to_base64(blob) + " 90-57-53-00-00-01-00-00 Alder?ssh-rsa\n");
  const auto line = [](const std::string& text) {
    const Result<std::vector<SftpKey>> read = read_sftp_keys(text);
    return read.ok() ? "" : read.refusal().field;
  };
  EXPECT_EQ(line(good + "\n" + good), "line 2") << "a key has one party";
  EXPECT_EQ(line("Alder ssh-ed25519 " + to_base64(blob)), "line 1");
  EXPECT_EQ(line("90-57-53-00-00-01-00-00 ssh-dss " + to_base64(blob)), "line 1");
  EXPECT_EQ(line("90-57-53-00-00-01-00-00 ecdsa-sha2-nistp256 " + to_base64(blob)), "line 1");
  EXPECT_EQ(line("90-57-53-00-00-01-00-00 ssh-ed25519 ????"), "line 1");
  EXPECT_EQ(line("\n90-57-53-00-00-01-00-00 ssh-ed25519"), "line 2");
}

}  // namespace
}  // namespace wattseal::apps
