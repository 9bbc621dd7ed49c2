#include "gateway/gateway/signers.h"

#include "gbcs/security.h"
#include "terms/terms.h"

namespace wattseal::gateway {

Status Signers::verify(const xml::Document& document, const crypto::PublicPoint& key) {
  if (const std::shared_ptr<const crypto::FrequentKey> known = frequent(key))
    return xml::verify_signature(document, *known);
  TRY(xml::verify_signature(document, key));
  count(key);
  return {};
}

Status Signers::verify(const gbcs::Message& message, const crypto::PublicPoint& key) {
  const std::shared_ptr<const crypto::FrequentKey> known = frequent(key);
  if (known && message.signature_field == gbcs::SignatureField::present &&
      known->verify(crypto::sha256(gbcs::signed_octets(message)), message.signature))
    return {};
  TRY(gbcs::verify_signature(message, key));
  count(key);
  return {};
}

std::shared_ptr<const crypto::FrequentKey> Signers::frequent(const crypto::PublicPoint& key) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : found->second.frequent;
}

// Only good signatures count, so nobody else's documents make a key known. The multiples are made
// outside the lock.
void Signers::count(const crypto::PublicPoint& key) {
  const std::size_t most = limit("frequent_signers_max"),
                    enough = limit("frequent_signer_documents");
  {
    const std::lock_guard lock(mutex_);
    if (known_.size() >= most && !known_.contains(key)) known_.clear();
    if (++known_[key].documents != enough) return;
  }
  auto made = std::make_shared<const crypto::FrequentKey>(key);
  const std::lock_guard lock(mutex_);
  known_[key].frequent = std::move(made);
}

}  // namespace wattseal::gateway
