#include "crypto/crypto.h"

#include "crypto/openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

namespace wattseal::crypto {
namespace {

// Algorithms are fetched once: a fetch takes a lock and microseconds (OpenSSL 3.0).
const EVP_MD* sha256_algorithm() {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  openssl_must(algorithm != nullptr, "EVP_MD_fetch");
  return algorithm;
}

const EVP_CIPHER* aes_128_gcm() {
  static EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  openssl_must(algorithm != nullptr, "EVP_CIPHER_fetch");
  return algorithm;
}

EVP_MD_CTX* digest_context() {
  thread_local const DigestContext context(EVP_MD_CTX_new());
  openssl_must(context != nullptr, "EVP_MD_CTX_new");
  return context.get();
}

EVP_CIPHER_CTX* cipher_context() {
  thread_local const CipherContext context(EVP_CIPHER_CTX_new());
  openssl_must(context != nullptr, "EVP_CIPHER_CTX_new");
  return context.get();
}

int length_of(BytesView octets) {
  CHECK(octets.size() < 1u << 30);
  return static_cast<int>(octets.size());
}

// One octet long DER integer content, minimal and positive, into 32 octets; nothing when it is not
// strict.
bool read_der_integer(BytesView& rest, Octet* out) {
  if (rest.size() < 3 || rest[0] != 0x02) return false;
  const std::size_t length = rest[1];
  if (length == 0 || length > 33 || rest.size() < 2 + length) return false;
  BytesView content = rest.subspan(2, length);
  rest = rest.subspan(2 + length);
  if (content[0] & 0x80) return false;
  if (content[0] == 0) {
    if (content.size() > 1 && !(content[1] & 0x80)) return false;
    content = content.subspan(1);
  }
  if (content.size() > 32) return false;
  std::ranges::copy(content, out + (32 - content.size()));
  return true;
}

void put_der_integer(Bytes& out, BytesView value) {
  while (value.size() > 1 && value[0] == 0) value = value.subspan(1);
  const bool sign_octet = (value[0] & 0x80) != 0;
  out.push_back(0x02);
  out.push_back(static_cast<Octet>(value.size() + (sign_octet ? 1 : 0)));
  if (sign_octet) out.push_back(0);
  append(out, value);
}

}  // namespace

Digest sha256(BytesView octets) { return sha256({octets}); }

Digest sha256(std::initializer_list<BytesView> parts) {
  EVP_MD_CTX* context = digest_context();
  bool good = EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr) == 1;
  for (const BytesView part : parts)
    good = good && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
  Digest digest{};
  unsigned length = 0;
  openssl_must(
      good && EVP_DigestFinal_ex(context, digest.data(), &length) == 1 && length == digest.size(),
      "SHA-256");
  return digest;
}

std::array<Octet, 20> sha1(BytesView octets) {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  std::array<Octet, 20> digest{};
  unsigned length = 0;
  openssl_must(algorithm != nullptr && EVP_Digest(octets.data(), octets.size(), digest.data(),
                                                  &length, algorithm, nullptr) == 1,
               "SHA-1");
  return digest;
}

Bytes signature_to_der(const Signature& signature) {
  Bytes content;
  put_der_integer(content, BytesView(signature).first(32));
  put_der_integer(content, BytesView(signature).last(32));
  Bytes der{0x30, static_cast<Octet>(content.size())};  // at most 70 octets
  append(der, content);
  return der;
}

Result<Signature> signature_from_der(BytesView der) {
  const Refusal malformed{"signature-malformed"_rule,
                          "it is no strict Ecdsa-Sig-Value of two 256-bit integers"};
  if (der.size() < 8 || der[0] != 0x30 || der[1] != der.size() - 2) return malformed;
  BytesView rest = der.subspan(2);
  Signature signature{};
  if (!read_der_integer(rest, signature.data()) || !read_der_integer(rest, signature.data() + 32) ||
      !rest.empty())
    return malformed;
  return signature;
}

Tag gmac(const Key128& key, const Iv& iv, BytesView authenticated) {
  EVP_CIPHER_CTX* context = cipher_context();
  int length = 0;
  Tag tag{};
  const bool good =
      EVP_EncryptInit_ex2(context, aes_128_gcm(), key.data(), iv.data(), nullptr) == 1 &&
      EVP_EncryptUpdate(context, nullptr, &length, authenticated.data(),
                        length_of(authenticated)) == 1 &&
      EVP_EncryptFinal_ex(context, tag.data(), &length) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag.data()) == 1;
  openssl_must(good, "AES-GMAC");
  return tag;
}

Bytes gcm_seal(const Key128& key, const Iv& iv, BytesView authenticated, BytesView plain,
               std::size_t tag_octets) {
  CHECK(tag_octets == 12 || tag_octets == 16);
  EVP_CIPHER_CTX* context = cipher_context();
  Bytes sealed(plain.size() + 16);
  int length = 0;
  bool good = EVP_EncryptInit_ex2(context, aes_128_gcm(), key.data(), iv.data(), nullptr) == 1;
  if (!authenticated.empty())
    good = good && EVP_EncryptUpdate(context, nullptr, &length, authenticated.data(),
                                     length_of(authenticated)) == 1;
  if (!plain.empty())
    good = good &&
           EVP_EncryptUpdate(context, sealed.data(), &length, plain.data(), length_of(plain)) == 1;
  good = good && EVP_EncryptFinal_ex(context, sealed.data() + plain.size(), &length) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, sealed.data() + plain.size()) == 1;
  openssl_must(good, "AES-GCM");
  sealed.resize(plain.size() + tag_octets);
  return sealed;
}

Result<Bytes> gcm_open(const Key128& key, const Iv& iv, BytesView authenticated, BytesView sealed,
                       std::size_t tag_octets) {
  CHECK(tag_octets == 12 || tag_octets == 16);
  const Refusal mismatch{"gcm-tag-mismatch"_rule,
                         "the authentication tag does not fit key, nonce and octets"};
  if (sealed.size() < tag_octets) return mismatch;
  const BytesView cipher = sealed.first(sealed.size() - tag_octets);
  Bytes tag = to_bytes(sealed.last(tag_octets));
  EVP_CIPHER_CTX* context = cipher_context();
  Bytes plain(cipher.size() + 16);
  int length = 0;
  bool good = EVP_DecryptInit_ex2(context, aes_128_gcm(), key.data(), iv.data(), nullptr) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, static_cast<int>(tag_octets),
                                  tag.data()) == 1;
  if (!authenticated.empty())
    good = good && EVP_DecryptUpdate(context, nullptr, &length, authenticated.data(),
                                     length_of(authenticated)) == 1;
  if (!cipher.empty())
    good = good &&
           EVP_DecryptUpdate(context, plain.data(), &length, cipher.data(), length_of(cipher)) == 1;
  openssl_must(good, "AES-GCM");
  if (EVP_DecryptFinal_ex(context, plain.data() + cipher.size(), &length) != 1) {
    ERR_clear_error();
    OPENSSL_cleanse(plain.data(), plain.size());
    return mismatch;
  }
  plain.resize(cipher.size());
  return plain;
}

Key128 concat_kdf(BytesView z, BytesView other_info) {
  static constexpr Octet kRound[4] = {0, 0, 0, 1};
  const Digest digest = sha256({BytesView(kRound), z, other_info});
  Key128 key{};
  std::copy_n(digest.begin(), key.size(), key.begin());
  return key;
}

Bytes key_wrap(const Key128& key, BytesView plain) {
  CHECK(plain.size() >= 16 && plain.size() % 8 == 0);
  const CipherContext context(EVP_CIPHER_CTX_new());
  openssl_must(context != nullptr, "EVP_CIPHER_CTX_new");
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  Bytes wrapped(plain.size() + 16);
  int length = 0, last = 0;
  const bool good =
      EVP_EncryptInit_ex(context.get(), EVP_aes_128_wrap(), nullptr, key.data(), nullptr) == 1 &&
      EVP_EncryptUpdate(context.get(), wrapped.data(), &length, plain.data(), length_of(plain)) ==
          1 &&
      EVP_EncryptFinal_ex(context.get(), wrapped.data() + length, &last) == 1;
  openssl_must(good, "AES key wrap");
  wrapped.resize(static_cast<std::size_t>(length + last));
  return wrapped;
}

Result<Bytes> key_unwrap(const Key128& key, BytesView wrapped) {
  const Refusal failed{"key-unwrap-failed"_rule, "the wrapped key does not fit the wrapping key"};
  if (wrapped.size() < 24 || wrapped.size() % 8 != 0) return failed;
  const CipherContext context(EVP_CIPHER_CTX_new());
  openssl_must(context != nullptr, "EVP_CIPHER_CTX_new");
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  Bytes plain(wrapped.size() + 8);
  int length = 0, last = 0;
  openssl_must(
      EVP_DecryptInit_ex(context.get(), EVP_aes_128_wrap(), nullptr, key.data(), nullptr) == 1,
      "AES key wrap");
  if (EVP_DecryptUpdate(context.get(), plain.data(), &length, wrapped.data(), length_of(wrapped)) !=
          1 ||
      EVP_DecryptFinal_ex(context.get(), plain.data() + length, &last) != 1) {
    ERR_clear_error();
    return failed;
  }
  plain.resize(static_cast<std::size_t>(length + last));
  return plain;
}

}  // namespace wattseal::crypto
