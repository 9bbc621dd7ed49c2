// The door: sets of templates, selection, and the two directions.
#include "gbcs/template.h"

#include <algorithm>

#include "base/log.h"
#include "gbcs/template/loader.h"
#include "gbcs/template/reader.h"
#include "gbcs/template/writer.h"

namespace wattseal::gbcs {

Result<RemotePartyRole> Facts::role_of(Eui64 party) const {
  return Refusal{"gbcs-fact-missing"_rule, "the role of " + party.text() + " is not known"};
}

Result<Facts::Rows> Facts::rows(std::string_view name) const {
  return Refusal{"gbcs-fact-missing"_rule, "nothing is known of '" + std::string(name) + "'"};
}

struct TemplateSet::State {
  std::vector<gmt::Loaded> use_cases;
};

TemplateSet::TemplateSet(std::unique_ptr<State> state) : state_(std::move(state)) {}
TemplateSet::~TemplateSet() = default;

const TemplateView& view(const Template& use_case) { return use_case.view; }

Result<std::shared_ptr<const TemplateSet>> TemplateSet::load(const std::vector<Source>& sources) {
  auto state = std::make_unique<State>();
  for (const Source& source : sources) {
    TRY_ASSIGN(std::vector<gmt::Loaded> loaded, gmt::load_file(source.file, source.text));
    std::ranges::move(loaded, std::back_inserter(state->use_cases));
  }
  TRY(gmt::link(state->use_cases));
  return std::shared_ptr<const TemplateSet>(new TemplateSet(std::move(state)));
}

std::shared_ptr<const TemplateSet> TemplateSet::built_in() {
  static const std::shared_ptr<const TemplateSet> set = [] {
    const std::vector<Source> sources = {
#include "tables/gbcs_templates.inc"
    };
    Result<std::shared_ptr<const TemplateSet>> loaded = load(sources);
    if (!loaded.ok())
      log::error("template_refused",
                 {{"where", loaded.refusal().field}, {"detail", loaded.refusal().detail}});
    CHECK(loaded.ok());
    return std::move(loaded).value();
  }();
  return set;
}

namespace {

bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

// Whether the use case is one of the device's generation and variant, and of the user's role. The
// user is whom the DCC acts for, else the originator.
Result<bool> serves(const TemplateView& use_case, const TransformContext& context) {
  if (!use_case.generation.empty()) {
    TRY_ASSIGN(const std::string generation, context.facts.named("generation"));
    if (generation != use_case.generation) return false;
  }
  if (!use_case.variants.empty()) {
    TRY_ASSIGN(const std::string variant, context.facts.named("variant"));
    if (!has(use_case.variants, variant)) return false;
  }
  if (use_case.roles.empty()) return true;
  TRY_ASSIGN(const RemotePartyRole role,
             context.facts.role_of(context.protected_for.value_or(context.originator)));
  return has(use_case.roles, gmt::role_word(role));
}

}  // namespace

Result<const Template*> TemplateSet::select(std::string_view service_reference_variant,
                                            std::string_view device_type,
                                            const TransformContext& context) const {
  const Template* chosen = nullptr;
  std::optional<Refusal> missing;
  const std::string request = std::string(service_reference_variant) + " " + context.body.name +
                              " to " + std::string(device_type);
  for (const gmt::Loaded& loaded : state_->use_cases) {
    const Template& use_case = loaded.use_case;
    if (use_case.view.service_reference_variant != service_reference_variant ||
        use_case.view.element != context.body.name) {
      continue;
    }
    if (std::ranges::find(use_case.view.device_types, device_type) ==
        use_case.view.device_types.end())
      continue;
    const gmt::Evaluator values(use_case, context);
    const Result<bool> device_fits = serves(use_case.view, context);
    if (!device_fits.ok()) missing = device_fits.refusal();
    bool holds = device_fits.ok() && *device_fits;
    for (const gmt::Expr& condition : use_case.conditions) {
      const Result<bool> condition_holds = values.boolean(condition, context.body);
      // A body without the element that decides is not this use case's; it is said only when no
      // other use case fits.
      if (!condition_holds.ok()) missing = condition_holds.refusal();
      holds = holds && condition_holds.ok() && *condition_holds;
    }
    if (!holds) continue;
    if (chosen != nullptr) {
      return Refusal{
          "gbcs-template-ambiguous"_rule,
          "both " + chosen->view.use_case + " and " + use_case.view.use_case + " fit " + request};
    }
    chosen = &use_case;
  }
  if (chosen != nullptr) return chosen;
  if (missing) return *missing;
  return Refusal{"gbcs-template-none"_rule, "no use case fits " + request};
}

const Template* TemplateSet::find(std::string_view use_case) const {
  for (const gmt::Loaded& loaded : state_->use_cases) {
    if (loaded.use_case.view.use_case == use_case) return &loaded.use_case;
  }
  return nullptr;
}

std::vector<const Template*> TemplateSet::by_code(MessageCode code) const {
  std::vector<const Template*> found;
  for (const gmt::Loaded& loaded : state_->use_cases) {
    if (loaded.use_case.view.code == code) found.push_back(&loaded.use_case);
  }
  return found;
}

std::vector<const Template*> TemplateSet::all() const {
  std::vector<const Template*> found;
  for (const gmt::Loaded& loaded : state_->use_cases) found.push_back(&loaded.use_case);
  return found;
}

Result<Bytes> write_payload(const Template& use_case, const TransformContext& context) {
  gmt::Evaluator values(use_case, context);
  const std::vector<gmt::Node>& nodes = *use_case.payload;
  Result<Bytes> payload = use_case.view.kind == PayloadKind::dlms_request
                              ? gmt::write_dlms(nodes, values)
                          : use_case.view.kind == PayloadKind::gbz ? gmt::write_gbz(nodes, values)
                                                                   : gmt::write_der(nodes, values);
  if (!payload.ok()) return payload;
  TRY(values.no_repeats());
  if (payload->empty()) return values.range({}, "nothing in the request leads to a payload");
  return gmt::within_payload(*payload, values, nodes.front()).ok()
             ? payload
             : values.range({}, "the payload is longer than 64 KiB");
}

Result<ReadBack> read_payload(const Template& use_case, BytesView payload,
                              const ReadContext& context) {
  return gmt::read_back(use_case, payload, context);
}

}  // namespace wattseal::gbcs
