// The key file. Layout, all integers big-endian:
//   "WSKEYS1\n"  log2(N) r p (one octet each, scrypt)  salt(16)  iv(12) tag(16): an empty text
//   sealed, to know the passphrase by per key:  length of the label(1) label  iv(12)  scalar sealed
//   with AES-256-GCM(32 + 16)
// Each seal authenticates the header's first 27 octets and the label, so records cannot be moved
// between files or renamed. A record is appended with one write and one fsync; what a crash leaves
// half written is cut off at the next opening.
#include "crypto/p256.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "crypto/labels.h"

namespace wattseal::crypto {
namespace {

constexpr std::string_view kMagic = "WSKEYS1\n";
constexpr std::size_t kSaltAt = 11, kHeaderOctets = 27, kIvOctets = 12, kTagOctets = 16,
                      kScalarOctets = 32;
constexpr Octet kLogN = 15, kR = 8, kP = 1;  // 32 MiB and about 0.1 s
constexpr std::size_t kFileOctetsMax = 1u << 30;

// Octets that are wiped when they go.
struct Secret {
  std::array<Octet, 32> octets{};
  ~Secret() { OPENSSL_cleanse(octets.data(), octets.size()); }
};

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void disk_failed(const std::string& what) {
  throw Fault("key file: " + what + ": " + std::strerror(errno));
}

void write_all(int file, BytesView octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(file, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) disk_failed("write");
    octets = octets.subspan(static_cast<std::size_t>(written));
  }
}

Bytes read_all(int file) {
  Bytes all;
  std::array<Octet, 65536> piece;
  while (true) {
    const ssize_t got = ::read(file, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) disk_failed("read");
    if (got == 0) return all;
    append(all, BytesView(piece).first(static_cast<std::size_t>(got)));
    if (all.size() > kFileOctetsMax) throw Fault("key file: larger than 1 GiB");
  }
}

Secret derive(std::string_view passphrase, BytesView header) {
  Secret key;
  const std::uint64_t n = std::uint64_t{1} << header[8];
  openssl_must(
      EVP_PBE_scrypt(passphrase.data(), passphrase.size(), header.data() + kSaltAt, 16, n,
                     header[9], header[10], 256u << 20, key.octets.data(), key.octets.size()) == 1,
      "scrypt");
  return key;
}

// AES-256-GCM either way; the tag follows the ciphertext.
bool gcm_256(bool seal, const Secret& key, const Octet* iv, BytesView authenticated, BytesView in,
             Octet* out, Octet* tag) {
  const CipherContext context(EVP_CIPHER_CTX_new());
  openssl_must(context != nullptr, "EVP_CIPHER_CTX_new");
  int length = 0;
  bool good =
      EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.octets.data(), iv,
                        seal ? 1 : 0) == 1 &&
      (seal || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagOctets, tag) == 1) &&
      EVP_CipherUpdate(context.get(), nullptr, &length, authenticated.data(),
                       static_cast<int>(authenticated.size())) == 1 &&
      (in.empty() ||
       EVP_CipherUpdate(context.get(), out, &length, in.data(), static_cast<int>(in.size())) == 1);
  openssl_must(good, "AES-256-GCM");
  Octet none[16];
  if (EVP_CipherFinal_ex(context.get(), none, &length) != 1) {
    ERR_clear_error();
    return false;
  }
  openssl_must(
      !seal || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagOctets, tag) == 1,
      "AES-256-GCM");
  return true;
}

Bytes authenticated_with(BytesView header, std::string_view label) {
  Bytes octets = to_bytes(header.first(kHeaderOctets));
  append(octets, as_bytes(label));
  return octets;
}

// iv || ciphertext || tag
Bytes seal(const Secret& key, Random& random, BytesView header, std::string_view label,
           BytesView plain) {
  Bytes out(kIvOctets + plain.size() + kTagOctets);
  random.fill(std::span(out).first(kIvOctets));
  gcm_256(true, key, out.data(), authenticated_with(header, label), plain, out.data() + kIvOctets,
          out.data() + kIvOctets + plain.size());
  return out;
}

bool open_sealed(const Secret& key, BytesView header, std::string_view label, BytesView sealed,
                 Octet* plain) {
  const std::size_t length = sealed.size() - kIvOctets - kTagOctets;
  Bytes tag = to_bytes(sealed.last(kTagOctets));
  return gcm_256(false, key, sealed.data(), authenticated_with(header, label),
                 sealed.subspan(kIvOctets, length), plain, tag.data());
}

class FileKeyStore final : public KeyStore {
 public:
  FileKeyStore(Descriptor file, Bytes header, const Secret& key, Random& random)
      : file_(std::move(file)), header_(std::move(header)), key_(key), random_(random) {}

  std::string_view kind() const override { return "file"; }

  // Reads the records after the header. Refuses key-store-damaged.
  Status load(BytesView records) {
    const std::size_t all = records.size();
    while (!records.empty()) {
      const std::size_t label_octets = records[0];
      const std::size_t whole = 1 + label_octets + kIvOctets + kScalarOctets + kTagOctets;
      if (records.size() < whole) break;
      const std::string label(as_text(records.subspan(1, label_octets)));
      Secret scalar;
      if (!open_sealed(key_, header_, label,
                       records.subspan(1 + label_octets, whole - 1 - label_octets),
                       scalar.octets.data())) {
        return Refusal{"key-store-damaged"_rule,
                       "the record at octet " +
                           std::to_string(header_.size() + all - records.size()) + " was changed"};
      }
      TRY_ASSIGN(std::shared_ptr<const SoftwareKey> key, SoftwareKey::from_scalar(scalar.octets));
      keys_[label] = std::move(key);
      records = records.subspan(whole);
    }
    if (::ftruncate(file_.get(), static_cast<off_t>(header_.size() + all - records.size())) != 0)
      disk_failed("truncate");
    if (::lseek(file_.get(), 0, SEEK_END) < 0) disk_failed("seek");
    return {};
  }

  Result<std::vector<KeyHandle>> generate(std::span<const std::string> labels) override {
    const std::lock_guard lock(mutex_);
    TRY(check_labels(labels, [this](const std::string& label) { return keys_.contains(label); }));
    std::vector<std::shared_ptr<const SoftwareKey>> made;
    Bytes records;
    for (const std::string& label : labels) {
      made.push_back(SoftwareKey::generate());
      Secret scalar;
      scalar.octets = made.back()->scalar();
      records.push_back(static_cast<Octet>(label.size()));
      append(records, as_bytes(label));
      append(records, seal(key_, random_, header_, label, scalar.octets));
    }
    append_durably(records);
    for (std::size_t i = 0; i < labels.size(); ++i) keys_[labels[i]] = made[i];
    return std::vector<KeyHandle>(made.begin(), made.end());
  }

  Result<KeyHandle> find(std::string_view label) const override {
    const std::lock_guard lock(mutex_);
    const std::map<std::string, KeyHandle, std::less<>>::const_iterator found = keys_.find(label);
    if (found == keys_.end()) return no_such_key(label);
    return found->second;
  }

  std::vector<std::string> labels() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [label, key] : keys_) all.push_back(label);
    return all;
  }

 private:
  // A failed write leaves no half record behind: what follows a torn one could never be read again.
  void append_durably(BytesView records) {
    const off_t end = ::lseek(file_.get(), 0, SEEK_END);
    if (end < 0) disk_failed("seek");
    try {
      write_all(file_.get(), records);
      if (::fsync(file_.get()) != 0) disk_failed("fsync");
    } catch (const Fault&) {
      if (::ftruncate(file_.get(), end) != 0) disk_failed("truncate");
      throw;
    }
  }

  mutable std::mutex mutex_;
  Descriptor file_;
  const Bytes header_;
  const Secret key_;
  Random& random_;
  std::map<std::string, KeyHandle, std::less<>> keys_;
};

Bytes new_header(std::string_view passphrase, Random& random) {
  Bytes header = to_bytes(as_bytes(kMagic));
  append(header, std::array<Octet, 3>{kLogN, kR, kP});
  header.resize(kHeaderOctets);
  random.fill(std::span(header).subspan(kSaltAt));
  append(header, seal(derive(passphrase, header), random, header, {}, {}));
  return header;
}

bool parameters_are_ours(BytesView header) {
  return as_text(header.first(kMagic.size())) == kMagic && header[8] >= 10 && header[8] <= 17 &&
         header[9] == kR && header[10] == kP;
}

}  // namespace

Result<std::unique_ptr<KeyStore>> open_file_key_store(const std::filesystem::path& file,
                                                      std::string_view passphrase, Random& random) {
  Descriptor descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (descriptor.get() < 0) disk_failed("open " + file.filename().string());
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0)
    return Refusal{"key-store-in-use"_rule, "another process has the key file open"};
  Bytes content = read_all(descriptor.get());
  constexpr std::size_t kWholeHeader = kHeaderOctets + kIvOctets + kTagOctets;
  if (content.size() < kWholeHeader && BytesView(content).size() < kMagic.size())
    content.clear();  // a crash before the first key
  if (content.empty()) {
    content = new_header(passphrase, random);
    if (::ftruncate(descriptor.get(), 0) != 0 || ::lseek(descriptor.get(), 0, SEEK_SET) < 0)
      disk_failed("truncate");
    write_all(descriptor.get(), content);
    if (::fsync(descriptor.get()) != 0) disk_failed("fsync");
  }
  if (content.size() < kWholeHeader || !parameters_are_ours(content))
    return Refusal{"key-store-damaged"_rule, "the header is not that of a key file"};
  const Bytes header(content.begin(), content.begin() + kWholeHeader);
  const Secret key = derive(passphrase, header);
  if (!open_sealed(key, header, {}, BytesView(header).subspan(kHeaderOctets), nullptr)) {
    return Refusal{"key-store-passphrase"_rule, "the passphrase does not open this key file"};
  }
  std::unique_ptr<FileKeyStore> store =
      std::make_unique<FileKeyStore>(std::move(descriptor), header, key, random);
  TRY(store->load(BytesView(content).subspan(kWholeHeader)));
  return std::unique_ptr<KeyStore>(std::move(store));
}

}  // namespace wattseal::crypto
