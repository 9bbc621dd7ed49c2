// The public log: what entering it adds to publication.
#include "smki/log.h"
#include "base/fault.h"
#include "bench/bench.h"

namespace wattseal::bench {
namespace {

constexpr std::size_t kEntries = 50'000, kStep = 2048, kOctets = 620;

std::vector<Bytes> make_facts() {
  std::vector<Bytes> facts;
  for (std::size_t i = 0; i < kEntries; ++i) {
    Bytes serial(16, 1), der(kOctets, static_cast<Octet>(i));
    for (std::size_t k = 0; k < 8; ++k) serial[15 - k] = static_cast<Octet>(i >> (8 * k));
    facts.push_back(FactWriter(FactKind::certificate_issued, UtcTime(), TraceId())
                        .octets(FactField::serial, serial)
                        .text(FactField::profile, "device-ds")
                        .octets(FactField::certificate, der)
                        .bytes());
  }
  return facts;
}

}  // namespace

void log_append(const Bench& bench, Results& results) {
  const std::vector<Bytes> facts = make_facts();
  const Bytes leaf(kOctets + 20, 1);
  const double limit = bench.rate(kEntries, 1, [&](std::size_t) {
    const tlog::Hash hash = tlog::leaf_hash(leaf);
    (void)tlog::node_hash(hash, hash);  // a tree has as many nodes as leaves, less one
  });
  const std::unique_ptr<storage::Store> store = storage::memory_store();
  const double taken = bench.seconds([&] {
    for (std::size_t first = 0; first < kEntries; first += kStep) {
      const std::size_t end = std::min(kEntries, first + kStep);
      smki::LogAppender log(*store);
      for (std::size_t i = first; i < end; ++i) {
        const Result<FactView> fact = FactView::read(facts[i]);
        log.see(i + 1, *fact);
      }
      storage::Batch batch;
      log.put(batch, end + 1);
      if (!store->commit(std::move(batch)).ok()) throw Fault("the store refuses");
    }
  });
  results.push_back({"log_append", static_cast<double>(kEntries) / taken, "entries/s", limit,
                     "SHA-256 of every leaf and node, one core",
                     "50,000 certificates of 620 octets in steps of 2048, memory store"});
}

}  // namespace wattseal::bench
