// Signed notes and the checkpoints that logs sign with them: a text of a few lines that says "this
// log has this many entries and this root", readable by people and by any tool of the transparency
// world. Signatures are ECDSA on P-256 (type 0x02), the one kind that our key stores make; see
// docs/adr/0011. Strict in reading, at most 16 KiB. Threads: any. Rules: tlog-key, tlog-note,
// tlog-signature, tlog-checkpoint. Source: C2SP signed-note, tlog-checkpoint.
#pragma once
#include "crypto/keys.h"
#include "tlog/tree.h"

namespace wattseal::tlog {

// A name and a public key, as text "name+0a1b2c3d+base64": who is believed.
class Verifier {
 public:
  // REQUIRES a name without spaces and '+'.
  Verifier(std::string name, const crypto::PublicPoint& key);
  static Result<Verifier> parse(std::string_view text);  // refuses tlog-key
  const std::string& name() const { return name_; }
  const crypto::PublicPoint& key() const { return key_; }
  std::uint32_t id() const { return id_; }
  std::string text() const;
  friend bool operator==(const Verifier&, const Verifier&) = default;

 private:
  std::string name_;
  crypto::PublicPoint key_;
  std::uint32_t id_ = 0;
};

// REQUIRES a text that ends in a line break and has no control characters.
std::string sign_note(std::string_view text, const std::string& name,
                      const crypto::PrivateKey& key);
// The text, when `trusted` signed it. Other keys' signatures are passed over.
Result<std::string> open_note(std::string_view note, const Verifier& trusted);

struct Checkpoint {
  std::string origin;  // which log
  std::uint64_t size = 0;
  Hash root{};
  std::vector<std::string> extensions;  // lines that follow

  std::string text() const;
  static Result<Checkpoint> parse(std::string_view text);  // refuses tlog-checkpoint
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

}  // namespace wattseal::tlog
