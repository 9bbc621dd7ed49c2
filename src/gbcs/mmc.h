// MMC: what Parse gives a user's systems: a device's response or alert as one GBCSResponse
// document, valid against the MMC schema, and the same as JSON. Which value of an answer becomes
// which element is data: data/mmc_elements.tsv and data/mmc_codes.tsv (docs/formats/mmc.md). What
// has no row is listed with the rule that says why, never guessed and never lost silently.
// Thread-safe, no state, never throws on any input. Source: MMC schema 5.4 (X); spec/gbcs-duis.md
// 4.1. Refuses: mmc-command (not an answer of a device); those of decoding the payload.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "gbcs/parse.h"
#include "xml/xml.h"

namespace wattseal::gbcs {

inline constexpr std::string_view kMmcNamespace = "http://www.dccinterface.co.uk/ResponseAndAlert";

// A value of the message that no element of the document carries. `where`: its address as in
// mmc_elements.tsv. rule: mmc-unmapped (there is no row), mmc-value (the element cannot hold what
// the device sent), mmc-incomplete (a demanded element has no value, so its structure is left out),
// mmc-service-unknown, or why encrypted values stayed closed; for values without an element
// mmc-no-element, with the reason of their row in `detail`.
struct MmcUnmapped {
  std::string where;
  RuleId rule;
  std::string detail = {};
};

struct Mmc {
  xml::Element document;      // GBCSResponse
  std::string use_case;       // empty when the code is unknown or its service ambiguous
  bool success = true;        // MessageSuccess
  std::size_t values = 0;     // that the message carries
  std::size_t mapped = 0;     // of these in the document
  std::size_t placeless = 0;  // of these for which the schema has no element, by a row
  std::vector<MmcUnmapped> unmapped;
  std::vector<MmcUnmapped> without_element;  // the placeless ones, each address once
};

// `service_variant` ("6.15.1") decides between services that share a message code, as the DUIS
// response that carried the message says; empty when unknown. `open` may refuse: then the sealed
// octets are in GBCSData.
Result<Mmc> to_mmc(const Message& message, const Opener& open,
                   std::string_view service_variant = {});

std::string write(const Mmc& mmc);  // the document, XML
// The document: elements that may repeat are always arrays, attributes start with @, and the text
// of an element with attributes is "value".
nlohmann::json json_of(const Mmc& mmc);

}  // namespace wattseal::gbcs
