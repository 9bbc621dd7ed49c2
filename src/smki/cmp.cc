#include "smki/cmp.h"

#include "asn1/der.h"
#include "smki/enrolment.h"
#include "smki/office_records.h"
#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

struct FailureRow {
  std::string_view rule, bit, name, source, in_force_from;
};
constexpr FailureRow kFailures[] = {
#include "tables/cmp_failures.inc"
};
constexpr unsigned kBadRequest = 2, kNotAuthorized = 23, kSystemUnavail = 24;
constexpr std::size_t kTextMax = 300;

// Whom a message comes from.
struct Sender {
  Person person;
  Eui64 subscriber;
  std::string address;
};

struct Answer {
  CmpBody body = CmpBody::error;
  Bytes content;
};

CmpStatusInfo rejection(std::string_view rule, std::string_view detail) {
  const RuleRow* const row = find_rule(rule);
  std::string text = std::string(rule) + ": " + std::string(row ? row->explanation : "") + " " +
                     std::string(detail);
  text.resize(std::min(text.size(), kTextMax));
  for (char& c : text) {  // a UTF8String, whatever a peer's name holds
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return {CmpStatus::rejection, std::move(text), cmp_failure(rule)};
}
CmpStatusInfo rejection(const Refusal& refusal) {
  return rejection(refusal.rule.text(), refusal.detail);
}
Answer error(const Refusal& refusal) { return {CmpBody::error, cmp_error(rejection(refusal))}; }

// What a credential is needed for here. It need not be of SMKI and have its profile: a serial
// number of twenty octets and extensions of any kind are good.
struct Credential {
  UtcTime not_before, not_after;
  crypto::PublicPoint key{};
};
Status read_key(asn1::Reader key, Credential& out) {
  static const Bytes kEcPublicKey = x509::oid::from_text("1.2.840.10045.2.1"),
                     kCurve = x509::oid::from_text("1.2.840.10045.3.1.7");
  TRY_ASSIGN(asn1::Reader algorithm, key.enter(asn1::kSequence));
  TRY_ASSIGN(const BytesView type, algorithm.oid());
  const Refusal other{"cmp-protection"_rule, "its key is not on P-256", "extraCerts"};
  if (!equal(type, kEcPublicKey)) return other;
  TRY_ASSIGN(const BytesView curve, algorithm.oid());
  if (!equal(curve, kCurve)) return other;
  TRY_ASSIGN(const BytesView point, key.bit_string(0));
  TRY_ASSIGN(out.key, crypto::parse_point(point));
  return {};
}
Result<Credential> read_credential(BytesView der) {
  Credential out;
  asn1::Reader reader(der);
  TRY_ASSIGN(asn1::Reader certificate, reader.enter(asn1::kSequence));
  TRY_ASSIGN(asn1::Reader tbs, certificate.enter(asn1::kSequence));
  if (tbs.peek_tag() == asn1::context(0, true)) TRY(tbs.any());  // version
  TRY(tbs.expect(asn1::kInteger));
  TRY(tbs.expect(asn1::kSequence));  // signature
  TRY(tbs.expect(asn1::kSequence));  // issuer
  TRY_ASSIGN(asn1::Reader validity, tbs.enter(asn1::kSequence));
  TRY_ASSIGN(out.not_before, validity.time());
  TRY_ASSIGN(out.not_after, validity.time());
  TRY(tbs.expect(asn1::kSequence));  // subject
  TRY_ASSIGN(const asn1::Reader key, tbs.enter(asn1::kSequence));
  TRY(read_key(key, out));
  return out;
}

// The first certificate that is somebody's credential.
struct Known {
  Person person;
  BytesView certificate;
};
Result<Known> find_credential(const CmpService& service, const std::vector<Bytes>& certificates) {
  Result<Person> person = service.office.person_by_credential(certificates.front());
  for (const Bytes& one : certificates) {
    person = service.office.person_by_credential(one);
    if (person.ok()) return Known{*person, one};
  }
  return person.refusal();
}

Result<Sender> identify(const CmpService& service, const CmpMessage& message,
                        const http::Request& request) {
  const UtcTime now = service.subscribers.world.now();
  const std::int64_t most = static_cast<std::int64_t>(limit("cmp_clock_tolerance_seconds"));
  if (!message.signature || message.extra_certificates.empty())
    return Refusal{"cmp-protection"_rule, "there is no signature with its certificate",
                   "protection"};
  TRY_ASSIGN(const Known known, find_credential(service, message.extra_certificates));
  const Person& person = known.person;
  TRY_ASSIGN(const Credential credential, read_credential(known.certificate));
  if (now < credential.not_before || now > credential.not_after)
    return Refusal{"cmp-protection"_rule, "the certificate is not valid now", "extraCerts"};
  if (!crypto::verify(credential.key, crypto::sha256(message.protected_part), *message.signature))
    return Refusal{"cmp-protection"_rule, "the signature does not verify", "protection"};
  if (message.header.time &&
      (*message.header.time - now > most || now - *message.header.time > most))
    return Refusal{"cmp-time"_rule, message.header.time->iso(), "messageTime"};
  if (!person.may_act(now))
    return Refusal{"office-person"_rule, person.role + " " + std::to_string(person.id), "sender"};
  if (!person.party)
    return Refusal{"ra-subscriber-missing"_rule, "the credential is no subscriber's", "sender"};
  return Sender{person, *person.party, request.peer};
}

// ---- transactions

std::optional<CmpTransaction> find(const CmpService& service, const CmpMessage& message) {
  const std::lock_guard lock(service.transactions.mutex);
  const auto found = service.transactions.open.find(message.header.transaction);
  if (found == service.transactions.open.end()) return {};
  return found->second;
}

void forget(const CmpService& service, const CmpMessage& message) {
  const std::lock_guard lock(service.transactions.mutex);
  service.transactions.open.erase(message.header.transaction);
}

// The oldest make room.
void remember(const CmpService& service, const CmpMessage& message, CmpTransaction transaction) {
  const std::lock_guard lock(service.transactions.mutex);
  auto& open = service.transactions.open;
  const UtcTime oldest = service.subscribers.world.now().plus_seconds(
      -60 * static_cast<std::int64_t>(limit("cmp_transaction_minutes")));
  std::erase_if(open, [&](const auto& one) { return one.second.begun < oldest; });
  if (open.size() >= limit("cmp_transactions_max"))
    open.erase(
        std::ranges::min_element(open, {}, [](const auto& one) { return one.second.begun; }));
  open.insert_or_assign(message.header.transaction, std::move(transaction));
}

// The transaction that a message goes on with.
Result<CmpTransaction> going_on(const CmpService& service, const CmpMessage& message,
                                const Sender& sender) {
  const std::optional<CmpTransaction> found = find(service, message);
  if (!found || found->person != sender.person.id)
    return Refusal{"cmp-transaction"_rule, "there is none of this number", "transactionID"};
  if (found->nonce != message.header.recipient_nonce)
    return Refusal{"cmp-transaction"_rule, "the nonce is not that of the answer", "recipNonce"};
  return *found;
}

// ---- enrolment

CmpBody answer_to(CmpBody body) {
  return body == CmpBody::ir ? CmpBody::ip : body == CmpBody::kur ? CmpBody::kup : CmpBody::cp;
}

Status check_replaced(const CmpService& service, const CmpMessage& message) {
  TRY_ASSIGN(const x509::CertificationRequest request, x509::parse_request(message.request));
  TRY_ASSIGN(const PublishedCertificate replaced,
             replaced_by(service.subscribers.repository, request));
  if (!message.old_serial || *message.old_serial == replaced.serial) return {};
  return Refusal{"enrol-nothing-to-replace"_rule,
                 message.old_serial->hex() + " is not the one in use", "oldCertId"};
}

// Asks the registration authority, for the first time or again, and says what it said.
Answer ask(const CmpService& service, const CmpMessage& message, const Sender& sender,
           CmpTransaction& transaction, TraceId trace) {
  const auto answer = [&](const CmpStatusInfo& status, BytesView certificate) {
    std::vector<Bytes> authorities;
    if (!certificate.empty() && transaction.answer == CmpBody::ip)
      authorities = authority_certificates(service.subscribers.repository, {});
    return Answer{transaction.answer, cmp_certificate_response(transaction.request_id, status,
                                                               certificate, authorities)};
  };
  const Submission submission{sender.subscriber, {transaction.request}, trace,
                              sender.person.id,  sender.address,        {}};
  const Result<SingleAnswer> made = service.subscribers.express.request(submission);
  if (!made.ok()) return answer(rejection(made.refusal()), {});
  if (made->state == RowState::refused) return answer(rejection(made->rule, made->detail), {});
  transaction.batch = made->batch;
  if (made->state == RowState::published) {
    transaction.certificate = made->certificate;
    if (!message.header.implicit_confirm) remember(service, message, transaction);
    return answer({}, made->certificate);
  }
  remember(service, message, transaction);
  return answer(
      {CmpStatus::waiting,
       made->state == RowState::held ? "act " + std::to_string(made->act) + " waits for approval"
                                     : "batch " + std::to_string(made->batch) + " waits",
       {}},
      {});
}

Answer enrol(const CmpService& service, const CmpMessage& message, const Sender& sender,
             const Bytes& nonce, TraceId trace) {
  if (find(service, message))
    return error({"cmp-transaction"_rule, "the number is in use", "transactionID"});
  CmpTransaction transaction;
  transaction.person = sender.person.id;
  transaction.subscriber = sender.subscriber;
  transaction.answer = answer_to(message.body);
  transaction.request_id = message.request_id;
  transaction.request = message.request;
  transaction.nonce = nonce;
  transaction.begun = service.subscribers.world.now();
  if (message.body == CmpBody::kur) {
    if (const Status checked = check_replaced(service, message); !checked.ok())
      return {transaction.answer,
              cmp_certificate_response(message.request_id, rejection(checked.refusal()), {}, {})};
  }
  return ask(service, message, sender, transaction, trace);
}

Answer poll(const CmpService& service, const CmpMessage& message, const Sender& sender,
            const Bytes& nonce, TraceId trace) {
  Result<CmpTransaction> transaction = going_on(service, message, sender);
  if (!transaction.ok()) return error(transaction.refusal());
  if (!transaction->certificate.empty())
    return error({"cmp-transaction"_rule, "it waits for nothing", "transactionID"});
  transaction->nonce = nonce;
  Answer answer = ask(service, message, sender, *transaction, trace);
  const std::optional<CmpTransaction> kept = find(service, message);
  const bool waits = kept && kept->nonce == nonce && kept->certificate.empty();
  if (!waits) {
    if (transaction->certificate.empty()) forget(service, message);
    return answer;
  }
  return {CmpBody::poll_rep, cmp_poll_response(transaction->request_id, limit("cmp_poll_seconds"))};
}

// The certificate stays published, so that only the journal can say that it is not used.
Status keep_declined(const CmpService& service, const CmpTransaction& transaction,
                     const Sender& sender, TraceId trace) {
  const SubscriberService& smki = service.subscribers;
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(transaction.certificate));
  storage::Batch batch;
  batch.append(FactWriter(FactKind::certificate_declined, smki.world.now(), trace)
                   .serial(certificate.serial)
                   .eui(FactField::subscriber, sender.subscriber)
                   .number(FactField::batch, transaction.batch)
                   .number(FactField::person, sender.person.id)
                   .text(FactField::address, sender.address)
                   .bytes());
  TRY(smki.store.commit(std::move(batch)));
  return {};
}

Answer confirm(const CmpService& service, const CmpMessage& message, const Sender& sender,
               TraceId trace) {
  const Result<CmpTransaction> transaction = going_on(service, message, sender);
  if (!transaction.ok()) return error(transaction.refusal());
  const crypto::Digest hash = crypto::sha256(transaction->certificate);
  const bool empty = !message.accepted && message.certificate_hash.empty();
  if (transaction->certificate.empty() ||
      (!empty &&
       (message.request_id != transaction->request_id || !equal(message.certificate_hash, hash))))
    return error({"cmp-certificate"_rule, "another certificate is meant", "certHash"});
  if (!message.accepted) {
    const Status kept = keep_declined(service, *transaction, sender, trace);
    if (!kept.ok()) return error(kept.refusal());
  }
  forget(service, message);
  return {CmpBody::pkiconf, cmp_confirmation()};
}

// ---- revocation

// The first grounds of this reason that the caller may give; without a reason: of no need.
Result<std::string_view> grounds_of(std::optional<unsigned> reason) {
  constexpr unsigned kNoLongerNeeded = 5;
  const unsigned wanted = reason.value_or(0) == 0 ? kNoLongerNeeded : *reason;
  for (const GroundsRow& row : revocation_grounds()) {
    if (row.reason == wanted && has_role(row.requesters, "subscriber")) return row.id;
  }
  return Refusal{"cmp-reason"_rule, "CRLReason " + std::to_string(*reason), "crlEntryDetails"};
}

Answer revoke(const CmpService& service, const CmpMessage& message, const Sender& sender,
              TraceId trace) {
  const auto answer = [](const CmpStatusInfo& status) {
    return Answer{CmpBody::rp, cmp_revocation_response(status)};
  };
  const Result<std::string_view> grounds = grounds_of(message.reason);
  if (!grounds.ok()) return answer(rejection(grounds.refusal()));
  const Result<ActId> act = service.office.propose(
      "revoke-certificate", {{"serial", message.serial.hex()}, {"grounds", *grounds}},
      {sender.person.id, sender.address}, trace);
  if (!act.ok()) return answer(rejection(act.refusal()));
  if (service.wake) service.wake();
  return answer(
      {CmpStatus::revocation_warning, "act " + std::to_string(*act) + " waits for approval", {}});
}

Answer answer_of(const CmpService& service, const CmpMessage& message, const http::Request& request,
                 const Bytes& nonce) {
  const Result<Sender> sender = identify(service, message, request);
  if (!sender.ok()) return error(sender.refusal());
  switch (message.body) {
    case CmpBody::rr: return revoke(service, message, *sender, request.trace);
    case CmpBody::cert_conf: return confirm(service, message, *sender, request.trace);
    case CmpBody::poll_req: return poll(service, message, *sender, nonce, request.trace);
    default: return enrol(service, message, *sender, nonce, request.trace);
  }
}

http::Response serve(const CmpService& service, const http::Request& request) {
  const Result<CmpMessage> message = decode_cmp(as_bytes(request.body));
  if (!message.ok()) return refuse(message.refusal(), request.trace);
  const CmpSigner* const signing = service.signer;
  if (!signing) return refuse({"cmp-unavailable"_rule, "no certificate yet"}, request.trace);
  Bytes nonce(16, 0);
  service.subscribers.world.random.fill(nonce);
  const Answer answer = answer_of(service, *message, request, nonce);
  const x509::Certificate signer = x509::parse_certificate(signing->certificate).value();
  CmpHeader header;
  header.version = message->header.version;
  header.sender = cmp_directory_name(signer.subject);
  header.recipient = message->header.sender;
  header.time = service.subscribers.world.now();
  header.sender_key_id = signer.subject_key_id.value_or(Bytes());
  header.transaction = message->header.transaction;
  header.sender_nonce = nonce;
  header.recipient_nonce = message->header.sender_nonce;
  header.implicit_confirm =
      message->header.implicit_confirm &&
      (answer.body == CmpBody::ip || answer.body == CmpBody::cp || answer.body == CmpBody::kup);
  std::vector<Bytes> extra{signing->certificate};
  for (const Bytes& one : authority_certificates(service.subscribers.repository, {}))
    extra.push_back(one);
  const Bytes encoded = encode_cmp(header, answer.body, answer.content, signing->key.get(), extra);
  return {200, "application/pkixcmp", std::string(as_text(encoded)), {}};
}

}  // namespace

unsigned cmp_failure(std::string_view rule) {
  for (const FailureRow& row : kFailures) {
    const bool any = row.rule.ends_with('*');
    const std::string_view begin = row.rule.substr(0, row.rule.size() - (any ? 1 : 0));
    if (any ? rule.starts_with(begin) : rule == begin) return to_unsigned(row.bit);
  }
  const RuleRow* const row = find_rule(rule);
  const int status = row ? row->http_status : 400;
  return status == 403 ? kNotAuthorized : status >= 500 ? kSystemUnavail : kBadRequest;
}

void add_cmp_routes(http::Router& router, const CmpService& service) {
  router.on("POST", "/.well-known/cmp",
            [&service](const http::Request& request) { return serve(service, request); });
}

}  // namespace wattseal::smki
