// Who signs documents often: of their keys the multiples are kept (crypto/frequent_key.h), so that
// a service user's signature costs half. Private to gateway. Thread-safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>

#include "crypto/frequent_key.h"
#include "gbcs/message.h"
#include "xml/dsig.h"

namespace wattseal::gateway {

class Signers {
 public:
  // What xml::verify_signature says.
  Status verify(const xml::Document& document, const crypto::PublicPoint& key);
  // What gbcs::verify_signature says.
  Status verify(const gbcs::Message& message, const crypto::PublicPoint& key);

 private:
  struct Known {
    std::size_t documents = 0;
    std::shared_ptr<const crypto::FrequentKey> frequent;
  };
  std::shared_ptr<const crypto::FrequentKey> frequent(const crypto::PublicPoint& key);
  void count(const crypto::PublicPoint& key);

  std::mutex mutex_;
  std::map<crypto::PublicPoint, Known> known_;
};

}  // namespace wattseal::gateway
