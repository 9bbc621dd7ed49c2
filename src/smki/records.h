// Keys and values of the tables that the registration authority and the certification authorities
// share. Private to smki.
#pragma once
#include "smki/fair_queue.h"
#include "smki/ra.h"
#include "terms/facts.h"
#include "terms/tables.h"

namespace wattseal::smki {

Bytes row_key(BatchId batch, std::uint32_t row);  // batch(8) row(4)
BatchId batch_of(BytesView row_key);              // of a WorkKey too: it ends with a row key
std::uint32_t row_of(BytesView row_key);
Bytes part_key(BatchId batch, char part);  // batch(8) part(1)
Bytes key_seen_key(const crypto::PublicPoint& key);

// Key of ca_work. Orders are drawn from one counter in the commit that writes the row, so that keys
// become visible in their order.
inline constexpr std::string_view kWorkOrder = "next_ca_work";
inline constexpr std::string_view kExpress =
    "express";  // event of row_authorised: the order is 0 (express.h)
struct WorkKey {
  std::uint64_t order = 0;
  Lane lane = Lane::single;
  Eui64 subscriber;
  BatchId batch = 0;
  std::uint32_t first_row = 0;
  Bytes octets() const;
  static WorkKey read(BytesView octets);
};

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

// The decisions part of a batch: written by the registration authority only.
inline constexpr char kDecisions = 'r';
struct Decisions {
  Eui64 subscriber;
  TraceId trace;
  std::uint32_t rows = 0, decided = 0, refused = 0;
  PersonId person = 0;
  std::string address;
  std::int64_t received_milliseconds = 0;
  UtcTime due;

  Bytes record() const;
  static Decisions read(BytesView octets);
};

// When the last row of a batch got its answer: milliseconds; written when it is noticed.
inline constexpr char kAnswered = 'a';

// A kind of party exists by what some row lets it do: subscribe for certificates or lodge
// documents.
bool known_party_kind(std::string_view kind);
std::string role_codes(const Party& party);  // such as "IS/GS"
// The journal's record of a party as it now is.
void add_party_fact(storage::Batch& batch, const Party& party, UtcTime now, TraceId trace);
// The outcome and the fact of a row that is refused.
void refuse_row(storage::Batch& batch, BatchId id, std::uint32_t row, const Refusal& refusal,
                UtcTime now, TraceId trace);
// Ends a held row; counts it in its batch. Race: refusal office-race.
void refuse_held_row(const storage::Reader& reader, storage::Batch& batch, BytesView key,
                     const Refusal& refusal, UtcTime now, TraceId trace);

Bytes encode_held(ActId act);
Bytes encode_refused(std::string_view rule, std::string_view detail);
Bytes encode_issued(const CertificateSerial& serial);

// A named counter of one writer: its value, 0 when it was never written.
std::uint64_t read_count(const storage::Reader& reader, storage::Table table, BytesView key);
Bytes encode_count(std::uint64_t count);

// A number in a compiled table; anything else does not compile.
constexpr unsigned to_unsigned(std::string_view text) {
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') throw "a table holds no number where one belongs";
    value = 10 * value + static_cast<unsigned>(c - '0');
  }
  return value;
}

}  // namespace wattseal::smki
