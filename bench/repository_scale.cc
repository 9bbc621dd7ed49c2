// The repository at national size. Certificates with the entropy of real ones are journalled as the
// certification authority journals them and published by the repository itself, so that every index
// and the public log are there; only issuing is left out.
#include <fmt/format.h>

#include "base/fault.h"
#include "bench/bench.h"
#include "smki/repository.h"
#include "storage/store.h"
#include "terms/facts.h"

namespace wattseal::bench {
namespace {

constexpr std::size_t kFactsPerBatch = 8192, kLookUps = 200'000, kPages = 200;
constexpr std::size_t kKeys = 4096;  // far more than a block holds: they do not compress
constexpr Eui64 kFirst = Eui64::from_number(0x0057530000000000);

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw Fault(result.refusal().detail);
  return std::move(result).value();
}

Eui64 device_of(std::size_t i) { return Eui64::from_number(kFirst.number() + i); }

// As random as a real one, and found again from its number.
CertificateSerial serial_of(std::size_t i) {
  Bytes octets;
  put_be(octets, static_cast<std::uint64_t>(i));
  const crypto::Digest digest = crypto::sha256(octets);
  Bytes serial = to_bytes(BytesView(digest).first(16));
  serial[0] = static_cast<Octet>((serial[0] & 0x3F) | 0x40);
  return must(CertificateSerial::from_octets(serial));
}

class Filler {
 public:
  Filler(const Bench& bench, storage::Store& store) : bench_(bench), store_(store) {
    what_.profile = find_certificate_profile("device-ds");
    what_.subject.hardware_type = x509::oid::from_text("1.3.6.1.4.1.57530.1");
    what_.issuer = {{{x509::oid::common_name, 0x0C, to_bytes(as_bytes("WTDI1"))}},
                    {1, 2, 3, 4, 5, 6, 7, 8}};
    const std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
    for (std::size_t i = 0; i < kKeys; ++i)
      points_.push_back(must(crypto::generate_one(*keys, std::to_string(i)))->public_point());
  }

  void fill(std::size_t count) {
    smki::Repository repository(bench_.world, store_);
    for (std::size_t i = 0; i < count;) {
      storage::Batch batch;
      for (const std::size_t end = std::min(count, i + kFactsPerBatch); i < end; ++i)
        batch.append(FactWriter(FactKind::certificate_issued, bench_.world.now(), {})
                         .serial(serial_of(i))
                         .text(FactField::profile, what_.profile->id)
                         .octets(FactField::certificate, certificate(i))
                         .number(FactField::batch, 1 + i / 50'000)
                         .number(FactField::row, i % 50'000)
                         .bytes());
      must(store_.commit(std::move(batch)));
      while (repository.publish() > 0) {
      }
    }
  }

 private:
  Bytes certificate(std::size_t i) {
    crypto::Signature signature{};
    bench_.world.random.fill(signature);
    signature.front() &= 0x7F;
    what_.key = points_[i * 2'654'435'761 % kKeys];
    what_.serial = serial_of(i);
    what_.not_before = bench_.world.now().plus_seconds(static_cast<std::int64_t>(i / 1000));
    what_.subject.eui = device_of(i);
    return x509::assemble_certificate(smki::build_tbs(what_), signature);
  }

  const Bench& bench_;
  storage::Store& store_;
  smki::ToBeSigned what_;
  std::vector<crypto::PublicPoint> points_;
};

// Without the write-ahead log, which is recycled whatever the size of the store.
std::uint64_t octets_of(const std::filesystem::path& folder) {
  std::uint64_t octets = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".sst") octets += file.file_size();
  }
  return octets;
}

struct Timed {
  double rate = 0, p99_milliseconds = 0;
};

// On every core at once, each look-up timed.
Timed time_look_ups(const Bench& bench, const std::function<void(std::size_t)>& look_up) {
  std::vector<std::int64_t> taken(kLookUps);
  Timed timed;
  timed.rate = bench.rate(kLookUps, bench.cores, [&](std::size_t i) {
    const std::int64_t start = bench.world.clock.monotonic_microseconds();
    look_up(i);
    taken[i] = bench.world.clock.monotonic_microseconds() - start;
  });
  std::ranges::nth_element(taken, taken.begin() + kLookUps * 99 / 100);
  timed.p99_milliseconds = static_cast<double>(taken[kLookUps * 99 / 100]) / 1e3;
  return timed;
}

// Milliseconds of a page of a hundred, median, page by page from the certificates that start at
// `from`.
double page_time(const Bench& bench, const smki::Repository& repository, UtcTime from) {
  std::vector<double> times;
  smki::CertificateQuery query;
  query.starts_from = from;
  for (std::size_t i = 0; i < kPages; ++i)
    times.push_back(bench.seconds([&] { query.after = must(repository.search(query)).next; }) *
                    1e3);
  std::ranges::nth_element(times, times.begin() + kPages / 2);
  return times[kPages / 2];
}

void measure(const Bench& bench, const std::filesystem::path& folder, std::size_t count,
             double filled, Results& results) {
  std::unique_ptr<storage::Store> store;
  std::optional<smki::Repository> repository;
  const double started = bench.seconds([&] {
    store = must(storage::open_rocksdb_store(folder));
    repository.emplace(bench.world, *store);
    if (repository->count() != count) throw Fault("not everything is published");
    must(repository->by_serial(serial_of(count - 1)));
  });
  // Opening has written what only the write-ahead log had.
  const std::uint64_t octets = octets_of(folder);
  const auto number = [count](std::size_t i) { return i * 7'919'999 % count; };
  const Timed serial = time_look_ups(
      bench, [&](std::size_t i) { must(repository->by_serial(serial_of(number(i)))); });
  const Timed latest = time_look_ups(bench, [&](std::size_t i) {
    must(repository->latest(device_of(number(i)), KeyUse::digital_signature, std::nullopt));
  });
  const auto start_of = [&](std::size_t i) {
    return must(repository->by_serial(serial_of(i))).not_before;
  };
  const double first_page = page_time(bench, *repository, start_of(0)),
               deep_page = page_time(bench, *repository, start_of(count / 2));
  const auto row = [&](const char* name, double value, const char* unit, double limit,
                       const char* limit_is, std::string conditions) {
    results.push_back({name, value, unit, limit, limit_is, std::move(conditions)});
  };
  row("repository_scale_start", started * 1e3, "ms", 1000, "target: a second",
      fmt::format("{} certificates; filled in {:.0f} s", count, filled));
  row("repository_scale_serial", serial.rate, "look-ups/s", 20'000, "target",
      fmt::format("p99 {:.2f} ms on {} threads, DER and status", serial.p99_milliseconds,
                  bench.cores));
  row("repository_scale_latest", latest.rate, "look-ups/s", 20'000, "target",
      fmt::format("p99 {:.2f} ms on {} threads, of a device", latest.p99_milliseconds,
                  bench.cores));
  row("repository_scale_stored", static_cast<double>(octets) / static_cast<double>(count),
      "octets each", 600, "target: at most",
      "journal with issue and publication facts, indexes, public log; not the recycled "
      "write-ahead log");
  row("repository_scale_page", deep_page * 1e3, "us", first_page * 1e3, "the first pages",
      "page of 100 in the middle of the listing, median");
}

}  // namespace

void repository_scale(const Bench& bench, Results& results) {
  const std::filesystem::path folder = bench.folder / "scale";
  const double filled = bench.seconds([&] {
    const std::unique_ptr<storage::Store> store = must(storage::open_rocksdb_store(folder));
    Filler(bench, *store).fill(bench.certificates);
  });
  measure(bench, folder, bench.certificates, filled, results);
}

}  // namespace wattseal::bench
