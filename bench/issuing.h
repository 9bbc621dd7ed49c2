// What the benchmarks of issuing share.
#pragma once
#include "bench/bench.h"
#include "http/http.h"

namespace wattseal::bench {

// For 8 devices' certificates each premises: `premises` * 8 requests, of EUI-64s from `offset` on.
std::vector<Bytes> make_requests(const Bench& bench, std::size_t premises, std::uint64_t offset);
// The bare loop: parse, verify, build, sign, commit; nothing else, in as many threads as there are
// cores. Certificates a second.
double bare_loop(const Bench& bench, const std::vector<Bytes>& requests);
std::unique_ptr<http::Client> open_client(const std::string& url);

}  // namespace wattseal::bench
