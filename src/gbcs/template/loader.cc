// Use cases: their clauses, and what can only be seen when all files are read.
#include "gbcs/template/loader.h"

#include <algorithm>

namespace wattseal::gbcs::gmt {
namespace {

constexpr std::string_view kDeviceTypes[] = {"ESME",  "GSME", "CHF", "GPF", "HCALCS",
                                             "PPMID", "IHD",  "CAD", "SAPC"};

// The lists of a file as text again: equal texts mean equal conditions.
void spell(const Sexpr& from, std::string& out) {
  if (!from.is_list()) {
    out += from.is == Sexpr::Is::string ? "\"" + from.text + "\"" : from.text;
    return;
  }
  out += '(';
  for (const Sexpr& item : from.items) {
    if (out.back() != '(') out += ' ';
    spell(item, out);
  }
  out += ')';
}

class UseCaseLoader {
 public:
  UseCaseLoader(std::string_view file, const Sexpr& from) : from_(from), scope_(file) {
    loaded_.use_case.file = file;
  }

  Result<Loaded> load() {
    if (from_.head() != "usecase" || from_.items.size() < 2 || !from_.items[1].is_symbol()) {
      return scope_.refuse("template-syntax"_rule, from_,
                           "a use case must be (usecase NAME clause...)");
    }
    Template& made = loaded_.use_case;
    made.view.use_case = from_.items[1].text;
    made.line = from_.line;
    for (std::size_t i = 2; i < from_.items.size(); ++i) TRY(clause(from_.items[i]));
    for (const std::string_view needed : {"code", "srv", "device", "class", "payload"}) {
      if (!seen(needed))
        return scope_.refuse("template-clause"_rule, from_,
                             "the clause " + std::string(needed) + " is missing");
    }
    if (scope_.uses_execution_time() && !made.future_dated) {
      return scope_.refuse("template-clause"_rule, from_, "exec needs the clause future");
    }
    std::ranges::sort(conditions_);
    loaded_.selectors = made.view.service_reference_variant + " " + made.view.element;
    for (const std::string& condition : conditions_) loaded_.selectors += " " + condition;
    return std::move(loaded_);
  }

 private:
  bool seen(std::string_view name) const { return std::ranges::find(seen_, name) != seen_.end(); }
  Status once(std::string_view name, const Sexpr& at) {
    if (seen(name))
      return scope_.refuse("template-clause"_rule, at,
                           "the clause " + std::string(name) + " stands twice");
    seen_.push_back(name);
    return {};
  }
  Refusal wrong(const Sexpr& at) const {
    return scope_.refuse("template-syntax"_rule, at,
                         "the clause " + std::string(at.head()) + " is not well formed");
  }

  Status clause(const Sexpr& from) {
    using Understand = Status (UseCaseLoader::*)(const Sexpr&);
    struct Row {
      std::string_view name;
      Understand understand;
    };
    static constexpr Row kRows[] = {
        {"code", &UseCaseLoader::code},           {"srv", &UseCaseLoader::service},
        {"device", &UseCaseLoader::devices},      {"class", &UseCaseLoader::message_class},
        {"encrypted", &UseCaseLoader::encrypted}, {"future", &UseCaseLoader::future},
        {"when", &UseCaseLoader::when},           {"unused", &UseCaseLoader::unused},
        {"dlms", &UseCaseLoader::payload},        {"gbz", &UseCaseLoader::payload},
        {"asn1", &UseCaseLoader::payload},        {"same-as", &UseCaseLoader::payload}};
    const std::string_view name = from.head();
    const Row* const row = std::ranges::find(kRows, name, &Row::name);
    if (name.empty() || row == std::end(kRows)) {
      return scope_.refuse("template-operator"_rule, from,
                           "there is no clause " + std::string(name));
    }
    return (this->*row->understand)(from);
  }

  Status code(const Sexpr& from) {
    TRY(once("code", from));
    if (from.items.size() != 2) return wrong(from);
    TRY_ASSIGN(const std::int64_t number, scope_.literal(from.items[1], 1, 0xFFFF));
    loaded_.use_case.view.code = MessageCode(static_cast<std::uint16_t>(number));
    return {};
  }
  Status service(const Sexpr& from) {
    TRY(once("srv", from));
    if (from.items.size() != 3 || from.items[1].is != Sexpr::Is::string ||
        !from.items[2].is_symbol())
      return wrong(from);
    loaded_.use_case.view.service_reference_variant = from.items[1].text;
    loaded_.use_case.view.element = from.items[2].text;
    return {};
  }
  Status devices(const Sexpr& from) {
    TRY(once("device", from));
    if (from.items.size() < 2) return wrong(from);
    for (std::size_t i = 1; i < from.items.size(); ++i) {
      const std::string& type = from.items[i].text;
      if (std::ranges::find(kDeviceTypes, type) == std::end(kDeviceTypes)) {
        return scope_.refuse("template-clause"_rule, from, "there is no device type " + type);
      }
      loaded_.use_case.view.device_types.push_back(type);
    }
    return {};
  }
  Status message_class(const Sexpr& from) {
    TRY(once("class", from));
    if (from.items.size() != 2) return wrong(from);
    const std::string& name = from.items[1].text;
    if (name != "c" && name != "nc" && name != "nc-dcc-signed") {
      return scope_.refuse("template-clause"_rule, from,
                           "the class must be c, nc or nc-dcc-signed");
    }
    loaded_.use_case.view.critical = name == "c";
    return {};
  }
  Status encrypted(const Sexpr& from) {
    TRY(once("encrypted", from));
    if (from.items.size() != 1) return wrong(from);
    loaded_.use_case.view.encrypted = true;
    return {};
  }
  Status future(const Sexpr& from) {
    TRY(once("future", from));
    if (from.items.size() != 1) return wrong(from);
    loaded_.use_case.future_dated = true;
    return {};
  }
  Status when(const Sexpr& from) {
    if (from.items.size() != 2) return wrong(from);
    TRY_ASSIGN(Expr condition, scope_.expression(from.items[1], Kind::boolean));
    loaded_.use_case.conditions.push_back(std::move(condition));
    spell(from, conditions_.emplace_back());
    return {};
  }
  Status unused(const Sexpr& from) {
    if (from.items.size() < 2) return wrong(from);
    for (std::size_t i = 1; i < from.items.size(); ++i) {
      TRY_ASSIGN(Path path, scope_.path(from.items[i]));
      if (path.steps.empty()) return wrong(from);
      loaded_.use_case.unused.push_back(std::move(path));
    }
    return {};
  }
  Status payload(const Sexpr& from) {
    TRY(once("payload", from));
    if (from.head() == "same-as") {
      if (from.items.size() != 2 || !from.items[1].is_symbol()) return wrong(from);
      loaded_.same_payload_as = from.items[1].text;
      return {};
    }
    const bool dlms = from.head() == "dlms";
    const bool gbz = from.head() == "gbz";
    loaded_.use_case.view.kind = dlms  ? PayloadKind::dlms_request
                                 : gbz ? PayloadKind::gbz
                                       : PayloadKind::asn1;
    const Family family = dlms ? Family::dlms_item : gbz ? Family::component : Family::der_node;
    if (from.items.size() < 2) return wrong(from);
    TRY_ASSIGN(std::vector<Node> nodes, scope_.items(from.items, 1, family));
    loaded_.use_case.payload = std::make_shared<const std::vector<Node>>(std::move(nodes));
    return {};
  }

  const Sexpr& from_;
  Scope scope_;
  Loaded loaded_;
  std::vector<std::string_view> seen_;
  std::vector<std::string> conditions_;
};

Refusal at_use_case(RuleId rule, const Template& use_case, std::string why) {
  return {rule, std::move(why), use_case.file + ":" + std::to_string(use_case.line)};
}

bool share_a_device(const Template& a, const Template& b) {
  return std::ranges::find_first_of(a.view.device_types, b.view.device_types) !=
         a.view.device_types.end();
}

}  // namespace

Result<std::vector<Loaded>> load_file(std::string_view file, std::string_view text) {
  TRY_ASSIGN(const std::vector<Sexpr> lists, read_sexprs(file, text));
  std::vector<Loaded> use_cases;
  for (const Sexpr& list : lists) {
    TRY_ASSIGN(Loaded loaded, UseCaseLoader(file, list).load());
    use_cases.push_back(std::move(loaded));
  }
  return use_cases;
}

Status link(std::vector<Loaded>& use_cases) {
  std::map<std::string_view, const Loaded*> by_name;
  std::map<std::string_view, std::vector<const Template*>> by_selectors;
  for (const Loaded& loaded : use_cases) {
    const Template& use_case = loaded.use_case;
    if (!by_name.emplace(use_case.view.use_case, &loaded).second) {
      return at_use_case("template-duplicate"_rule, use_case,
                         "the use case " + use_case.view.use_case + " stands twice");
    }
    for (const Template* const other : by_selectors[loaded.selectors]) {
      if (share_a_device(*other, use_case)) {
        return at_use_case(
            "template-duplicate"_rule, use_case,
            use_case.view.use_case + " is selected by the same request as " + other->view.use_case);
      }
    }
    by_selectors[loaded.selectors].push_back(&use_case);
  }
  for (Loaded& loaded : use_cases) {
    if (loaded.same_payload_as.empty()) continue;
    const auto other = by_name.find(loaded.same_payload_as);
    if (other == by_name.end() || other->second->use_case.payload == nullptr ||
        !other->second->same_payload_as.empty()) {
      return at_use_case(
          "template-reference"_rule, loaded.use_case,
          "there is no use case " + loaded.same_payload_as + " with a payload of its own");
    }
    if (other->second->use_case.future_dated != loaded.use_case.future_dated) {
      return at_use_case("template-reference"_rule, loaded.use_case,
                         loaded.same_payload_as + " differs in the clause future");
    }
    loaded.use_case.payload = other->second->use_case.payload;
    loaded.use_case.view.kind = other->second->use_case.view.kind;
  }
  return {};
}

}  // namespace wattseal::gbcs::gmt
