// The SFTP delivery of the repository with a real OpenSSH server on loopback, configured by what
// the program prints, and a real client. Needs sshd and root (a chroot), else it skips.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "apps/platform.h"
#include "base/log.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;
constexpr const char* kSshd = "/usr/sbin/sshd";

bool has(const char* command) {
  return std::system((std::string("command -v ") + command + " >/dev/null 2>&1").c_str()) == 0;
}
// As sshd demands of every folder down to the chroot.
bool only_root_may_write(fs::path folder) {
  for (;; folder = folder.parent_path()) {
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) != 0 || facts.st_uid != 0 || (facts.st_mode & 022) != 0)
      return false;
    if (folder == folder.root_path()) return true;
  }
}
// A folder of our own where a server may have its root.
std::optional<fs::path> folder_for_a_root() {
  for (const fs::path& parent : {fs::current_path() / "build", fs::path("/var/lib")}) {
    if (only_root_may_write(parent))
      return parent / ("wattseal-sftp-" + std::to_string(::getpid()));
  }
  return std::nullopt;
}
std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  CHECK(::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}
bool listens(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  const bool connected =
      ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return connected;
}

// The server in the foreground; it ends with the object.
class Server {
 public:
  Server(const std::string& config, const fs::path& log, std::uint16_t port) : pid_(::fork()) {
    if (pid_ == 0) {
      const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(file, STDERR_FILENO);
      ::execl(kSshd, kSshd, "-D", "-e", "-f", config.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 200 && !listens(port); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ~Server() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  const pid_t pid_;
};

class Sftp : public ::testing::Test {
 protected:
  const fs::path folder_ = folder_for_a_root().value_or(fs::path());
  const std::string data_ = " --data " + (folder_ / "data").string();
  const std::uint16_t port_ = free_port();
  std::string list_, list_name_;  // of the Issuing OCA

  void SetUp() override {
    if (!fs::exists(kSshd) || !has("sftp") || !has("ssh-keygen"))
      GTEST_SKIP() << "openssh-server and openssh-client are not installed";
    if (::geteuid() != 0) GTEST_SKIP() << "only root may start a server that confines its sessions";
    if (folder_.empty()) GTEST_SKIP() << "there is no folder that only root may write";
    fs::create_directories(folder_);
    fs::permissions(folder_, static_cast<fs::perms>(0755));
    fs::create_directories("/run/sshd");  // as the service makes it when it starts
    make_repository();
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  void make_repository() {
    const std::unique_ptr<Clock> clock = system_clock();
    const std::unique_ptr<Random> random = system_random();
    const World world{*clock, *random};
    log::set_level(log::Level::off);
    apps::PlatformOptions options;
    options.data = folder_ / "data";
    options.key_store = "file";
    const std::unique_ptr<apps::Platform> platform =
        std::move(apps::Platform::create(world, options).value());
    ASSERT_TRUE(platform->run_ceremony().ok() && platform->start_smki().ok() &&
                platform->start_gateway().ok());
    log::set_level(log::Level::info);
    for (const smki::PublishedCertificate& one : platform->repository().authorities()) {
      if (one.profile != "issuing-oca") continue;
      const Bytes key = *x509::parse_certificate(one.der)->subject_key_id;
      list_ = as_text(platform->repository().revocation_list(key).value());
      list_name_ = "crl/issuing-oca-" + to_hex_upper(key) + ".crl";
    }
  }
  std::string in(const char* name) const { return (folder_ / name).string(); }
  static int shell(const std::string& command) {
    const int status = std::system((command + " 2>/dev/null").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  static int program(const std::string& words) {
    return shell(WATTSEAL_PROGRAM " repository " + words);
  }
  void make_key(const char* name) const {
    ASSERT_EQ(shell("ssh-keygen -q -t ed25519 -N '' -f " + in(name)), 0);
  }
  // A session that does what the lines say; what they fetch lands in the folder.
  int session(const char* key, const std::string& lines) const {
    std::ofstream(in("batch")) << lines;
    return shell("cd " + folder_.string() + " && sftp -b batch -P " + std::to_string(port_) +
                 " -i " + in(key) +
                 " -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no"
                 " -o UserKnownHostsFile=/dev/null nobody@127.0.0.1 >session.out");
  }
};

TEST_F(Sftp, ARealClientFetchesAListAndCanDoNothingElse) {
  ASSERT_EQ(program("sftp-export " + in("root") + data_), 0);
  for (const char* const key : {"host", "party", "stranger"}) make_key(key);
  std::ofstream(in("parties")) << apps::DccParty::party.text() << " " << read(in("party.pub"));
  ASSERT_EQ(program("sftp-keys " + in("parties") + data_ + " > " + in("authorized")), 0);
  ASSERT_EQ(program("sftp-config --port " + std::to_string(port_) + " --user nobody --root " +
                    in("root") + " --host-key " + in("host") + " --authorized-keys " +
                    in("authorized") + " --pid-file " + in("pid") + " > " + in("config")),
            0);
  ASSERT_EQ(shell(kSshd + (" -t -f " + in("config"))), 0) << read(in("config"));
  {
    const Server server(in("config"), in("log"), port_);
    ASSERT_EQ(session("party", "get " + list_name_ + " list\nget manifest.json\npwd\n"), 0)
        << read(in("log"));
    EXPECT_EQ(read(in("list")), list_);
    EXPECT_NE(read(in("manifest.json")).find("wattseal-sftp-1"), std::string::npos);
    EXPECT_NE(read(in("session.out")).find("/trees/000001"), std::string::npos)
        << "a session stays in its tree: " << read(in("session.out"));
    EXPECT_NE(session("party", "put batch /current/batch\n"), 0) << "nothing is written";
    EXPECT_NE(session("party", "rm /current/" + list_name_ + "\n"), 0);
    EXPECT_NE(session("party", "get /etc/passwd\n"), 0) << "nothing above the root is there";
    EXPECT_NE(session("stranger", "pwd\n"), 0) << "the key is nobody's";
    EXPECT_NE(shell("ssh -p " + std::to_string(port_) + " -i " + in("party") +
                    " -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
                    " nobody@127.0.0.1 true </dev/null >/dev/null"),
              0)
        << "no commands";
  }
  EXPECT_EQ(
      shell("ssh-keygen -l -f " + in("party.pub") + " | grep -o 'SHA256:[^ ]*' > " + in("print")),
      0);
  std::string print = read(in("print"));
  print.pop_back();
  EXPECT_NE(read(in("log")).find(print), std::string::npos) << "the log says whose key it was";
  ASSERT_EQ(program("sftp-keys " + in("parties") + data_ + " --json > " + in("keys.json")), 0);
  EXPECT_NE(read(in("keys.json")).find(print), std::string::npos);
  EXPECT_EQ(program("sftp-export " + in("root") + " --check"), 0);
}

TEST_F(Sftp, KeysAreOfPartiesThatTheRegisterKnows) {
  make_key("party");
  std::ofstream(in("parties")) << "90-57-53-00-00-77-00-00 " << read(in("party.pub"));
  EXPECT_EQ(program("sftp-keys " + in("parties") + data_), 1);
  EXPECT_EQ(program("sftp-config --user 'a b'"), 1);
  EXPECT_EQ(program("sftp-export " + in("data") + data_), 1) << "the folder holds something else";
}

}  // namespace
}  // namespace wattseal
