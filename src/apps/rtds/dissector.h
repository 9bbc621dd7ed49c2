// Another implementation's opinion on messages: the GBCS dissector of Wireshark. `tshark` runs as a
// program of its own over a capture file (link type USER0, one message a packet); what it says of
// the headers, the signature, the MAC and the components of a GBZ payload is compared with what
// this program's decoder says. Reads and writes files; one thread. Private to apps. Known
// difference: where a command carries a certificate, this dissector takes the certificate's first
// eight octets for a supplementary originator counter; both together must be the certificate.
// Source: spec/gbcs-duis.md 1.10, 8.1.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace wattseal::apps {

// The capture file of messages, one a packet, all at the same instant.
Bytes capture_of(const std::vector<Bytes>& messages);

// For each message what the dissector says differently, empty when nothing. Nothing at all when
// there is no such program. The capture file is made where `capture` says and left there, or, when
// that is empty, removed. Refuses apps-dissector: the program failed, or a file cannot be written.
Result<std::optional<std::vector<std::string>>> dissect(const std::string& program,
                                                        const std::filesystem::path& capture,
                                                        const std::vector<Bytes>& messages);

}  // namespace wattseal::apps
