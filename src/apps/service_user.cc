#include "apps/service_user.h"

#include <nlohmann/json.hpp>

#include "apps/platform.h"
#include "base/fault.h"
#include "base/log.h"
#include "gbcs/security.h"
#include "gbcs/utrn.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

constexpr std::string_view kSchemaVersion = "5.1";

// What the user knows for Correlate and Transform: its own records of devices.
class UserFacts final : public gbcs::Facts {
 public:
  explicit UserFacts(const std::map<Eui64, DeviceType>& devices) : devices_(devices) {}
  Result<int> device_type_code(Eui64 device) const override {
    const auto found = devices_.find(device);
    if (found == devices_.end())
      return Refusal{"gbcs-fact-missing"_rule, "the type of " + device.text() + " is not known"};
    return gbcs_type_code(found->second);
  }
  Result<Bytes> key_agreement_certificate(Eui64 device) const override {
    return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + device.text()};
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "twin" || name == "polyphase") return std::string("false");
    if (name == "variant") return std::string("single");
    if (name == "generation") return std::string("newer");
    return Refusal{"gbcs-fact-missing"_rule, "nothing is known of '" + std::string(name) + "'"};
  }

 private:
  const std::map<Eui64, DeviceType>& devices_;
};

std::unique_ptr<http::Client> open_client(const std::string& url) {
  http::ClientOptions options;
  options.timeout = std::chrono::seconds(60);
  Result<std::unique_ptr<http::Client>> client = http::Client::open(url, options);
  if (!client.ok()) throw Fault("address " + url + ": " + client.refusal().detail);
  return std::move(*client);
}

Refusal refused_by_service(const http::Response& response) {
  const json body = json::parse(response.body, nullptr, false);
  const std::string rule = body.is_object() ? body.value("rule", "") : "";
  return {"apps-service-refused"_rule,
          "status " + std::to_string(response.status) +
              (rule.empty() ? "" : ", rule " + rule + ": " + body.value("found", ""))};
}

}  // namespace

struct ServiceUser::Keys {
  std::unique_ptr<crypto::KeyStore> store = crypto::memory_key_store();
  crypto::KeyHandle signing, old_signing, agreement, prepayment, xml;
  Bytes signing_certificate, agreement_certificate, prepayment_certificate, xml_certificate;
  xml::IssuerSerial xml_signer;
  int made = 0;

  crypto::KeyHandle make() {
    const Result<crypto::KeyHandle> key =
        crypto::generate_one(*store, "k" + std::to_string(made++));
    CHECK(key.ok());
    return *key;
  }
};

ServiceUser::ServiceUser(const World& world, UserProfile profile, Addresses addresses)
    : world_(world),
      profile_(std::move(profile)),
      addresses_(std::move(addresses)),
      keys_(std::make_unique<Keys>()),
      gateway_(open_client(addresses_.gateway)),
      repository_(open_client(addresses_.repository)),
      smki_(open_client(addresses_.smki)) {}

ServiceUser::~ServiceUser() {
  if (endpoint_) endpoint_->stop();
}

Result<Bytes> ServiceUser::obtain(RemotePartyRole role, KeyUse use,
                                  const crypto::PrivateKey& key) const {
  http::Request request;
  request.method = "POST";
  request.path = "/api/v1/requests";
  request.headers = {{"X-Subscriber", profile_.id.text()}, {"Content-Type", "application/pkcs10"}};
  request.body = std::string(as_text(organisation_request(profile_.id, role, use, key)));
  const http::Response response = smki_->send(request);
  if (response.status != 200) return refused_by_service(response);
  const std::optional<Bytes> der = from_base64(json::parse(response.body).value("certificate", ""));
  if (!der) throw Fault("the certificate in the answer is not base64");
  return *der;
}

Status ServiceUser::obtain_certificates() {
  Keys& keys = *keys_;
  keys.signing = keys.make();
  keys.agreement = keys.make();
  keys.xml = keys.make();
  TRY_ASSIGN(keys.signing_certificate,
             obtain(profile_.role, KeyUse::digital_signature, *keys.signing));
  TRY_ASSIGN(keys.agreement_certificate,
             obtain(profile_.role, KeyUse::key_agreement, *keys.agreement));
  TRY_ASSIGN(keys.xml_certificate,
             obtain(RemotePartyRole::xml_sign, KeyUse::digital_signature, *keys.xml));
  TRY_ASSIGN(const x509::Certificate xml_certificate,
             x509::parse_certificate(keys.xml_certificate));
  keys.xml_signer = {x509::name_text(xml_certificate.issuer), xml_certificate.serial};
  if (profile_.prepayment) {
    keys.prepayment = keys.make();
    TRY_ASSIGN(keys.prepayment_certificate,
               obtain(profile_.role, KeyUse::key_agreement, *keys.prepayment));
  }
  return {};
}

Status ServiceUser::renew_signing_certificate() {
  const crypto::KeyHandle fresh = keys_->make();
  TRY_ASSIGN(keys_->signing_certificate, obtain(profile_.role, KeyUse::digital_signature, *fresh));
  keys_->old_signing = std::exchange(keys_->signing, fresh);
  return {};
}

const Bytes& ServiceUser::certificate(KeyUse use, bool prepayment) const {
  const Bytes& der = use == KeyUse::digital_signature ? keys_->signing_certificate
                     : prepayment                     ? keys_->prepayment_certificate
                                                      : keys_->agreement_certificate;
  CHECK(!der.empty());
  return der;
}

void ServiceUser::remember(Eui64 device, DeviceType type) { devices_[device] = type; }

OriginatorCounter ServiceUser::next_counter() {
  last_counter_ =
      std::max(last_counter_ + 1, static_cast<std::uint64_t>(world_.clock.now_milliseconds()));
  return OriginatorCounter(last_counter_);
}
OriginatorCounter ServiceUser::next_top_up_counter() {
  return OriginatorCounter(++last_top_up_ << 32);
}

duis::ServiceRequest ServiceUser::request(Eui64 device, std::string_view variant,
                                          int command_variant, xml::Element body,
                                          OriginatorCounter counter) const {
  const ServiceRequestRow* const row = find_service_request(variant);
  CHECK(row != nullptr);
  duis::ServiceRequest made;
  made.schema_version = std::string(kSchemaVersion);
  made.id = {profile_.id, device, counter};
  made.command_variant = command_variant;
  made.service_reference = std::string(row->reference);
  made.service_variant = std::string(variant);
  body.ns = std::string(duis::kNamespace);
  body.name = std::string(row->element);
  made.body = std::move(body);
  return made;
}

std::string ServiceUser::signed_document(const duis::ServiceRequest& request) const {
  const Result<std::string> document =
      xml::sign(duis::write(request), keys_->xml_signer, *keys_->xml);
  CHECK(document.ok());  // we wrote it ourselves
  return *document;
}

std::string ServiceUser::signed_pre_command(const duis::ServiceRequest& request,
                                            BytesView pre_command) const {
  Result<gbcs::Message> message = gbcs::decode(pre_command);
  CHECK(message.ok());
  gbcs::sign(*message, *keys_->signing);
  return signed_document(duis::with_signed_pre_command(request, 5, gbcs::encode(*message)));
}

// ---- the DCC's answers

Status ServiceUser::check_dcc_signature(const xml::Document& document) const {
  TRY_ASSIGN(const xml::IssuerSerial signer, xml::claimed_signer(document));
  const std::lock_guard lock(repository_mutex_);
  auto known = dcc_keys_.find(signer.serial);
  if (known == dcc_keys_.end()) {
    const http::Response response = repository_->get("/api/v1/certificates/" + signer.serial.hex());
    if (response.status != 200) return refused_by_service(response);
    const json body = json::parse(response.body);
    if (body.value("role", "") != name(RemotePartyRole::dsp_xml_sign))
      return Refusal{"apps-not-the-dcc"_rule, "the signer's role is " + body.value("role", "none")};
    TRY_ASSIGN(const x509::Certificate certificate,
               x509::parse_certificate(from_base64(body.value("der", "")).value_or(Bytes())));
    known = dcc_keys_.emplace(signer.serial, certificate.key).first;
  }
  return xml::verify_signature(document, known->second);
}

Result<std::pair<duis::ServiceResponse, std::string>> ServiceUser::exchange(
    const duis::ServiceRequest& request) const {
  http::Request message;
  message.method = "POST";
  message.path =
      request.command_variant == 4 ? "/api/v1/serviceT"
      : request.command_variant == 2 || request.command_variant == 6 || request.command_variant == 8
          ? "/api/v1/serviceD"
          : "/api/v1/serviceS";
  message.headers = {{"Content-Type", "application/xml"}};
  message.body = signed_document(request);
  const http::Response response = gateway_->send(message);
  const auto rule = std::ranges::find_if(response.headers, [](const http::Header& header) {
    return header.name == "X-Wattseal-Rule";
  });
  const std::string why = rule == response.headers.end() ? "" : rule->value;
  if (response.status != 200)
    return Refusal{"apps-service-refused"_rule, "status " + std::to_string(response.status) +
                                                    (why.empty() ? "" : ", rule " + why)};
  TRY_ASSIGN(const xml::Document document, xml::parse(response.body));
  TRY(check_dcc_signature(document));
  TRY_ASSIGN(duis::ServiceResponse answer, duis::read_response(document.root()));
  return std::pair(std::move(answer), why);
}

Result<duis::ServiceResponse> ServiceUser::acknowledge(const duis::ServiceRequest& request) {
  TRY_ASSIGN(auto answer, exchange(request));
  return std::move(answer.first);
}

Result<std::string> ServiceUser::post(const duis::ServiceRequest& request) {
  TRY_ASSIGN(const auto answer, exchange(request));
  return answer.first.response_code;
}

Result<Exchange> ServiceUser::send(const duis::ServiceRequest& request,
                                   std::chrono::milliseconds wait) {
  const std::int64_t start = world_.clock.monotonic_microseconds();
  TRY_ASSIGN(auto answer, exchange(request));
  Exchange out;
  out.acknowledgement = answer.first.response_code;
  out.rule = answer.second;
  if (out.acknowledgement.starts_with("I")) {
    TRY_ASSIGN(out.response, wait_for(request.id, wait));
    if (out.response && out.response->gbcs_payload) {
      TRY_ASSIGN(const gbcs::Message message, gbcs::decode(*out.response->gbcs_payload));
      TRY_ASSIGN(out.parsed, parse(message));
    }
  }
  out.microseconds = world_.clock.monotonic_microseconds() - start;
  return out;
}

Result<Bytes> ServiceUser::transform(const duis::ServiceRequest& request) {
  TRY_ASSIGN(const auto answer, exchange(request));
  if (!answer.first.pre_command)
    return Refusal{"apps-service-refused"_rule,
                   "response code " + answer.first.response_code + ", rule " + answer.second};
  return *answer.first.pre_command;
}

Result<gateway::Correlation> ServiceUser::correlate(const duis::ServiceRequest& request,
                                                    BytesView pre_command) const {
  return gateway::correlate(*gbcs::TemplateSet::built_in(), request, pre_command,
                            UserFacts(devices_), world_.now());
}

Result<Exchange> ServiceUser::sign_and_send(const duis::ServiceRequest& request,
                                            BytesView pre_command, std::chrono::milliseconds wait) {
  TRY_ASSIGN(gbcs::Message message, gbcs::decode(pre_command));
  gbcs::sign(message, sign_with_old_ && keys_->old_signing ? *keys_->old_signing : *keys_->signing);
  return send(duis::with_signed_pre_command(request, 5, gbcs::encode(message)), wait);
}

std::string ServiceUser::top_up_code(Eui64 meter, OriginatorCounter counter, unsigned pence) const {
  CHECK(keys_->prepayment != nullptr);
  const Result<Bytes> der = fetch_device_certificate(meter, KeyUse::key_agreement);
  if (!der.ok()) throw Fault("no certificate of the meter: " + der.refusal().detail);
  const Result<x509::Certificate> certificate = x509::parse_certificate(*der);
  CHECK(certificate.ok());
  const Result<std::string> code =
      gbcs::make_utrn(keys_->prepayment->agree(certificate->key),
                      {profile_.id, meter, counter, gbcs::UtrnUnit::pence, pence});
  CHECK(code.ok());
  return *code;
}

// ---- what arrives

std::string ServiceUser::open_endpoint() {
  endpoint_ = std::make_unique<http::Server>(
      world_, http::ServerOptions{},
      [this](const http::Request& request) { return receive(request); });
  return "http://127.0.0.1:" + std::to_string(endpoint_->port());
}

void ServiceUser::take_alerts(std::function<void(std::string_view document)> take) {
  const std::lock_guard lock(mutex_);
  take_alert_ = take
                    ? std::make_shared<const std::function<void(std::string_view)>>(std::move(take))
                    : nullptr;
}

http::Response ServiceUser::receive(const http::Request& request) {
  std::shared_ptr<const std::function<void(std::string_view)>> take;
  {
    const std::lock_guard lock(mutex_);
    take = take_alert_;
  }
  if (take && (request.body.find("DeviceAlertMessage>") != std::string::npos ||
               request.body.find("DCCAlertMessage>") != std::string::npos)) {
    (*take)(request.body);
    return {.status = 200};
  }
  const auto refuse = [&](const Refusal& refusal) {
    log::warning("response_refused", {{"user", profile_.name},
                                      {"rule", std::string(refusal.rule.text())},
                                      {"detail", refusal.detail}});
    return http::Response{.status = 400, .body = explain(refusal) + "\n"};
  };
  const Result<xml::Document> document = xml::parse(request.body);
  if (!document.ok()) return refuse(document.refusal());
  const Status signature = check_dcc_signature(*document);
  if (!signature.ok()) return refuse(signature.refusal());
  Result<duis::ServiceResponse> response = duis::read_response(document->root());
  if (!response.ok()) return refuse(response.refusal());
  {
    const std::lock_guard lock(mutex_);
    if (response->request_id) {
      ++answered_;
      responses_[*response->request_id] = std::move(*response);
    } else if (response->gbcs_payload) {
      const Result<gbcs::Message> alert = gbcs::decode(*response->gbcs_payload);
      if (alert.ok()) alerts_.push_back(*alert);
    } else {
      notices_.push_back(std::move(*response));
    }
  }
  changed_.notify_all();
  return {.status = 200};
}

std::size_t ServiceUser::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

Result<std::optional<duis::ServiceResponse>> ServiceUser::wait_for(
    const duis::RequestId& id, std::chrono::milliseconds wait) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait, [&] { return responses_.contains(id); });
  const auto found = responses_.find(id);
  return found == responses_.end() ? std::optional<duis::ServiceResponse>()
                                   : std::optional(found->second);
}

std::vector<Bytes> ServiceUser::alert_messages() const {
  const std::lock_guard lock(mutex_);
  std::vector<Bytes> messages;
  for (const gbcs::Message& message : alerts_) messages.push_back(gbcs::encode(message));
  return messages;
}

std::vector<duis::ServiceResponse> ServiceUser::notices() const {
  const std::lock_guard lock(mutex_);
  return notices_;
}

bool ServiceUser::wait_for_notice(std::size_t count, std::chrono::milliseconds wait) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait, [&] { return notices_.size() >= count; });
}

bool ServiceUser::wait_for_alert(std::size_t count, std::chrono::milliseconds wait) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait, [&] { return alerts_.size() >= count; });
}

std::vector<gbcs::ParsedMessage> ServiceUser::alerts() const {
  std::vector<gbcs::Message> messages;
  {
    const std::lock_guard lock(mutex_);
    messages = alerts_;
  }
  std::vector<gbcs::ParsedMessage> parsed;
  for (const gbcs::Message& message : messages) {
    Result<gbcs::ParsedMessage> one = parse(message);
    if (one.ok()) parsed.push_back(std::move(*one));
  }
  return parsed;
}

// ---- parse

Result<Bytes> ServiceUser::fetch_device_certificate(Eui64 device, KeyUse use) const {
  const std::lock_guard lock(repository_mutex_);
  if (use == KeyUse::key_agreement) {
    const auto seen = certificates_seen_.find(device);
    if (seen != certificates_seen_.end()) return seen->second;
  }
  const http::Response response = repository_->get("/api/v1/certificates?device=" + device.text() +
                                                   "&latest=" + std::string(text(use)));
  if (response.status != 200) return refused_by_service(response);
  const std::optional<Bytes> der = from_base64(json::parse(response.body).value("der", ""));
  if (!der) throw Fault("the repository's certificate is not base64");
  if (use == KeyUse::key_agreement) certificates_seen_[device] = *der;
  return *der;
}

Result<crypto::SharedSecret> ServiceUser::secret_with(Eui64 device) const {
  TRY_ASSIGN(const Bytes der, fetch_device_certificate(device, KeyUse::key_agreement));
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(der));
  return keys_->agreement->agree(certificate.key);
}

Result<gbcs::ParsedMessage> ServiceUser::parse(const gbcs::Message& message) const {
  if (message.signature_field == gbcs::SignatureField::present) {
    TRY_ASSIGN(const Bytes der,
               fetch_device_certificate(message.originator, KeyUse::digital_signature));
    TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(der));
    TRY(gbcs::verify_signature(message, certificate.key));
  } else {
    TRY_ASSIGN(const crypto::SharedSecret secret, secret_with(message.originator));
    TRY(gbcs::verify_mac(message, secret));
  }
  return gbcs::parse_readable(
      message, [this](const gbcs::Message& from, BytesView blob) -> Result<Bytes> {
        const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(from);
        if (recipient.party != profile_.id)
          return Refusal{"gbcs-no-key"_rule, "the attributes are for " + recipient.party.text()};
        TRY_ASSIGN(const crypto::SharedSecret secret, secret_with(from.originator));
        return gbcs::open_attribute(secret, from.originator, recipient.counter, recipient.party,
                                    blob);
      });
}

}  // namespace wattseal::apps
