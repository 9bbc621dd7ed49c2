// Which use cases only the access control broker may send, whoever asks. Rows of
// data/use_cases.tsv. Source: spec/gbcs-duis.md 5.3.
#pragma once
#include "terms/terms.h"

namespace wattseal {

// `for_unknown`: the device does not know the user, who is named beside the broker.
struct Brokerage {
  bool by_broker = false, for_unknown = false;
};
Brokerage brokerage(std::string_view use_case);

}  // namespace wattseal
