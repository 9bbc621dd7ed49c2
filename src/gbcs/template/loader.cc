// Use cases: their clauses, and what can only be seen when all files are read.
#include "gbcs/template/loader.h"

#include <algorithm>
#include <span>

namespace wattseal::gbcs::gmt {
namespace {

constexpr std::string_view kDeviceTypes[] = {"ESME",  "GSME", "CHF", "GPF", "HCALCS",
                                             "PPMID", "IHD",  "CAD", "SAPC"};
constexpr std::string_view kGenerations[] = {"older", "newer"};
constexpr std::string_view kVariants[] = {"single", "twin", "polyphase"};
constexpr std::string_view kRoles[] = {"Supplier", "NetworkOperator", "LoadController"};

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
        {"code", &UseCaseLoader::code},      {"srv", &UseCaseLoader::service},
        {"device", &UseCaseLoader::devices}, {"class", &UseCaseLoader::message_class},
        {"gen", &UseCaseLoader::generation}, {"variant", &UseCaseLoader::variants},
        {"role", &UseCaseLoader::roles},     {"encrypted", &UseCaseLoader::encrypted},
        {"future", &UseCaseLoader::future},  {"when", &UseCaseLoader::when},
        {"unused", &UseCaseLoader::unused},  {"dlms", &UseCaseLoader::payload},
        {"gbz", &UseCaseLoader::payload},    {"asn1", &UseCaseLoader::payload},
        {"same-as", &UseCaseLoader::payload}};
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
  // The words of a clause, each one of `allowed` and none twice.
  Status words(const Sexpr& from, std::span<const std::string_view> allowed, std::string_view what,
               std::vector<std::string>& out) {
    if (from.items.size() < 2) return wrong(from);
    for (std::size_t i = 1; i < from.items.size(); ++i) {
      const std::string& word = from.items[i].text;
      if (std::ranges::find(allowed, word) == allowed.end()) {
        return scope_.refuse("template-clause"_rule, from,
                             "there is no " + std::string(what) + " " + word);
      }
      if (std::ranges::find(out, word) != out.end())
        return scope_.refuse("template-clause"_rule, from, word + " stands twice");
      out.push_back(word);
    }
    return {};
  }
  Status devices(const Sexpr& from) {
    TRY(once("device", from));
    return words(from, kDeviceTypes, "device type", loaded_.use_case.view.device_types);
  }
  Status generation(const Sexpr& from) {
    TRY(once("gen", from));
    std::vector<std::string> generations;
    TRY(words(from, kGenerations, "generation", generations));
    if (generations.size() != 1) return wrong(from);
    loaded_.use_case.view.generation = generations[0];
    return {};
  }
  Status variants(const Sexpr& from) {
    TRY(once("variant", from));
    return words(from, kVariants, "variant", loaded_.use_case.view.variants);
  }
  Status roles(const Sexpr& from) {
    TRY(once("role", from));
    return words(from, kRoles, "role", loaded_.use_case.view.roles);
  }
  Status message_class(const Sexpr& from) {
    TRY(once("class", from));
    if (from.items.size() != 2) return wrong(from);
    const std::string& name = from.items[1].text;
    if (name != "c" && name != "nc" && name != "nc-dcc-signed" && name != "dcc-signed-only") {
      return scope_.refuse("template-clause"_rule, from,
                           "the class must be c, nc, nc-dcc-signed or dcc-signed-only");
    }
    TemplateView& view = loaded_.use_case.view;
    view.critical = name == "c";
    view.dcc_signed = name.ends_with("dcc-signed") || name == "dcc-signed-only";
    view.has_mac = name != "dcc-signed-only";
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

bool overlap(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::find_first_of(a, b) != a.end();
}

// Whether there can be a device and a user that both serve.
bool share_a_device(const TemplateView& a, const TemplateView& b) {
  const bool generations =
      a.generation.empty() || b.generation.empty() || a.generation == b.generation;
  const auto meet = [](const std::vector<std::string>& one, const std::vector<std::string>& other) {
    return one.empty() || other.empty() || overlap(one, other);
  };
  return generations && meet(a.variants, b.variants) && meet(a.roles, b.roles) &&
         overlap(a.device_types, b.device_types);
}

// Named parts of a file, (define NAME ITEM...): each (use NAME) after it stands for the items.
class Parts {
 public:
  explicit Parts(std::string_view file) : scope_(file) {}

  Status define(const Sexpr& from) {
    if (from.items.size() < 3 || !from.items[1].is_symbol()) {
      return scope_.refuse("template-syntax"_rule, from, "a part must be (define NAME item...)");
    }
    std::vector<Sexpr> items;
    for (std::size_t i = 2; i < from.items.size(); ++i) TRY(append(from.items[i], items));
    if (!parts_.emplace(from.items[1].text, std::move(items)).second) {
      return scope_.refuse("template-duplicate"_rule, from,
                           "the part " + from.items[1].text + " stands twice");
    }
    return {};
  }

  Result<Sexpr> expand(const Sexpr& from) {
    std::vector<Sexpr> items;
    TRY(append(from, items));
    if (items.size() != 1)
      return scope_.refuse("template-syntax"_rule, from, "a use case must stand here");
    return std::move(items[0]);
  }

 private:
  Status append(const Sexpr& from, std::vector<Sexpr>& out) {
    if (from.head() == "use") {
      const auto part = from.items.size() == 2 ? parts_.find(from.items[1].text) : parts_.end();
      if (part == parts_.end()) {
        return scope_.refuse("template-reference"_rule, from,
                             "use needs the name of a part that is defined above");
      }
      nodes_ += size_of(part->second);
      if (nodes_ > kExpandedMax)
        return scope_.refuse("template-syntax"_rule, from, "the parts of the file grow too large");
      out.insert(out.end(), part->second.begin(), part->second.end());
      return {};
    }
    Sexpr copy = from;
    copy.items.clear();
    for (const Sexpr& item : from.items) TRY(append(item, copy.items));
    out.push_back(std::move(copy));
    return {};
  }
  static std::size_t size_of(const std::vector<Sexpr>& items) {
    std::size_t total = items.size();
    for (const Sexpr& item : items) total += size_of(item.items);
    return total;
  }

  static constexpr std::size_t kExpandedMax = 200'000;  // nodes
  Scope scope_;
  std::map<std::string, std::vector<Sexpr>, std::less<>> parts_;
  std::size_t nodes_ = 0;
};

}  // namespace

std::string_view role_word(RemotePartyRole role) {
  switch (role) {
    case RemotePartyRole::supplier: return kRoles[0];
    case RemotePartyRole::network_operator: return kRoles[1];
    case RemotePartyRole::load_controller: return kRoles[2];
    default: return {};
  }
}

Result<std::vector<Loaded>> load_file(std::string_view file, std::string_view text) {
  TRY_ASSIGN(const std::vector<Sexpr> lists, read_sexprs(file, text));
  std::vector<Loaded> use_cases;
  Parts parts(file);
  for (const Sexpr& list : lists) {
    if (list.head() == "define") {
      TRY(parts.define(list));
      continue;
    }
    TRY_ASSIGN(const Sexpr whole, parts.expand(list));
    TRY_ASSIGN(Loaded loaded, UseCaseLoader(file, whole).load());
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
      if (share_a_device(other->view, use_case.view)) {
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
