// The transcript of a ceremony: who was there, what was done, with the digest of every object made,
// signed by each authority whose key was used. One JSON object {"body", "signatures"}; what is
// signed is the line "wattseal ceremony transcript 1", which no certificate or list can begin with,
// and the body written compactly with sorted names. Anyone verifies it without a store. Rules:
// transcript-*. Source: spec/smki.md 1.12; docs/adr/0016. Pure. Not thread-safe.
#pragma once
#include <nlohmann/json.hpp>

#include "smki/profiles.h"

namespace wattseal::smki {

struct TranscriptSigner {
  std::string profile;
  Bytes certificate;
  crypto::KeyHandle key;
};

class TranscriptWriter {
 public:
  TranscriptWriter(std::string_view purpose, Environment environment, std::string_view key_store,
                   UtcTime began, TraceId trace);
  void number(std::uint64_t number) { body_["number"] = number; }
  void act(std::uint64_t act) { body_["act"] = act; }
  void person(std::string_view name, std::string_view role);
  void witness(std::string_view name) { body_["witnesses"].push_back(name); }
  // `octets` are public: a certificate, a list, a public key. They stand in the transcript whole.
  void step(UtcTime at, std::string_view what, std::string_view object, BytesView octets);
  std::string sign(UtcTime ended, std::span<const TranscriptSigner> signers);

 private:
  nlohmann::json body_;
};

struct TranscriptReport {
  nlohmann::json body;
  struct Signer {
    std::string profile, name;
    crypto::Digest fingerprint{};  // SHA-256 of the certificate
    bool root = false;
  };
  std::vector<Signer> signers;
  bool roots_given = false;
};
// Every digest, every signature, every signer's certificate up to a root that signed, too. Without
// `roots` (certificates, DER) the roots that the transcript itself names are believed: compare
// their fingerprints. Refuses transcript-malformed, transcript-changed, transcript-signature.
Result<TranscriptReport> verify_transcript(std::string_view text,
                                           const std::vector<Bytes>& roots = {});
crypto::Digest transcript_digest(std::string_view text);

// For people: one line a fact, in the order in which it happened.
std::string transcript_text(const nlohmann::json& body);

}  // namespace wattseal::smki
