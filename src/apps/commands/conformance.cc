// conformance rtds: our codecs and templates against the reference test data set, message by
// message. The data is the user's own copy; its layout is that of the reference collection: HEX
// messages, DUIS requests, context.json.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/commands.h"
#include "base/fault.h"
#include "gbcs/parse.h"
#include "gbcs/template.h"
#include "terms/terms.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Given {
  std::string vectors, use_case;
};

struct Outcome {
  std::string name, use_case, check, result, detail;  // result: pass, differs, unsupported
};

// Facts of the reference data set, from its context.json.
class ReferenceFacts final : public gbcs::Facts {
 public:
  ReferenceFacts(const json& context, const std::string& name) : context_(context), name_(name) {}
  std::string type_text(Eui64 device) const {
    return context_["_defaults"]["devices"].value(device.hex(), "");
  }
  Result<int> device_type_code(Eui64 device) const override {
    const json own = context_.value(name_, json::object());
    if (own.contains("other_device_type")) return own["other_device_type"].get<int>();
    const std::optional<DeviceType> type = device_type(type_text(device));
    if (!type)
      return Refusal{"gbcs-fact-missing"_rule, "the reference data does not know " + device.text()};
    return gbcs_type_code(*type);
  }
  Result<Bytes> key_agreement_certificate(Eui64 device) const override {
    return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + device.text()};
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "twin")
      return std::string(name_.find("TWIN") != std::string::npos ? "true" : "false");
    if (name == "cin") return std::string("1234");
    return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
  }

 private:
  const json& context_;
  const std::string& name_;
};

std::string first_difference(BytesView made, BytesView wanted) {
  const auto [mine, theirs] = std::ranges::mismatch(made, wanted);
  return "octet " + std::to_string(mine - made.begin()) + " of " + std::to_string(wanted.size());
}

Result<Bytes> no_key(const gbcs::Message&, BytesView) { return Refusal{"gbcs-no-key"_rule, ""}; }

// What the two messages say differently, as a JSON patch from ours to theirs.
std::string decoded_difference(const gbcs::Message& made, const gbcs::Message& wanted) {
  const Result<json> ours = gbcs::parse_tree(made, no_key);
  const Result<json> theirs = gbcs::parse_tree(wanted, no_key);
  if (!ours.ok()) return "ours cannot be parsed: " + ours.refusal().detail;
  if (!theirs.ok()) return "theirs cannot be parsed: " + theirs.refusal().detail;
  return json::diff(*ours, *theirs).dump();
}

class Run {
 public:
  Run(const Given& given) : folder_(fs::path(given.vectors) / "rtds"), only_(given.use_case) {
    context_ = json::parse(read_input((folder_ / "context.json").string()));
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(folder_ / "rtds-4.5.0")) {
      if (entry.path().extension() == ".HEX")
        messages_[entry.path().stem().string()] = entry.path();
    }
    for (const fs::directory_entry& entry :
         fs::directory_iterator(folder_ / "duis-templates-db1dd08"))
      requests_.insert(entry.path());
  }

  std::vector<Outcome> run() {
    for (const auto& [name, path] : messages_) {
      if (wanted(name)) codec(name, path);
    }
    for (const fs::path& path : requests_) transform(path);
    return std::move(outcomes_);
  }

 private:
  static std::string use_case_of(const std::string& name) { return name.substr(0, name.find('_')); }
  bool wanted(const std::string& name) const { return only_.empty() || use_case_of(name) == only_; }
  void add(const std::string& name, std::string check, std::string result, std::string detail) {
    outcomes_.push_back(
        {name, use_case_of(name), std::move(check), std::move(result), std::move(detail)});
  }

  void codec(const std::string& name, const fs::path& path) {
    const Result<Bytes> octets = read_octets(read_input(path.string()));
    const Result<gbcs::Message> message =
        octets.ok() ? gbcs::decode(*octets) : Result<gbcs::Message>(octets.refusal());
    if (!message.ok()) return add(name, "decode", "differs", message.refusal().detail);
    const Bytes again = gbcs::encode(*message);
    if (again != *octets) return add(name, "decode", "differs", first_difference(again, *octets));
    const Result<json> tree = gbcs::parse_tree(*message, no_key);
    add(name, "decode", tree.ok() ? "pass" : "differs", tree.ok() ? "" : tree.refusal().detail);
  }

  void transform(const fs::path& path) {
    constexpr std::string_view kSuffix = "_REQUEST_DUIS";
    std::string name = path.stem().string();
    if (!name.ends_with(kSuffix)) return;
    name.resize(name.size() - kSuffix.size());
    const auto command = messages_.find(name + "_COMMAND_GBCS");
    if (!wanted(name) || command == messages_.end()) return;
    const Status status = transform_one(name, path, command->second);
    if (!status.ok()) add(name, "transform", "unsupported", status.refusal().detail);
  }

  Status transform_one(const std::string& name, const fs::path& request, const fs::path& command) {
    TRY_ASSIGN(const xml::Document document, xml::parse(read_input(request.string())));
    const xml::Element* const header = document.root().child("Header");
    const xml::Element* const body = document.root().child("Body");
    if (!header || !body || body->children.empty() || !header->child("ServiceReferenceVariant"))
      return Refusal{"apps-vectors"_rule, "the request has no header or body"};
    TRY_ASSIGN(const Bytes octets, read_octets(read_input(command.string())));
    TRY_ASSIGN(const gbcs::Message wanted_message, gbcs::decode(octets));
    TRY_ASSIGN(const Eui64 user, Eui64::parse(header->child("RequestID")->trimmed().substr(0, 23)));
    const ReferenceFacts facts(context_, name);
    const std::optional<UtcTime> now = UtcTime::parse_iso(context_["_defaults"].value("now", ""));
    if (!now) return Refusal{"apps-vectors"_rule, "context.json has no time"};
    const std::optional<Eui64> protected_for =
        wanted_message.supplementary_certificate.empty() ? std::nullopt : std::optional(user);
    const gbcs::TransformContext context{body->children.front(),
                                         wanted_message.originator,
                                         wanted_message.target,
                                         wanted_message.counter,
                                         *now,
                                         facts,
                                         protected_for};
    TRY_ASSIGN(
        const gbcs::Template* const use_case,
        gbcs::TemplateSet::built_in()->select(header->child("ServiceReferenceVariant")->trimmed(),
                                              facts.type_text(wanted_message.target), context));
    if (gbcs::view(*use_case).use_case != use_case_of(name)) {
      return Refusal{"apps-vectors"_rule, "there is no template of this use case; " +
                                              gbcs::view(*use_case).use_case + " is chosen"};
    }
    TRY_ASSIGN(const Bytes payload, gbcs::write_payload(*use_case, context));
    gbcs::Message made = wanted_message;
    made.payload = payload;
    made.code = gbcs::view(*use_case).code;
    const Bytes again = gbcs::encode(made);
    if (again == octets) {
      add(name, "transform", "pass", "");
    } else {
      add(name, "transform", "differs",
          first_difference(again, octets) +
              "; decoded: " + decoded_difference(made, wanted_message));
    }
    return {};
  }

  const fs::path folder_;
  const std::string only_;
  json context_;
  std::map<std::string, fs::path> messages_;
  std::set<fs::path> requests_;
  std::vector<Outcome> outcomes_;
};

int report(const Context& context, const std::vector<Outcome>& outcomes) {
  std::map<std::string, std::map<std::string, int>> counts;
  json list = json::array();
  for (const Outcome& one : outcomes) {
    ++counts[one.check][one.result];
    if (context.json)
      list.push_back({{"name", one.name},
                      {"use_case", one.use_case},
                      {"check", one.check},
                      {"result", one.result},
                      {"detail", one.detail}});
    else if (one.result != "pass")
      fmt::print("{:<12} {:<10} {:<60} {}\n", one.result, one.check, one.name, one.detail);
  }
  if (context.json)
    print_json({{"counts", counts}, {"outcomes", list}});
  else {
    for (const auto& [check, results] : counts) {
      for (const auto& [result, count] : results)
        fmt::print("{:<10} {:<12} {:>5}\n", check, result, count);
    }
  }
  const bool differs =
      std::ranges::any_of(outcomes, [](const Outcome& one) { return one.result == "differs"; });
  return differs || outcomes.empty() ? kRefused : kDone;
}

}  // namespace

void add_conformance(CLI::App& app, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const conformance =
      app.add_subcommand("conformance", "Compare this program with reference data");
  conformance->require_subcommand(1);
  CLI::App* const rtds =
      conformance->add_subcommand("rtds",
                                  "The reference test data set: every message decoded and encoded "
                                  "again, every request transformed");
  rtds->add_option("--vectors", given->vectors, "Folder of the vectors")
      ->envname("WATTSEAL_VECTORS")
      ->required();
  rtds->add_option("--use-case", given->use_case, "Only this use case");
  rtds->footer(
      examples({"wattseal conformance rtds --vectors ../vectors",
                "wattseal conformance rtds --vectors ../vectors --use-case ECS17b --json"}));
  conformance->footer(examples({"wattseal conformance rtds --vectors ../vectors"}));
  rtds->callback([given, &context] {
    context.chosen = [given, &context] {
      if (!fs::exists(fs::path(given->vectors) / "rtds" / "context.json"))
        return refuse(context,
                      {"apps-vectors"_rule, given->vectors + " holds no rtds/context.json"});
      return report(context, Run(*given).run());
    };
  });
}

}  // namespace wattseal::apps
