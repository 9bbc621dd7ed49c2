// Keys that a command uses: from a file or a key store that the command line names, never from
// anywhere else, and never shown. Private to apps/commands.
#pragma once
#include "apps/commands.h"
#include "crypto/keys.h"
#include "gbcs/parse.h"
#include "x509/x509.h"

namespace wattseal::apps {

struct KeySource {
  std::string file;                           // PEM or DER, development only
  std::string store, passphrase_file, label;  // the encrypted key file
  std::string module, token, pin_file;        // PKCS#11, with label
  bool empty() const { return file.empty() && store.empty() && module.empty(); }
};
// --key, or --key-store with --passphrase-file and --key-label, or --pkcs11-module with --token,
// --pin-file and --key-label.
void add_key_options(CLI::App& command, KeySource& source, const std::string& whose);
// Refuses key-malformed, key-store-passphrase, key-not-found, pkcs11-*, apps-input (none given).
Result<crypto::KeyHandle> read_key(const World& world, const KeySource& source);

Result<x509::Certificate> read_certificate(const std::string& file);  // PEM
// Whom a certificate names; nothing when it names no EUI-64.
std::optional<Eui64> subject_of(const x509::Certificate& certificate);
// Refuses apps-key-pair when the certificate is for another use.
Status must_be_for(const x509::Certificate& certificate, unsigned usage, const std::string& field);

// For commands that open encrypted attributes: key options and --certificate of the device. Without
// a key the opener refuses each blob with gbcs-no-key.
void add_opening_options(CLI::App& command, KeySource& source, std::string& certificate_file);
Result<gbcs::Opener> opener(const World& world, const KeySource& source,
                            const std::string& certificate_file);

void add_gbcs_keys(CLI::App& gbcs, Context& context);    // of gbcs: verify, sign, decrypt
void add_gbcs_blocks(CLI::App& gbcs, Context& context);  // of gbcs: split, join
}  // namespace wattseal::apps
