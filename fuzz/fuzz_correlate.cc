// Correlate: octets are refused, or they are what Transform makes of the request. Reader and writer
// share no code, so each judges the other. The first two octets choose the use case and how its
// payload is changed: replaced, or the true one with octets of the rest put over it.
#include "base/check.h"
#include "duis/compose.h"
#include "gateway/transform.h"

using namespace wattseal;

namespace {

class NoFacts final : public gbcs::Facts {
 public:
  Result<int> device_type_code(Eui64) const override { return 1; }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    return Refusal{"gbcs-fact-missing"_rule, "none"};
  }
  Result<std::string> named(std::string_view) const override { return std::string("false"); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto templates = gbcs::TemplateSet::built_in();
  static const std::vector<const gbcs::Template*> all = templates->all();
  if (size < 4 || size > 4096) return 0;
  const gbcs::Template& use_case = *all[(data[0] << 8 | data[1]) % all.size()];
  const gbcs::TemplateView& view = gbcs::view(use_case);
  const duis::ServiceRequest request = duis::example_request(view.service_reference_variant);
  if (request.body.name != view.element) return 0;
  const NoFacts facts;
  const UtcTime now = UtcTime::from_unix_seconds(1'420'070'400);
  const gbcs::TransformContext context{
      request.body, request.id.originator, request.id.target, request.id.counter, now, facts};
  const Result<Bytes> right = gbcs::write_payload(use_case, context);
  gbcs::Message message;
  message.cra = gbcs::Cra::command;
  message.originator = request.id.originator;
  message.target = request.id.target;
  message.counter = request.id.counter;
  message.code = view.code;
  if ((data[2] & 1) != 0 || !right.ok()) {
    message.payload.assign(data + 3, data + size);
  } else {
    message.payload = *right;
    for (std::size_t i = 3; i + 1 < size; i += 2) {
      if (!message.payload.empty())
        message.payload[data[i] % message.payload.size()] ^= data[i + 1];
    }
  }
  const Result<gateway::Correlation> same =
      gateway::correlate(*templates, request, gbcs::encode(message), facts, now);
  if (!same.ok() || !same->clock_windows.empty() || same->use_case != view.use_case) return 0;
  CHECK(right.ok());
  CHECK(equal(*right, message.payload));
  return 0;
}
