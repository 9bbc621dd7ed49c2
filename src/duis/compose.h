// The encoder: a valid service request from keys and values, by the same rows that judge it.
// Pure and thread-safe. A key is the path of an element or attribute below the body's element,
// "Prepayment/DisablementThreshold", "BlockPrices[2]/BlockPrice[1]", "ActivateALCSHCALCS/@index";
// its last steps suffice when nothing else in the service ends so. An element without content is
// asked for with an empty value: "Credit=". The attribute index of an element that may repeat is
// its position unless given. Errors: duis-service-reference, duis-command-variant, duis-key (no
// such key, more than one, or keys that exclude each other), duis-value, duis-incomplete.
#pragma once
#include "duis/duis.h"

namespace wattseal::duis {

struct GivenValue {
  std::string key, value;
};

struct Recipe {
  std::string service_variant;  // "7.12"
  RequestId id;
  int command_variant = 0;  // 0: the first that the service allows
  std::string schema_version = "5.4";
  bool first_in_sequence = false;
  std::optional<RequestId> preceding = {};
  std::vector<GivenValue> values = {};
  bool fill = false;  // what is demanded and not given gets a sample value
};

// Command variants 5 to 7 have the body SignedPreCommand. What is returned passes check_schema.
Result<ServiceRequest> compose(const Recipe& recipe);
RequestId example_id();
// The smallest request of a service, with sample values; CHECKs that the variant has a row.
ServiceRequest example_request(std::string_view service_variant);

}  // namespace wattseal::duis
