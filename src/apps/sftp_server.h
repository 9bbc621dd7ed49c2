// What an OpenSSH server needs to hand out the tree of sftp_export.h: its configuration (read-only,
// in a chroot, public keys only, logging who does what) and the keys of parties. Pure text. Source:
// spec/smki.md 3.4. Rules: sftp-config, sftp-key.
#pragma once
#include <map>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace wattseal::apps {

struct SftpServer {
  std::string address = "127.0.0.1";  // IPv4 or IPv6 literal
  unsigned port = 8022;
  std::string user = "wattseal-sftp";  // the account that every party logs in as
  std::string root = "/srv/wattseal-sftp";
  std::string host_key = "/etc/wattseal/ssh_host_ed25519_key";
  std::string authorized_keys = "/etc/wattseal/sftp_authorized_keys";
  std::string pid_file = "/run/wattseal-sftp.pid";
};
// Text of an sshd_config. Refuses sftp-config.
Result<std::string> sshd_config(const SftpServer& server);

struct SftpKey {
  Eui64 party;
  std::string type, blob;   // "ssh-ed25519" and its base64
  std::string fingerprint;  // as sshd logs it: "SHA256:…"
};
// Lines "EUI-64 type base64 [comment]"; # begins a comment line. A party may have several keys, a
// key has one party. Refuses sftp-key, naming the line.
Result<std::vector<SftpKey>> read_sftp_keys(std::string_view text);
// Lines of an authorized_keys file; `names` of parties stand in the comments.
std::string authorized_keys(const std::vector<SftpKey>& keys,
                            const std::map<Eui64, std::string>& names);

}  // namespace wattseal::apps
