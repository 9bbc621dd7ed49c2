#include "apps/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/backup_files.h"
#include "base/fault.h"

namespace wattseal::apps {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kFormat = "wattseal-backup-1";
constexpr std::size_t kManifestOctetsMax = 16u << 20;

// RocksDB's log for people and its lock are nothing that one restores.
bool is_noise(const fs::path& file) {
  const std::string name = file.filename().string();
  return name == "LOCK" || name.starts_with("LOG");
}

void sync_path(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 || ::fsync(file) != 0) {
    const std::string why = std::strerror(errno);
    if (file >= 0) ::close(file);
    throw Fault("cannot sync " + path.filename().string() + ": " + why);
  }
  ::close(file);
}

// Everything below and the folder itself.
void sync_tree(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
    sync_path(entry.path());
  sync_path(folder);
}

Refusal damaged(const std::string& part, std::string detail) {
  return {"backup-damaged"_rule, std::move(detail), part};
}

// The manifest's files, each inside the folder: a path of ours has no ".." and is not absolute.
Result<json> read_manifest(const fs::path& folder) {
  const fs::path file = folder / kManifestName;
  if (!fs::is_regular_file(file) || fs::file_size(file) > kManifestOctetsMax)
    return damaged(std::string(kManifestName), "there is no manifest");
  json manifest = json::parse(read_file(file), nullptr, false);
  const bool good = manifest.is_object() && manifest.value("format", json()) == kFormat &&
                    manifest.value("files", json()).is_object() &&
                    manifest.value("facts", json()).is_number_unsigned() &&
                    manifest.value("chain", json()).is_string();
  if (!good) return damaged(std::string(kManifestName), "it is no manifest of a backup");
  for (const auto& [name, file_row] : manifest["files"].items()) {
    const fs::path path(name);
    const bool inside = path.is_relative() && !name.empty() &&
                        std::ranges::none_of(path, [](const fs::path& p) { return p == ".."; });
    if (!inside || !file_row.is_object() || !file_row.value("sha256", json()).is_string() ||
        !file_row.value("octets", json()).is_number_unsigned())
      return damaged(name, "the manifest's row of it is malformed");
  }
  return manifest;
}

Result<BackupReport> report_of(const json& manifest) {
  BackupReport report;
  report.facts = manifest["facts"];
  const std::optional<Bytes> chain = from_hex(manifest["chain"].get<std::string>());
  if (!chain || chain->size() != report.chain.size())
    return damaged(std::string(kManifestName), "the chain is no digest");
  std::ranges::copy(*chain, report.chain.begin());
  for (const auto& [name, row] : manifest["files"].items()) {
    ++report.files;
    report.octets += row["octets"].get<std::uint64_t>();
  }
  return report;
}

void copy_keys(const fs::path& data, const fs::path& to) {
  if (fs::exists(data / "keys.wattseal")) {
    fs::copy_file(data / "keys.wattseal", to / "keys.wattseal");
    fs::permissions(to / "keys.wattseal", fs::perms::owner_read | fs::perms::owner_write);
  }
  if (fs::exists(data / "softhsm" / "tokens")) {
    fs::create_directories(to / "softhsm");
    fs::copy(data / "softhsm" / "tokens", to / "softhsm" / "tokens", fs::copy_options::recursive);
  }
}

}  // namespace

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Fault("cannot read " + file.filename().string());
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string read_if_there(const fs::path& file) {
  return fs::exists(file) ? read_file(file) : std::string();
}

void write_file(const fs::path& file, std::string_view content) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.flush();
  if (!out) throw Fault("cannot write " + file.filename().string());
}

void replace_file(const fs::path& file, std::string_view content) {
  fs::path part = file;
  part += ".part";
  fs::remove(part);
  // Nobody else may open it while it is written.
  const int made = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) throw Fault("cannot write " + part.string());
  ::close(made);
  write_file(part, content);
  fs::rename(part, file);
}

Result<fs::path> begin_folder(const fs::path& to) {
  if (fs::exists(to) && !fs::is_empty(to))
    return Refusal{"backup-target"_rule, to.string() + " is not empty", "to"};
  fs::path part = to;
  if (!part.has_filename()) part = part.parent_path();  // "folder/"
  part += ".part";
  fs::remove_all(part);  // of one that was cut short
  fs::create_directories(part);
  fs::permissions(part, fs::perms::owner_all);
  return part;
}

void finish_folder(const fs::path& part, const fs::path& to) {
  sync_tree(part);
  if (fs::exists(to)) fs::remove(to);
  fs::rename(part, to.has_filename() ? to : to.parent_path());
  sync_path(fs::absolute(part).parent_path());
}

Status copy_platform(const storage::Store& store, const fs::path& data, const fs::path& part) {
  store.copy_to(part / "store");
  copy_keys(data, part);  // after the store: every key that it speaks of is there
  return {};
}

Result<BackupReport> seal_folder(const World& world, const fs::path& part) {
  storage::JournalHead head;
  {
    TRY_ASSIGN(const std::unique_ptr<storage::Store> copy,
               storage::open_rocksdb_store(part / "store"));
    head = copy->journal_head();
  }
  json files = json::object();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(part)) {
    if (entry.is_regular_file() && is_noise(entry.path())) {
      fs::remove(entry.path());
      continue;
    }
    if (!entry.is_regular_file()) continue;
    const std::string content = read_file(entry.path());
    files[fs::relative(entry.path(), part).generic_string()] = {
        {"octets", content.size()}, {"sha256", to_hex(crypto::sha256(as_bytes(content)))}};
  }
  const json manifest{{"format", kFormat},
                      {"made", world.now().iso()},
                      {"facts", head.next - 1},
                      {"chain", to_hex(head.chain)},
                      {"files", files}};
  write_file(part / kManifestName, manifest.dump(1) + "\n");
  return report_of(manifest);
}

Result<BackupReport> back_up(const World& world, const storage::Store& store, const fs::path& data,
                             const fs::path& to) {
  TRY_ASSIGN(const fs::path part, begin_folder(to));
  TRY(copy_platform(store, data, part));
  TRY_ASSIGN(BackupReport report, seal_folder(world, part));
  finish_folder(part, to);
  return report;
}

Result<BackupReport> check_backup(const fs::path& folder) {
  TRY_ASSIGN(const json manifest, read_manifest(folder));
  const json& files = manifest["files"];
  for (const auto& [name, row] : files.items()) {
    const fs::path file = folder / name;
    if (!fs::is_regular_file(fs::symlink_status(file))) return damaged(name, "it is missing");
    const std::uint64_t octets = fs::file_size(file);
    if (octets != row["octets"].get<std::uint64_t>() || octets > limit("handover_part_octets_max"))
      return damaged(name, "it has " + std::to_string(octets) + " octets");
    if (to_hex(crypto::sha256(as_bytes(read_file(file)))) != row["sha256"].get<std::string>())
      return damaged(name, "its digest is another");
  }
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).generic_string();
    if (!entry.is_directory() && !files.contains(name) && name != kManifestName &&
        name != kSignatureName)
      return damaged(name, "the manifest does not name it");
  }
  return report_of(manifest);
}

Result<BackupReport> restore_backup(const fs::path& folder, const fs::path& data) {
  TRY_ASSIGN(const fs::path part, begin_folder(data));
  TRY_ASSIGN(const BackupReport report, check_backup(folder));
  for (const char* const name : {"store", "softhsm", "keys.wattseal"}) {
    if (fs::exists(folder / name))
      fs::copy(folder / name, part / name, fs::copy_options::recursive);
  }
  {
    TRY_ASSIGN(const std::unique_ptr<storage::Store> store,
               storage::open_rocksdb_store(part / "store"));
    TRY_ASSIGN(const storage::JournalHead head, storage::verify_journal(*store));
    if (head.next - 1 != report.facts || head.chain != report.chain)
      return damaged("store", "the journal has another head than the manifest says");
  }
  finish_folder(part, data);
  return report;
}

}  // namespace wattseal::apps
