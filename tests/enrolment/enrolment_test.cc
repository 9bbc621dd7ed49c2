// EST with curl and CMP with openssl cmp against the running service, over TLS with client
// certificates where EST is concerned.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "apps/platform.h"
#include "base/log.h"
#include "tests/shell.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Eui64 kMaker = Eui64::from_number(0x9057530000050000),
                kFirst = Eui64::from_number(0x0057530000000000),
                kSupplier = Eui64::from_number(0x9057530000010000);

using test::Ran;
using test::shell;

std::string module_extension(Eui64 device) {
  return "[device]\nkeyUsage=critical,digitalSignature\n"
         "subjectAltName=critical,otherName:1.3.6.1.5.5.7.8.4;SEQUENCE:module\n"
         "[organisation]\nkeyUsage=critical,digitalSignature\n"
         "[module]\ntype=OID:1.2.3.4\nserial=FORMAT:HEX,OCT:" +
         device.hex() + "\n[req]\ndistinguished_name=none\n[none]\n";
}

class Enrolment : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { log::set_level(log::Level::off); }
  static void TearDownTestSuite() { log::set_level(log::Level::info); }

  void SetUp() override {
    if (shell("curl --version && openssl cmp -help").code != 0) GTEST_SKIP() << "no curl, openssl";
    fs::create_directories(folder_);
    make_authority();
    for (const char* who : {"server", "officer", "supplier", "stranger"}) make_credential(who);
    start();
    people();
  }
  void TearDown() override {
    platform_.reset();
    fs::remove_all(folder_);
  }

  // Runs in the test's folder; $TLS and $CMP stand for what every call has.
  Ran in(const std::string& command) const {
    std::ostringstream line;
    line << "cd " << folder_.string() << " && export LC_ALL=C; ";
    if (platform_) {
      const std::string url = platform_->smki_url();
      line << "EST=" << url << "/.well-known/est; CMP='openssl cmp -tls_used -server "
           << url.substr(8) << " -path .well-known/cmp -tls_trusted ca.pem -trusted roots.pem "
           << "-tls_cert officer.pem -tls_key officer.key'; "
           << "CURL='curl -sS --cacert ca.pem'; ";
    }
    line << command;
    return shell(line.str());
  }
  std::string read(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  // One authority of this world outside SMKI, and what it says of somebody.
  void make_authority() const {
    const Ran ran =
        in("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "
           "30 -keyout ca.key -out ca.pem -subj /CN=credentials");
    ASSERT_EQ(ran.code, 0) << ran.out;
    write("usage.cnf", "keyUsage=critical,digitalSignature\nsubjectAltName=IP:127.0.0.1\n");
  }
  void make_credential(const std::string& who) const {
    const Ran ran =
        in("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
           "-keyout " +
           who + ".key -out " + who + ".csr -subj /CN=" + who + " && openssl x509 -req -in " + who +
           ".csr -CA ca.pem -CAkey ca.key "
           "-CAcreateserial -days 20 -extfile usage.cnf -out " +
           who + ".pem");
    ASSERT_EQ(ran.code, 0) << ran.out;
  }

  void start() {
    apps::PlatformOptions options;
    options.key_store = "memory";
    options.tls = http::Tls{folder_ / "server.pem", folder_ / "server.key", folder_ / "ca.pem"};
    platform_ = std::move(apps::Platform::create(world_, options).value());
    ASSERT_TRUE(platform_->run_ceremony().ok());
    ASSERT_TRUE(platform_->start_smki().ok());
    ASSERT_TRUE(platform_->start_gateway().ok());
    const Eui64 last = Eui64::from_number(kFirst.number() + 999);
    ASSERT_TRUE(platform_->registration_authority()
                    .register_party({kMaker, "Elm", "manufacturer", {}, {{kFirst, last}}}, {})
                    .ok());
    ASSERT_TRUE(platform_->registration_authority()
                    .register_party({kSupplier,
                                     "Alder",
                                     "supplier",
                                     {UserRole::import_supplier},
                                     {{kSupplier, kSupplier}},
                                     true},
                                    {})
                    .ok());
    std::string roots;
    for (const smki::PublishedCertificate& one : platform_->repository().authorities()) {
      const x509::Certificate certificate = x509::parse_certificate(one.der).value();
      if (certificate.issuer_der == certificate.subject_der)
        roots += x509::to_pem("CERTIFICATE", one.der);
    }
    write("roots.pem", roots);
  }

  smki::ActId done(const char* kind, const json& payload, smki::PersonId proposer,
                   smki::PersonId approver) {
    const Result<smki::ActId> act = platform_->office().propose(kind, payload, {proposer, ""}, {});
    EXPECT_TRUE(act.ok()) << explain(act.refusal());
    const Result<smki::ActState> state = platform_->office().approve(*act, {approver, ""}, {});
    EXPECT_TRUE(state.ok() && *state == smki::ActState::done) << kind;
    return *act;
  }
  smki::PersonId person(const std::string& name) const {
    for (const smki::Person& one : platform_->office().people()) {
      if (one.name == name) return one.id;
    }
    ADD_FAILURE() << name;
    return 0;
  }
  // An officer of each party, known by its credential.
  void people() {
    const std::vector<smki::PersonId> managers =
        platform_->office().found({"Ada", "Ben"}, {}).value();
    ada_ = managers[0];
    ben_ = managers[1];
    const std::string today = world_.now().iso().substr(0, 10);
    for (const auto& [party, credential] :
         {std::pair{kMaker, "officer"}, std::pair{kSupplier, "supplier"}}) {
      const std::string name(credential);
      const auto particulars = [&](const std::string& who) {
        return json{
            {"party", party.text()}, {"name", who}, {"evidence", "letter"}, {"screened_on", today}};
      };
      done("appoint-sro", particulars("sro of " + name), ada_, ben_);
      done("appoint-aro", particulars(name), person("sro of " + name), ada_);
      done("register-credential",
           {{"person", std::to_string(person(name))}, {"certificate", read(name + ".pem")}}, ada_,
           ben_);
    }
  }

  void make_device_request(Eui64 device, const std::string& name) const {
    write("device.cnf", module_extension(device));
    const Ran ran =
        in("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + name +
           ".key -subj / -config device.cnf -reqexts device -outform DER -out " + name +
           ".der && base64 " + name + ".der > " + name + ".b64");
    ASSERT_EQ(ran.code, 0) << ran.out;
  }
  std::uint64_t issued() const {
    std::uint64_t count = 0;
    platform_->store().journal(1, [&](const storage::JournalEntry& entry) {
      const FactView fact = FactView::read(entry.fact).value();
      count += fact.kind() == FactKind::certificate_issued && fact.find(FactField::batch) ? 1 : 0;
      return true;
    });
    return count;
  }

  std::unique_ptr<Clock> clock_ = system_clock();
  std::unique_ptr<Random> random_ = system_random();
  World world_{*clock_, *random_};
  fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-enrolment-" + std::to_string(::getpid()));
  std::unique_ptr<apps::Platform> platform_;
  smki::PersonId ada_ = 0, ben_ = 0;
};

constexpr const char* kEnroll =
    "$CURL --cert officer.pem --key officer.key -H 'Content-Type: application/pkcs10' "
    "-w '%{http_code} %{content_type}' ";

TEST_F(Enrolment, EstServesCurl) {
  const Ran authorities =
      in("$CURL --cert stranger.pem --key stranger.key $EST/cacerts | openssl base64 -d | "
         "openssl pkcs7 -inform DER -print_certs -noout | grep -c subject");
  EXPECT_EQ(authorities.out, "4\n");
  const Ran attributes =
      in("$CURL --cert officer.pem --key officer.key $EST/device/csrattrs | openssl base64 -d | "
         "openssl asn1parse -inform DER");
  EXPECT_NE(attributes.out.find("prime256v1"), std::string::npos) << attributes.out;
  EXPECT_NE(attributes.out.find("X509v3 Subject Alternative Name"), std::string::npos);

  make_device_request(kFirst, "one");
  const std::uint64_t before = issued();
  const Ran enrolled =
      in(std::string(kEnroll) + "--data-binary @one.b64 -o one.p7 $EST/device/simpleenroll");
  EXPECT_EQ(enrolled.out, "200 application/pkcs7-mime; smime-type=certs-only");
  const Ran shown =
      in("openssl base64 -d -in one.p7 | openssl pkcs7 -inform DER -print_certs | openssl x509 "
         "-pubkey -noout | openssl ec -pubin -outform DER | openssl sha256; "
         "openssl ec -in one.key -pubout -outform DER | openssl sha256");
  EXPECT_EQ(issued(), before + 1);
  const std::size_t hash = shown.out.find("= ");
  ASSERT_NE(hash, std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find(shown.out.substr(hash, 66), hash + 66), std::string::npos)
      << "the certificate is of the key: " << shown.out;

  const Ran again = in(std::string(kEnroll) +
                       "--data-binary @one.b64 -o two.p7 $EST/simpleenroll && cmp one.p7 "
                       "two.p7");
  EXPECT_EQ(again.code, 0) << "sent again it is the same certificate: " << again.out;
  EXPECT_EQ(issued(), before + 1);

  make_device_request(kFirst, "next");
  const Ran replaced =
      in(std::string(kEnroll) + "--data-binary @next.b64 -o next.p7 $EST/simplereenroll");
  EXPECT_EQ(replaced.out, "200 application/pkcs7-mime; smime-type=certs-only");
  EXPECT_EQ(platform_->repository().by_device(kFirst).size(), 2u);
}

TEST_F(Enrolment, EstRefusesByRule) {
  make_device_request(Eui64::from_number(kFirst.number() + 5), "five");
  const auto refused = [&](const std::string& arguments) {
    const Ran ran = in(std::string(kEnroll) + arguments);
    const std::size_t end = ran.out.rfind('}');
    const json body = json::parse(ran.out.substr(0, end + 1), nullptr, false);
    return (body.is_object() ? body.value("rule", "") : ran.out) + ran.out.substr(end + 1, 5);
  };
  EXPECT_EQ(refused("--data-binary @five.b64 $EST/simplereenroll"),
            "enrol-nothing-to-replace\n409 ");
  EXPECT_EQ(refused("--data-binary @five.b64 $EST/organisation/simpleenroll"),
            "est-hierarchy\n400 ");
  EXPECT_EQ(refused("--data-binary '!' $EST/simpleenroll"), "est-body\n400 ");
  EXPECT_EQ(refused("--data-binary @five.b64 $EST/fullcmc"), "est-path\n404 ");
  make_device_request(kSupplier, "foreign");
  EXPECT_EQ(refused("--data-binary @foreign.b64 $EST/simpleenroll"), "csr-eui-not-allotted\n403 ");
  const Ran stranger =
      in("$CURL --cert stranger.pem --key stranger.key --data-binary @five.b64 $EST/simpleenroll");
  EXPECT_NE(stranger.out.find("office-credential"), std::string::npos) << stranger.out;
  const Ran nobody = in("$CURL --data-binary @five.b64 $EST/simpleenroll");
  EXPECT_NE(nobody.code, 0) << "TLS itself asks for a certificate";
}

constexpr const char* kAsOfficer = " -cert officer.pem -key officer.key ";

TEST_F(Enrolment, CmpServesOpenssl) {
  write("device.cnf", module_extension(Eui64::from_number(kFirst.number() + 7)));
  const std::string key = "openssl ecparam -name prime256v1 -genkey -noout -out ";
  const Ran initial =
      in(key + "seven.key && $CMP -cmd ir" + kAsOfficer +
         "-newkey seven.key -config device.cnf -reqexts device -certout seven.pem -cacertsout "
         "authorities.pem");
  ASSERT_EQ(initial.code, 0) << initial.out;
  EXPECT_NE(initial.out.find("received PKICONF"), std::string::npos) << initial.out;
  EXPECT_EQ(in("grep -c BEGIN authorities.pem").out, "4\n");
  EXPECT_EQ(in("openssl verify -CAfile roots.pem -untrusted authorities.pem seven.pem").out,
            "seven.pem: OK\n");

  const Ran further = in(key + "eight.key && $CMP -cmd cr -implicit_confirm" + kAsOfficer +
                         "-newkey eight.key -config device.cnf -reqexts device -certout eight.pem");
  ASSERT_EQ(further.code, 0) << further.out;
  EXPECT_EQ(further.out.find("PKICONF"), std::string::npos) << further.out;

  const Ran update = in(key + "nine.key && $CMP -cmd kur -oldcert eight.pem" + kAsOfficer +
                        "-newkey nine.key -config device.cnf -reqexts device -certout nine.pem");
  ASSERT_EQ(update.code, 0) << update.out;
  EXPECT_EQ(platform_->repository().by_device(Eui64::from_number(kFirst.number() + 7)).size(), 3u);
  const Ran stale = in(key + "ten.key && $CMP -cmd kur -oldcert seven.pem" + kAsOfficer +
                       "-newkey ten.key -config device.cnf -reqexts device -certout ten.pem");
  EXPECT_NE(stale.code, 0);
  EXPECT_NE(stale.out.find("enrol-nothing-to-replace"), std::string::npos) << stale.out;
}

TEST_F(Enrolment, CmpRefusesByRule) {
  write("device.cnf", module_extension(kSupplier));
  ASSERT_EQ(in("openssl ecparam -name prime256v1 -genkey -noout -out new.key").code, 0);
  const std::string request =
      " -newkey new.key -config device.cnf -reqexts device -certout new.pem";
  const Ran foreign = in("$CMP -cmd ir" + std::string(kAsOfficer) + request);
  EXPECT_NE(foreign.code, 0);
  EXPECT_NE(foreign.out.find("csr-eui-not-allotted"), std::string::npos) << foreign.out;
  EXPECT_NE(foreign.out.find("notAuthorized"), std::string::npos) << foreign.out;
  const Ran stranger = in("$CMP -cmd ir -cert stranger.pem -key stranger.key" + request);
  EXPECT_NE(stranger.out.find("office-credential"), std::string::npos) << stranger.out;
  EXPECT_NE(stranger.out.find("signerNotTrusted"), std::string::npos) << stranger.out;
  const Ran bare = in("$CMP -cmd ir -unprotected_requests -ref nobody" + request);
  EXPECT_NE(bare.out.find("cmp-protection"), std::string::npos) << bare.out;
  const Ran device =
      in("$CMP -cmd ir -implicit_confirm -days 10" + std::string(kAsOfficer) + request);
  EXPECT_NE(device.out.find("badCertTemplate"), std::string::npos) << device.out;
}

// What waits for people is polled for; what is to be revoked waits for another's approval.
TEST_F(Enrolment, CmpWaitsForPeopleAndProposesRevocation) {
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  write("org.csr", x509::to_pem("CERTIFICATE REQUEST",
                                apps::organisation_request(
                                    kSupplier, RemotePartyRole::supplier, KeyUse::digital_signature,
                                    *crypto::generate_one(*keys, "organisation").value())));
  const std::string as_supplier = " -cert supplier.pem -key supplier.key ";
  Ran waiting;
  std::thread client([&] {
    waiting =
        in("$CMP -cmd p10cr -implicit_confirm" + as_supplier + "-csr org.csr -certout org.pem");
  });
  const auto open_act = [&]() -> smki::ActId {
    for (int i = 0; i < 300; ++i) {
      const std::vector<smki::Act> acts = platform_->office().acts(smki::ActState::open);
      if (!acts.empty()) return acts.front().id;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return 0;
  };
  const smki::ActId issue = open_act();
  std::this_thread::sleep_for(std::chrono::seconds(1));  // the client has its first answer: wait
  for (const smki::PersonId one : {ada_, ben_})
    EXPECT_TRUE(platform_->office().approve(issue, {one, ""}, {}).ok());
  client.join();
  ASSERT_EQ(waiting.code, 0) << waiting.out;
  EXPECT_NE(waiting.out.find("starting to poll"), std::string::npos) << waiting.out;

  const Ran revoked = in("$CMP -cmd rr -revreason 1 -oldcert org.pem" + as_supplier);
  EXPECT_EQ(revoked.code, 0) << revoked.out;
  EXPECT_NE(revoked.out.find("revocationWarning"), std::string::npos) << revoked.out;
  const smki::ActId revoke = open_act();
  EXPECT_EQ(platform_->office().act(revoke)->kind, "revoke-certificate");
  EXPECT_TRUE(platform_->office().approve(revoke, {ada_, ""}, {}).ok());
  const Ran device = in("$CMP -cmd rr -revreason 2 -oldcert org.pem" + as_supplier);
  EXPECT_NE(device.code, 0);
  EXPECT_NE(device.out.find("cmp-reason"), std::string::npos) << device.out;
}

}  // namespace
}  // namespace wattseal
