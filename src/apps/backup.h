// Backups of a running store and bundles for a new provider. Both are folders with a manifest.json
// that names every file with its digest and the journal's head. A bundle adds what another
// provider's programs can read without ours: the authorities' certificates, lists, transcripts,
// policies, the list of key objects, every certificate, and the journal as JSON lines; its manifest
// is signed by the issuing authorities. Folders appear whole or not at all, and are durable then.
// Rules: backup-*, handover-*, transcript-*, store-*. Source: ¶52; K-12.
#pragma once
#include <filesystem>

#include "crypto/keys.h"
#include "storage/store.h"
#include "terms/terms.h"

namespace wattseal::apps {

struct BackupReport {
  std::uint64_t facts = 0, files = 0, octets = 0;
  crypto::Digest chain{};
};
// `data` is the platform's folder: an encrypted key file or a SoftHSM token in it is copied, too;
// an HSM's keys are backed up by its own means. Others may use the store meanwhile.
Result<BackupReport> back_up(const World& world, const storage::Store& store,
                             const std::filesystem::path& data, const std::filesystem::path& to);
// Every digest, and no file too many.
Result<BackupReport> check_backup(const std::filesystem::path& folder);
// check_backup, a copy to a folder that is not there yet, and the journal's chain up to the
// manifest's head.
Result<BackupReport> restore_backup(const std::filesystem::path& folder,
                                    const std::filesystem::path& data);

Result<BackupReport> export_bundle(const World& world, storage::Store& store,
                                   const crypto::KeyStore& keys, const std::filesystem::path& data,
                                   const std::filesystem::path& to);

struct BundleReport {
  BackupReport backup;
  std::uint64_t certificates = 0, authorities = 0, lists = 0, transcripts = 0;
  std::vector<std::string> key_objects;  // labels that the new provider must have
  std::vector<std::string> signers;      // names of the issuing authorities that signed
  bool roots_given = false;
};
// check_backup; the signatures; the journal's chain from its lines; that every certificate, list
// and transcript which the journal speaks of is there, octet for octet, and no other. Without
// `roots` those of the bundle are believed.
Result<BundleReport> check_bundle(const std::filesystem::path& folder,
                                  const std::vector<Bytes>& roots = {});

}  // namespace wattseal::apps
