// gbcs verify | sign | decrypt: what keys do to messages, for users
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/commands/keys.h"
#include "gbcs/security.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

Result<gbcs::Message> read_message(const std::string& file) {
  TRY_ASSIGN(const Bytes octets, read_octets(read_input(file)));
  return gbcs::decode(octets);
}

// The certificate of the party that the message names, for the use at hand.
Result<x509::Certificate> certificate_of(const std::string& file, Eui64 party, unsigned usage,
                                         const std::string& field) {
  TRY_ASSIGN(x509::Certificate certificate, read_certificate(file));
  TRY(must_be_for(certificate, usage, field));
  const std::optional<Eui64> subject = subject_of(certificate);
  if (subject != party) {
    return Refusal{"apps-key-pair"_rule,
                   "the message names " + party.text() + ", the certificate " +
                       (subject ? subject->text() : "nobody"),
                   field};
  }
  return certificate;
}

struct VerifyGiven {
  std::string message, certificate, peer;
  KeySource key;
};

// The MAC of a command is made by the DCC for the device, that of an answer by the device for the
// party it answers; either side's private key tells. Source: spec/gbcs-duis.md 1.6.
Status verify_mac(const World& world, const VerifyGiven& given, const gbcs::Message& message) {
  if (given.peer.empty())
    return Refusal{"apps-input"_rule, "a key is given and no certificate of the other side",
                   "--mac-certificate"};
  TRY_ASSIGN(const crypto::KeyHandle key, read_key(world, given.key));
  TRY_ASSIGN(const x509::Certificate peer, read_certificate(given.peer));
  TRY(must_be_for(peer, x509::key_usage::key_agreement, "--mac-certificate"));
  return gbcs::verify_mac(message, key->agree(peer.key));
}

int verify(const Context& context, const VerifyGiven& given) {
  if (given.certificate.empty() && given.key.empty())
    return refuse(context, {"apps-input"_rule,
                            "give the signer's --certificate, or a key with --mac-certificate",
                            "--certificate"});
  const Result<gbcs::Message> message = read_message(given.message);
  if (!message.ok()) return refuse(context, message.refusal());
  json shown{{"code", message->code.text()},
             {"originator", message->originator.text()},
             {"target", message->target.text()},
             {"counter", message->counter.number()}};
  const bool is_signed = message->signature_field == gbcs::SignatureField::present;
  shown["signature"] = is_signed ? "not checked" : "absent";
  shown["mac"] = message->mac ? "not checked" : "absent";
  if (!given.certificate.empty()) {
    const Result<x509::Certificate> signer =
        certificate_of(given.certificate, message->originator, x509::key_usage::digital_signature,
                       "--certificate");
    if (!signer.ok()) return refuse(context, signer.refusal());
    const Status status = gbcs::verify_signature(*message, signer->key);
    if (!status.ok()) return refuse(context, status.refusal());
    shown["signature"] = "verified";
  }
  if (!given.key.empty()) {
    const Status status = verify_mac(context.world, given, *message);
    if (!status.ok()) return refuse(context, status.refusal());
    shown["mac"] = "verified";
  }
  if (context.json)
    print_json(shown);
  else
    fmt::print("signature {}, MAC {}\n", shown["signature"].get<std::string>(),
               shown["mac"].get<std::string>());
  return kDone;
}

void add_verify(CLI::App& gbcs, Context& context) {
  const std::shared_ptr<VerifyGiven> given = std::make_shared<VerifyGiven>();
  CLI::App* const command =
      gbcs.add_subcommand("verify", "Verify the signature and the MAC of a message");
  command->add_option("message", given->message, "Raw octets, hexadecimal or base64; - is input")
      ->required();
  command->add_option("--certificate", given->certificate,
                      "Digital signature certificate (PEM) of the originator");
  add_key_options(*command, given->key,
                  "one side's key agreement key: of a command the DCC's or the device's, of an "
                  "answer the receiver's or the device's");
  command->add_option("--mac-certificate", given->peer,
                      "Key agreement certificate (PEM) of the other side");
  command->footer(examples(
      {"wattseal gbcs verify response.hex --certificate meter-ds.pem",
       "wattseal gbcs verify response.hex --key my-ka.key --mac-certificate meter-ka.pem --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return verify(context, *given); };
  });
}

struct SignGiven {
  std::string message, certificate, out = "-", format = "hex";
  KeySource key;
};

Result<Bytes> signed_octets_of(const World& world, const SignGiven& given) {
  TRY_ASSIGN(gbcs::Message message, read_message(given.message));
  if (message.cra != gbcs::Cra::command)
    return Refusal{"gbcs-not-to-sign"_rule, "the message is no command", "CRA flag"};
  if (message.signature_field == gbcs::SignatureField::present)
    return Refusal{"gbcs-not-to-sign"_rule, "it has a signature already", "signature"};
  if (message.mac) return Refusal{"gbcs-not-to-sign"_rule, "it has a MAC already", "MAC"};
  TRY_ASSIGN(const crypto::KeyHandle key, read_key(world, given.key));
  TRY_ASSIGN(const x509::Certificate certificate,
             certificate_of(given.certificate, message.originator,
                            x509::key_usage::digital_signature, "--certificate"));
  if (certificate.key != key->public_point())
    return Refusal{"apps-key-pair"_rule,
                   "the key is not that of certificate " + certificate.serial.hex(), "--key"};
  gbcs::sign(message, *key);
  return gbcs::encode(message);
}

int sign(const Context& context, const SignGiven& given) {
  const Result<Bytes> octets = signed_octets_of(context.world, given);
  if (!octets.ok()) return refuse(context, octets.refusal());
  if (context.json) {
    print_json({{"message", to_base64(*octets)}});
    return kDone;
  }
  const std::string text = given.format == "raw"      ? std::string(as_text(*octets))
                           : given.format == "base64" ? to_base64(*octets) + "\n"
                                                      : to_hex_upper(*octets) + "\n";
  write_output(given.out, text);
  return kDone;
}

void add_sign(CLI::App& gbcs, Context& context) {
  const std::shared_ptr<SignGiven> given = std::make_shared<SignGiven>();
  CLI::App* const command = gbcs.add_subcommand(
      "sign", "Sign a pre-command. Correlate it with its request before: wattseal correlate");
  command
      ->add_option("pre-command", given->message, "Raw octets, hexadecimal or base64; - is input")
      ->required();
  add_key_options(*command, given->key, "the user's digital signature key");
  command
      ->add_option("--certificate", given->certificate,
                   "The key's certificate (PEM); it names the originator of the message")
      ->required();
  command->add_option("--out", given->out, "Where the signed pre-command goes")
      ->capture_default_str();
  command->add_option("--format", given->format, "hex, base64 or raw")
      ->check(CLI::IsMember({"hex", "base64", "raw"}))
      ->capture_default_str();
  command->footer(
      examples({"wattseal gbcs sign pre-command.hex --key ds.key --certificate ds.pem",
                "wattseal gbcs sign pre-command.hex --key-store keys.wattseal --passphrase-file "
                "secret --key-label ds --certificate ds.pem --format base64"}));
  command->callback(
      [given, &context] { context.chosen = [given, &context] { return sign(context, *given); }; });
}

struct DecryptGiven {
  std::string message, certificate;
  KeySource key;
};

int decrypt(const Context& context, const DecryptGiven& given) {
  const Result<json> encrypted = [&]() -> Result<json> {
    TRY_ASSIGN(const gbcs::Message message, read_message(given.message));
    TRY(certificate_of(given.certificate, message.originator, x509::key_usage::key_agreement,
                       "--certificate"));
    TRY_ASSIGN(const gbcs::Opener open, opener(context.world, given.key, given.certificate));
    std::optional<Refusal> refused;
    const gbcs::Opener watched = [&](const gbcs::Message& of, BytesView blob) {
      Result<Bytes> plain = open(of, blob);
      if (!plain.ok() && !refused) refused = plain.refusal();
      return plain;
    };
    TRY_ASSIGN(const json tree, gbcs::parse_tree(message, watched));
    if (refused) return *refused;
    if (!tree.contains("encrypted"))
      return Refusal{"gbcs-nothing-encrypted"_rule, "no value of the message is encrypted"};
    return tree["encrypted"];
  }();
  if (!encrypted.ok()) return refuse(context, encrypted.refusal());
  if (context.json) {
    print_json(*encrypted);
    return kDone;
  }
  for (const json& one : *encrypted)
    fmt::print("{} {}\n", one["where"].get<std::string>(), one["plaintext"].get<std::string>());
  return kDone;
}

void add_decrypt(CLI::App& gbcs, Context& context) {
  const std::shared_ptr<DecryptGiven> given = std::make_shared<DecryptGiven>();
  CLI::App* const command =
      gbcs.add_subcommand("decrypt", "Decrypt the encrypted attributes of an answer or alert");
  command->add_option("message", given->message, "Raw octets, hexadecimal or base64; - is input")
      ->required();
  add_key_options(*command, given->key, "the key agreement key of the party they are for");
  command
      ->add_option("--certificate", given->certificate,
                   "Key agreement certificate (PEM) of the device")
      ->required();
  command->footer(examples(
      {"wattseal gbcs decrypt response.hex --key my-ka.key --certificate meter-ka.pem",
       "wattseal gbcs decrypt response.hex --key my-ka.key --certificate meter-ka.pem --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return decrypt(context, *given); };
  });
}

}  // namespace

void add_gbcs_keys(CLI::App& gbcs, Context& context) {
  add_verify(gbcs, context);
  add_sign(gbcs, context);
  add_decrypt(gbcs, context);
}

}  // namespace wattseal::apps
