// Transform: a Service Request becomes the GBCS message a device executes, unsigned and without
// MAC. For a non-critical request this is the command, for a critical one the Pre-Command. Pure but
// for the inventory facts it is given. Rules: gbcs-*, template-*. Source: glossary
// "Transformation"; spec/gbcs-duis.md 5.3.
#pragma once
#include "duis/duis.h"
#include "gateway/inventory.h"
#include "gbcs/template.h"

namespace wattseal::gateway {

struct Transformed {
  gbcs::Message message;
  const gbcs::Template* use_case = nullptr;
};
// Of the message: the user with the counter of its request, or the DCC with its own, on its own
// account or on behalf of a party that the device does not know.
struct Originator {
  Eui64 id;
  OriginatorCounter counter;
  // Then id is the broker and these two travel as supplementary fields; when the answer is
  // encrypted, the certificate from the request's body too.
  std::optional<Eui64> on_behalf_of;
  OriginatorCounter on_behalf_counter;
};
Result<Transformed> transform(const gbcs::TemplateSet& templates,
                              const duis::ServiceRequest& request, DeviceType type,
                              const Originator& originator, const gbcs::Facts& facts, UtcTime now);

// Correlate: whether a Pre-Command says exactly what its request said, by independent decoding. For
// users, before they sign. Rules: correlate-*. Source: glossary "Correlate"; spec/gbcs-duis.md 4.2.
struct Correlation {
  std::string use_case;
  std::size_t values = 0;                  // compared
  std::vector<std::string> clock_windows;  // times the DCC's clock chose, to be shown
};
Result<Correlation> correlate(const gbcs::TemplateSet& templates,
                              const duis::ServiceRequest& request, BytesView pre_command,
                              const gbcs::Facts& facts, UtcTime now);

}  // namespace wattseal::gateway
