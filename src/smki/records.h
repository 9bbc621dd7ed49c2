// Keys and values of the tables that the registration authority and the certification authorities
// share. Private to smki.
#pragma once
#include "smki/ra.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::smki {

Bytes row_key(BatchId batch, std::uint32_t row);  // batch(8) row(4)
BatchId batch_of(BytesView row_key);
std::uint32_t row_of(BytesView row_key);
Bytes part_key(BatchId batch, char part);  // batch(8) part(1)
Bytes key_seen_key(const crypto::PublicPoint& key);

// Rows that the registration authority authorised, handed to the certification authority as one
// chunk of one batch.
struct AuthorisedRow {
  std::uint32_t row = 0;
  std::string profile;
  Bytes request;  // PKCS#10 DER
};
Bytes encode_work(const std::vector<AuthorisedRow>& rows, TraceId trace);
struct Work {
  TraceId trace;
  std::vector<AuthorisedRow> rows;
};
Work decode_work(BytesView octets);

Bytes encode_refused(std::string_view rule, std::string_view detail);
Bytes encode_issued(const CertificateSerial& serial);

// A named counter of one writer: its value, 0 when it was never written.
std::uint64_t read_count(const storage::Reader& reader, storage::Table table, BytesView key);
Bytes encode_count(std::uint64_t count);

}  // namespace wattseal::smki
