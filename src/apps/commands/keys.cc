#include "apps/commands/keys.h"

#include "apps/signing_service.h"
#include "smki/profiles.h"

namespace wattseal::apps {
namespace {

// A secret in a file of its own, without the line's end.
std::string secret_in(const std::string& file) {
  std::string text = read_input(file);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace

void add_key_options(CLI::App& command, KeySource& source, const std::string& whose) {
  CLI::Option* const file =
      command.add_option("--key,--test-key", source.file,
                         "Private key in a file (PEM or DER, development only): " + whose);
  CLI::Option* const store =
      command.add_option("--key-store", source.store, "Encrypted key file that holds " + whose);
  command.add_option("--passphrase-file", source.passphrase_file,
                     "File with the passphrase of --key-store");
  CLI::Option* const module = command.add_option("--pkcs11-module", source.module,
                                                 "PKCS#11 module of the token that holds " + whose);
  command.add_option("--token", source.token, "Label of the token");
  command.add_option("--pin-file", source.pin_file, "File with the PIN of the token");
  command.add_option("--key-label", source.label, "Label of the key in the store or token");
  file->excludes(store)->excludes(module);
  store->excludes(module);
}

Result<crypto::KeyHandle> read_key(const World& world, const KeySource& source) {
  if (!source.file.empty()) return read_test_key(source.file);
  if (!source.store.empty()) {
    if (!std::filesystem::exists(source.store))
      throw UnreadableInput("cannot read " + source.store);
    TRY_ASSIGN(
        const std::unique_ptr<crypto::KeyStore> store,
        crypto::open_file_key_store(source.store, secret_in(source.passphrase_file), world.random));
    return store->find(source.label);
  }
  if (!source.module.empty()) {
    TRY_ASSIGN(
        const std::unique_ptr<crypto::KeyStore> store,
        crypto::open_pkcs11_key_store({source.module, source.token, secret_in(source.pin_file)}));
    return store->find(source.label);
  }
  return Refusal{"apps-input"_rule, "no key is given", "--key"};
}

Result<x509::Certificate> read_certificate(const std::string& file) {
  return x509::parse_certificate_pem(read_input(file));
}

std::optional<Eui64> subject_of(const x509::Certificate& certificate) {
  const Result<smki::Identity> identity = smki::read_identity(certificate);
  return identity.ok() ? identity->subject.eui : std::nullopt;
}

Status must_be_for(const x509::Certificate& certificate, unsigned usage, const std::string& field) {
  if (certificate.usage && (*certificate.usage & usage) != 0) return {};
  const bool signing = usage == x509::key_usage::digital_signature;
  return Refusal{"apps-key-pair"_rule,
                 "certificate " + certificate.serial.hex() + " is not for " +
                     (signing ? "digital signatures" : "key agreement"),
                 field};
}

void add_opening_options(CLI::App& command, KeySource& source, std::string& certificate_file) {
  add_key_options(command, source,
                  "the key agreement key of the party that encrypted attributes are for");
  command.add_option("--certificate", certificate_file,
                     "Key agreement certificate (PEM) of the device");
}

Result<gbcs::Opener> opener(const World& world, const KeySource& source,
                            const std::string& certificate_file) {
  if (source.empty() || certificate_file.empty()) {
    return gbcs::Opener([](const gbcs::Message&, BytesView) -> Result<Bytes> {
      return Refusal{"gbcs-no-key"_rule, "neither a key nor --certificate is given"};
    });
  }
  TRY_ASSIGN(const crypto::KeyHandle key, read_key(world, source));
  TRY_ASSIGN(const x509::Certificate device, read_certificate(certificate_file));
  TRY(must_be_for(device, x509::key_usage::key_agreement, "--certificate"));
  const crypto::SharedSecret secret = key->agree(device.key);
  return gbcs::Opener([secret](const gbcs::Message& message, BytesView blob) {
    const gbcs::AttributeRecipient recipient = gbcs::attribute_recipient(message);
    return gbcs::open_attribute(secret, message.originator, recipient.counter, recipient.party,
                                blob);
  });
}

}  // namespace wattseal::apps
