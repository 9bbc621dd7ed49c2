#include "apps/onboarding.h"

#include <thread>

#include "apps/expect.h"
#include "x509/x509.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

}  // namespace

Onboarding::Onboarding(const World& world, Platform& platform)
    : world_(world), platform_(platform) {
  const std::vector<smki::PersonId> managers =
      must(platform.office().found({"Ada Moss", "Ben Reed"}, world.new_trace()), "the office");
  managers_[0] = managers.at(0);
  managers_[1] = managers.at(1);
  for (const auto& [place, name] : {std::pair{0, "Cara Lind"}, std::pair{1, "Dan Holt"}})
    personnel_[place] = done("appoint-ra-personnel", {{"name", name}}, managers_[0], managers_[1]);
}

OfficeClient Onboarding::as(smki::PersonId person) const {
  return must(OfficeClient::open(platform_.smki_url(), person), "the SMKI service");
}

smki::PersonId Onboarding::done(const std::string& kind, json payload, smki::PersonId by,
                                smki::PersonId approver) {
  if (kind.starts_with("appoint-")) {
    payload["evidence"] = "identity seen in person";
    payload["screened_on"] = world_.now().iso().substr(0, 10);
  }
  const json proposed = must(as(by).propose(kind, payload), kind);
  const json approved = must(as(approver).approve(proposed["act"]), kind);
  must(approved["state"] == "done", kind + " done; it is " + approved.dump());
  smki::PersonId appointed = 0;
  if (kind.starts_with("appoint-")) {
    for (const smki::Person& person : platform_.office().people()) {
      if (person.name == payload["name"]) appointed = person.id;
    }
  }
  return appointed;
}

std::vector<std::string> Onboarding::admit(const Organisation& organisation) {
  std::vector<std::string> told;
  const auto [cara, dan] = personnel_;
  const json party{{"party", organisation.id.text()}};
  const auto with = [&](json more) {
    more.update(party);
    return more;
  };
  done("admit-organisation",
       with({{"name", organisation.name},
             {"kind", organisation.kind},
             {"roles", organisation.user_roles},
             {"evidence", "company register"}}),
       cara, dan);
  told.push_back(organisation.name + " admitted: proposed by Cara Lind, approved by Dan Holt");
  const smki::PersonId sro = done("appoint-sro", with({{"name", "Eve Carr"}}), cara, dan);
  officer_ = done("appoint-aro", with({{"name", "Finn Webb"}}), sro, cara);
  told.push_back("Senior Responsible Officer Eve Carr nominates Finn Webb as its officer");
  done("record-entry-tests", with({{"evidence", "test exit report"}}), dan, cara);
  done("authorise-subscriber", with({{"policy", "organisation"}}), cara, dan);

  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  const crypto::KeyHandle key = must(crypto::generate_one(*keys, "officer"), "a key");
  const Bytes request =
      organisation_request(organisation.id, organisation.role, KeyUse::digital_signature, *key);
  http::Request submission;
  submission.method = "POST";
  submission.path = "/api/v1/requests";
  submission.headers = {{"X-Person", std::to_string(officer_)},
                        {"X-Subscriber", organisation.id.text()},
                        {"Content-Type", "application/pkcs10"}};
  submission.body = std::string(as_text(request));
  const std::unique_ptr<http::Client> smki =
      must(http::Client::open(platform_.smki_url()), "the SMKI service");
  const http::Response held = smki->send(submission);
  const json waits = json::parse(held.body, nullptr, false);
  must(held.status == 202 && waits.value("state", "") == "held",
       "the request held for approval; it is " + held.body);
  const smki::ActId act = waits["act"];
  const Result<json> own = as(officer_).approve(act);
  must(!own.ok() && own.refusal().rule == "office-self"_rule, "nobody approves his own request");
  must(as(cara).approve(act), "the first approval");
  const json approved = must(as(dan).approve(act), "the second approval");
  must(approved["state"] == "done", "two approvals to be enough");
  must(platform_.wait_for(waits["batch"], std::chrono::seconds(20)), "the certificate issued");
  const std::vector<smki::RowResult> rows =
      platform_.registration_authority().results(waits["batch"], 0, 1);
  must(rows.size() == 1 && rows[0].serial.has_value(), "a serial number");
  serial_ = *rows[0].serial;
  told.push_back("certificate " + serial_.hex() +
                 ": asked for by Finn Webb, who may not approve it (" +
                 std::string(own.refusal().rule.text()) + "), approved by two");
  return told;
}

double Onboarding::revoke(const std::string& grounds) {
  const std::unique_ptr<http::Client> repository =
      must(http::Client::open(platform_.repository_url()), "the repository");
  Bytes issuer;
  for (const smki::PublishedCertificate& authority : platform_.repository().authorities()) {
    if (authority.profile == "issuing-oca")
      issuer = must(x509::parse_certificate(authority.der), "the issuing authority")
                   .subject_key_id.value();
  }
  const auto listed = [&] {
    const http::Response answer = repository->get("/api/v1/crl/" + to_hex_upper(issuer));
    must(answer.status == 200, "a revocation list");
    return must(x509::parse_crl(as_bytes(answer.body)), "the revocation list").revokes(serial_);
  };
  must(!listed(), "the certificate not yet revoked");
  const json proposed = must(
      as(officer_).propose("revoke-certificate", {{"serial", serial_.hex()}, {"grounds", grounds}}),
      "the revocation");
  const std::int64_t start = world_.clock.monotonic_microseconds();
  must(as(personnel_[0]).approve(proposed["act"]), "the approval");
  for (int tries = 0; !listed(); ++tries) {
    must(tries < 2000, "the revocation in the list");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return static_cast<double>(world_.clock.monotonic_microseconds() - start) / 1e6;
}

}  // namespace wattseal::apps
