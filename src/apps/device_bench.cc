#include "apps/device_bench.h"

#include "asn1/der.h"
#include "gbcs/security.h"
#include "gbcs/utrn.h"

namespace wattseal::apps {
namespace {

using emulators::Cell;
using gbcs::Message;
using enum RemotePartyRole;

constexpr Octet kUtf8 = 0x0C, kBitString = 0x03;
constexpr std::uint64_t kFirstParty = 0x70'B3'D5'1F'70'00'00'00;
constexpr int kYears = 20;
constexpr std::size_t kTagOctets = 16;

x509::Name authority(std::string_view common_name, bool issuing) {
  x509::Name name{{x509::oid::common_name, kUtf8, to_bytes(as_bytes(common_name))}};
  name.insert(issuing ? name.begin() : name.end(),
              {x509::oid::organizational_unit, kUtf8, to_bytes(as_bytes(issuing ? "07" : "00"))});
  return name;
}

x509::Name organisation(RemotePartyRole role, Eui64 party) {
  return {{x509::oid::organizational_unit, kUtf8, to_bytes(as_bytes(ou_text(role)))},
          {x509::oid::unique_identifier, kBitString, [&] {
             const auto octets = party.octets();
             return Bytes(octets.begin(), octets.end());
           }()}};
}

Bytes point_info(const crypto::PublicPoint& point) {
  Bytes info = *from_hex("3059301306072a8648ce3d020106082a8648ce3d030107034200");
  append(info, point);
  return info;
}

std::vector<x509::Extension> authority_extensions(const crypto::PublicPoint& key,
                                                  const crypto::PublicPoint& issuer) {
  return {x509::usage_extension(x509::key_usage::key_cert_sign | x509::key_usage::crl_sign),
          x509::constraints_extension({true, std::nullopt}),
          x509::subject_key_id_extension(x509::key_identifier(key)),
          x509::authority_key_id_extension(x509::key_identifier(issuer))};
}

Bytes signed_certificate(const x509::TbsCertificate& tbs, const crypto::PrivateKey& issuer) {
  const Bytes octets = x509::encode_tbs(tbs);
  return x509::assemble_certificate(octets, issuer.sign(crypto::sha256(octets)));
}

}  // namespace

DeviceBench::DeviceBench(BenchOptions options)
    : clock(options.installed),
      options_(std::move(options)),
      random_(seeded_random(options_.device.number())),
      world_{clock, *random_},
      keys_(crypto::memory_key_store()) {
  std::uint64_t number = kFirstParty;
  for (const RemotePartyRole role : {recovery, supplier, network_operator, access_control_broker,
                                     transitional_cos, wan_provider, load_controller})
    options_.parties.try_emplace(role, Eui64::from_number(++number));
  device_signing_ = crypto::generate_one(*keys_, "device.ds").value();
  device_agreement_ = crypto::generate_one(*keys_, "device.ka").value();
  make_hierarchy();
  std::map<Cell, Bytes> cells;
  const auto put = [&](RemotePartyRole role, KeyUse use, bool prepayment = false) {
    const bool held =
        std::ranges::find(options_.held_by_broker, role) != options_.held_by_broker.end();
    const RemotePartyRole holder = held ? access_control_broker : role;
    cells[{role, use, prepayment}] = certificate(holder, party(holder), use, !held && prepayment);
  };
  put(recovery, KeyUse::digital_signature);
  put(access_control_broker, KeyUse::key_agreement);
  put(transitional_cos, KeyUse::digital_signature);
  if (options_.type == DeviceType::chf) {
    put(access_control_broker, KeyUse::digital_signature);
    put(wan_provider, KeyUse::digital_signature);
  } else {
    for (const RemotePartyRole role : {supplier, network_operator, load_controller}) {
      put(role, KeyUse::digital_signature);
      put(role, KeyUse::key_agreement);
    }
    put(supplier, KeyUse::key_agreement, true);
  }
  device_ = emulators::EmulatedDevice::make(
      world_, {options_.device, options_.type, device_signing_, device_agreement_,
               emulators::check_anchors({root_, issuing_}, cells, clock.now()).value(),
               options_.variant, options_.joined});
}

void DeviceBench::make_hierarchy() {
  const std::string suffix = "." + std::to_string(generation_);
  root_key_ = crypto::generate_one(*keys_, "root" + suffix).value();
  issuing_key_ = crypto::generate_one(*keys_, "issuing" + suffix).value();
  contingency_key_ = crypto::generate_one(*keys_, "contingency" + suffix).value();
  root_ = root_certificate(*root_key_);
  issuing_ = issuing_certificate(*root_key_, issuing_key_->public_point());
}

void DeviceBench::succeed_root() {
  ++generation_;
  make_hierarchy();
}

Bytes DeviceBench::root_certificate(const crypto::PrivateKey& root) {
  contingency_secret_.assign(16, 0);
  random_->fill(contingency_secret_);
  crypto::Key128 key{};
  std::ranges::copy(contingency_secret_, key.begin());
  crypto::Iv iv{};
  random_->fill(iv);
  const Bytes sealed =
      crypto::gcm_seal(key, iv, {}, point_info(contingency_key_->public_point()), kTagOctets);
  asn1::Writer wrapped;
  wrapped.constructed(asn1::kSequence, [&] {
    wrapped.constructed(asn1::kSequence, [&] {
      wrapped.oid(x509::oid::from_text("2.16.840.1.101.3.4.1.6"));
      wrapped.constructed(asn1::kSequence, [&] {
        wrapped.primitive(asn1::kOctetString, iv);
        wrapped.unsigned_integer(kTagOctets);
      });
    });
    wrapped.primitive(asn1::kOctetString, sealed);
  });
  std::vector<x509::Extension> extensions =
      authority_extensions(root.public_point(), root.public_point());
  extensions.push_back({x509::oid::wrapped_apex_contingency_key, false, wrapped.take()});
  const x509::Name name = authority("Bench root " + std::to_string(generation_), false);
  return signed_certificate(
      {CertificateSerial::parse_decimal(std::to_string(serial_++)).value(), name,
       options_.installed.plus_years(-1), options_.installed.plus_years(kYears), name,
       root.public_point(), std::move(extensions)},
      root);
}

Bytes DeviceBench::issuing_certificate(const crypto::PrivateKey& root,
                                       const crypto::PublicPoint& key) const {
  return signed_certificate(
      {CertificateSerial::parse_decimal(std::to_string(1'000'000 + generation_)).value(),
       authority("Bench root " + std::to_string(generation_), false),
       options_.installed.plus_years(-1), options_.installed.plus_years(kYears),
       authority("Bench issuing " + std::to_string(generation_), true), key,
       authority_extensions(key, root.public_point())},
      root);
}

crypto::KeyHandle DeviceBench::key(Eui64 party, KeyUse use, bool prepayment) {
  const std::string label =
      party.hex() + (use == KeyUse::digital_signature ? ".ds" : ".ka") + (prepayment ? ".pp" : "");
  return crypto::find_or_generate(*keys_, label).value();
}

Bytes DeviceBench::certificate(RemotePartyRole role, Eui64 party, KeyUse use, bool prepayment) {
  return issue(organisation(role, party),
               use == KeyUse::digital_signature ? x509::key_usage::digital_signature
                                                : x509::key_usage::key_agreement,
               key(party, use, prepayment)->public_point());
}

Bytes DeviceBench::issue(const x509::Name& subject, unsigned usage,
                         const crypto::PublicPoint& key) {
  return signed_certificate(
      {CertificateSerial::parse_decimal(std::to_string(serial_++)).value(),
       authority("Bench issuing " + std::to_string(generation_), true),
       options_.installed.plus_years(-1),
       options_.installed.plus_years(kYears),
       subject,
       key,
       {x509::usage_extension(usage), x509::subject_key_id_extension(x509::key_identifier(key)),
        x509::authority_key_id_extension(x509::key_identifier(issuing_key_->public_point()))}},
      *issuing_key_);
}

Message DeviceBench::command(std::uint16_t code, RemotePartyRole from, Bytes payload) {
  Message message;
  message.cra = gbcs::Cra::command;
  message.counter = OriginatorCounter(next_counter_++);
  message.originator = party(from);
  message.target = options_.device;
  message.code = gbcs::MessageCode(code);
  message.payload = std::move(payload);
  return message;
}

Result<Message> DeviceBench::protect(Message message) {
  constexpr std::uint16_t kContingency = 0x0109;
  const std::uint16_t code = message.code.number();
  const UseCaseRow* row = find_use_case(code, options_.type);
  if (!row) row = find_use_case(code, std::nullopt);
  if (!row) return Refusal{"device-code"_rule, "message code " + message.code.text()};
  if (code == kContingency) {
    gbcs::sign(message, *contingency_key_);
  } else if (row->protection_class != "non-critical") {
    gbcs::sign(message, *key(message.originator, KeyUse::digital_signature));
  } else {
    message.signature_field = gbcs::SignatureField::empty;
  }
  if (row->protection_class != "signed, no MAC") {
    const crypto::KeyHandle broker = key(party(access_control_broker), KeyUse::key_agreement);
    gbcs::add_mac(message, broker->agree(device_agreement_->public_point()));
  }
  return message;
}

Result<Message> DeviceBench::execute(Message message) {
  TRY_ASSIGN(message, protect(std::move(message)));
  const std::size_t known = device_->security_log().size();
  const std::vector<Bytes> answers = device_->receive(gbcs::encode(message));
  const std::vector<emulators::SecurityLogEntry> log = device_->security_log();
  if (log.size() > known || answers.empty()) {
    return Refusal{"device-payload"_rule, log.size() > known
                                              ? log.back().rule + ": " + log.back().detail
                                              : std::string("the device says nothing")};
  }
  TRY_ASSIGN(const Message answer, gbcs::decode(answers.front()));
  if (answer.mac) {
    const Eui64 reader = answer.target;
    TRY(gbcs::verify_mac(
        answer, key(reader, KeyUse::key_agreement)->agree(device_agreement_->public_point())));
  } else {
    TRY(gbcs::verify_signature(answer, device_signing_->public_point()));
  }
  return answer;
}

Result<Bytes> DeviceBench::open(const Message& answer, Eui64 reader, BytesView sealed) {
  const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(answer);
  return gbcs::open_attribute(
      key(reader, KeyUse::key_agreement)->agree(device_agreement_->public_point()), options_.device,
      recipient.counter, recipient.party, sealed);
}

std::string DeviceBench::top_up_code(std::uint64_t counter_high, unsigned pence) {
  return top_up_code(party(supplier), OriginatorCounter(counter_high << 32), pence);
}

std::string DeviceBench::top_up_code(Eui64 from, OriginatorCounter counter, unsigned pence) {
  const crypto::KeyHandle prepayment = key(from, KeyUse::key_agreement, true);
  return gbcs::make_utrn(prepayment->agree(device_agreement_->public_point()),
                         {from, options_.device, counter, gbcs::UtrnUnit::pence, pence})
      .value();
}

}  // namespace wattseal::apps
