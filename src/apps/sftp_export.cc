#include "apps/sftp_export.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/backup_files.h"
#include "base/fault.h"
#include "smki/document_service.h"
#include "smki/log.h"
#include "smki/repository.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kFormat = "wattseal-sftp-1";
constexpr const char* kTrees = "trees";
constexpr const char* kCurrent = "current";

[[noreturn]] void failed(const char* what, const fs::path& path) {
  throw Fault(std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(errno));
}
void sync_path(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) failed("open", path);
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  if (!synced) failed("sync", path);
}

// An SFTP server demands that nobody else can write the folders above what it hands out.
void make_folder(const fs::path& folder) {
  fs::create_directories(folder);
  fs::permissions(folder, static_cast<fs::perms>(0755));
}

// One exporter at a time; the lock goes with the process.
class Lock {
 public:
  static Result<Lock> take(const fs::path& to) {
    const fs::path path = to / ".lock";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) failed("open", path);
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return Lock(file);
    ::close(file);
    return Refusal{"sftp-busy"_rule, to.string() + " is locked", "to"};
  }
  Lock(Lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  explicit Lock(int file) : file_(file) {}
  int file_;
};

// A tree that stands, with its manifest; nothing when there is none that can be built upon.
struct Standing {
  fs::path folder;
  json manifest;
};
std::optional<Standing> read_standing(const fs::path& to) {
  std::error_code none;
  const fs::path target = fs::read_symlink(to / kCurrent, none);
  const fs::path file = to / target / kManifestName;
  if (none || !fs::is_regular_file(file)) return std::nullopt;
  json manifest = json::parse(read_file(file), nullptr, false);
  const auto number = [&](const char* name) {
    return manifest.value(name, json()).is_number_unsigned();
  };
  const bool good = manifest.is_object() && manifest.value("format", json()) == kFormat &&
                    manifest.value("store", json()).is_string() && number("next") &&
                    number("up_to") && number("bundle_certificates") && number("certificates") &&
                    manifest.value("issuers", json()).is_object() &&
                    manifest.value("files", json()).is_object();
  if (!good) return std::nullopt;
  return Standing{to / target, std::move(manifest)};
}

// A store is known by the chain value of its first fact.
std::string name_of(const storage::Reader& store) {
  std::string name;
  store.journal(1, [&](const storage::JournalEntry& entry) {
    name = to_hex(entry.chain);
    return false;
  });
  return name;
}

// The tree that is being made: files are linked from the one before where they are the same.
class Tree {
 public:
  Tree(fs::path part, const Standing* before) : part_(std::move(part)), before_(before) {
    make_folder(part_);
  }

  void put(const std::string& name, std::string_view content) {
    const json row{{"octets", content.size()},
                   {"sha256", to_hex(crypto::sha256(as_bytes(content)))}};
    const json* const there = row_before(name);
    if (there && *there == row && link(name)) {
      files_[name] = row;
      return;
    }
    make_parent(name);
    write_file(part_ / name, content);
    fs::permissions(part_ / name, static_cast<fs::perms>(0644));
    sync_path(part_ / name);
    files_[name] = row;
    ++written_;
  }
  // As it stands in the tree before.
  void keep(const std::string& name) {
    const json* const there = row_before(name);
    CHECK(there != nullptr);
    const json row = *there;
    if (link(name)) {
      files_[name] = row;
    } else {
      put(name, read_file(before_->folder / name));
    }
  }
  // Content of the tree before, when it is what its manifest says.
  std::optional<std::string> read_before(const std::string& name) const {
    const json* const there = row_before(name);
    if (!there || !fs::is_regular_file(before_->folder / name)) return std::nullopt;
    std::string content = read_file(before_->folder / name);
    if (there->value("sha256", "") != to_hex(crypto::sha256(as_bytes(content))))
      return std::nullopt;
    return content;
  }

  const json& files() const { return files_; }
  std::uint64_t written() const { return written_; }
  const fs::path& folder() const { return part_; }

 private:
  const json* row_before(const std::string& name) const {
    if (!before_) return nullptr;
    const auto found = before_->manifest["files"].find(name);
    return found == before_->manifest["files"].end() ? nullptr : &*found;
  }
  bool link(const std::string& name) {
    make_parent(name);
    std::error_code refused;
    fs::create_hard_link(before_->folder / name, part_ / name, refused);
    return !refused;
  }
  void make_parent(const std::string& name) {
    fs::path folder = part_;
    for (const fs::path& step : fs::path(name).parent_path()) make_folder(folder /= step);
  }

  const fs::path part_;
  const Standing* const before_;
  json files_ = json::object();
  std::uint64_t written_ = 0;
};

// Certificates of one issuer in the order of publication: full bundles never change.
struct Issuer {
  std::uint64_t certificates = 0;
  std::string pem, csv;  // of the last bundle, which is not full
};
constexpr std::string_view kColumns = "serial,profile,eui,role,usage,not_before,not_after\n";

std::string bundle_name(const std::string& issuer, std::uint64_t index, const char* ending) {
  std::string digits = std::to_string(index);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return "certificates/" + issuer + "/" + digits + ending;
}

std::string csv_row(std::string_view profile, const x509::Certificate& certificate) {
  const Result<smki::Identity> identity = smki::read_identity(certificate);
  std::string eui, role, use;
  if (identity.ok()) {
    eui = identity->subject.eui ? identity->subject.eui->text() : "";
    role = identity->subject.role ? ou_text(*identity->subject.role) : "";
    use = text(identity->use);
  }
  return certificate.serial.hex() + "," + std::string(profile) + "," + eui + "," + role + "," +
         use + "," + certificate.not_before.iso() + "," + certificate.not_after.iso() + "\n";
}

class Export {
 public:
  Export(const World& world, storage::Store& store, Tree& tree, const Standing* before,
         std::size_t bundle)
      : repository_(world, store),
        documents_(world, store),
        store_(store),
        tree_(tree),
        before_(before),
        bundle_(bundle) {}

  // False: the tree before is damaged and nothing can be built upon it.
  bool certificates() {
    if (before_ && !take_before()) return false;
    repository_.each_published(next_, [&](std::uint64_t sequence, std::string_view profile,
                                          const x509::Certificate& certificate) {
      const std::optional<Bytes>& issuer =
          certificate.authority_key_id ? certificate.authority_key_id : certificate.subject_key_id;
      add(issuer ? to_hex_upper(*issuer) : "unknown", profile, certificate);
      next_ = sequence + 1;
      return true;
    });
    for (const auto& [name, issuer] : issuers_) {
      if (issuer.certificates % bundle_ != 0) put_bundle(name, issuer);
    }
    return true;
  }

  void lists() {
    std::string pem;
    for (const smki::PublishedCertificate& authority : repository_.authorities()) {
      pem += x509::to_pem("CERTIFICATE", authority.der);
      const Result<x509::Certificate> certificate = x509::parse_certificate(authority.der);
      if (!certificate.ok() || !certificate->subject_key_id)
        throw Fault("an authority's certificate does not parse");
      const Result<Bytes> list = repository_.revocation_list(*certificate->subject_key_id);
      if (list.ok())
        tree_.put(
            "crl/" + authority.profile + "-" + to_hex_upper(*certificate->subject_key_id) + ".crl",
            as_text(*list));
    }
    tree_.put("authorities.pem", pem);
    if (const std::optional<std::string> key = smki::log_key(store_))
      tree_.put("log.key", *key + "\n");
    if (const std::optional<std::string> note = smki::signed_checkpoint(store_)) {
      checkpoint_ = note->substr(0, note->find('\n'));
      tree_.put("checkpoint", *note);
    }
  }

  void documents() {
    json index = json::array();
    for (const smki::DocumentVersion& one : documents_.all()) {
      const std::string file =
          "documents/" + one.name + "/" + std::to_string(one.version) + "-" + one.label;
      tree_.put(file, as_text(documents_.content(one)));
      json row = smki::to_json(one);
      row["file"] = file;
      index.push_back(std::move(row));
    }
    document_count_ = index.size();
    tree_.put("documents/index.json", index.dump(1) + "\n");
  }

  json manifest() const {
    json issuers = json::object();
    std::uint64_t certificates = 0;
    for (const auto& [name, issuer] : issuers_) {
      issuers[name] = issuer.certificates;
      certificates += issuer.certificates;
    }
    const smki::Completeness complete = repository_.completeness();
    return {{"format", kFormat},
            {"store", name_of(store_)},
            {"up_to", complete.up_to},
            {"published_at", complete.published_at ? complete.published_at->iso() : ""},
            {"checkpoint", checkpoint_},
            {"bundle_certificates", bundle_},
            {"certificates", certificates},
            {"documents", document_count_},
            {"issuers", issuers},
            {"next", next_},
            {"files", tree_.files()}};
  }

 private:
  bool take_before() {
    next_ = before_->manifest["next"].get<std::uint64_t>();
    for (const auto& [name, count] : before_->manifest["issuers"].items()) {
      if (!count.is_number_unsigned()) return false;
      Issuer issuer;
      issuer.certificates = count.get<std::uint64_t>();
      const std::uint64_t full = issuer.certificates / bundle_;
      for (std::uint64_t i = 0; i < full; ++i) {
        for (const char* const ending : {".pem", ".csv"}) {
          const std::string file = bundle_name(name, i, ending);
          if (!before_->manifest["files"].contains(file) ||
              !fs::is_regular_file(before_->folder / file))
            return false;
          tree_.keep(file);
        }
      }
      if (issuer.certificates % bundle_ != 0) {
        const std::optional<std::string> pem = tree_.read_before(bundle_name(name, full, ".pem")),
                                         csv = tree_.read_before(bundle_name(name, full, ".csv"));
        if (!pem || !csv) return false;
        issuer.pem = *pem;
        issuer.csv = *csv;
      }
      issuers_[name] = std::move(issuer);
    }
    return true;
  }

  void add(const std::string& name, std::string_view profile,
           const x509::Certificate& certificate) {
    Issuer& issuer = issuers_[name];
    if (issuer.csv.empty()) issuer.csv = kColumns;
    issuer.pem += x509::to_pem("CERTIFICATE", certificate.der);
    issuer.csv += csv_row(profile, certificate);
    ++issuer.certificates;
    if (issuer.certificates % bundle_ != 0) return;
    put_bundle(name, issuer);
    issuer.pem.clear();
    issuer.csv.clear();
  }
  // The last bundle, full or not.
  void put_bundle(const std::string& name, const Issuer& issuer) {
    const std::uint64_t index = (issuer.certificates - 1) / bundle_;
    tree_.put(bundle_name(name, index, ".pem"), issuer.pem);
    tree_.put(bundle_name(name, index, ".csv"), issuer.csv);
  }

  const smki::Repository repository_;
  const smki::Documents documents_;
  const storage::Store& store_;
  Tree& tree_;
  const Standing* const before_;
  const std::uint64_t bundle_;
  std::uint64_t next_ = 1;
  std::map<std::string, Issuer> issuers_;
  std::string checkpoint_;
  std::size_t document_count_ = 0;
};

SftpReport report_of(const json& manifest, std::string tree) {
  SftpReport report;
  report.tree = std::move(tree);
  report.files = manifest["files"].size() + 1;
  report.certificates = manifest["certificates"];
  report.documents = manifest.value("documents", std::uint64_t{0});
  report.up_to = manifest["up_to"];
  report.published_at = manifest.value("published_at", "");
  report.checkpoint = manifest.value("checkpoint", "");
  return report;
}

// Numbers of the trees that stand, in order; what was begun and not finished is removed.
std::vector<std::uint64_t> clear_trees(const fs::path& to) {
  std::vector<std::uint64_t> numbers;
  for (const fs::directory_entry& entry : fs::directory_iterator(to / kTrees)) {
    const std::string name = entry.path().filename().string();
    const bool digits =
        name.size() < 19 && name.find_first_not_of("0123456789") == std::string::npos;
    if (digits)
      numbers.push_back(std::stoull(name));
    else
      fs::remove_all(entry.path());
  }
  std::ranges::sort(numbers);
  return numbers;
}

std::string tree_name(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return std::string(kTrees) + "/" + digits;
}

// The folders of the new tree durable, then its name, then `current`.
void finish(const fs::path& to, const fs::path& part, const std::string& name) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(part)) {
    if (entry.is_directory()) sync_path(entry.path());
  }
  sync_path(part);
  fs::rename(part, to / name);
  sync_path(to / kTrees);
  const fs::path link = to / ".current.part";
  fs::remove(link);
  fs::create_symlink(name, link);
  fs::rename(link, to / kCurrent);
  sync_path(to);
}

void prune(const fs::path& to, std::size_t kept) {
  std::vector<std::uint64_t> numbers = clear_trees(to);
  while (numbers.size() > std::max<std::size_t>(kept, 1)) {
    fs::remove_all(to / tree_name(numbers.front()));
    numbers.erase(numbers.begin());
  }
}

// A folder that has something else in it is not taken over.
Status prepare(const fs::path& to) {
  if (fs::exists(to) && !fs::is_directory(to))
    return Refusal{"sftp-target"_rule, to.string() + " is no folder", "to"};
  if (fs::exists(to) && !fs::is_empty(to) && !fs::is_directory(to / kTrees))
    return Refusal{"sftp-target"_rule, to.string() + " holds something else", "to"};
  make_folder(to);
  make_folder(to / kTrees);
  return {};
}

// Builds a whole tree beside the others; nothing when `before` is damaged.
std::optional<json> build(const World& world, storage::Store& store, Tree& tree,
                          const Standing* before, const SftpOptions& options) {
  Export made(world, store, tree, before, options.bundle_certificates);
  if (!made.certificates()) return std::nullopt;
  made.lists();
  made.documents();
  return made.manifest();
}

}  // namespace

Result<SftpReport> export_sftp(const World& world, storage::Store& store, const fs::path& to,
                               const SftpOptions& options) {
  CHECK(options.bundle_certificates > 0);
  TRY(prepare(to));
  TRY_ASSIGN(const Lock lock, Lock::take(to));
  const std::vector<std::uint64_t> numbers = clear_trees(to);
  std::optional<Standing> before = read_standing(to);
  if (before && before->manifest["store"] != name_of(store))
    return Refusal{"sftp-target"_rule, to.string() + " holds the tree of another store", "to"};
  const std::uint64_t up_to = smki::Repository(world, store).completeness().up_to;
  const bool older = before && before->manifest["up_to"].get<std::uint64_t>() > up_to;
  if (before && (options.whole || older ||
                 before->manifest["bundle_certificates"] != options.bundle_certificates))
    before.reset();
  const std::string name = tree_name(numbers.empty() ? 1 : numbers.back() + 1);
  const fs::path part = to / (name + ".part");
  std::optional<json> manifest;
  std::uint64_t written = 0;
  while (!manifest) {
    Tree tree(part, before ? &*before : nullptr);
    manifest = build(world, store, tree, before ? &*before : nullptr, options);
    written = tree.written();
    if (manifest) break;
    fs::remove_all(part);
    CHECK(before.has_value());
    before.reset();
  }
  if (before && *manifest == before->manifest) {
    fs::remove_all(part);
    return report_of(*manifest, fs::relative(before->folder, to).generic_string());
  }
  write_file(part / kManifestName, manifest->dump(1) + "\n");
  fs::permissions(part / kManifestName, static_cast<fs::perms>(0644));
  sync_path(part / kManifestName);
  finish(to, part, name);
  prune(to, options.trees_kept);
  SftpReport report = report_of(*manifest, name);
  report.made_now = true;
  report.written = written + 1;
  return report;
}

Result<SftpReport> check_sftp(const fs::path& to) {
  const std::optional<Standing> standing = read_standing(to);
  const auto damaged = [](std::string file, std::string how) {
    return Refusal{"sftp-damaged"_rule, std::move(how), std::move(file)};
  };
  if (!standing) return damaged(kCurrent, "there is no tree with a manifest");
  const json& files = standing->manifest["files"];
  for (const auto& [name, row] : files.items()) {
    const fs::path file = standing->folder / name;
    if (!fs::is_regular_file(fs::symlink_status(file))) return damaged(name, "it is missing");
    if (row != json{{"octets", fs::file_size(file)},
                    {"sha256", to_hex(crypto::sha256(as_bytes(read_file(file))))}})
      return damaged(name, "it is not what the manifest says");
  }
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(standing->folder)) {
    const std::string name = fs::relative(entry.path(), standing->folder).generic_string();
    if (!entry.is_directory() && !files.contains(name) && name != kManifestName)
      return damaged(name, "the manifest does not name it");
  }
  return report_of(standing->manifest, fs::relative(standing->folder, to).generic_string());
}

}  // namespace wattseal::apps
