// Authorised requests on their way to certificates. Private to smki.
#pragma once
#include <map>

#include "smki/records.h"

namespace wattseal::smki {

// One row of a chunk that gets a certificate.
struct IssuedRow {
  std::uint32_t number = 0;
  std::string profile_id;
  CertificateSerial serial;
  crypto::PublicPoint key{};
  Bytes tbs, certificate;
  std::optional<Refusal> refusal;  // of the linter; rows of an intent have none
  bool key_again = false;          // the key was seen before, and may be
};

// Rows of one batch that go together.
struct Chunk {
  Bytes key;  // of ca_work
  Work work;
  std::vector<IssuedRow> rows;               // those that get a certificate
  std::map<std::uint32_t, Refusal> refused;  // the others, by row
};

}  // namespace wattseal::smki
