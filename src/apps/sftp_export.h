// The repository as a folder that an SFTP server hands out: certificates in bundles by issuer,
// revocation lists, documents, the signed checkpoint of the public log and a manifest with every
// digest. Layout: docs/formats/sftp.md. A tree appears whole or not at all: it is made beside the
// others and `current` is switched to it last; who reads an older one goes on. What did not change
// is linked, not written; a run that was cut short is made again by the next. Source: spec/smki.md
// 3.4, 3.6; R-10. Threads: one process at a time (sftp-busy). Throws Fault when the disk fails.
// Rules: sftp-busy, sftp-target, sftp-damaged.
#pragma once
#include <filesystem>

#include "base/world.h"
#include "storage/store.h"
#include "terms/terms.h"

namespace wattseal::apps {

struct SftpOptions {
  std::size_t bundle_certificates = limit("sftp_bundle_certificates");
  std::size_t trees_kept = limit("sftp_trees_kept");
  bool whole = false;  // every file again, nothing linked
};

struct SftpReport {
  std::string tree;       // "trees/000042"
  bool made_now = false;  // false: nothing had changed
  std::uint64_t files = 0, written = 0, certificates = 0, documents = 0;
  std::uint64_t up_to = 0;               // journal: everything up to this fact is in it
  std::string published_at, checkpoint;  // time of the last publication; first line of the note
};

// `to` is empty, not there, or what an earlier export of the same store made. What others put
// beside (a key file, dev/log) stays.
Result<SftpReport> export_sftp(const World& world, storage::Store& store,
                               const std::filesystem::path& to, const SftpOptions& options = {});
// Reads every file of the current tree and compares it with the manifest. Refuses sftp-damaged.
Result<SftpReport> check_sftp(const std::filesystem::path& to);

}  // namespace wattseal::apps
