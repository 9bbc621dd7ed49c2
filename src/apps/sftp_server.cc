#include "apps/sftp_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "crypto/crypto.h"

namespace wattseal::apps {
namespace {

constexpr std::string_view kKeyTypes[] = {
    "ssh-ed25519",         "ecdsa-sha2-nistp256",        "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"};
constexpr std::size_t kKeyLinesMax = 10'000, kBlobOctetsMax = 4096;

Refusal bad(const char* field, std::string detail) {
  return {"sftp-config"_rule, std::move(detail), field};
}

bool is_address(const std::string& text) {
  unsigned char octets[16];
  return ::inet_pton(AF_INET, text.c_str(), octets) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), octets) == 1;
}
// An account of the system, and nothing that a configuration reads as more than one word.
bool is_account(std::string_view name) {
  const auto lower = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && name.size() <= 32 && lower(name.front()) &&
         std::ranges::all_of(
             name, [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '-'; });
}
// sshd expands % in paths; quotes, blanks and escapes it reads in its own way.
bool is_path(std::string_view path) {
  return path.starts_with('/') && path.size() <= 1024 && std::ranges::all_of(path, [](char c) {
           return c > ' ' && c < 0x7F && std::string_view("%\"'\\#").find(c) == std::string::npos;
         });
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> list;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return list;
    line = line.substr(begin);
    const std::size_t end = line.find_first_of(" \t\r");
    list.push_back(line.substr(0, end));
    line = end == std::string_view::npos ? std::string_view{} : line.substr(end);
  }
}

// The blob begins with its type, after a length in four octets.
bool names_type(BytesView blob, std::string_view type) {
  return blob.size() > 4 + type.size() && get_be(blob.first(4)) == type.size() &&
         as_text(blob.subspan(4, type.size())) == type;
}

Result<SftpKey> read_key(std::string_view line, std::size_t number) {
  const auto refuse = [number](std::string why) {
    return Refusal{"sftp-key"_rule, std::move(why), "line " + std::to_string(number)};
  };
  const std::vector<std::string_view> parts = words(line);
  if (parts.size() < 3) return refuse("it is not EUI-64, type and base64");
  const Result<Eui64> party = Eui64::parse(parts[0]);
  if (!party.ok()) return refuse(party.refusal().detail);
  if (std::ranges::find(kKeyTypes, parts[1]) == std::end(kKeyTypes))
    return refuse("'" + std::string(parts[1].substr(0, 40)) + "' is no type of key");
  const std::optional<Bytes> blob = from_base64(parts[2]);
  if (!blob || blob->size() > kBlobOctetsMax || !names_type(*blob, parts[1]))
    return refuse("the key is not base64 of a key of its type");
  std::string digest = to_base64(crypto::sha256(*blob));
  digest.erase(digest.find('='));
  return SftpKey{*party, std::string(parts[1]), std::string(parts[2]), "SHA256:" + digest};
}

}  // namespace

Result<std::string> sshd_config(const SftpServer& server) {
  if (!is_address(server.address))
    return bad("address", "'" + server.address + "' is no IPv4 or IPv6 address");
  if (server.port == 0 || server.port > 65535)
    return bad("port", std::to_string(server.port) + " is no port");
  if (!is_account(server.user)) return bad("user", "'" + server.user + "' is no account");
  for (const auto& [field, path] :
       {std::pair{"root", &server.root}, std::pair{"host-key", &server.host_key},
        std::pair{"authorized-keys", &server.authorized_keys},
        std::pair{"pid-file", &server.pid_file}}) {
    if (!is_path(*path))
      return bad(field, "'" + *path + "' is no absolute path without blanks, quotes and %");
  }
  const bool six = server.address.find(':') != std::string::npos;
  return fmt::format(
      R"(# The SMKI repository over SFTP. Try it: sshd -t -f THIS_FILE; run it: sshd -D -e -f THIS_FILE
ListenAddress {}
HostKey {}
PidFile {}

# Public keys of parties and nothing else.
AllowUsers {}
AuthenticationMethods publickey
PubkeyAuthentication yes
AuthorizedKeysFile {}
PasswordAuthentication no
KbdInteractiveAuthentication no
HostbasedAuthentication no
PermitRootLogin no
PermitEmptyPasswords no
UsePAM no
StrictModes yes
MaxAuthTries 3
LoginGraceTime 20

# Reading files below the root, from the newest tree on.
ChrootDirectory {}
Subsystem sftp internal-sftp
ForceCommand internal-sftp -R -l VERBOSE -f AUTH -d /current
DisableForwarding yes
PermitTTY no
PermitTunnel no
PermitUserRC no
PermitUserEnvironment no

# Who came with which key, and which files were read.
SyslogFacility AUTH
LogLevel VERBOSE

# Nobody holds more than his share.
MaxSessions 4
MaxStartups 20:30:100
ClientAliveInterval 60
ClientAliveCountMax 3
Compression no
PrintMotd no
VersionAddendum none
)",
      six ? fmt::format("[{}]:{}", server.address, server.port)
          : fmt::format("{}:{}", server.address, server.port),
      server.host_key, server.pid_file, server.user, server.authorized_keys, server.root);
}

Result<std::vector<SftpKey>> read_sftp_keys(std::string_view text) {
  std::vector<SftpKey> keys;
  std::map<std::string, Eui64> seen;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    ++number;
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos || line[begin] == '#') continue;
    TRY_ASSIGN(SftpKey key, read_key(line, number));
    const auto [there, fresh] = seen.emplace(key.fingerprint, key.party);
    if (!fresh)
      return Refusal{"sftp-key"_rule, "the key is given to " + there->second.text() + " already",
                     "line " + std::to_string(number)};
    if (keys.size() >= kKeyLinesMax)
      return Refusal{"sftp-key"_rule, "there are more than " + std::to_string(kKeyLinesMax),
                     "line " + std::to_string(number)};
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string authorized_keys(const std::vector<SftpKey>& keys,
                            const std::map<Eui64, std::string>& names) {
  std::string text;
  for (const SftpKey& key : keys) {
    std::string comment = key.party.text();
    if (const auto name = names.find(key.party); name != names.end()) {
      comment += " ";
      for (const char c : name->second) comment += c >= ' ' && c != 0x7F ? c : '?';
    }
    text += "restrict " + key.type + " " + key.blob + " " + comment + "\n";
  }
  return text;
}

}  // namespace wattseal::apps
