// The revocation list of one issuer at national size: one more revocation when a million are there.
#include "smki/revocation.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fault.h"
#include "bench/bench.h"
#include "smki/ceremony.h"
#include "storage/store.h"

namespace wattseal::bench {
namespace {

constexpr std::size_t kEntries = 1'000'000, kRuns = 5;

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw Fault(result.refusal().detail);
  return std::move(result).value();
}

CertificateSerial serial_of(Random& random) {
  std::array<Octet, 16> octets{};
  random.fill(octets);
  octets[0] &= 0x7F;
  octets[15] |= 1;
  return must(CertificateSerial::from_octets(octets));
}

// Reads no list: hashing its octets once and making them durable once.
double raw_limit(const Bench& bench, BytesView list) {
  const std::string path = (bench.folder / "list").string();
  return bench.seconds([&] {
    (void)crypto::sha256(list);
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (::write(file, list.data(), list.size()) != static_cast<ssize_t>(list.size()) ||
        ::fdatasync(file) != 0)
      throw Fault("the disk does not write");
    ::close(file);
  });
}

}  // namespace

void crl_million(const Bench& bench, Results& results) {
  const std::unique_ptr<storage::Store> store =
      must(storage::open_rocksdb_store(bench.folder / "crl"));
  const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  must(smki::run_ceremony(bench.world, *store, *keys, Environment::test));
  const smki::Authority issuer = smki::find_authority(*store, "issuing-oca").value();
  const Bytes& key_id = issuer.certificate.subject_key_id.value();
  const std::uint64_t at = static_cast<std::uint64_t>(bench.world.now().unix_seconds());
  for (std::size_t first = 0; first < kEntries; first += 10'000) {
    storage::Batch batch;
    for (std::size_t i = first; i < first + 10'000; ++i) {
      Bytes row = key_id;
      append(row, serial_of(bench.world.random).octets());
      batch.put(tables::revocations, row, RecordWriter().number(at - i).number(1).bytes());
    }
    must(store->commit(std::move(batch)));
  }
  const crypto::KeyHandle key = must(keys->find(issuer.key_label));
  std::optional<smki::RevocationBook> book;
  const double loaded = bench.seconds([&] { book.emplace(*store, issuer); });
  std::vector<double> times;
  for (std::size_t run = 0; run < kRuns; ++run) {
    const std::vector<x509::RevokedEntry> one{
        {serial_of(bench.world.random), bench.world.now(), 1u}};
    times.push_back(bench.seconds([&] {
      storage::Batch batch;
      book->put_list(batch, *store, issuer, *key, one, bench.world.now(), {});
      must(store->commit(std::move(batch)));
      book->committed();
    }));
  }
  std::ranges::sort(times);
  const Bytes list = store->get(tables::crls, key_id).value();
  std::vector<double> raw;
  for (std::size_t run = 0; run < kRuns; ++run) raw.push_back(raw_limit(bench, list));
  std::ranges::sort(raw);
  const double median = times[kRuns / 2];
  char conditions[200];
  std::snprintf(conditions, sizeof conditions,
                "one more revocation, from decision to durable list of %.1f MB: %.0f ms (median of "
                "%zu); read from the store once at start in %.0f ms",
                static_cast<double>(list.size()) / 1e6, median * 1e3, kRuns, loaded * 1e3);
  results.push_back({"crl_million", static_cast<double>(kEntries) / median, "entries/s",
                     static_cast<double>(kEntries) / raw[kRuns / 2],
                     "hashing the list's octets and writing them once", conditions});
}

}  // namespace wattseal::bench
