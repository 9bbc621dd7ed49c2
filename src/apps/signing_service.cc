#include "apps/signing_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/official_schema.h"
#include "duis/duis.h"
#include "terms/terms.h"
#include "xml/dsig.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const x509::NameAttribute* attribute(const x509::Name& name, const Bytes& oid) {
  const auto found = std::ranges::find(name, oid, &x509::NameAttribute::oid);
  return found == name.end() ? nullptr : &*found;
}

// Whom an organisation certificate is for: the unique identifier of its subject.
std::optional<Eui64> party_of(const x509::Certificate& certificate) {
  const x509::NameAttribute* const id =
      attribute(certificate.subject, x509::oid::unique_identifier);
  if (!id) return std::nullopt;
  const Result<Eui64> party = Eui64::from_octets(id->value);
  return party.ok() ? std::optional(*party) : std::nullopt;
}

bool is_for_documents(const x509::Certificate& certificate) {
  const x509::NameAttribute* const ou =
      attribute(certificate.subject, x509::oid::organizational_unit);
  if (!ou) return false;
  const std::optional<RemotePartyRole> role = remote_party_role_from_ou(as_text(ou->value));
  return role == RemotePartyRole::xml_sign || role == RemotePartyRole::dsp_xml_sign;
}

bool may_sign(const x509::Certificate& certificate) {
  return certificate.usage && (*certificate.usage & x509::key_usage::digital_signature) != 0;
}

http::Response answer(int status, const json& body) {
  return {status,
          "application/json",
          body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
          {}};
}

http::Response refused(const Refusal& refusal) {
  return answer(
      400, {{"error", explain(refusal)}, {"rule", refusal.rule.text()}, {"field", refusal.field}});
}

struct Asked {
  std::string document;
  bool preserve_counter = false;
};
Result<Asked> read_asked(const std::string& body) {
  const json read = json::parse(body, nullptr, false);
  if (!read.is_object()) return Refusal{"apps-signing-input"_rule, "it is no JSON object"};
  const auto message = read.find("message");
  if (message == read.end() || !message->is_string())
    return Refusal{"apps-signing-input"_rule, "it is missing or no text", "message"};
  const std::optional<Bytes> octets = from_base64(message->get_ref<const std::string&>());
  if (!octets) return Refusal{"apps-signing-input"_rule, "it is not base64", "message"};
  Asked asked{std::string(as_text(*octets))};
  if (const auto preserve = read.find("preserveCounter"); preserve != read.end()) {
    if (!preserve->is_boolean())
      return Refusal{"apps-signing-input"_rule, "it is neither true nor false", "preserveCounter"};
    asked.preserve_counter = preserve->get<bool>();
  }
  return asked;
}

http::Response answer_document(const Result<std::string>& document) {
  if (!document.ok()) return refused(document.refusal());
  return answer(200, {{"message", to_base64(as_bytes(*document))}});
}

}  // namespace

Result<crypto::KeyHandle> read_test_key(const std::string& file) {
  constexpr char kSequence = 0x30;  // DER begins so, PEM never
  const std::string content = read_input(file);
  if (!content.starts_with(kSequence)) return crypto::key_from_test_pem(content);
  return crypto::key_from_test_pem(x509::to_pem("PRIVATE KEY", as_bytes(content)));
}

Result<std::unique_ptr<SigningService>> SigningService::load(
    const World& world, const std::vector<std::string>& keys,
    const std::vector<std::string>& trusted, std::optional<xml::Xsd> official) {
  std::unique_ptr<SigningService> service(new SigningService(world, std::move(official)));
  for (const std::string& folder : keys) service->read_folder(folder, true);
  for (const std::string& folder : trusted) service->read_folder(folder, false);
  if (service->signers_.empty())
    return Refusal{"apps-key-pair"_rule, "no NAME.key has its certificate in a NAME.pem beside it",
                   keys.empty() ? "--keys" : keys.front()};
  std::ranges::stable_sort(service->signers_, std::greater{}, &Signer::for_documents);
  SigningService* const self = service.get();
  service->router_.on("POST", "/sign", [self](const http::Request& request) {
    const Result<Asked> asked = read_asked(request.body);
    if (!asked.ok()) return refused(asked.refusal());
    return answer_document(self->sign(asked->document, asked->preserve_counter));
  });
  service->router_.on("POST", "/verify", [self](const http::Request& request) {
    const Result<Asked> asked = read_asked(request.body);
    if (!asked.ok()) return refused(asked.refusal());
    return answer_document(self->verify(asked->document));
  });
  return service;
}

void SigningService::read_folder(const fs::path& folder, bool with_keys) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".pem") files.push_back(entry.path());
  if (error) throw UnreadableInput("cannot read " + folder.string());
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    const Result<x509::Certificate> certificate =
        x509::parse_certificate_pem(read_input(file.string()));
    if (!certificate.ok()) continue;
    certificates_.push_back(*certificate);
    fs::path key_file = file;
    key_file.replace_extension(".key");
    const std::optional<Eui64> party = party_of(*certificate);
    if (!with_keys || !party || !may_sign(*certificate) || !fs::exists(key_file)) continue;
    const Result<crypto::KeyHandle> key = read_test_key(key_file.string());
    if (!key.ok() || (*key)->public_point() != certificate->key) continue;
    signers_.push_back({*party, *key, *certificate, is_for_documents(*certificate)});
  }
}

Status SigningService::check(const xml::Document& document) const {
  const Verdict verdict = judge(document, official_ ? &*official_ : nullptr);
  TRY(verdict.own);
  if (verdict.official) TRY(*verdict.official);
  return {};
}

std::uint64_t SigningService::next_counter() {
  const std::uint64_t now = static_cast<std::uint64_t>(world_.clock.now_milliseconds());
  std::uint64_t last = last_counter_.load();
  while (!last_counter_.compare_exchange_weak(last, std::max(now, last + 1))) continue;
  return std::max(now, last + 1);
}

Result<std::string> SigningService::sign(const std::string& document, bool preserve_counter) {
  TRY_ASSIGN(const xml::Document parsed, xml::parse(document));
  TRY(check(parsed));
  TRY_ASSIGN(duis::ServiceRequest request, duis::read_request(parsed.root()));
  const auto signer = std::ranges::find(signers_, request.id.originator, &Signer::party);
  if (signer == signers_.end())
    return Refusal{"apps-key-pair"_rule, "there is no key of " + request.id.originator.text(),
                   "/Request/Header/RequestID"};
  const xml::IssuerSerial name{x509::name_text(signer->certificate.issuer),
                               signer->certificate.serial};
  if (preserve_counter) return xml::sign(document, name, *signer->key);
  request.id.counter = OriginatorCounter(next_counter());
  return xml::sign(duis::write(request), name, *signer->key);
}

Result<std::string> SigningService::verify(const std::string& document) const {
  TRY_ASSIGN(const xml::Document parsed, xml::parse(document));
  TRY_ASSIGN(const xml::IssuerSerial claimed, xml::claimed_signer(parsed));
  const auto signer =
      std::ranges::find_if(certificates_, [&](const x509::Certificate& certificate) {
        return certificate.serial == claimed.serial &&
               x509::same_name_text(x509::name_text(certificate.issuer), claimed.issuer_name);
      });
  if (signer == certificates_.end())
    return Refusal{"apps-unknown-signer"_rule, claimed.issuer_name + " " + claimed.serial.decimal(),
                   "Signature/KeyInfo"};
  TRY(xml::verify_signature(parsed, signer->key));
  TRY(check(parsed));
  return xml::without_signature(parsed);
}

http::Response SigningService::handle(const http::Request& request) { return router_(request); }

}  // namespace wattseal::apps
