// Existing clients' sequence against the running gateway, with their public libraries: template,
// sign, serviceT, sign, serviceS, asynchronous response.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "apps/signing_service.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

namespace fs = std::filesystem;

// A user's own files: keys as people make them, certificates as the SMKI service issues them.
class Files {
 public:
  explicit Files(Network& net) : net_(net) { fs::create_directories(folder_ / "dcc"); }
  ~Files() { fs::remove_all(folder_); }
  std::string in(const std::string& name) const { return (folder_ / name).string(); }

  Bytes obtain(const std::string& name, RemotePartyRole role) {
    const std::string command =
        "openssl ecparam -name prime256v1 -genkey -noout -out " + in(name + ".key");
    CHECK(std::system(command.c_str()) == 0);
    const crypto::KeyHandle key = apps::read_test_key(in(name + ".key")).value();
    const Eui64 user = net_.supplier->profile().id;
    const Bytes der =
        net_.platform
            ->obtain(user, apps::organisation_request(user, role, KeyUse::digital_signature, *key))
            .value()
            .der;
    put(name + ".pem", der);
    return der;
  }
  void put(const std::string& name, const Bytes& der) {
    std::ofstream(in(name)) << x509::to_pem("CERTIFICATE", der);
  }

 private:
  Network& net_;
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-duis-client-" + std::to_string(::getpid()));
};

// The meter gets the certificate of the key in the file.
void install(Network& net, const Bytes& signing) {
  const auto certificate = [](std::string name, const Bytes& der) {
    return leaf(std::move(name), to_base64(der));
  };
  const auto node = [](std::string name, std::vector<xml::Element> children) {
    return xml::Element{
        std::string(duis::kNamespace), std::move(name), {}, {}, std::move(children)};
  };
  Bytes issuing;
  for (const smki::PublishedCertificate& authority : net.platform->repository().authorities()) {
    if (authority.profile == "issuing-oca") issuing = authority.der;
  }
  apps::ServiceUser& user = *net.supplier;
  const duis::ServiceRequest request = user.request(
      net.home().esme, "6.15.1", 4,
      body_of({leaf("RemotePartyRole", "Supplier"), leaf("RemotePartyFloorSeqNumber", "0"),
               leaf("RemotePartyPrepaymentTopUpFloorSeqNumber", "0"),
               node("ReplacementCertificates",
                    {node("SupplierOrNetworkOperatorCertificates",
                          {certificate("DigitalSigningCertificate", signing),
                           certificate("KeyAgreementCertificate",
                                       user.certificate(KeyUse::key_agreement)),
                           certificate("KeyAgreementTopUpCertificate",
                                       user.certificate(KeyUse::key_agreement, true))})}),
               node("CertificationPathCertificates", {certificate("Certificate", issuing)}),
               leaf("ApplyTimeBasedCPVChecks", "true")}),
      user.next_counter());
  const Bytes pre_command = user.transform(request).value();
  const Result<apps::Exchange> done = user.sign_and_send(request, pre_command, kPatience);
  ASSERT_TRUE(done.ok() && done->parsed && done->parsed->success);
}

// A port that nobody listens on.
std::uint16_t free_port(const World& world) {
  http::Server server(world, {}, [](const http::Request&) { return http::Response{}; });
  const std::uint16_t port = server.port();
  server.stop();
  return port;
}

TEST(DuisClients, GoFromTemplatesToTheMetersAnswer) {
  if (!fs::exists("tests/clients/node_modules/@smartdcc/duis-templates") ||
      std::system("node --version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "the public client libraries are not installed (npm ci in tests/clients)";
  Network net;
  Files files(net);
  files.obtain("xml", RemotePartyRole::xml_sign);
  ASSERT_NO_FATAL_FAILURE(install(net, files.obtain("ds", RemotePartyRole::supplier)));
  files.put("dcc/signer.pem",
            net.platform
                ->dcc_certificate(apps::DccParty::xml_signer, KeyUse::digital_signature,
                                  RemotePartyRole::dsp_xml_sign)
                ->der);
  const std::unique_ptr<apps::SigningService> signing =
      apps::SigningService::load(net.world, {files.in("")}, {files.in("dcc")}, {}).value();
  http::Server server(
      net.world, {}, [&signing](const http::Request& request) { return signing->handle(request); });
  const std::string port = std::to_string(free_port(net.world));
  const Eui64 user = net.supplier->profile().id;
  ASSERT_TRUE(net.platform->gateway().register_endpoint(user, "http://127.0.0.1:" + port, {}).ok());
  const std::string command =
      "node tests/clients/duis.mjs http://127.0.0.1:" + std::to_string(server.port()) + " " +
      net.platform->gateway_url() + " " + port + " " + user.text() + " " + net.home().esme.text() +
      " " + WATTSEAL_PROGRAM + " " + files.in("ds.key") + " " + files.in("ds.pem");
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  EXPECT_EQ(net.street->display(net.home().esme).payment_mode, "credit");
  server.stop();
}

}  // namespace
}  // namespace wattseal::scenarios
