#include "duis/manual.h"

#include <map>

#include "base/check.h"
#include "duis/compose.h"
#include "duis/schema.h"
#include "terms/terms.h"

namespace wattseal::duis {
namespace {

constexpr std::size_t kRepeatedLinesMax = 3;  // a structure with so few lines is written out again

struct Meaning {
  std::string_view code, text;
};
constexpr Meaning kRoles[] = {{"IS", "import supplier"}, {"GS", "gas supplier"},
                              {"ES", "export supplier"}, {"ED", "electricity distributor"},
                              {"GT", "gas transporter"}, {"RSA", "registered supplier agent"},
                              {"OU", "other user"}};
// Source: spec/gbcs-duis.md 3.2.
constexpr Meaning kCommandVariants[] = {
    {"1", "send over the SM WAN; POST /api/v1/serviceS, I99, the response follows"},
    {"2", "return the command for local delivery; POST /api/v1/serviceD"},
    {"3", "both of 1 and 2; POST /api/v1/serviceS"},
    {"4", "transform a critical request; POST /api/v1/serviceT, I0 with the pre-command"},
    {"5", "signed pre-command over the SM WAN; POST /api/v1/serviceS, I99, the response follows"},
    {"6", "signed pre-command, return for local delivery; POST /api/v1/serviceD"},
    {"7", "signed pre-command, both of 5 and 6; POST /api/v1/serviceS"},
    {"8", "the DCC's own work, no device; POST /api/v1/serviceD"}};

const ServiceRequestRow& row_of(std::string_view variant) {
  const ServiceRequestRow* const row = find_service_request(variant);
  CHECK(row);
  return *row;
}

std::string_view meaning(std::span<const Meaning> meanings, std::string_view code) {
  for (const Meaning& one : meanings) {
    if (one.code == code) return one.text;
  }
  UNREACHABLE();
}

// "IS/GS" -> each part.
std::vector<std::string_view> parts(std::string_view list) {
  std::vector<std::string_view> found;
  while (!list.empty() && list != "-") {
    const std::size_t slash = list.find('/');
    found.push_back(list.substr(0, slash));
    if (slash == std::string_view::npos) break;
    list.remove_prefix(slash + 1);
  }
  return found;
}

std::string occurs(std::size_t min, std::size_t max) {
  if (min == max) return std::to_string(min);
  return std::to_string(min) + ".." + (max == SIZE_MAX ? "n" : std::to_string(max));
}

class Lines {
 public:
  std::vector<ManualLine> take() { return std::move(lines_); }

  void structure(const Structure& structure, const std::string& above, std::size_t depth) {
    for (const AttributeRow& row : structure.attributes)
      lines_.push_back(
          {above + "@" + std::string(row.name), depth, "1", "", describe(*row.value), ""});
    const std::vector<Member>& members = structure.members;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const Member* const before = i > 0 ? &members[i - 1] : nullptr;
      member(members[i], before, above, depth);
    }
  }

 private:
  static std::string choice(const Member& member, const Member* before) {
    if (member.choice == 0) return "";
    if (!before || before->choice != member.choice) return "either";
    return before->alternative == member.alternative ? "with" : "or";
  }

  void member(const Member& member, const Member* before, const std::string& above,
              std::size_t depth) {
    ManualLine line{above + std::string(member.name), depth, occurs(member.min, member.max),
                    choice(member, before),           "",    ""};
    if (member.value) line.value = describe(*member.value);
    if (!member.structure) {
      lines_.push_back(std::move(line));
      return;
    }
    const Structure& below = *member.structure;
    if (below.text) line.value = describe(*below.text);
    if (!below.text && below.members.empty()) line.value = "no content";
    const auto known = written_.find(&below);
    if (known != written_.end() && known->second.lines > kRepeatedLinesMax) {
      line.same_as = known->second.path;
      lines_.push_back(std::move(line));
      return;
    }
    const std::string path = line.path;
    lines_.push_back(std::move(line));
    const std::size_t first = lines_.size();
    structure(below, path + "/", depth + 1);
    written_[&below] = {path, lines_.size() - first};
  }

  struct Written {
    std::string path;
    std::size_t lines = 0;
  };
  std::vector<ManualLine> lines_;
  std::map<const Structure*, Written> written_;
};

// Indented, two blanks a level; values stay on their line.
void write_indented(const xml::Element& element, std::size_t depth, std::string& out) {
  const std::string indent(2 * depth, ' ');
  out += indent + "<sr:" + element.name;
  if (depth == 0) out += " xmlns:sr=\"" + std::string(kNamespace) + "\"";
  for (const xml::Attribute& attribute : element.attributes)
    out += " " + attribute.name + "=\"" + xml::escape(attribute.value) + "\"";
  if (element.children.empty()) {
    out += element.text.empty() ? "/>\n"
                                : ">" + xml::escape(element.text) + "</sr:" + element.name + ">\n";
    return;
  }
  out += ">\n";
  for (const xml::Element& child : element.children) write_indented(child, depth + 1, out);
  out += indent + "</sr:" + element.name + ">\n";
}

std::string scheduling(const ServiceRequestRow& row) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    text += (text.empty() ? "" : ", ") + std::string(part);
  };
  if (row.on_demand) add("on demand");
  if (row.future_dated == "Device") add("future dated, the device holds it");
  if (row.future_dated == "DSP") add("future dated, the DCC holds it");
  if (row.future_dated == "DSP & Device") add("future dated, the DCC or the device holds it");
  if (row.dcc_scheduled) add("scheduled by the DCC");
  if (row.non_device) add("non-device");
  return text;
}

std::string use_case_list(std::string_view variant) {
  std::string text;
  for (const UseCaseRow& use_case : use_cases()) {
    if (use_case.variant != variant) continue;
    text += "- " + std::string(use_case.use_case) + " " + std::string(use_case.title) + ": " +
            std::string(use_case.device_types) +
            (use_case.response_signed ? ", answer signed" : ", answer with a MAC") +
            (use_case.replay_protected ? ", protected against replay\n" : "\n");
  }
  return text;
}

std::string body_block(std::string_view variant, std::string_view element) {
  const std::vector<ManualLine> lines = manual_lines(variant);
  if (lines.empty()) return std::string(element) + " has no content.\n";
  std::string text = "```text\n" + std::string(element) + "\n";
  std::size_t width = 0;
  const auto name = [](const ManualLine& line) {
    const std::string word = line.choice.empty() ? "" : line.choice + " ";
    return std::string(2 * (line.depth + 1), ' ') + word +
           line.path.substr(line.path.rfind('/') + 1);
  };
  for (const ManualLine& line : lines) width = std::max(width, name(line).size());
  for (const ManualLine& line : lines) {
    std::string written = name(line);
    written += std::string(width + 2 - written.size(), ' ') + line.occurs;
    const std::string tail = line.same_as.empty() ? line.value : "as " + line.same_as;
    if (!tail.empty())
      written += std::string(line.occurs.size() < 6 ? 6 - line.occurs.size() : 1, ' ') + tail;
    text += written + "\n";
  }
  return text + "```\n";
}

std::string heading(const ServiceRequestRow& row) {
  return std::string(row.variant) + " " + std::string(row.name);
}

}  // namespace

std::vector<ManualLine> manual_lines(std::string_view service_variant) {
  const Member* const body = body_member(row_of(service_variant).element);
  CHECK(body && body->structure);
  Lines lines;
  lines.structure(*body->structure, "", 0);
  return lines.take();
}

std::string manual_example(std::string_view service_variant) {
  std::string text;
  write_indented(to_element(example_request(service_variant)), 0, text);
  return text;
}

std::string manual_page(std::string_view service_variant) {
  const ServiceRequestRow& row = row_of(service_variant);
  std::string page = "# " + heading(row) + "\n\n";
  const auto field = [&page](std::string_view name, std::string_view value) {
    page += "- " + std::string(name) + ": " + std::string(value) + "\n";
  };
  field("service reference", row.reference);
  field("critical", row.critical ? "yes: the user signs the pre-command" : "no");
  field("when", scheduling(row));
  std::string roles;
  for (const std::string_view code : parts(row.eligible_roles))
    roles += (roles.empty() ? "" : ", ") + std::string(meaning(kRoles, code)) + " (" +
             std::string(code) + ")";
  field("who may send it", roles.empty() ? "no user role in the DUIS matrix" : roles);
  field("answer", row.response_element == "-" ? std::string("no MMC element")
                                              : "MMC element " + std::string(row.response_element));
  if (!row.non_device)
    field("waiting", "the gateway waits " +
                         std::to_string(limit("device_response_timeout_seconds")) +
                         " s for the device unless it is set otherwise");
  page += "\n## Command variants\n\n";
  for (const std::string_view code : parts(row.command_variants))
    field(code, meaning(kCommandVariants, code));
  if (const std::string list = use_case_list(row.variant); !list.empty())
    page += "\n## Devices\n\n" + list;
  page += "\n## Body\n\n" + body_block(row.variant, row.element);
  page +=
      "\n## Example\n\nThe smallest request, with sample values "
      "(`wattseal duis new " +
      std::string(row.variant) + " --example`):\n\n```xml\n" + manual_example(row.variant) +
      "```\n";
  return page;
}

std::string manual_index() {
  std::string text =
      "# Service requests\n\nOne page for each service reference variant. These pages come from "
      "the "
      "rows in `data/`: `wattseal duis\ndescribe --all --out docs/duis` writes them, and a test "
      "fails when they are not what the rows say.\n\n";
  for (const ServiceRequestRow& row : service_requests())
    text += "- [" + heading(row) + "](" + std::string(row.variant) + ".md)\n";
  return text;
}

}  // namespace wattseal::duis
