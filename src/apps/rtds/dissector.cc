#include "apps/rtds/dissector.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "gbcs/message.h"
#include "zcl/zcl.h"

extern char** environ;

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;

Refusal refused(std::string why) { return {"apps-dissector"_rule, std::move(why)}; }

// -------------------------------------------------------------------------------------------------
// the program

// What it wrote, or nothing when there is no such program.
Result<std::optional<std::string>> output_of(const std::vector<std::string>& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return refused("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (const std::string& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string written;
  if (error == 0) {
    std::array<char, 65'536> buffer;
    for (ssize_t count = 0; (count = read(ends[0], buffer.data(), buffer.size())) != 0;) {
      if (count < 0 && errno != EINTR) break;
      if (count > 0) written.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  close(ends[0]);
  if (error == ENOENT || error == ENOTDIR) return std::optional<std::string>();
  if (error != 0) return refused(command[0] + " cannot be run");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::optional(std::move(written));
  return refused(command[0] + " failed with status " + std::to_string(status));
}

// -------------------------------------------------------------------------------------------------
// what it should say

struct Sample {
  gbcs::Message message;
  std::vector<zcl::Component> components;  // of a GBZ command or response
  std::optional<zcl::Alert> alert;         // of a GBZ alert
};

std::string eui(Eui64 id) { return fmt::format("{:02x}", fmt::join(id.octets(), ":")); }
std::string maybe(const std::optional<OriginatorCounter>& counter) {
  return counter ? std::to_string(counter->number()) : "";
}

// A COSEM date-time as an instant in UTC.
std::string instant(const Sample& sample) {
  const Bytes& time = sample.message.date_time;
  if (time.empty()) return "";
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (time[2] < 1 || time[2] > 12) return "no month";
  return fmt::format("{} {:2}, {} {:02}:{:02}:{:02}.000000000 UTC", kMonths[time[2] - 1u], time[3],
                     time[0] << 8 | time[1], time[5], time[6], time[7]);
}

template <typename Part>
std::string list(const Sample& sample, Part part) {
  std::string all;
  for (std::size_t i = 0; i < sample.components.size(); ++i) {
    if (i > 0) all += ',';
    all += part(sample.components[i], i + 1 == sample.components.size());
  }
  return all;
}

Octet control(const zcl::Component& one, bool last) {
  return static_cast<Octet>((last ? 0x01 : 0) | (one.sealing ? 0x02 : 0) | (one.from ? 0x10 : 0));
}
// Of all that follows it: what is sealed has the length of its blob before it.
std::size_t length(const zcl::Component& one) {
  return 3 + one.body.size() + (one.sealing ? 4 : 0) + (one.from ? 4 : 0);
}

struct Field {
  const char* name;
  std::string (*said)(const Sample&);
};
constexpr Field kFields[] = {
    {"gbcs_message.mac_header.general_ciphering",
     [](const Sample& s) { return std::string(s.message.mac ? "0xdd" : ""); }},
    {"gbcs_message.mac_header.security_control_byte",
     [](const Sample& s) { return std::string(s.message.mac ? "0x11" : ""); }},
    {"gbcs_message.mac_header.invocation_counter",
     [](const Sample& s) { return std::string(s.message.mac ? "0x00000000" : ""); }},
    {"gbcs_message.grouping_header.general_signing",
     [](const Sample&) { return std::string("0xdf"); }},
    {"gbcs_message.grouping_header.cra_flag",
     [](const Sample& s) { return fmt::format("0x{:02x}", static_cast<int>(s.message.cra)); }},
    {"gbcs_message.grouping_header.originator_counter",
     [](const Sample& s) { return std::to_string(s.message.counter.number()); }},
    {"gbcs_message.grouping_header.business_originator_id",
     [](const Sample& s) { return eui(s.message.originator); }},
    {"gbcs_message.grouping_header.business_target_id",
     [](const Sample& s) { return eui(s.message.target); }},
    {"gbcs_message.grouping_header.date_time", instant},
    {"gbcs_message.grouping_header.message_code",
     [](const Sample& s) { return fmt::format("0x{:04x}", s.message.code.number()); }},
    {"gbcs_message.grouping_header.supplementary_remote_party_id",
     [](const Sample& s) {
       return s.message.supplementary_party ? eui(*s.message.supplementary_party) : "";
     }},
    {"gbcs_message.grouping_header.supplementary_remote_party_counter",
     [](const Sample& s) { return maybe(s.message.supplementary_counter); }},
    {"gbcs_message.grouping_header.supplementary_remote_party_originator_counter",
     [](const Sample& s) {
       const Bytes& certificate = s.message.supplementary_certificate;
       if (certificate.size() <= 8) return maybe(s.message.supplementary_originator_counter);
       return std::to_string(get_be(BytesView(certificate).first(8)));
     }},
    {"gbcs_message.grouping_header.supplementary_remote_party_ka_certificate",
     [](const Sample& s) {
       const Bytes& certificate = s.message.supplementary_certificate;
       return certificate.size() <= 8 ? "" : to_hex(BytesView(certificate).subspan(8));
     }},
    {"gbcs_message.krp",
     [](const Sample& s) {
       const bool is_signed = s.message.signature_field == gbcs::SignatureField::present;
       return is_signed ? to_hex(s.message.signature) : "";
     }},
    {"gbcs_message.mac",
     [](const Sample& s) { return s.message.mac ? to_hex(*s.message.mac) : ""; }},
    {"gbcs_gbz.profile_id",
     [](const Sample& s) { return std::string(s.components.empty() && !s.alert ? "" : "0x0109"); }},
    {"gbcs_gbz.components",
     [](const Sample& s) {
       if (s.alert) return std::to_string(s.alert->count);
       return s.components.empty() ? "" : std::to_string(s.components.size());
     }},
    {"gbcs_gbz.alert_code",
     [](const Sample& s) { return s.alert ? fmt::format("0x{:04x}", s.alert->code) : ""; }},
    {"_ws.malformed", [](const Sample&) { return std::string(); }}};

// Of components; an alert may hold one that only its message code tells of.
constexpr Field kComponentFields[] = {
    {"gbcs_gbz.extended_header_control",
     [](const Sample& s) {
       return list(s, [](const zcl::Component& one, bool last) {
         return fmt::format("0x{:02x}", control(one, last));
       });
     }},
    {"gbcs_gbz.extended_header_cluster",
     [](const Sample& s) {
       return list(
           s, [](const zcl::Component& one, bool) { return fmt::format("0x{:04x}", one.cluster); });
     }},
    {"gbcs_gbz.extended_header_length",
     [](const Sample& s) {
       return list(s, [](const zcl::Component& one, bool) { return std::to_string(length(one)); });
     }},
    {"gbcs_gbz.frame_control",
     [](const Sample& s) {
       return list(s, [](const zcl::Component& one, bool) {
         return fmt::format("0x{:02x}", one.frame_control);
       });
     }},
    {"gbcs_gbz.transaction",
     [](const Sample& s) {
       return list(s, [](const zcl::Component& one, bool) { return std::to_string(one.sequence); });
     }},
    {"gbcs_gbz.command_id", [](const Sample& s) {
       return list(
           s, [](const zcl::Component& one, bool) { return fmt::format("0x{:02x}", one.command); });
     }}};

Result<Sample> sample_of(BytesView octets) {
  Sample sample;
  TRY_ASSIGN(sample.message, gbcs::decode(octets));
  const Bytes& payload = sample.message.payload;
  const Result<gbcs::PayloadKind> kind = gbcs::payload_kind(payload);
  if (!kind.ok() || *kind != gbcs::PayloadKind::gbz) return sample;
  if (sample.message.cra == gbcs::Cra::alert) {
    TRY_ASSIGN(sample.alert, zcl::decode_alert(payload));
  } else {
    TRY_ASSIGN(sample.components, zcl::decode(payload));
  }
  return sample;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

// The first field that the dissector's line says differently.
std::string difference(BytesView octets, const std::string& line) {
  const Result<Sample> sample = sample_of(octets);
  if (!sample.ok()) return "this program: " + sample.refusal().detail;
  const std::vector<std::string> columns = split(line, '\t');
  if (columns.size() != std::size(kFields) + std::size(kComponentFields))
    return "the dissector says nothing of it";
  std::size_t column = 0;
  const auto compared = [&](const Field& field) -> std::string {
    const std::string& theirs = columns[column++];
    const std::string ours = field.said(*sample);
    if (theirs == ours) return "";
    return std::string(field.name) + " is '" + theirs + "' to the dissector, '" + ours + "' here";
  };
  for (const Field& field : kFields) {
    if (std::string found = compared(field); !found.empty()) return found;
  }
  for (const Field& field : kComponentFields) {
    if (sample->alert) break;
    if (std::string found = compared(field); !found.empty()) return found;
  }
  return "";
}

void put_le32(Bytes& out, std::uint64_t value) { zcl::put_le(out, value, 4); }

}  // namespace

Bytes capture_of(const std::vector<Bytes>& messages) {
  constexpr std::uint32_t kMagic = 0xA1B2C3D4, kLongest = 0xFFFF, kUser0 = 147;
  Bytes out;
  put_le32(out, kMagic);
  append(out, Bytes{2, 0, 4, 0});  // version 2.4
  put_le32(out, 0);                // time zone
  put_le32(out, 0);                // accuracy
  put_le32(out, kLongest + 1);
  put_le32(out, kUser0);
  for (const Bytes& message : messages) {
    put_le32(out, 0);
    put_le32(out, 0);
    put_le32(out, message.size());
    put_le32(out, message.size());
    append(out, message);
  }
  return out;
}

Result<std::optional<std::vector<std::string>>> dissect(const std::string& program,
                                                        const fs::path& capture,
                                                        const std::vector<Bytes>& messages) {
  const bool kept = !capture.empty();
  const fs::path file =
      kept ? capture
           : fs::temp_directory_path() / ("wattseal-" + std::to_string(getpid()) + ".pcap");
  const Bytes octets = capture_of(messages);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(octets.data()),
            static_cast<std::streamsize>(octets.size()));
  out.close();
  if (!out) return refused(file.string() + " cannot be written");
  std::vector<std::string> command{
      program, "-n",
      "-r",    file.string(),
      "-o",    R"uat(uat:user_dlts:"User 0 (DLT=147)","gbcs_message","0","","0","")uat",
      "-T",    "fields"};
  for (const Field& field : kFields) command.insert(command.end(), {"-e", field.name});
  for (const Field& field : kComponentFields) command.insert(command.end(), {"-e", field.name});
  const Result<std::optional<std::string>> written = output_of(command);
  std::error_code ignored;
  if (!kept) fs::remove(file, ignored);
  if (!written.ok()) return written.refusal();
  if (!*written) return std::optional<std::vector<std::string>>();
  std::vector<std::string> lines = split(**written, '\n');
  lines.resize(messages.size());
  std::vector<std::string> differences;
  for (std::size_t i = 0; i < messages.size(); ++i)
    differences.push_back(difference(messages[i], lines[i]));
  return std::optional(std::move(differences));
}

}  // namespace wattseal::apps
