// Folders that are written beside their place, sealed by a manifest and moved there. Private to
// apps.
#pragma once
#include "apps/backup.h"

namespace wattseal::apps {

inline constexpr std::string_view kManifestName = "manifest.json", kSignatureName = "handover.json";

std::string read_file(const std::filesystem::path& file);
std::string read_if_there(const std::filesystem::path& file);  // else empty
void write_file(const std::filesystem::path& file, std::string_view content);
// Whole or not at all, and for its owner alone. Throws Fault.
void replace_file(const std::filesystem::path& file, std::string_view content);

// Refuses backup-target when something is there.
Result<std::filesystem::path> begin_folder(const std::filesystem::path& to);
Status copy_platform(const storage::Store& store, const std::filesystem::path& data,
                     const std::filesystem::path& part);
// Writes the manifest over everything that stands in the folder.
Result<BackupReport> seal_folder(const World& world, const std::filesystem::path& part);
void finish_folder(const std::filesystem::path& part, const std::filesystem::path& to);

}  // namespace wattseal::apps
