#include "smki/serials.h"

#include "base/fault.h"
#include "smki/authority.h"

namespace wattseal::smki {
namespace {

constexpr int kAttempts = 4096;  // more than any chunk has rows

}  // namespace

CertificateSerial Serials::draw() {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const CertificateSerial serial = new_serial(random_);
    if (!drawn_.insert(serial).second) continue;
    if (!careful_ || !is_taken(reader_, serial)) return serial;
  }
  throw Fault("the random generator repeats itself: no new serial number");
}

// Stores from before tables::serials have their numbers in tables::certificates only.
bool is_taken(const storage::Reader& reader, const CertificateSerial& serial) {
  return reader.get(tables::serials, serial.octets()).has_value() ||
         reader.get(tables::certificates, serial.octets()).has_value();
}

void take_serial(storage::Batch& batch, const CertificateSerial& serial) {
  const Refusal taken{"ca-serial-taken"_rule, serial.hex(), "serialNumber"};
  batch.require_absent(tables::serials, serial.octets(), taken);
  batch.require_absent(tables::certificates, serial.octets(), taken);
  batch.put(tables::serials, serial.octets(), {});
}

}  // namespace wattseal::smki
