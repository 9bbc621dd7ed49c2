#include "crypto/frequent_key.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/keys.h"
#include "tests/vectors.h"

namespace wattseal::crypto {
namespace {

using nlohmann::json;

TEST(FrequentKey, JudgesEveryRawSignatureAsTheVectorsSay) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const json vectors = json::parse(
      test::read_text(folder / "wycheproof" / "ecdsa_secp256r1_sha256_p1363_test.json"));
  const auto octets = [](const json& value) { return from_hex(value.get<std::string>()).value(); };
  int judged = 0;
  for (const json& group : vectors["testGroups"]) {
    const FrequentKey key(parse_point(octets(group["publicKey"]["uncompressed"])).value());
    for (const json& one : group["tests"]) {
      const Bytes given = octets(one["sig"]);
      Signature signature{};
      if (given.size() == signature.size()) std::ranges::copy(given, signature.begin());
      const bool valid =
          given.size() == signature.size() && key.verify(sha256(octets(one["msg"])), signature);
      EXPECT_EQ(valid, one["result"] == "valid") << one["tcId"] << " " << one["comment"];
      ++judged;
    }
  }
  EXPECT_EQ(judged, vectors["numberOfTests"].get<int>());
}

TEST(FrequentKey, AgreesWithVerifyOnGoodAndChangedSignatures) {
  const std::unique_ptr<KeyStore> keys = memory_key_store();
  for (unsigned k = 0; k < 3; ++k) {
    const KeyHandle key = generate_one(*keys, "k" + std::to_string(k)).value();
    const FrequentKey frequent(key->public_point());
    for (unsigned i = 0; i < 300; ++i) {
      Digest digest = sha256(as_bytes("digest " + std::to_string(i)));
      Signature signature = key->sign(digest);
      const unsigned bit = i * 37 % 256;
      if (i % 3 == 1) signature[bit / 4] ^= static_cast<Octet>(1u << bit % 8);
      if (i % 3 == 2) digest[bit / 8] ^= static_cast<Octet>(1u << bit % 8);
      EXPECT_EQ(frequent.verify(digest, signature), i % 3 == 0) << i;
      EXPECT_EQ(verify(key->public_point(), digest, signature), i % 3 == 0) << i;
    }
    EXPECT_FALSE(frequent.verify(Digest{}, Signature{})) << "r and s are zero";
    Signature large{};
    large.fill(0xFF);
    EXPECT_FALSE(frequent.verify(Digest{}, large)) << "r and s are over the order";
  }
}

// Sums of equal and of opposite points, and the generator itself as key: with s = r = e, u1 and u2
// are 1 and R is the key plus the generator.
TEST(FrequentKey, KnowsEqualAndOppositePoints) {
  const auto scalar = [](const char* hex) {
    return key_from_test_scalar(from_hex(hex).value()).value()->public_point();
  };
  const std::string zeros(62, '0');
  const PublicPoint generator = scalar((zeros + "01").c_str()),
                    twice = scalar((zeros + "02").c_str());
  Digest digest{};
  Signature signature{};
  std::copy_n(twice.begin() + 1, 32, digest.begin());
  std::copy_n(twice.begin() + 1, 32, signature.begin());
  std::copy_n(twice.begin() + 1, 32, signature.begin() + 32);
  EXPECT_TRUE(FrequentKey(generator).verify(digest, signature));
  const PublicPoint opposite =
      scalar("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550");
  EXPECT_FALSE(FrequentKey(opposite).verify(digest, signature)) << "the sum is no point";
}

}  // namespace
}  // namespace wattseal::crypto
