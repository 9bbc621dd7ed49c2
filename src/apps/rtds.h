// The reference test data set against this program, octet for octet. The data is the user's own
// copy in the layout of the reference collection: messages in hexadecimal, DUIS requests,
// context.json, keys. Everything is made by the code that the gateway uses; of a reference message
// only the octets of its signature are taken over, since nobody can make them again. Reads files;
// one thread. Throws UnreadableInput when context.json or a key cannot be read; any other file that
// cannot be read differs. Errors: apps-vectors, apps-use-case, apps-dissector. Source:
// spec/gbcs-duis.md 5.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace wattseal::apps {

// One comparison and how it ended. Checks: "decode" (each message decoded, encoded again and
// parsed), "mac" and "signature" (verified on each message that has one), "request" (read,
// its command variant allowed), "pre-command" and "command" (made from the request, compared
// whole), "signed-pre-command" (one that a request carries), "pair" (a request or message without
// its counterpart), "dissector" (each message that this program encodes, as another implementation
// sees it). Results: "pass"; "differs"; "unsupported" (there is no template of this use
// case); "exception" (the data set's own notes say that the request contradicts the message);
// "no-key" (all that needs no key is equal, but the key is not public); "skipped" (there is no
// dissector); and for "pair" what is missing.
struct RtdsRow {
  std::string name, use_case, check, result, detail;
};

struct RtdsReport {
  std::vector<RtdsRow> rows;
  std::map<std::string, std::map<std::string, int>> counts() const;  // by check and result
  bool differs() const;
};

struct DissectorOptions {
  std::string program;            // tshark, or where it is; empty: none is asked
  std::filesystem::path capture;  // where the messages are kept; empty: nowhere
};

// `vectors` is the folder of the data set or its parent; `use_case` may be empty for all. Refuses
// apps-dissector too when a dissector is asked.
Result<RtdsReport> compare_rtds(const std::filesystem::path& vectors, const std::string& use_case,
                                const DissectorOptions& dissector = {});

}  // namespace wattseal::apps
