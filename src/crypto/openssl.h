// Small owners for OpenSSL's objects and the one way its failures are reported. Private to crypto.
#pragma once
#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED  // see p256.cc; a file that includes OpenSSL itself includes
                                     // this first
#endif
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include <memory>

#include "base/fault.h"
#include "crypto/crypto.h"

namespace wattseal::crypto {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BigNumber = std::unique_ptr<BIGNUM, Freer<BN_clear_free>>;
using EcKey = std::unique_ptr<EC_KEY, Freer<EC_KEY_free>>;
using EcPoint = std::unique_ptr<EC_POINT, Freer<EC_POINT_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freer<EVP_CIPHER_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;

inline void openssl_must(bool success, const char* what) {
  if (!success) throw Fault(std::string("OpenSSL failed: ") + what);
}

// The curve, fetched once; never freed, because handles may outlive static destruction.
const EC_GROUP* p256();
EcKey new_p256_key();

}  // namespace wattseal::crypto
