#include "gateway/cos.h"

#include "base/fault.h"
#include "base/log.h"
#include "gateway/transform.h"
#include "gbcs/security.h"
#include "terms/tables.h"
#include "x509/x509.h"
#include "xml/dsig.h"

namespace wattseal::gateway {
namespace {

constexpr std::string_view kService = "6.23", kDate = "ExecutionDateTime",
                           kCertificates = "SupplierReplacementCertificates";

// The party knows no inventory: of a device it needs the type alone.
class NoFacts final : public gbcs::Facts {
 public:
  Result<int> device_type_code(Eui64 device) const override { return missing(device.text()); }
  Result<Bytes> key_agreement_certificate(Eui64 device) const override {
    return missing(device.text());
  }
  Result<std::string> named(std::string_view name) const override {
    return missing(std::string(name));
  }

 private:
  static Refusal missing(const std::string& what) {
    return {"gbcs-fact-missing"_rule, "the CoS party knows nothing of " + what};
  }
};

std::string path_of(std::string_view element, std::string_view child = {}) {
  std::string path = "/Request/Body/UpdateSecurityCredentialsCoS/";
  path.append(element);
  if (!child.empty()) path.append("/").append(child);
  return path;
}

std::optional<UtcTime> date_of(const duis::ServiceRequest& request) {
  const xml::Element* const date = request.body.child(kDate);
  return date ? UtcTime::parse_iso(date->trimmed()) : std::nullopt;
}

// A date that has come is not the device's business any more.
duis::ServiceRequest as_of(duis::ServiceRequest request, UtcTime now) {
  const std::optional<UtcTime> date = date_of(request);
  if (date && *date <= now)
    std::erase_if(request.body.children,
                  [](const xml::Element& child) { return child.name == kDate; });
  return request;
}

}  // namespace

Bytes CosParty::Supply::encode() const {
  RecordWriter record;
  record.octets(supplier.octets()).number(static_cast<std::uint64_t>(since.unix_seconds()));
  if (before) record.octets(before->octets());
  return record.bytes();
}

CosParty::Supply CosParty::Supply::decode(BytesView octets) {
  RecordReader record(octets);
  Supply supply;
  supply.supplier = Eui64::from_number(get_be(record.octets()));
  supply.since = UtcTime::from_unix_seconds(static_cast<std::int64_t>(record.number()));
  if (!record.empty()) supply.before = Eui64::from_number(get_be(record.octets()));
  return supply;
}

CosParty::CosParty(const World& world, storage::Store& store, const smki::Repository& repository,
                   CosIdentity identity)
    : world_(world), store_(store), repository_(repository), identity_(std::move(identity)) {}

// Who supplied before is remembered until somebody else does.
CosParty::Supply CosParty::next_supply(const std::optional<Bytes>& before, Eui64 supplier,
                                       UtcTime since) {
  Supply next{supplier, since, std::nullopt};
  if (!before) return next;
  const Supply last = Supply::decode(*before);
  next.before = last.supplier == supplier ? last.before : last.supplier;
  return next;
}

Status CosParty::record(const std::vector<MeterPoint>& points, TraceId trace) {
  storage::Batch batch;
  std::map<std::string, Bytes> changed;  // a meter point may stand there twice
  for (const MeterPoint& point : points) {
    const auto found = changed.find(point.id);
    const std::optional<Bytes> before =
        found != changed.end() ? std::optional(found->second)
                               : store_.get(tables::cos_registrations, as_bytes(point.id));
    changed[point.id] = next_supply(before, point.supplier, point.effective_from).encode();
    batch.append(FactWriter(FactKind::cos_registration_recorded, world_.now(), trace)
                     .text(FactField::meter_point, point.id)
                     .eui(FactField::supplier, point.supplier)
                     .time(FactField::effective_from, point.effective_from)
                     .bytes());
  }
  for (const auto& [id, row] : changed) batch.put(tables::cos_registrations, as_bytes(id), row);
  TRY(store_.commit(std::move(batch)));
  return {};
}

void CosParty::replay(storage::Changes& rows, const FactView& fact) {
  const std::optional<Eui64> supplier = fact.eui(FactField::supplier);
  if (!supplier) throw Fault("a registration's fact lacks a field");
  const std::string_view point = fact.text(FactField::meter_point);
  const UtcTime since =
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::effective_from)));
  rows.put(
      tables::cos_registrations, as_bytes(point),
      next_supply(rows.get(tables::cos_registrations, as_bytes(point)), *supplier, since).encode());
}

// The gaining supplier's own signature, over the document as it came.
Status CosParty::check_signer(const duis::ServiceRequest& request,
                              std::string_view document) const {
  const auto refused = [](std::string detail) {
    return Refusal{"cos-signer"_rule, std::move(detail), "/Request/Signature"};
  };
  TRY_ASSIGN(const xml::Document parsed,
             xml::parse(document, {limit("request_octets_max"), 64, 200'000}));
  const Result<xml::IssuerSerial> claimed = xml::claimed_signer(parsed);
  if (!claimed.ok()) return refused(claimed.refusal().detail);
  const Result<smki::PublishedCertificate> signer =
      repository_.by_issuer_serial(claimed->issuer_name, claimed->serial);
  if (!signer.ok() || signer->status != smki::CertificateStatus::in_use ||
      signer->use != KeyUse::digital_signature)
    return refused("no signing certificate in use has serial " + claimed->serial.hex());
  if (signer->eui != request.id.originator ||
      (signer->role != RemotePartyRole::xml_sign && signer->role != RemotePartyRole::supplier))
    return refused("the signer is not the supplier " + request.id.originator.text());
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(signer->der));
  const Status verified = xml::verify_signature(parsed, certificate.key);
  return verified.ok() ? verified : refused(verified.refusal().detail);
}

// By its own view: on the day of the change the sender supplies the meter point.
Result<CosParty::Supply> CosParty::check_gaining(const duis::ServiceRequest& request) const {
  const std::string path = path_of("ImportMPxN");
  const std::string point(request.body.child("ImportMPxN")->trimmed());
  const std::optional<Bytes> row = store_.get(tables::cos_registrations, as_bytes(point));
  if (!row) return Refusal{"cos-not-gaining"_rule, "the CoS party has no registration", path};
  const Supply supply = Supply::decode(*row);
  const UtcTime now = world_.now(), day = std::max(now, date_of(request).value_or(now));
  if (supply.supplier != request.id.originator || day < supply.since)
    return Refusal{
        "cos-not-gaining"_rule,
        request.id.originator.text() + " does not supply the meter point at " + day.iso(), path};
  return supply;
}

// What goes into the supplier's cells must be the sender's own, published and in use.
Status CosParty::check_certificates(const duis::ServiceRequest& request) const {
  const xml::Element* const list = request.body.child(kCertificates);
  for (const xml::Element& one : list->children) {
    const Refusal refused{"cos-certificate"_rule, one.name, path_of(kCertificates, one.name)};
    const std::optional<Bytes> der = from_base64(one.text);
    const Result<x509::Certificate> certificate =
        der ? x509::parse_certificate(*der) : Result<x509::Certificate>(refused);
    if (!certificate.ok()) return refused;
    const Result<smki::PublishedCertificate> published = repository_.by_serial(certificate->serial);
    const KeyUse use =
        one.name == "DigitalSigningCertificate" ? KeyUse::digital_signature : KeyUse::key_agreement;
    if (!published.ok() || !equal(published->der, *der) ||
        published->status != smki::CertificateStatus::in_use ||
        published->eui != request.id.originator || published->role != RemotePartyRole::supplier ||
        published->use != use)
      return refused;
  }
  return {};
}

// Its own sequence; a block is durable before the first of it is used.
Result<OriginatorCounter> CosParty::next_counter() {
  const std::lock_guard lock(counter_mutex_);
  next_ = std::max(next_, static_cast<std::uint64_t>(world_.clock.now_milliseconds()));
  if (next_ >= end_) {
    Bytes key = to_bytes(identity_.id.octets()), value;
    put_be(key, std::uint64_t{0});
    const std::optional<Bytes> before = store_.get(tables::counters, key);
    if (before) next_ = std::max(next_, get_be(*before));
    end_ = next_ + limit("counter_block");
    put_be(value, end_);
    storage::Batch batch;
    batch.put(tables::counters, key, value);
    TRY(store_.commit(std::move(batch)));
  }
  return OriginatorCounter(next_++);
}

Result<CosAnswer> CosParty::change(const CosQuestion& question) {
  TRY_ASSIGN(const xml::Document document,
             xml::parse(question.document, {limit("request_octets_max"), 64, 200'000}));
  TRY_ASSIGN(const duis::ServiceRequest request, duis::read_request(document.root()));
  if (request.service_variant != kService || request.body.name != "UpdateSecurityCredentialsCoS")
    return Refusal{"cos-service"_rule, request.service_variant,
                   "/Request/Header/ServiceReferenceVariant"};
  TRY(check_signer(request, question.document));
  TRY_ASSIGN(const Supply supply, check_gaining(request));
  TRY(check_certificates(request));
  CosAnswer answer{{}, supply.before};
  Originator originator{identity_.id, OriginatorCounter(), std::nullopt, {}};
  if (!question.trial) {
    TRY_ASSIGN(originator.counter, next_counter());
  }
  const UtcTime now = world_.now();
  TRY_ASSIGN(Transformed made, transform(*templates_, as_of(request, now), question.type,
                                         originator, NoFacts(), now));
  if (question.trial) return answer;
  storage::Batch batch;
  batch.append(
      FactWriter(FactKind::cos_command_signed, now, question.trace)
          .text(FactField::request_id, request.id.text())
          .eui(FactField::device, request.id.target)
          .eui(FactField::supplier, request.id.originator)
          .number(FactField::counter, originator.counter.number())
          .octets(FactField::message_digest, crypto::sha256(gbcs::signed_octets(made.message)))
          .bytes());
  TRY(store_.commit(std::move(batch)));
  gbcs::sign(made.message, *identity_.signing);
  answer.command = gbcs::encode(made.message);
  log::info("cos_command_signed",
            {{"trace", question.trace.text()}, {"request", request.id.text()}});
  return answer;
}

}  // namespace wattseal::gateway
