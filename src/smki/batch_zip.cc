// Archives come from subscribers. Sizes that an archive states are not believed: a member is read
// up to its bound and no further, and what all members unpack to is counted as it comes.
#include "smki/batch_zip.h"

#include <zip.h>

#include <cctype>

#include "base/fault.h"

namespace wattseal::smki {
namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

std::string text_of(zip_error_t* error) {
  std::string text = zip_error_strerror(error);
  zip_error_fini(error);
  return text;
}

Result<Archive> open_archive(std::string_view octets) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(octets.data(), octets.size(), 0, &error);
  if (!source) throw Fault("no memory for an archive: " + text_of(&error));
  zip_t* const archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (archive) return Archive(archive);
  zip_source_free(source);
  return Refusal{"batch-zip"_rule, text_of(&error)};
}

bool safe_path(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != std::string_view::npos ||
      name.find(':') != std::string_view::npos)
    return false;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    if (name.substr(at, end - at) == "..") return false;
    at = end + 1;
  }
  return true;
}

bool request_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(std::array{".pem", ".csr", ".der", ".p10", ".req"},
                             [&](std::string_view extension) { return name.ends_with(extension); });
}

std::optional<Refusal> why_not(const zip_stat_t& stat) {
  const std::string name = std::string(stat.name).substr(0, 200);
  const auto no = [&](const char* why) {
    return Refusal{"batch-row-member"_rule, "'" + name + "' " + why, "member"};
  };
  if (!safe_path(stat.name)) return no("is no relative path");
  if (!request_name(name)) return no("is neither .pem, .csr, .der, .p10 nor .req");
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) && stat.encryption_method != ZIP_EM_NONE)
    return no("is encrypted");
  if ((stat.valid & ZIP_STAT_COMP_METHOD) && stat.comp_method != ZIP_CM_STORE &&
      stat.comp_method != ZIP_CM_DEFLATE)
    return no("is neither stored nor deflated");
  return {};
}

// At most one octet more than a row may have.
Result<std::string> read_member(zip_t& archive, zip_uint64_t index, const std::string& name) {
  const std::unique_ptr<zip_file_t, CloseMember> member(zip_fopen_index(&archive, index, 0));
  const auto damaged = [&] {
    return Refusal{"batch-row-member"_rule, "'" + name.substr(0, 200) + "' is damaged", "member"};
  };
  if (!member) return damaged();
  std::string content(limit("batch_line_octets_max") + 1, '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const zip_int64_t got =
        zip_fread(member.get(), content.data() + filled, content.size() - filled);
    if (got < 0) return damaged();
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

}  // namespace

Status read_zip(std::string_view archive_octets, const std::function<Status(ZipRow row)>& visit) {
  TRY_ASSIGN(const Archive archive, open_archive(archive_octets));
  const zip_int64_t members = zip_get_num_entries(archive.get(), 0);
  std::uint64_t unpacked = 0;
  for (zip_int64_t i = 0; i < members; ++i) {
    zip_stat_t stat;
    const zip_uint64_t index = static_cast<zip_uint64_t>(i);
    if (zip_stat_index(archive.get(), index, ZIP_FL_ENC_RAW, &stat) != 0 ||
        !(stat.valid & ZIP_STAT_NAME))
      return Refusal{"batch-zip"_rule, "member " + std::to_string(i) + " has no name"};
    ZipRow row{stat.name, {}, {}};
    if (row.name.ends_with('/')) continue;  // a folder
    row.refusal = why_not(stat);
    if (!row.refusal) {
      Result<std::string> content = read_member(*archive, index, row.name);
      if (content.ok())
        row.content = std::move(*content);
      else
        row.refusal = content.refusal();
      unpacked += row.content.size();
      if (unpacked > limit("batch_file_octets_max"))
        return Refusal{"batch-zip-unpacked"_rule,
                       "more than " + std::to_string(limit("batch_file_octets_max")) + " octets"};
    }
    TRY(visit(std::move(row)));
  }
  return {};
}

std::string make_zip(const std::vector<ZipMember>& members) {
  // libzip writes no empty archive: an end of central directory record of nothing.
  if (members.empty()) return "PK\x05\x06" + std::string(18, '\0');
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const out = zip_source_buffer_create(nullptr, 0, 0, &error);
  if (!out) throw Fault("no memory for an archive: " + text_of(&error));
  zip_source_keep(out);  // closing the archive gives up its own hold
  Archive archive(zip_open_from_source(out, ZIP_TRUNCATE, &error));
  if (!archive) throw Fault("no archive: " + text_of(&error));
  for (const ZipMember& member : members) {
    zip_source_t* const content =
        zip_source_buffer(archive.get(), member.content.data(), member.content.size(), 0);
    const zip_int64_t index =
        content ? zip_file_add(archive.get(), member.name.c_str(), content, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0) throw Fault("an archive takes no member");
    // The same certificates are the same octets: no time of making.
    zip_file_set_dostime(archive.get(), static_cast<zip_uint64_t>(index), 0, 0x21, 0);
  }
  if (zip_close(archive.get()) != 0) throw Fault("an archive cannot be written");
  archive.release();
  std::string octets;
  zip_source_open(out);
  zip_source_seek(out, 0, SEEK_END);
  octets.resize(static_cast<std::size_t>(zip_source_tell(out)));
  zip_source_seek(out, 0, SEEK_SET);
  if (zip_source_read(out, octets.data(), octets.size()) != static_cast<zip_int64_t>(octets.size()))
    throw Fault("an archive cannot be read back");
  zip_source_close(out);
  zip_source_free(out);
  return octets;
}

}  // namespace wattseal::smki
