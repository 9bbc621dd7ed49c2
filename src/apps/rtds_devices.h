// The emulated devices against the reference test data set: every request is transformed by the
// gateway's code, protected, executed by a device of its type, and the answer compared in structure
// with the reference response: message code, operations, results, attributes and types all the way
// down, also inside what is sealed. Values differ, and lists may have other lengths. The parties,
// their certificates and top-up codes are those of a bench, since the device's keys are its own.
// Errors: apps-vectors, apps-use-case.
#pragma once
#include "apps/rtds.h"

namespace wattseal::apps {

// Rows have the check "device"; results: "pass", "differs", "no-response" (the data set has none).
Result<RtdsReport> compare_devices(const std::filesystem::path& vectors,
                                   const std::string& use_case);

}  // namespace wattseal::apps
