#include "apps/rtds.h"

#include <nlohmann/json.hpp>
#include <set>

#include "apps/commands.h"
#include "apps/rtds/data_set.h"
#include "apps/rtds/dissector.h"
#include "gbcs/parse.h"
#include "gbcs/security.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Verdict {
  std::string result, detail;
};
Verdict passed() { return {"pass", ""}; }
Verdict differs(std::string detail) { return {"differs", std::move(detail)}; }
Verdict refused(const Refusal& refusal) {
  std::string detail = std::string(refusal.rule.text()) + ": " + refusal.detail;
  if (!refusal.field.empty()) detail += " at " + refusal.field;
  return differs(std::move(detail));
}

Result<Bytes> no_key(const gbcs::Message&, BytesView) { return Refusal{"gbcs-no-key"_rule, ""}; }

// The first octet that differs, and what the two messages say differently as a JSON patch from ours
// to theirs.
Verdict compare(BytesView made, BytesView wanted) {
  if (equal(made, wanted)) return passed();
  const auto place = std::ranges::mismatch(made, wanted).in1 - made.begin();
  std::string detail = "octet " + std::to_string(place) + "; " + std::to_string(made.size()) +
                       " octets made, " + std::to_string(wanted.size()) + " wanted; decoded: ";
  const auto tree = [](BytesView octets) -> Result<json> {
    TRY_ASSIGN(const gbcs::Message message, gbcs::decode(octets));
    return gbcs::parse_tree(message, no_key);
  };
  const Result<json> ours = tree(made), theirs = tree(wanted);
  if (!ours.ok()) return differs(detail + "ours cannot be parsed, " + ours.refusal().detail);
  if (!theirs.ok()) return differs(detail + "theirs cannot be parsed, " + theirs.refusal().detail);
  return differs(detail + json::diff(*ours, *theirs).dump());
}

Result<std::string> content_of(const fs::path& file) {
  try {
    return read_input(file.string());
  } catch (const UnreadableInput& unreadable) {
    return Refusal{"apps-vectors"_rule, unreadable.what()};
  }
}

Result<Bytes> octets_of(const fs::path& file) {
  TRY_ASSIGN(const std::string content, content_of(file));
  return read_octets(content);
}

std::string use_case_of(const std::string& name) { return name.substr(0, name.find('_')); }

// In the data set the devices are those of one manufacturer.
bool is_device(Eui64 id) { return id.number() >> 48 == 0x00DB; }

class Comparison {
 public:
  Comparison(const RtdsDataSet& data, Eui64 broker, std::string use_case)
      : data_(data), keys_(data.folder / "keystore"), broker_(broker), only_(std::move(use_case)) {}

  Result<RtdsReport> run(const DissectorOptions& dissector) {
    std::set<std::string> names;
    for (const auto* files : {&data_.requests, &data_.commands, &data_.pre_commands}) {
      for (const auto& [name, path] : *files) names.insert(name);
    }
    for (const auto& [name, path] : data_.messages) {
      if (wanted(name)) message(name, path);
    }
    for (const std::string& name : names) {
      if (wanted(name)) pair(name);
    }
    if (!dissector.program.empty()) TRY(ask(dissector));
    return std::move(report_);
  }

 private:
  bool wanted(const std::string& name) const { return only_.empty() || use_case_of(name) == only_; }
  void add(const std::string& name, std::string check, Verdict verdict) {
    report_.rows.push_back({name, use_case_of(name), std::move(check), std::move(verdict.result),
                            std::move(verdict.detail)});
  }

  // What this program encodes, to be seen by another. Without a signature it has the octet that
  // says so, which the pre-commands of the data set leave out.
  Bytes encoded(const std::string& name, gbcs::Message message) {
    Bytes octets = gbcs::encode(message);
    if (message.signature_field == gbcs::SignatureField::missing)
      message.signature_field = gbcs::SignatureField::empty;
    emitted_names_.push_back(name);
    emitted_.push_back(gbcs::encode(message));
    return octets;
  }

  Status ask(const DissectorOptions& dissector) {
    TRY_ASSIGN(const auto differences, dissect(dissector.program, dissector.capture, emitted_));
    for (std::size_t i = 0; i < emitted_.size(); ++i) {
      if (!differences) {
        add(emitted_names_[i], "dissector", {"skipped", "there is no " + dissector.program});
      } else {
        const std::string& found = (*differences)[i];
        add(emitted_names_[i], "dissector", found.empty() ? passed() : differs(found));
      }
    }
    return {};
  }

  // ------------------------------------------------------------------------------------------------------------
  // a message on its own

  void message(const std::string& name, const fs::path& path) {
    const Result<Bytes> octets = octets_of(path);
    const Result<gbcs::Message> read =
        octets.ok() ? gbcs::decode(*octets) : Result<gbcs::Message>(octets.refusal());
    if (!read.ok()) return add(name, "decode", refused(read.refusal()));
    const Result<json> tree = gbcs::parse_tree(*read, no_key);
    add(name, "decode",
        tree.ok() ? compare(encoded(name, *read), *octets) : refused(tree.refusal()));
    if (read->mac) add(name, "mac", mac(*read));
    if (read->signature_field == gbcs::SignatureField::present)
      add(name, "signature", signature(*read));
  }

  // The access control broker stands in for the originator of a command.
  Verdict mac(const gbcs::Message& message) {
    const bool from_dcc = message.cra == gbcs::Cra::command && !is_device(message.originator);
    const Eui64 sender = from_dcc ? broker_ : message.originator;
    const std::optional<crypto::SharedSecret> secret = keys_.secret(sender, message.target);
    if (!secret) return {"no-key", "between " + sender.text() + " and " + message.target.text()};
    const Status status = gbcs::verify_mac(message, *secret);
    return status.ok() ? passed() : refused(status.refusal());
  }

  Verdict signature(const gbcs::Message& message) {
    const std::optional<crypto::PublicPoint> signer = keys_.point(message.originator, "ds");
    if (!signer) return {"no-key", "of " + message.originator.text()};
    const Status status = gbcs::verify_signature(message, *signer);
    return status.ok() ? passed() : refused(status.refusal());
  }

  // ------------------------------------------------------------------------------------------------------------
  // a request and its messages

  void pair(const std::string& name) {
    const auto request = data_.requests.find(name);
    const auto command = data_.commands.find(name);
    const auto pre_command = data_.pre_commands.find(name);
    const bool has_command = command != data_.commands.end();
    const bool has_pre_command = pre_command != data_.pre_commands.end();
    if (request == data_.requests.end()) {
      if (has_command) add(name, "pair", {"command-without-request", ""});
      if (has_pre_command) add(name, "pair", {"pre-command-without-request", ""});
      return;
    }
    const Result<duis::ServiceRequest> read = read_request(request->second);
    if (!read.ok()) return add(name, "request", refused(read.refusal()));
    add(name, "request", command_variant(*read));
    if (read->command_variant >= 5 && read->command_variant <= 7)
      add(name, "signed-pre-command", signed_pre_command(*read, use_case_of(name)));
    if (!has_command) add(name, "pair", {"request-without-command", ""});
    if (!has_pre_command && read->command_variant == 4)
      add(name, "pair", {"request-without-pre-command", ""});
    if (has_pre_command)
      add(name, "pre-command", made(name, *read, pre_command->second, &Comparison::pre_command));
    if (has_command) add(name, "command", made(name, *read, command->second, &Comparison::command));
  }

  static Verdict command_variant(const duis::ServiceRequest& request) {
    const ServiceRequestRow* const row = find_service_request(request.service_variant);
    CHECK(row != nullptr);  // duis::read_request refuses unknown variants
    if (row->allows_variant(request.command_variant)) return passed();
    return differs(request.service_variant + " takes command variants " +
                   std::string(row->command_variants) + ", not " +
                   std::to_string(request.command_variant));
  }

  static Result<duis::ServiceRequest> read_request(const fs::path& file) {
    TRY_ASSIGN(const std::string content, content_of(file));
    TRY_ASSIGN(const xml::Document document, xml::parse(content));
    return duis::read_request(document.root());
  }

  Result<gateway::Transformed> transform(const std::string& name,
                                         const duis::ServiceRequest& request) const {
    TRY_ASSIGN(const DeviceType type, data_.type(request.id.target));
    TRY_ASSIGN(const gateway::Originator originator, data_.originator(name, request.id));
    TRY_ASSIGN(const UtcTime now, data_.now(name));
    return gateway::transform(*gbcs::TemplateSet::built_in(), request, type, originator,
                              RtdsFacts(data_, name), now);
  }

  using Judge = Verdict (Comparison::*)(const std::string& name, gateway::Transformed ours,
                                        BytesView theirs);

  Verdict made_once(const std::string& name, const duis::ServiceRequest& request,
                    const fs::path& file, Judge judge) {
    const Result<gateway::Transformed> ours = transform(name, request);
    const std::string use_case = use_case_of(name);
    const bool supported = gbcs::TemplateSet::built_in()->find(use_case) != nullptr;
    if (!ours.ok()) {
      return supported ? refused(ours.refusal()) : Verdict{"unsupported", ours.refusal().detail};
    }
    const std::string& chosen = gbcs::view(*ours->use_case).use_case;
    if (chosen != use_case) {
      const std::string detail = "the template of " + chosen + " is chosen";
      return supported ? differs(detail) : Verdict{"unsupported", detail};
    }
    const Result<Bytes> theirs = octets_of(file);
    if (!theirs.ok()) return refused(theirs.refusal());
    return (this->*judge)(name, *ours, *theirs);
  }

  Verdict made(const std::string& name, const duis::ServiceRequest& request, const fs::path& file,
               Judge judge) {
    Verdict verdict = made_once(name, request, file, judge);
    if (verdict.result != "differs") return verdict;
    const std::optional<Correction> correction = data_.corrected(name, request);
    if (!correction || made_once(name, correction->request, file, judge).result != "pass")
      return verdict;
    return {"exception", correction->reason};
  }

  // The pre-commands of the data set end after their payload: spec/gbcs-duis.md 1.2.
  Verdict pre_command(const std::string& name, gateway::Transformed ours, BytesView theirs) {
    ours.message.signature_field = gbcs::SignatureField::missing;
    return compare(encoded(name, std::move(ours.message)), theirs);
  }

  Verdict command(const std::string& name, gateway::Transformed ours, BytesView theirs) {
    const Result<gbcs::Message> wanted = gbcs::decode(theirs);
    if (!wanted.ok()) return refused(wanted.refusal());
    gbcs::Message& message = ours.message;
    const gbcs::TemplateView& view = gbcs::view(*ours.use_case);
    const bool is_signed = view.critical || view.dcc_signed;
    if (is_signed) {
      message.signature_field = gbcs::SignatureField::present;
      message.signature = wanted->signature;
    }
    const std::optional<crypto::SharedSecret> secret = keys_.secret(broker_, message.target);
    if (secret) {
      gbcs::add_mac(message, *secret);
    } else {
      message.mac = wanted->mac;
    }
    Verdict verdict = compare(encoded(name, message), theirs);
    if (verdict.result != "pass") return verdict;
    if (!secret) return {"no-key", "between " + broker_.text() + " and " + message.target.text()};
    return is_signed ? signature(message) : passed();
  }

  // One that a request carries is that of its RequestID, signed, and a pre-command of the data set.
  Verdict signed_pre_command(const duis::ServiceRequest& request, const std::string& use_case) {
    const Result<Bytes> octets = duis::signed_pre_command(request);
    if (!octets.ok()) return refused(octets.refusal());
    const Result<gbcs::Message> message = gbcs::decode(*octets);
    if (!message.ok()) return refused(message.refusal());
    if (message->originator != request.id.originator || message->target != request.id.target ||
        message->counter != request.id.counter)
      return differs("its header is not that of RequestID " + request.id.text());
    const Verdict verdict = signature(*message);
    if (verdict.result != "pass") return verdict;
    gbcs::Message unsigned_form = *message;
    unsigned_form.signature_field = gbcs::SignatureField::missing;
    const Bytes sought = gbcs::encode(unsigned_form);
    for (const auto& [name, path] : data_.pre_commands) {
      if (use_case_of(name) != use_case) continue;
      const Result<Bytes> candidate = octets_of(path);
      if (candidate.ok() && *candidate == sought) return passed();
    }
    return differs("it is none of the pre-commands of " + use_case);
  }

  const RtdsDataSet& data_;
  RtdsKeys keys_;
  const Eui64 broker_;
  const std::string only_;
  RtdsReport report_;
  std::vector<std::string> emitted_names_;
  std::vector<Bytes> emitted_;
};

}  // namespace

std::map<std::string, std::map<std::string, int>> RtdsReport::counts() const {
  std::map<std::string, std::map<std::string, int>> counts;
  for (const RtdsRow& row : rows) ++counts[row.check][row.result];
  return counts;
}

bool RtdsReport::differs() const {
  return std::ranges::any_of(rows, [](const RtdsRow& row) { return row.result == "differs"; });
}

Result<RtdsReport> compare_rtds(const fs::path& vectors, const std::string& use_case,
                                const DissectorOptions& dissector) {
  TRY_ASSIGN(const RtdsDataSet data, RtdsDataSet::open(vectors));
  TRY_ASSIGN(const Eui64 broker, data.broker());
  TRY_ASSIGN(RtdsReport report, Comparison(data, broker, use_case).run(dissector));
  if (!report.rows.empty()) return report;
  if (use_case.empty())
    return Refusal{"apps-vectors"_rule, data.folder.string() + " is empty", "--vectors"};
  return Refusal{"apps-use-case"_rule, "'" + use_case + "' has neither a request nor a message",
                 "--use-case"};
}

}  // namespace wattseal::apps
