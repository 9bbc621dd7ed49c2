// Whether a key that was seen before may be certified again: a dated row of data/key_reuse.tsv for
// each profile and environment. Both the registration authority and the certification authorities
// ask; no row is `refuse`. Sources: spec/smki.md 1.10 and 1.11, trap 10 of 2; K-05.
// Pure but for the reader. Threads: const members from any. Rules: csr-key-seen.
#pragma once
#include <span>

#include "smki/profiles.h"
#include "storage/store.h"

namespace wattseal::smki {

enum class KeyReuse { refuse, allow_same_subject, allow };
std::string_view text(KeyReuse reuse);  // as in the table: "allow-same-subject"

struct KeyReuseRow {
  std::string_view id, profile;
  std::string_view environment;  // "test", "live" or "all"
  KeyReuse policy = KeyReuse::refuse;
  std::string_view meaning, source, in_force_from;
};
std::span<const KeyReuseRow> key_reuse_rows();

class KeyReusePolicy {
 public:
  // What is in force at `at`. The rows outlive this.
  KeyReusePolicy(std::span<const KeyReuseRow> rows, Environment environment, UtcTime at)
      : rows_(rows), environment_(environment), date_(at.iso().substr(0, 10)) {}
  // Nothing: no row is in force, which is `refuse`.
  const KeyReuseRow* row(std::string_view profile) const;
  KeyReuse of(std::string_view profile) const;
  // Whether this key, certified or requested before, may be certified for what is asked. Looks at
  // no more than limit key_reuse_certificates_max certificates of the subject, newest first.
  // Refuses csr-key-seen, naming the row.
  Status check(const storage::Reader& reader, const Asked& asked,
               const crypto::PublicPoint& key) const;

 private:
  std::span<const KeyReuseRow> rows_;
  Environment environment_;
  std::string date_;
};

}  // namespace wattseal::smki
