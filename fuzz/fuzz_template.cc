// Templates and what they read. An even first octet: the rest is the text of a template file, which
// loads or is refused. An odd one: the next picks a use case, the rest is a payload of a device or
// of the DCC that is read back by it.
#include "base/check.h"
#include "gbcs/template.h"

using namespace wattseal;

namespace {

class NoFacts final : public gbcs::Facts {
 public:
  Result<int> device_type_code(Eui64) const override { return 1; }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    return Refusal{"gbcs-fact-missing"_rule, "none"};
  }
  Result<std::string> named(std::string_view) const override { return std::string("true"); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const BytesView input(data, size);
  if (input[0] % 2 == 0) {
    (void)gbcs::TemplateSet::load({{"fuzz.gmt", std::string(as_text(input.subspan(1)))}}).ok();
    return 0;
  }
  static const std::vector<const gbcs::Template*> all = gbcs::TemplateSet::built_in()->all();
  static const NoFacts facts;
  if (size < 3) return 0;
  const gbcs::Template& one = *all[static_cast<std::size_t>(input[1] << 8 | input[2]) % all.size()];
  const gbcs::ReadContext context{Eui64::from_number(1), Eui64::from_number(2),
                                  OriginatorCounter(3), facts};
  const Result<gbcs::ReadBack> read = gbcs::read_payload(one, input.subspan(3), context);
  if (!read.ok()) return 0;
  for (const gbcs::ReadValue& value : read->values) CHECK(!value.path.empty());
  return 0;
}
